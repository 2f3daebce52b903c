"""What each training came to, as a table that stays with the records when the checkpoints are gone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from para.files import read_json, write_json
from para.training.checkpoint import weights_hash

TRAININGS_FILE = "trainings.json"


def export_trainings(folder: Path, trained: Sequence[tuple[str, int, Path]]) -> float:
    """Write `trainings.json`: steps, time and last held-out errors of every training that has finished.

    Rows of trainings that are no longer there stay.

    Args:
        folder: of the run.
        trained: recipe, train_seed and checkpoint of each training that may be there.

    Returns:
        Seconds that all of these took, each counted once, whenever and by whichever command that was.
    """
    path = folder / TRAININGS_FILE
    rows = {key_of(row): row for row in (read_json(path)["rows"] if path.exists() else [])}
    finished = [(name, seed, there) for name, seed, there in trained if (there / "training.json").exists()]
    for name, seed, there in finished:
        row = training_row(name, seed, there)
        rows[key_of(row)] = row
    write_json(path, {"rows": sorted(rows.values(), key=key_of)})
    return round(sum({row["checkpoint"]: row["seconds"] for row in rows.values()}.values()), 1)


def key_of(row: dict[str, Any]) -> tuple[str, int]:
    """What tells one row from another."""
    return row["policy"], row["train_seed"]


def training_row(name: str, seed: int, folder: Path) -> dict[str, Any]:
    """One finished training. Errors are of its last look at held-out demonstrations; None where there was none."""
    summary = read_json(folder / "training.json")
    metrics = summary["metrics"]
    errors = {key: rounded(metrics.get(key)) for key in ("error_mm", "pixel_error_px")}
    steps = {"steps": summary["steps"], "seconds": round(summary["seconds"], 1)}
    return {"policy": name, "train_seed": seed, "checkpoint": weights_hash(folder)} | steps | errors


def rounded(value: float | None) -> float | None:
    """To a hundredth."""
    return None if value is None else round(value, 2)
