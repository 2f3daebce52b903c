"""Intervals and a test for episodes that are not independent: several share a position, a viewpoint or a seed.

Three training seeds tried in one scene succeed or fail together more often than in three scenes. A Wilson interval
takes them for independent and then covers the truth too rarely: in 78 % of cases instead of 95 % for 64 scenes of
three episodes that mostly agree. Here whole clusters are resampled instead of episodes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from para.evaluation.statistics import PairedCounts, newcombe_paired_interval, wilson_interval

N_RESAMPLES = 4000
"""Bootstrap resamples."""

MIN_DEVIATING = 5
"""So many clusters must differ from the commonest result for a bootstrap. With fewer, the resamples are a few lumps,
with none a single point, and the interval is too short (it covers the truth in 37 to 90 % of simulated cases)."""

SEED = 0
"""Of the resampling, so that equal records give equal intervals."""

BOOTSTRAP = "BCa cluster bootstrap"
FEW_DEVIATE_RATE = "Wilson interval, each cluster counted as one trial"
FEW_DEVIATE_DIFFERENCE = "Newcombe (1998) method 10 interval, each cluster counted as one pair"


class ClusterInterval(NamedTuple):
    """A confidence interval that respects clusters."""

    low: float
    high: float
    n_clusters: int
    method: str
    """How it was computed: `BOOTSTRAP`, or the fallback where too few clusters differ."""


def cluster_rate_interval(
    placed: Sequence[float], clusters: Sequence[Hashable], *, level: float = 0.95, seed: int = SEED
) -> ClusterInterval:
    """Interval for a success rate, or a mean score, whose trials come in clusters.

    Bias-corrected and accelerated bootstrap (Efron, Journal of the American Statistical Association 82 (1987) 171-185)
    that resamples whole clusters (Davison and Hinkley, Bootstrap Methods and their Application, sec. 3.8). Where fewer
    than `MIN_DEVIATING` clusters differ from the commonest rate (all placed, say), it is the Wilson interval of that
    rate with the number of clusters as the number of trials: as if the episodes of a cluster always agreed, which is
    the safe side; so is taking scores for rates, which of all numbers from 0 to 1 with one mean vary most.

    Args:
        placed: one outcome per episode, or its score from 0 to 1.
        clusters: what each episode shares with others: its scene, position, viewpoint or training seed.
        level: confidence level, between 0 and 1.
        seed: of the resampling. The order of the episodes has no effect.

    Raises:
        ValueError: for no episodes, unequal lengths, or a level outside (0, 1).
    """
    sums, sizes = _per_cluster(np.asarray(placed, dtype=float), clusters)
    if _deviating(sums / sizes) < MIN_DEVIATING:
        trials = len(sums)
        low, high = wilson_interval(float(sums.sum() / sizes.sum()) * trials, trials, level)
        return ClusterInterval(low, high, trials, FEW_DEVIATE_RATE)
    return ClusterInterval(*_bca(sums, sizes, level, seed), len(sums), BOOTSTRAP)


def cluster_difference_interval(
    a: Sequence[bool], b: Sequence[bool], clusters: Sequence[Hashable], *, level: float = 0.95, seed: int = SEED
) -> ClusterInterval:
    """Interval for the difference of two rates, a minus b, measured in pairs that come in clusters.

    As `cluster_rate_interval`, with the differences of the pairs; the fallback is Newcombe's paired interval with the
    counts scaled down to one pair per cluster.

    Args:
        a, b: outcomes of the two policies, pair by pair.
        clusters: what each pair shares with others.
        level, seed: as there.

    Raises:
        ValueError: for no pairs, unequal lengths, or a level outside (0, 1).
    """
    a, b = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    if len(a) != len(b):
        raise ValueError(f"pairs need as many outcomes of a as of b; got {len(a)} and {len(b)}")
    sums, sizes = _per_cluster(a.astype(float) - b, clusters)
    if _deviating(sums / sizes) < MIN_DEVIATING:
        counts = np.array([(a & b).sum(), (a & ~b).sum(), (~a & b).sum(), (~a & ~b).sum()])
        low, high = newcombe_paired_interval(PairedCounts(*(counts * (len(sums) / len(a))).tolist()), level)
        return ClusterInterval(low, high, len(sums), FEW_DEVIATE_DIFFERENCE)
    return ClusterInterval(*_bca(sums, sizes, level, seed), len(sums), BOOTSTRAP)


def sign_flip_test(a: Sequence[bool], b: Sequence[bool], clusters: Sequence[Hashable]) -> float:
    """Exact two-sided p value for "in every cluster it is a toss-up which policy is which".

    Each cluster's difference (pairs that only a placed minus those that only b placed) keeps its size and may fall
    either way; p is the chance of a total at least as far from 0. With one pair per cluster this is McNemar's exact
    test (Fisher's randomisation test for matched pairs; Ernst, Statistical Science 19 (2004) 676-685).

    Raises:
        ValueError: for no pairs or unequal lengths.
    """
    if len(a) != len(b):
        raise ValueError(f"pairs need as many outcomes of a as of b; got {len(a)} and {len(b)}")
    sums, _ = _per_cluster(np.asarray(a, dtype=float) - np.asarray(b, dtype=float), clusters)
    sizes = np.abs(sums).astype(int)
    span = int(sizes.sum())
    chance = np.zeros(2 * span + 1)  # of each total, -span to span
    chance[span] = 1.0
    for size in sizes[sizes > 0]:
        chance = 0.5 * (np.roll(chance, size) + np.roll(chance, -size))  # never wraps round: |total| <= span
    totals = np.abs(np.arange(-span, span + 1))
    return float(min(1.0, chance[totals >= abs(int(sums.sum()))].sum()))


def _per_cluster(values: np.ndarray, clusters: Sequence[Hashable]) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the values in each cluster, in an order that depends on nothing but them."""
    if len(values) == 0 or len(values) != len(clusters):
        raise ValueError(f"at least one value with a cluster each is needed; got {len(values)} and {len(clusters)}")
    totals: dict[Hashable, list[float]] = {}
    for value, cluster in zip(values.tolist(), clusters, strict=True):
        total = totals.setdefault(cluster, [0.0, 0.0])
        total[0] += value
        total[1] += 1.0
    sums, sizes = np.array(sorted(map(tuple, totals.values()))).T
    return sums, sizes


def _deviating(rates: np.ndarray) -> int:
    """How many clusters differ from the commonest rate."""
    _, counts = np.unique(rates.round(9), return_counts=True)
    return int(len(rates) - counts.max())


def _bca(sums: np.ndarray, sizes: np.ndarray, level: float, seed: int) -> tuple[float, float]:
    """Ends of the BCa interval of sum(sums) / sum(sizes), (G,) each."""
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1, as 0.95; got {level}")
    n_clusters = len(sums)
    estimate = sums.sum() / sizes.sum()
    # random(), not integers(): its stream of numbers is the same in all versions of numpy
    chosen = (np.random.default_rng(seed).random((N_RESAMPLES, n_clusters)) * n_clusters).astype(int)
    resampled = sums[chosen].sum(axis=1) / sizes[chosen].sum(axis=1)  # (N_RESAMPLES,)
    below = np.mean(resampled < estimate) + 0.5 * np.mean(resampled == estimate)
    bias = stats.norm.ppf(np.clip(below, 0.5 / N_RESAMPLES, 1 - 0.5 / N_RESAMPLES))
    without = (sums.sum() - sums) / (sizes.sum() - sizes)  # (G,) the estimate without each cluster
    pull = without.mean() - without
    acceleration = (pull**3).sum() / (6 * (pull**2).sum() ** 1.5)
    z = bias + stats.norm.ppf([(1 - level) / 2, (1 + level) / 2])
    low, high = np.quantile(resampled, stats.norm.cdf(bias + z / (1 - acceleration * z)))
    return float(low), float(high)
