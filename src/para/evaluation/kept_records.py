"""What a further command makes of the records that a run's folder holds: kept, run again, or refused."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from para.evaluation.results import EpisodeRecord, read_results
from para.files import write_atomic
from para.interfaces import Scene

if TYPE_CHECKING:
    from para.evaluation.protocol import Trial

logger = logging.getLogger(__name__)


def forget_errors(path: Path, keys: set[tuple]) -> list[EpisodeRecord]:
    """The records of a file without those of episodes that raised and are to be run again, which leave the file too."""
    records = read_results(path)
    again = [r.error is not None and r.key in keys for r in records]
    kept = [record for record, dropped in zip(records, again) if not dropped]
    if len(kept) < len(records):
        logger.info("%d episodes that raised are run again", len(records) - len(kept))
        write_atomic(path, "".join(json.dumps(record.to_dict()) + "\n" for record in kept).encode())
    return kept


def check_same_run(trials: list[Trial], records: Sequence[EpisodeRecord], path: Path) -> None:
    """Raise ValueError where a record was made with other weights than a trial's of that policy, in another scene than
    one of that number, by whichever policy, or otherwise than its trial."""
    weights = {(trial.policy, trial.train_seed): trial.weights for trial in trials}
    scenes = {(trial.split, trial.scene_index): trial.scene for trial in trials}
    executions = {trial.key: trial.execution for trial in trials}
    for record in records:
        now = weights.get((record.policy, record.train_seed), record.checkpoint)
        scene = scenes.get((record.split, record.scene_index))
        what = ""
        if record.checkpoint != now:
            what = f"weights {record.checkpoint}, now {now}"
        elif scene is not None and Scene.from_dict(record.scene) != scene:
            what = "another scene"
        elif record.execution not in ("", executions.get(record.key, record.execution)):
            what = "another execution or world"
        if what:
            raise ValueError(
                f"{path} holds a record of {record.policy} in {record.split} scene {record.scene_index} made with "
                f"{what}; choose another output folder, or remove results.jsonl to evaluate again"
            )
