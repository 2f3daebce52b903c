"""The runs of a whole family, read for its page: a folder in which each folder is the run of one experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from para.evaluation.results import EpisodeRecord
from para.reports.run_files import RunFiles, read_run
from para.reports.wording import in_reading_order

AXES = {
    "position": "Position of the object",
    "view": "Viewpoint",
    "clutter": "Clutter and appearance",
    "control": "Controls",
    "other": "Other",
}
"""What experiments vary, in the order of the page, and how it is called there."""


@dataclass(frozen=True)
class Family:
    """Every run of a folder."""

    folder: Path
    runs: Sequence[RunFiles]
    """In the order of the page: by axis, then by name."""

    def of_axis(self, *axes: str) -> list[RunFiles]:
        """The runs that vary one of these."""
        return [run for run in self.runs if run.axis in axes]

    @property
    def headline_policies(self) -> list[str]:
        """The policies that any experiment puts into its table."""
        return in_reading_order(policy for run in self.runs for policy in run.headline)

    @property
    def title(self) -> str:
        """The world that the runs took place in."""
        return ", ".join(sorted({run.summary["world"] for run in self.runs}))


def read_family(folder: Path | str) -> Family:
    """Read every run of a folder; a folder without `results.jsonl` is no run, and is passed over.

    Raises:
        FileNotFoundError: if there is no such folder, or no run in it.
        ValueError: if a file of a run cannot be read.
    """
    folder = Path(folder)
    runs = [read_run(path.parent) for path in sorted(folder.glob("*/results.jsonl"))]
    if not runs:
        raise FileNotFoundError(
            f"{folder} holds no runs (folders with results.jsonl); give the folder of a family, as results/tabletop"
        )
    order = list(AXES)
    rank = {run.folder: order.index(run.axis) if run.axis in order else len(order) for run in runs}
    return Family(folder, sorted(runs, key=lambda run: (rank[run.folder], run.folder.name)))


def name_of(run: RunFiles) -> str:
    """Name of the experiment, as on the command line."""
    return run.summary["experiment"]


def title_of(run: RunFiles) -> str:
    """Name of the experiment, as in text."""
    return str(run.config.get("title") or name_of(run).replace("_", " ").capitalize())


def scored(run: RunFiles, policy: str, splits: Sequence[str] | None = None) -> list[EpisodeRecord]:
    """A policy's episodes that ran to their end; without `splits` those of all but the validation scenes."""
    return [
        r
        for r in run.records
        if r.policy == policy
        and r.error is None
        and (r.split in splits if splits is not None else not r.split.startswith("validation"))
    ]
