"""Any single number of a table, computed anew from the records: `viewpoints/para/test`, `viewpoints/para-act/test`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from para.evaluation.family import family_comparisons, read_runs
from para.evaluation.records import EpisodeRecord, read_results
from para.evaluation.results import compare, summary_row
from para.registry import pick

NUMBER = re.compile(r"([^/]+)/([\w+.]+)(?:-([\w+.]+))?/([^/]+)")
"""experiment/policy/split or experiment/policy-policy/split; names of policies hold no "-"."""


def look_up(folder: Path | str, text: str) -> str:
    """The number of that name (`parse_number`) in lines, with all that belongs to it.

    Args:
        folder: of several runs, each in a folder named after its experiment, as `results/tabletop`; or of one run.
        text: as `viewpoints/para/test` for a rate, `viewpoints/para-act/test` for a difference of two.

    Raises:
        FileNotFoundError: if there are no records.
        ValueError: if it is no name of a number, or the records hold none of that name.
    """
    experiment, policies, split = parse_number(text)
    if len(policies) == 1:
        return number_text(recompute(folder, experiment, *policies, split))
    return difference_text(recompute_difference(folder, experiment, *policies, split))


def parse_number(text: str) -> tuple[str, tuple[str, ...], str]:
    """The experiment, the policy or the two to compare, and the split: what the name of a number consists of.

    Raises:
        ValueError: if it does not.
    """
    if not (match := NUMBER.fullmatch(text)):
        raise ValueError(
            "a rate is named experiment/policy/split, as viewpoints/para/test, and a difference "
            f"experiment/policy-policy/split, as viewpoints/para-act/test; got '{text}'"
        )
    experiment, policy, other, split = match.groups()
    return experiment, (policy, other) if other else (policy,), split


def recompute(folder: Path | str, experiment: str, policy: str, split: str) -> dict[str, Any]:
    """The row of one policy on one split (`para.evaluation.results.summary_row`), straight from `results.jsonl`.

    Args:
        folder: of several runs, each in a folder named after its experiment, as `results/tabletop`.
        experiment, policy, split: as in the records.

    Returns:
        The row, with the `experiment`, the row of each training seed by itself (`by_training`), and the `records` file
        that all were computed from.

    Raises:
        FileNotFoundError: if there are no records.
        ValueError: if they hold no such experiment or policy, or none of it on that split; it names the nearest.
    """
    path = _records_path(folder, experiment)
    episodes = _episodes(read_results(path), path, policy, split)
    row = summary_row(episodes)
    by_training = {
        seed: summary_row([episode for episode in episodes if episode.train_seed == seed])
        for seed in row["train_seeds"]
    }
    return {"experiment": experiment, **row, "by_training": by_training, "records": str(path)}


def recompute_difference(folder: Path | str, experiment: str, a: str, b: str, split: str) -> dict[str, Any]:
    """Policy a minus policy b in the same scenes of a split (`para.evaluation.results.compare`), from `results.jsonl`.

    Args:
        folder, experiment, split: as in `recompute`. Every run of the folder, or beside it where it is one run's, is
            read: Holm's p is of all comparisons.
        a, b: two policies of that experiment.

    Returns:
        The comparison, with `p_holm` as in `family.json` (None where it is not one of the comparisons there, in either
        order), `family` (how many these are), the `experiment`, and the `records` file that it was computed from.

    Raises:
        FileNotFoundError, ValueError: as `recompute`; ValueError also if no scene ran with both.
    """
    path = _records_path(folder, experiment)
    records = read_results(path)
    for policy in (a, b):
        _episodes(records, path, policy, split)
    comparison = compare(records, a, b, split)
    if comparison is None:
        raise ValueError(f"no scene of {split} in {path} ran with both {a} and {b}; evaluate both with the same seeds")
    alone = path.parent.absolute() == Path(folder).absolute()  # one run's folder: its family lies around it
    try:
        runs = read_runs(path.parent.absolute().parent if alone else folder)
    except (ValueError, FileNotFoundError):  # around it are other things, or twins
        if not alone:
            raise
        runs = []
    family = {(c["experiment"], c["a"], c["b"], c["split"]): c for c in family_comparisons(runs)}
    name = next((run.experiment for run in runs if run.folder == path.parent.absolute().name), experiment)
    # two-sided: turned round, a comparison has the same p
    found = family.get((name, a, b, split)) or family.get((name, b, a, split))
    adjusted = {"p_holm": found["p_holm"] if found else None, "family": len(family)}
    return {"experiment": experiment, **comparison, **adjusted, "records": str(path)}


def _records_path(folder: Path | str, experiment: str) -> Path:
    """The records of an experiment; ValueError with what there is, where there are only others."""
    own = Path(folder) / "results.jsonl"
    if own.exists():
        names = {Path(folder).absolute().name, *(record.experiment for record in read_results(own)[:1])}
        return pick(dict.fromkeys(sorted(names), own), f"experiment with records in {folder} is called", experiment)
    there = {path.parent.name: path for path in Path(folder).glob("*/results.jsonl")}
    absent = Path(folder) / experiment / "results.jsonl"
    return pick(there, f"experiment with records in {folder} is called", experiment) if there else absent


def _episodes(records: Sequence[EpisodeRecord], path: Path, policy: str, split: str) -> list[EpisodeRecord]:
    """Those of a policy on a split, at least one; ValueError with what there is where there is none."""
    for name, value in (("policy", policy), ("split", split)):
        pick(dict.fromkeys(getattr(record, name) for record in records), f"{name} in {path} is called", value)
        records = [record for record in records if getattr(record, name) == value]
    return list(records)


def number_text(row: Mapping[str, Any]) -> str:
    """A recomputed row in lines: count, rate, both intervals, and where it comes from."""
    lines = [f"{row['experiment']}/{row['policy']}/{row['split']}, from {row['records']}"]
    seeds = ", ".join(map(str, row["train_seeds"]))
    lines.append(f"  placed            {row['placed']} of {row['trials']} trials (training seeds {seeds})")
    if len(row["by_training"]) > 1:
        each = ", ".join(f"{one['placed']} of {one['trials']}" for one in row["by_training"].values())
        lines.append(f"  by training       {each}")
    if row["rate"] is not None:
        kind = row["cluster_by"]
        lines.append(f"  rate              {100 * row['rate']:.1f}%")
        lines.append(f"  Wilson, 95%       {100 * row['ci_low']:.1f} to {100 * row['ci_high']:.1f}%")
        ends = f"{100 * row['cluster_ci_low']:.1f} to {100 * row['cluster_ci_high']:.1f}%"
        lines.append(f"  clusters, 95%     {ends} ({row['clusters']} {kind}s)")
    rest = f"  other outcomes    {row['grasped']} grasped, {row['missed']} missed, {row['errors']} errors"
    return "\n".join([*lines, rest])


def difference_text(row: Mapping[str, Any]) -> str:
    """A recomputed comparison in lines: paired counts, difference, both intervals, and p three times over."""
    a, b, n = row["a"], row["b"], row["n_pairs"]
    neither = n - row["both"] - row["a_only"] - row["b_only"]
    counts = f"{row['both']} both placed, {row['a_only']} only {a}, {row['b_only']} only {b}, {neither} neither"
    clusters = f"{row['clusters']} {row['cluster_by']}s"
    where = (
        f"not one of the {row['family']} comparisons of the family" if row["family"] else "of a run without a family"
    )
    holm = f"none: it is {where}; the p above are not adjusted"
    if row["p_holm"] is not None:
        holm = f"p = {row['p_holm']:.3g}, the larger of both adjusted over the family's {row['family']} comparisons"
    return "\n".join(
        [
            f"{row['experiment']}/{a}-{b}/{row['split']}, from {row['records']}",
            f"  pairs             {n}: {counts}",
            f"  difference        {100 * row['difference']:+.1f} points, {a} minus {b}",
            f"  Newcombe, 95%     {_ends(row, 'ci')}",
            f"  clusters, 95%     {_ends(row, 'cluster_ci')} ({clusters})",
            f"  McNemar, exact    p = {row['p_value']:.3g}",
            f"  clusters, exact   p = {row['p_cluster']:.3g} ({clusters})",
            f"  Holm              {holm}",
        ]
    )


def _ends(row: Mapping[str, Any], interval: str) -> str:
    return f"{100 * row[f'{interval}_low']:+.1f} to {100 * row[f'{interval}_high']:+.1f} points"
