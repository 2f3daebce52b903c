"""Summaries of runs, computed from their records alone, and the records themselves, to be committed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from para.evaluation.family import summarise_family
from para.evaluation.records import EpisodeRecord
from para.evaluation.results import read_results, summarise
from para.experiments import EXPERIMENTS
from para.experiments.pixel_errors import ERRORS_FILE as PIXEL_ERRORS
from para.experiments.trainings import TRAININGS_FILE
from para.experiments.video_samples import ERRORS_FILE as VIDEO_ERRORS
from para.files import read_json, write_json

RECORDS = ("config.json", "results.jsonl", "summary.json")
"""What of a run is committed: enough to recompute every number and to rebuild the page."""

ERROR_TABLES = (TRAININGS_FILE, PIXEL_ERRORS, VIDEO_ERRORS)
"""Committed too, where a run has them: what was measured along demonstrations and not in episodes."""


def summarise_run(folder: Path) -> dict[str, Any]:
    """Compute `summary.json` of a run folder from its `config.json` and `results.jsonl`, and write it.

    Raises:
        FileNotFoundError, ValueError: if one of the two is missing, damaged, or not that of a run.
    """
    config = read_json(folder / "config.json")
    missing = [name for name in ("experiment", "world", "scale", "seconds") if name not in config]
    if missing:
        raise ValueError(
            f"{folder / 'config.json'} lacks {', '.join(missing)}: it is not that of a run; choose another"
        )
    experiment = EXPERIMENTS.get(config["experiment"])  # None for an evaluation outside of any experiment
    records = read_results(folder / "results.jsonl")
    seconds = config["seconds"] | {"evaluate": round(sum(record.seconds for record in records), 1)}
    summary = summarise(
        records, experiment=config["experiment"], world=config["world"], scale=config["scale"]["name"],
        paper=experiment.paper if experiment else {}, comparisons=experiment.comparisons if experiment else (),
        seconds=seconds,
    )  # fmt: skip
    write_json(folder / "summary.json", summary)
    return summary


def run_folders(folder: Path) -> list[Path]:
    """The run folders in a folder, by name."""
    return sorted(path.parent for path in folder.glob("*/config.json") if (path.parent / "results.jsonl").exists())


def summarise_family_of(folder: Path) -> dict[str, Any]:
    """`summary.json` of each run in a folder, and `family.json` of all of them together."""
    for run in run_folders(folder):
        summarise_run(run)
    family = summarise_family(folder)
    write_json(folder / "family.json", family)
    return family


def _what_was_tried(record: EpisodeRecord) -> tuple:
    """What tells an episode from every other one: evaluations by themselves share the keys of theirs."""
    return record.key, record.world, record.checkpoint, record.scene.get("seed")


def export_records(folder: Path, into: Path) -> list[Path]:
    """Copy the records of a run, or of each run in a folder, to a folder of its name; a longer copy is never replaced.

    Raises:
        FileNotFoundError: if there is no run.
        ValueError: if what is there holds episodes that the run does not, or of other weights, worlds or scenes, two
            runs are of one experiment, or one was on validation scenes.
    """
    runs = [folder] if (folder / "config.json").exists() else run_folders(folder)
    if not runs:
        raise FileNotFoundError(f"no run in {folder} (config.json and results.jsonl); run an experiment first")
    configs = [read_json(run / "config.json") for run in runs]
    names = [config["experiment"] for config in configs]
    unfit = [str(r) for r, c in zip(runs, configs) if names.count(c["experiment"]) > 1 or c.get("validation")]
    if unfit:
        raise ValueError(
            f"runs of one experiment, or on validation scenes, are not exported together: {unfit}; name one"
        )
    copied = []
    for run, name in zip(runs, names):
        summarise_run(run)
        target = into / name
        old = target / "results.jsonl"
        if old.exists():
            there, ours = ({_what_was_tried(r) for r in read_results(f)} for f in (old, run / "results.jsonl"))
            if lost := sorted((key for key, *_ in there - ours)):
                raise ValueError(
                    f"{old} holds {len(lost)} episodes that {run} does not, or not of these weights in this world and "
                    f"scene, as {lost[0]}; remove it to forget them, or export into another folder"
                )
        target.mkdir(parents=True, exist_ok=True)
        for file in (*RECORDS, *(table for table in ERROR_TABLES if (run / table).exists())):
            shutil.copyfile(run / file, target / file)
        copied.append(target)
    return copied
