"""The summary of a run, computed from its records alone: counts, rates and comparisons, each with its intervals."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from para.evaluation.clusters import cluster_difference_interval, cluster_rate_interval, sign_flip_test
from para.evaluation.multiplicity import holm
from para.evaluation.records import EpisodeRecord, append_records, check_unique, read_results
from para.evaluation.statistics import (
    PAIRED_METHOD,
    PairedCounts,
    mcnemar_exact,
    newcombe_paired_interval,
    wilson_interval,
)
from para.interfaces import OUTCOMES

__all__ = [
    "EpisodeRecord", "append_records", "compare", "interval_of", "pairs_of", "read_results", "shares_clusters",
    "summarise", "summary_row",
]  # fmt: skip

MIN_CLUSTERS = 10
"""Episodes are taken together by what at least so many of their groups differ in (`cluster_kind`)."""


class Pair(NamedTuple):
    """One scene in which both of two policies were tried, with the same training seed."""

    a: EpisodeRecord
    b: EpisodeRecord


def summarise(
    records: Sequence[EpisodeRecord],
    *,
    experiment: str,
    world: str,
    scale: str,
    paper: Mapping[str, Mapping[str, tuple[float, str]]] | None = None,
    comparisons: Sequence[tuple[str, str, str]] = (),
    seconds: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """The content of `summary.json`.

    Rates are fractions of the trials that ran; episodes that raised are counted under `errors` only. Rows stand in the
    order in which policies and splits first occur in the records. `p_holm` is adjusted over these comparisons. `paper`
    repeats all of the paper's rates, those of policies that have no row too.

    Args:
        records: every episode of the run, in any order that is to be kept.
        experiment, world, scale: names, copied.
        paper: the paper's rates as fractions with their source, `{policy: {split: (0.54, "S2, table 1")}}`.
        comparisons: (a, b, split): policy a minus policy b, joined on training seed and scene. One whose policies have
            no pair in these records is left out.
        seconds: wall-clock time of the parts, `{"record", "train", "evaluate"}`, copied.

    Raises:
        ValueError: if two records are of the same episode.
    """
    check_unique(records)
    groups: dict[tuple[str, str], list[EpisodeRecord]] = {}
    for record in records:
        groups.setdefault((record.policy, record.split), []).append(record)
    rows = []
    for (policy, split), group in groups.items():
        number, source = (paper or {}).get(policy, {}).get(split) or (None, None)
        rows.append(summary_row(group) | {"paper": number, "paper_source": source})
    compared = [comparison for a, b, split in comparisons if (comparison := compare(records, a, b, split))]
    return {
        "experiment": experiment,
        "world": world,
        "scale": scale,
        "rows": rows,
        "comparisons": adjusted(compared),
        "paper": {
            policy: {split: {"rate": rate, "source": source} for split, (rate, source) in rates.items()}
            for policy, rates in (paper or {}).items()
        },
        "seconds": dict(seconds or {}),
    }


def summary_row(group: Sequence[EpisodeRecord]) -> dict[str, Any]:
    """Counts and rate of one policy on one split, with the Wilson interval and the one that respects clusters.

    Args:
        group: all of its episodes, errors included; at least one.
    """
    ran = [record for record in group if record.error is None]
    counts = {outcome: sum(record.outcome == outcome for record in ran) for outcome in OUTCOMES}
    low = high = cluster_low = cluster_high = None
    kind, cluster_of = cluster_kind(ran)
    clusters = [cluster_of(record) for record in ran]
    if ran:
        low, high = wilson_interval(counts["placed"], len(ran))
        cluster_low, cluster_high, *_ = cluster_rate_interval([r.outcome == "placed" for r in ran], clusters)
    return {
        "policy": group[0].policy,
        "split": group[0].split,
        "train_seeds": sorted({record.train_seed for record in group}),
        "trials": len(ran),
        **counts,
        "errors": len(group) - len(ran),
        "rate": counts["placed"] / len(ran) if ran else None,
        "ci_low": low,
        "ci_high": high,
        "cluster_by": kind,
        "clusters": len(set(clusters)),
        "cluster_ci_low": cluster_low,
        "cluster_ci_high": cluster_high,
    }


def shares_clusters(numbers: Mapping[str, Any]) -> bool:
    """Whether episodes of a row, or pairs of a comparison, share a position or a view, as those of several trainings
    do: mostly each by itself says less then."""
    clusters = numbers.get("clusters")
    return clusters is not None and clusters < numbers.get("n_pairs", numbers.get("trials", 0))


def interval_of(numbers: Mapping[str, Any]) -> tuple[float, float]:
    """The 95 % interval to show of a row or a comparison.

    Wilson's of a rate and Newcombe's of a difference, which take every episode for an independent one; where
    `shares_clusters`, widened to the one by cluster (that can be the shorter one by chance, and is not to gain by it).
    """
    low, high = numbers["ci_low"], numbers["ci_high"]
    if not shares_clusters(numbers):
        return low, high
    return min(low, numbers["cluster_ci_low"]), max(high, numbers["cluster_ci_high"])


def p_of(comparison: Mapping[str, Any]) -> float:
    """The p to show of a comparison, not adjusted: McNemar's, and where `shares_clusters` the larger of it and that by
    cluster, as `interval_of` is the wider of both."""
    if not shares_clusters(comparison):
        return comparison["p_value"]
    return max(comparison["p_value"], comparison["p_cluster"])


def interval_of_placed(records: Sequence[EpisodeRecord]) -> tuple[float, float]:
    """`interval_of` the rate of episodes that ran to their end; at least one."""
    return interval_of(summary_row(records))


def compare(records: Iterable[EpisodeRecord], a: str, b: str, split: str) -> dict[str, Any] | None:
    """Policy a minus policy b on the same scenes of a split; None where they have no pair.

    Newcombe's interval and McNemar's exact test count every pair; `cluster_ci_low` to `cluster_ci_high` and `p_cluster`
    (`sign_flip_test`) respect that several pairs share a cluster. With one pair per cluster the two tests are one.
    """
    pairs = pairs_of(records, a, b, split)
    if not pairs:
        return None
    counts = _count(pairs)
    low, high = newcombe_paired_interval(counts)
    kind, cluster_of = cluster_kind([pair.a for pair in pairs])
    outcomes = [[record.outcome == "placed" for record in side] for side in zip(*pairs)]
    clusters = [cluster_of(pair.a) for pair in pairs]
    cluster_low, cluster_high, n_clusters, _ = cluster_difference_interval(*outcomes, clusters)
    return {
        "a": a,
        "b": b,
        "split": split,
        "difference": (counts.a_only - counts.b_only) / counts.n_pairs,
        "ci_low": low,
        "ci_high": high,
        "p_value": mcnemar_exact(counts.a_only, counts.b_only),
        "method": PAIRED_METHOD,
        "n_pairs": counts.n_pairs,
        "both": counts.both,
        "a_only": counts.a_only,
        "b_only": counts.b_only,
        "cluster_by": kind,
        "clusters": n_clusters,
        "cluster_ci_low": cluster_low,
        "cluster_ci_high": cluster_high,
        "p_cluster": sign_flip_test(*outcomes, clusters),
    }


def adjusted(comparisons: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The comparisons with `p_holm`: `p_of` each, adjusted for how many they are."""
    p_values = holm([p_of(comparison) for comparison in comparisons])
    return [{**comparison, "p_holm": p} for comparison, p in zip(comparisons, p_values)]


def pairs_of(records: Iterable[EpisodeRecord], a: str, b: str, split: str) -> list[Pair]:
    """Episodes of two policies joined on training seed and scene, those that raised left out."""
    ran: dict[str, dict[tuple[int, int], EpisodeRecord]] = {a: {}, b: {}}
    for record in records:
        if record.policy in ran and record.split == split and record.error is None:
            ran[record.policy][record.train_seed, record.scene_index] = record
    return [Pair(ran[a][key], ran[b][key]) for key in ran[a] if key in ran[b]]


def cluster_kind(records: Sequence[EpisodeRecord]) -> tuple[str, Callable[[EpisodeRecord], Hashable]]:
    """What episodes share with one another that makes them dependent: "viewpoint", "position" or "scene".

    The coarsest of the three of which the episodes show at least `MIN_CLUSTERS`, else the scene. Training seeds that
    are tried in one scene share all three.

    Returns:
        The kind, and the function that gives an episode's cluster.
    """
    for kind in ("viewpoint", "position"):
        cluster_of = CLUSTERS[kind]
        if len({cluster_of(record) for record in records}) >= MIN_CLUSTERS:
            return kind, cluster_of
    return "scene", CLUSTERS["scene"]


def _viewpoint(record: EpisodeRecord) -> Hashable:
    theta = record.scene.get("view_theta_deg", 0.0)
    return theta, record.scene.get("view_phi_deg", 0.0) if theta else 0.0  # untilted, all directions are one view


def _position(record: EpisodeRecord) -> Hashable:
    return tuple(record.scene["object_xy"]), tuple(record.scene.get("goal_xy") or ())


def _scene(record: EpisodeRecord) -> Hashable:
    return json.dumps(record.scene, sort_keys=True)


CLUSTERS: dict[str, Callable[[EpisodeRecord], Hashable]] = {
    "viewpoint": _viewpoint,
    "position": _position,
    "scene": _scene,
}


def _count(pairs: Iterable[Pair]) -> PairedCounts:
    placed = [(pair.a.outcome == "placed", pair.b.outcome == "placed") for pair in pairs]
    return PairedCounts(*(placed.count(kind) for kind in [(True, True), (True, False), (False, True), (False, False)]))
