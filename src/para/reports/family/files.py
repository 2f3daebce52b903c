"""The runs of a whole family, read for its page: a folder in which each folder is the run of one experiment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from para.evaluation.curves import LogisticFit
from para.evaluation.family import ALONE, summarise_family
from para.evaluation.records import EpisodeRecord
from para.reports.run_files import RunFiles, read_run
from para.reports.wording import base_policy, trained_policy

AXES = {
    "position": "Position of the object",
    "view": "Viewpoint",
    "clutter": "Clutter and appearance",
    "control": "Controls",
    "pretraining": "Pretraining",
    "other": "Other",
}
"""What experiments vary, in the order of the page, and how it is called there."""

LEVEL = 0.05
"""Of a p value that is adjusted for the number of comparisons."""

GOAL = 0.9
"""What a policy should reach in distribution, so that what it does elsewhere can be read."""

UNLEARNT_BELOW = 0.5
"""A policy that places less often than this in distribution has not learnt the task."""


@dataclass(frozen=True)
class Family:
    """Every run of a folder."""

    folder: Path
    runs: Sequence[RunFiles]
    """In the order of the page: by axis, then by name."""

    numbers: Mapping[str, Any]
    """What they show together (`para.evaluation.family.summarise_family`)."""

    def of_axis(self, *axes: str) -> list[RunFiles]:
        """The runs that vary one of these."""
        return [run for run in self.runs if run.axis in axes]

    def run(self, experiment: str) -> RunFiles:
        """The run of an experiment."""
        return next(run for run in self.runs if name_of(run) == experiment)

    def rows(self, experiment: str, split: str) -> list[Mapping[str, Any]]:
        """The rows of the table for one experiment and split."""
        return [r for r in self.numbers["rows"] if (r["experiment"], r["split"]) == (experiment, split)]

    def comparisons(self, experiment: str, policy: str, split: str) -> list[Mapping[str, Any]]:
        """What the table compares with this policy, each as "a" of a paired comparison."""
        wanted = experiment, policy, split
        return [c for c in self.numbers["comparisons"] if (c["experiment"], c["b"], c["split"]) == wanted]

    def fit(self, experiment: str, policy: str) -> LogisticFit | None:
        """The curve of success against the experiment's distance or angle; None where there is none."""
        for curve in self.numbers["curves"]:
            if (curve["experiment"], curve["policy"]) == (experiment, policy) and curve["fit"] is not None:
                return LogisticFit(**{f.name: curve["fit"][f.name] for f in fields(LogisticFit)})
        return None


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
    runs = sorted(runs, key=lambda run: (rank[run.folder], run.folder.name))
    return Family(folder, runs, summarise_family(folder))


def verdict(family: Family, comparison: Mapping[str, Any]) -> str:
    """Which policy is ahead: "a", "b", or "open" where the data do not tell (5%, adjusted over the whole table).

    "unlearnt" where one is ahead of a policy that has not learnt the task: that says nothing of how it generalises.
    """
    if comparison["p_holm"] >= LEVEL:
        return "open"
    if not has_learnt(family.run(comparison["experiment"]), loser(comparison)):
        return "unlearnt"
    return "a" if comparison["difference"] > 0 else "b"


def is_ours(family: Family, comparison: Mapping[str, Any]) -> bool:
    """Whether the minuend is a recipe of the policy that its experiment is about, and not of a baseline's."""
    ours = family.run(comparison["experiment"]).headline[0]
    return base_policy(comparison["a"]) == base_policy(ours)


def has_learnt(run: RunFiles, policy: str) -> bool:
    """Whether a policy places often enough in scenes like its own demonstrations, or that is not known."""
    row = in_distribution(run, policy)
    return row is None or row["rate"] is None or row["rate"] >= UNLEARNT_BELOW


def loser(comparison: Mapping[str, Any]) -> str:
    """The policy of the two that placed less often."""
    return comparison["b"] if comparison["difference"] > 0 else comparison["a"]


def in_distribution(run: RunFiles, policy: str) -> Mapping[str, Any] | None:
    """A policy's row in scenes like its own demonstrations; None where there were none.

    They are the split that has the name of its demonstrations, as `inner` of those in inner views, or else "train".
    """
    return row_in_distribution(run.rows(policy), run.config, policy)


NEAR_OWN = {"few10": "near_ten"}
"""Sets of demonstrations whose like go by another name among the splits than theirs."""


def row_in_distribution(
    rows: Iterable[Mapping[str, Any]], config: Mapping[str, Any], policy: str
) -> Mapping[str, Any] | None:
    """The same of a policy's rows and its run's config."""
    by_split = {row["split"]: row for row in rows}
    own = (config.get("data") or {}).get(trained_policy(policy), "")
    return by_split.get(NEAR_OWN.get(own, own), by_split.get("train"))


def name_of(run: RunFiles) -> str:
    """Name of the experiment, as on the command line; of a policy that was evaluated by itself, that of its folder."""
    return run.folder.name if run.summary["experiment"] == ALONE else run.summary["experiment"]


def title_of(run: RunFiles) -> str:
    """Name of the experiment, as in text."""
    title = str(run.config.get("title") or name_of(run).replace("_", " ").capitalize())
    return f"{title} ({run.folder.name})" if run.summary["experiment"] == ALONE else title


def scored(run: RunFiles, policy: str, splits: Sequence[str] | None = None) -> list[EpisodeRecord]:
    """A policy's episodes that ran to their end; without `splits` those of all but the validation scenes."""
    return [
        r
        for r in run.records
        if r.policy == policy
        and r.error is None
        and (r.split in splits if splits is not None else not r.split.startswith("validation"))
    ]
