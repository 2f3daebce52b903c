"""Many comparisons at once: p values that hold for the whole family of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values, in the order given.

    An adjusted p value below alpha can be called significant, and the chance of a single false call in the whole family
    stays below alpha, however the comparisons depend on one another (Holm, Scandinavian Journal of Statistics 6 (1979)
    65-70). With the p values sorted, adjusted_i = max over j <= i of min(1, (m - j + 1) p_j).

    Raises:
        ValueError: for a p value outside [0, 1] or NaN.
    """
    p = np.asarray(p_values, dtype=float)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"p values lie between 0 and 1; got {list(p_values)}")
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1.0, p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(steps)
    return [float(value) for value in adjusted]
