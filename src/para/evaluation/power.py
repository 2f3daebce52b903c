"""How many episodes it takes to tell two success rates apart: to be read before a comparison is planned or believed.

All numbers are for two-sided tests. The formulas are asymptotic; below about ten episodes they are a rough guide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scipy import stats

PAPER_CONTRASTS = (
    (0.54, 0.01), (0.66, 0.10), (0.61, 0.24), (0.28, 0.10), (0.54, 0.33), (0.60, 0.40),
    (0.97, 0.90), (0.97, 0.95), (0.71, 0.68),
)  # fmt: skip
"""Pairs of rates worth a row in the power table: contrasts that the paper reports, and differences near the ceiling."""

CORRELATION = 0.5
"""Of the outcomes of two policies on the same scenes, in the power table's last column."""


def trials_per_arm(p1: float, p2: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Episodes per policy to tell rate p1 from rate p2 where the two are tried on different scenes.

    The test of two independent proportions with the pooled variance under the null hypothesis (Fleiss, Levin and Paik,
    Statistical Methods for Rates and Proportions, 3rd ed., ch. 4; R's `power.prop.test`), with p = (p1 + p2) / 2:
    n = (z_{1 - alpha/2} sqrt(2 p (1 - p)) + z_power sqrt(p1 (1 - p1) + p2 (1 - p2)))^2 / (p1 - p2)^2.
    For 0.71 against 0.68 it gives 3,697; the unpooled variance gives 3,694, the arcsine formula 3,696, and a continuity
    correction 3,763.

    Raises:
        ValueError: for rates outside [0, 1] or equal to one another, or alpha or power outside (0, 1).
    """
    _check(p1, p2, alpha, power)
    z_alpha, z_power = stats.norm.ppf(1 - alpha / 2), stats.norm.ppf(power)
    pooled = (p1 + p2) / 2
    under_null = z_alpha * math.sqrt(2 * pooled * (1 - pooled))
    under_alternative = z_power * math.sqrt(p1 * (1 - p1) + p2 * (1 - p2))
    return math.ceil(((under_null + under_alternative) / (p1 - p2)) ** 2)


def power_of(n: int, p1: float, p2: float, *, alpha: float = 0.05) -> float:
    """The chance that n episodes per policy tell rate p1 from rate p2: the inverse of `trials_per_arm`.

    Raises:
        ValueError: as `trials_per_arm`; for n < 1; or where one rate is 0 and the other 1, which leaves no variance.
    """
    _check(p1, p2, alpha, 0.5)
    spread = math.sqrt(p1 * (1 - p1) + p2 * (1 - p2))
    if n < 1 or spread == 0:
        raise ValueError(f"power needs n of at least 1 and a rate other than 0 and 1; got n {n}, rates {p1} and {p2}")
    pooled = (p1 + p2) / 2
    under_null = stats.norm.ppf(1 - alpha / 2) * math.sqrt(2 * pooled * (1 - pooled))
    return float(stats.norm.cdf((math.sqrt(n) * abs(p1 - p2) - under_null) / spread))


def pairs_needed(p1: float, p2: float, *, correlation: float = 0.0, alpha: float = 0.05, power: float = 0.8) -> int:
    """Scenes on which both policies must be tried to tell rate p1 from rate p2 by McNemar's test.

    Only scenes on which the policies disagree count. With their share psi = p1 (1 - p2) + p2 (1 - p1) - 2 rho s1 s2,
    s = sqrt(p (1 - p)), and delta = p1 - p2 (Connor, Biometrics 43 (1987) 207-211):
    n = (z_{1 - alpha/2} sqrt(psi) + z_power sqrt(psi - delta^2))^2 / delta^2.

    Args:
        p1, p2: the rates.
        correlation: rho, of the two outcomes on one scene; 0: as if the scenes were not shared. It is cut off where no
            two policies with these rates can be correlated more (then one succeeds wherever the other does).
        alpha, power: two-sided level, and the chance to find the difference.

    Raises:
        ValueError: for rates outside [0, 1] or equal to one another; alpha or power outside (0, 1); a correlation
            outside [-1, 1].
    """
    _check(p1, p2, alpha, power)
    if not -1 <= correlation <= 1:
        raise ValueError(f"a correlation lies between -1 and 1; got {correlation}")
    spread = math.sqrt(p1 * (1 - p1) * p2 * (1 - p2))
    independent = p1 * (1 - p2) + p2 * (1 - p1)
    most = 1 - abs(1 - p1 - p2)  # as many scenes as can be lost or won by one policy alone
    discordant = min(most, max(abs(p1 - p2), independent - 2 * correlation * spread))
    z_alpha, z_power = stats.norm.ppf(1 - alpha / 2), stats.norm.ppf(power)
    rest = max(0.0, discordant - (p1 - p2) ** 2)
    return math.ceil(((z_alpha * math.sqrt(discordant) + z_power * math.sqrt(rest)) / (p1 - p2)) ** 2)


def power_table(contrasts: Sequence[tuple[float, float]] = PAPER_CONTRASTS) -> list[dict[str, Any]]:
    """Episodes that it takes to tell pairs of rates apart, two-sided 5 %, power 80 %, hardest pair last.

    Returns:
        Rows of `p1`, `p2`, `per_arm` (different scenes, `trials_per_arm`), `pairs` (the same scenes, outcomes
        uncorrelated) and `pairs_correlated` (the same scenes, outcomes correlated by `correlation`).
    """
    rows = [
        {
            "p1": p1,
            "p2": p2,
            "per_arm": trials_per_arm(p1, p2),
            "pairs": pairs_needed(p1, p2),
            "pairs_correlated": pairs_needed(p1, p2, correlation=CORRELATION),
            "correlation": CORRELATION,
        }
        for p1, p2 in contrasts
    ]
    return sorted(rows, key=lambda row: row["per_arm"])


def _check(p1: float, p2: float, alpha: float, power: float) -> None:
    if not (0 <= p1 <= 1 and 0 <= p2 <= 1) or p1 == p2:
        raise ValueError(f"two different rates between 0 and 1 are needed; got {p1} and {p2}")
    if not (0 < alpha < 1 and 0 < power < 1):
        raise ValueError(f"alpha and power lie between 0 and 1; got {alpha} and {power}")
