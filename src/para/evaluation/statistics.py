"""Intervals and tests for success rates: few trials, rates near 0 and 1, policies compared on the same scenes.

Wilson's score interval for one rate, Newcombe's two intervals for a difference (independent and paired), and McNemar's
exact test on the pairs. Rates are fractions, 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy import stats

PAIRED_METHOD = "Newcombe (1998) method 10 interval for paired proportions; exact McNemar test, two-sided"
"""What `compare_pairs` computes, in the words that go into a summary."""

TRAININGS_DIFFER = 0.01
"""Below this p of `cochran_q_p`, the trainings of a policy are said to differ by more than chance."""

ROUNDING = 1e-9
"""What counts may be off by, of trials: clusters scale them down to fractions."""


class Interval(NamedTuple):
    """Both ends of a confidence interval."""

    low: float
    high: float


class PairedCounts(NamedTuple):
    """Pairs of trials on the same scene, by which of the two policies succeeded."""

    both: int
    a_only: int
    b_only: int
    neither: int

    @property
    def n_pairs(self) -> int:
        """All pairs."""
        return sum(self)


def wilson_interval(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Wilson's score interval for a success rate (Wilson 1927).

    Never empty and never outside [0, 1]: of 0 successes in 20 it is 0 to 0.161.

    Args:
        successes, trials: counts, 0 <= successes <= trials and trials > 0.
        level: confidence level, between 0 and 1.

    Raises:
        ValueError: for counts that cannot be, or a level outside (0, 1).
    """
    _check_counts(successes, trials)
    z = _normal_quantile(level)
    p = successes / trials
    centre = (p + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z * math.sqrt(p * (1 - p) / trials + z**2 / (4 * trials**2)) / (1 + z**2 / trials)
    # exact at the ends, where rounding would leave 1e-17
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return Interval(low, high)


def newcombe_interval(
    a_successes: int, a_trials: int, b_successes: int, b_trials: int, level: float = 0.95
) -> Interval:
    """Interval for the difference of two independent rates, a minus b, from their Wilson intervals.

    Method 10 of Newcombe, Statistics in Medicine 17 (1998) 873-890.

    Raises:
        ValueError: for counts that cannot be, or a level outside (0, 1).
    """
    return _square_and_add((a_successes, a_trials), (b_successes, b_trials), 0.0, level)


def newcombe_paired_interval(counts: PairedCounts, level: float = 0.95) -> Interval:
    """Interval for the difference of two rates, a minus b, measured on the same scenes.

    As `newcombe_interval`, with the correlation phi of the pairs, which is corrected towards 0 where it is positive.
    Method 10 of Newcombe, Statistics in Medicine 17 (1998) 2635-2650.

    Raises:
        ValueError: for negative counts, no pairs, or a level outside (0, 1).
    """
    both, a_only, b_only, neither = counts
    n = counts.n_pairs
    if min(counts) < 0 or n == 0:
        raise ValueError(f"a paired comparison needs counts of 0 or more and at least one pair; got {tuple(counts)}")
    a, b = both + a_only, both + b_only
    product = max(a * (n - a) * b * (n - b), 0.0)
    excess = both * neither - a_only * b_only
    corrected = max(excess - n / 2, 0.0) if excess > 0 else excess
    phi = corrected / math.sqrt(product) if product else 0.0
    return _square_and_add((a, n), (b, n), phi, level)


def mcnemar_exact(a_only: int, b_only: int) -> float:
    """Two-sided p value of McNemar's exact test: could the discordant pairs have fallen like fair coins?

    Args:
        a_only, b_only: pairs in which only the one or only the other succeeded. No such pair gives 1.

    Raises:
        ValueError: for negative counts.
    """
    if a_only < 0 or b_only < 0:
        raise ValueError(f"McNemar's test needs counts of 0 or more; got {a_only} and {b_only}")
    n = a_only + b_only
    return 1.0 if n == 0 else float(min(1.0, 2 * stats.binom.cdf(min(a_only, b_only), n, 0.5)))


def _square_and_add(a: tuple[int, int], b: tuple[int, int], phi: float, level: float) -> Interval:
    """The difference of two rates, each (successes, trials), with the correlation `phi` between them."""
    (a_low, a_high), (b_low, b_high) = wilson_interval(*a, level), wilson_interval(*b, level)
    p_a, p_b = a[0] / a[1], b[0] / b[1]
    below = _correlated_sum(p_a - a_low, b_high - p_b, phi)
    above = _correlated_sum(a_high - p_a, p_b - b_low, phi)
    return Interval(max(-1.0, p_a - p_b - below), min(1.0, p_a - p_b + above))


def _correlated_sum(x: float, y: float, phi: float) -> float:
    return math.sqrt(max(0.0, x**2 - 2 * phi * x * y + y**2))


def _check_counts(successes: float, trials: float) -> None:
    if trials < 1 - ROUNDING or not 0 <= successes <= trials + ROUNDING:
        raise ValueError(f"a rate needs at least one trial and 0 to that many successes; got {successes} of {trials}")


def _normal_quantile(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1, as 0.95; got {level}")
    return float(stats.norm.ppf(0.5 + level / 2))


def cochran_q_p(outcomes: Sequence[Sequence[bool]]) -> float:
    """Cochran's Q test (Biometrika 37, 1950) that several groups have one rate on the same trials: its asymptotic p.

    So the trainings of a policy, which meet the same scenes: a test that took them for independent would miss most
    differences. Intervals of pooled counts are about these trainings and no others; where they differ by more than
    chance, another may lie far outside.

    Args:
        outcomes: of each trial the outcome in each group.

    Raises:
        ValueError: if trials have outcomes in different numbers of groups.
    """
    n_groups = {len(row) for row in outcomes}
    if len(n_groups) > 1:
        raise ValueError(f"each trial needs an outcome in every group; they have {sorted(n_groups)} of them")
    (k,) = n_groups or (0,)
    of_trials, of_groups = [sum(row) for row in outcomes], [sum(column) for column in zip(*outcomes)]
    spread = k * sum(of_trials) - sum(successes**2 for successes in of_trials)
    if not spread:  # no trial in which groups differ
        return 1.0
    q = (k - 1) * (k * sum(successes**2 for successes in of_groups) - sum(of_groups) ** 2) / spread
    return float(stats.chi2.sf(q, k - 1))
