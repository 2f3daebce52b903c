"""What each training came to, as a table that stays with the records when the checkpoints are gone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from para.evaluation.records import read_results
from para.files import read_json, write_json
from para.training.checkpoint import weights_hash
from para.training.run_folder import SUMMARY_FILE, is_finished

TRAININGS_FILE = "trainings.json"


def export_trainings(folder: Path, trained: Sequence[tuple[str, int, Path]]) -> float:
    """Write `trainings.json`: steps, time and last held-out errors of every training that has finished.

    Rows of trainings that are no longer there stay. A training whose episodes are recorded with other weights has no
    row: it was done anew since, for a policy that starts from the same.

    Args:
        folder: of the run.
        trained: recipe, train_seed and checkpoint of each training that may be there.

    Returns:
        Seconds that all of these took, each counted once, whenever and by whichever command that was.
    """
    path = folder / TRAININGS_FILE
    before = read_json(path)["rows"] if path.exists() else []
    finished = [(name, seed, there) for name, seed, there in trained if is_finished(there)]
    recorded = weights_recorded(folder)
    found = [*before, *(training_row(name, seed, there) for name, seed, there in finished)]
    rows = {key_of(row): row for row in found if row["checkpoint"] in recorded.get(key_of(row), {row["checkpoint"]})}
    write_json(path, {"rows": sorted(rows.values(), key=key_of)})
    return round(sum({row["checkpoint"]: row["seconds"] for row in rows.values()}.values()), 1)


def weights_recorded(folder: Path) -> dict[tuple[str, int], set[str]]:
    """Policy and train_seed -> the weights of its episodes in the folder's records."""
    path = folder / "results.jsonl"
    found: dict[tuple[str, int], set[str]] = {}
    for record in read_results(path) if path.exists() else []:
        found.setdefault((record.policy, record.train_seed), set()).add(record.checkpoint)
    return found


def key_of(row: dict[str, Any]) -> tuple[str, int]:
    """What tells one row from another."""
    return row["policy"], row["train_seed"]


def training_row(name: str, seed: int, folder: Path) -> dict[str, Any]:
    """One finished training. Errors are of its last look at held-out demonstrations; None where there was none."""
    summary = read_json(folder / SUMMARY_FILE)
    metrics = summary["metrics"]
    errors = {key: rounded(metrics.get(key)) for key in ("error_mm", "pixel_error_px")}
    how = {"steps": summary["steps"], "seconds": round(summary["seconds"], 1)}
    if "precision" in summary:  # of trainings since it is told
        how["precision"] = summary["precision"]
    return {"policy": name, "train_seed": seed, "checkpoint": weights_hash(folder)} | how | errors


def rounded(value: float | None) -> float | None:
    """To a hundredth."""
    return None if value is None else round(value, 2)
