"""Any single number of a table, computed anew from the records: `viewpoints/para/test`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from para.evaluation.records import read_results
from para.evaluation.results import summary_row
from para.registry import pick


def recompute(folder: Path | str, experiment: str, policy: str, split: str) -> dict[str, Any]:
    """The row of one policy on one split (`para.evaluation.results.summary_row`), straight from `results.jsonl`.

    Args:
        folder: of several runs, each in a folder named after its experiment, as `results/tabletop`.
        experiment, policy, split: as in the records.

    Returns:
        The row, with the `experiment` and the `records` file that it was computed from.

    Raises:
        FileNotFoundError: if there are no records of that experiment.
        ValueError: if they hold no such policy, or none of it on that split; it names the nearest that there is.
    """
    path = Path(folder) / experiment / "results.jsonl"
    records = read_results(path)
    for name, value in (("policy", policy), ("split", split)):
        pick(dict.fromkeys(getattr(record, name) for record in records), f"{name} in {path} is called", value)
        records = [record for record in records if getattr(record, name) == value]
    return {"experiment": experiment, **summary_row(records), "records": str(path)}


def parse_number(text: str) -> tuple[str, str, str]:
    """The experiment, policy and split of a text like `viewpoints/para/test`.

    Raises:
        ValueError: if it does not consist of three names.
    """
    parts = text.split("/")
    if len(parts) != 3 or not all(parts):
        raise ValueError(f"a number is named experiment/policy/split, as viewpoints/para/test; got '{text}'")
    return parts[0], parts[1], parts[2]


def number_text(row: Mapping[str, Any]) -> str:
    """A recomputed row in lines: count, rate, both intervals, and where it comes from."""
    lines = [f"{row['experiment']}/{row['policy']}/{row['split']}, from {row['records']}"]
    seeds = ", ".join(map(str, row["train_seeds"]))
    lines.append(f"  placed            {row['placed']} of {row['trials']} trials (training seeds {seeds})")
    if row["rate"] is not None:
        kind = row["cluster_by"]
        lines.append(f"  rate              {100 * row['rate']:.1f}%")
        lines.append(f"  Wilson, 95%       {100 * row['ci_low']:.1f} to {100 * row['ci_high']:.1f}%")
        ends = f"{100 * row['cluster_ci_low']:.1f} to {100 * row['cluster_ci_high']:.1f}%"
        lines.append(f"  clusters, 95%     {ends} ({row['clusters']} {kind}s)")
    rest = f"  other outcomes    {row['grasped']} grasped, {row['missed']} missed, {row['errors']} errors"
    return "\n".join([*lines, rest])
