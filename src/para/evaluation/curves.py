"""Success against a distance or an angle: a logistic curve, its slope, and where success falls to one half.

The probability of success at x is 1 / (1 + exp(-(a + b x))).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats


@dataclass(frozen=True)
class LogisticFit:
    """A fitted curve; x, and all that depends on it, in the caller's unit."""

    intercept: float
    """a, the log odds of success at x = 0."""

    slope: float
    """b, log odds per unit of x."""

    slope_low: float
    slope_high: float

    half_at: float | None
    """The x at which success is 1/2. None, with its interval, where the data do not tell the slope from 0."""

    half_low: float | None
    half_high: float | None

    p_value: float
    """Of a slope of 0."""

    separated: bool
    """Whether one x divides success from failure: then it is Firth's estimate, else maximum likelihood."""

    gap_low: float | None
    gap_high: float | None
    """Where it does, the ends of the range in which it lies: there are no trials in between. Else None."""

    design_effect: float
    """How many times larger the clusters make the variances; 1: as of independent trials."""

    n_trials: int
    n_clusters: int

    x_low: float
    x_high: float
    """Smallest and largest x of the data; a `half_at` beyond them is an extrapolation."""

    covariance: tuple[tuple[float, float], tuple[float, float]]
    """Of (a, b), design effect included."""

    level: float
    """Confidence level of all intervals."""

    @property
    def half_observed(self) -> bool:
        """Whether success falls to one half within the range of the data."""
        return self.half_at is not None and self.x_low <= self.half_at <= self.x_high


def fit_logistic(
    x: Sequence[float], placed: Sequence[bool], clusters: Sequence[Hashable] | None = None, *, level: float = 0.95
) -> LogisticFit:
    """Fit success against x.

    By maximum likelihood; where one x divides success from failure, which would make it a step of infinite slope, by
    Firth's penalised likelihood (Biometrika 80 (1993) 27-38). Intervals are those of the profile likelihood (under
    separation: Heinze and Schemper, Statistics in Medicine 21 (2002) 2409-2419), its deviance divided by the design
    effect of the clusters (Rao and Scott, Annals of Statistics 12 (1984) 46-60) and held against the F distribution
    with 1 and (clusters - 1) degrees of freedom. The design effect is the mean ratio of the variances that allow for
    dependence within clusters (Liang and Zeger, Biometrika 73 (1986) 13-22; corrected for few clusters as by Mancl and
    DeRouen, Biometrics 57 (2001) 126-134) to those of independent trials, at least 1.
    Separated data do not show it; there it is the number of trials per cluster, as if these always agreed.

    Args:
        x: distance or angle of each trial.
        placed: its outcome.
        clusters: what each trial shares with others; None: they are independent.
        level: confidence level, between 0 and 1.

    Raises:
        ValueError: if x does not vary or all outcomes are equal, so that there is no curve to fit; for an x that is not
            finite, unequal lengths, fewer than three clusters, or a level outside (0, 1).
    """
    x, y, members = _checked(x, placed, clusters, level)
    shift, scale = float(x.mean()), float(x.std())
    data = _Trials((x - shift) / scale, y)
    best = data.maximum()
    n_clusters = int(members.max()) + 1
    design_effect = data.design_effect(best, members)
    limit = design_effect * float(stats.f.ppf(level, 1, n_clusters - 1))
    top = data.log_likelihood(best)
    of_no_slope = 2 * (top - data.with_slope(0.0))
    reach = float(np.sqrt(limit * data.covariance(best)[1, 1]))
    low, high = _interval(lambda b: 2 * (top - data.with_slope(b)) - limit, best[1], reach)
    half: list[float | None] = [None, None, None]
    if of_no_slope > limit:
        at = float(-best[0] / best[1])
        ends = _interval(lambda c: 2 * (top - data.with_half_at(c)) - limit, at, abs(reach / best[1]))
        half = [shift + scale * c for c in (at, *ends)]
    gap = (None, None) if data.gap is None else tuple(shift + scale * end for end in data.gap)
    back = np.array([[1.0, -shift / scale], [0.0, 1.0 / scale]])  # (a, b) of the standardised x to those of x
    intercept, slope = back @ best
    covariance = design_effect * back @ data.covariance(best) @ back.T
    return LogisticFit(
        intercept=float(intercept), slope=float(slope), slope_low=low / scale, slope_high=high / scale,
        half_at=half[0], half_low=half[1], half_high=half[2],
        p_value=float(stats.f.sf(max(0.0, of_no_slope) / design_effect, 1, n_clusters - 1)),
        separated=data.separated, gap_low=gap[0], gap_high=gap[1],
        design_effect=design_effect, n_trials=len(y), n_clusters=n_clusters,
        x_low=float(x.min()), x_high=float(x.max()), covariance=tuple(map(tuple, covariance.tolist())), level=level,
    )  # fmt: skip


def fitted_curve(fit: LogisticFit, x: Sequence[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The fitted rate of success at points x (N,), and the lower and upper end of its pointwise confidence band.

    The band is that of the log odds, a + b x plus or minus t standard errors, so it stays within 0 and 1.
    """
    x = np.asarray(x, dtype=float)
    log_odds = fit.intercept + fit.slope * x
    (v_a, v_ab), (_, v_b) = fit.covariance
    error = np.sqrt(np.maximum(0.0, v_a + 2 * x * v_ab + x**2 * v_b))
    t = stats.t.ppf(0.5 + fit.level / 2, fit.n_clusters - 1)
    return special.expit(log_odds), special.expit(log_odds - t * error), special.expit(log_odds + t * error)


class _Trials:
    """The likelihood of standardised data; a point is (a, b)."""

    def __init__(self, x: np.ndarray, y: np.ndarray):
        failed, succeeded = x[y == 0], x[y == 1]
        gaps = [(float(a.max()), float(b.min())) for a, b in ((failed, succeeded), (succeeded, failed))]
        self.gap = next((gap for gap in gaps if gap[0] <= gap[1]), None)
        self.separated = self.gap is not None
        self.x, self.n = np.unique(x, return_counts=True)  # trials of one x together: (M,)
        self.k = np.array([y[x == value].sum() for value in self.x])
        self.design = np.stack([np.ones_like(self.x), self.x], axis=1)  # (M, 2)
        self._trials = x, y

    def log_likelihood(self, point: np.ndarray) -> float:
        """Log likelihood, with Firth's penalty (half the log determinant of the information) under separation."""
        log_odds = self.design @ point
        value = self.k @ log_odds - self.n @ np.logaddexp(0.0, log_odds)
        return float(value + (0.5 * np.linalg.slogdet(self.information(point))[1] if self.separated else 0.0))

    def information(self, point: np.ndarray) -> np.ndarray:
        """Fisher information, (2, 2)."""
        p = special.expit(self.design @ point)
        return (self.design * (self.n * p * (1 - p))[:, None]).T @ self.design

    def covariance(self, point: np.ndarray) -> np.ndarray:
        """Of independent trials, (2, 2)."""
        return np.linalg.inv(self.information(point))

    def maximum(self) -> np.ndarray:
        """The most likely point, by Newton's method with halved steps."""
        point = np.zeros(2)
        for _ in range(100):
            p, covariance = special.expit(self.design @ point), self.covariance(point)
            score = self.k - self.n * p
            if self.separated:
                leverage = self.n * p * (1 - p) * np.einsum("mi,ij,mj->m", self.design, covariance, self.design)
                score = score + leverage * (0.5 - p)
            step, before = covariance @ self.design.T @ score, self.log_likelihood(point)
            while self.log_likelihood(point + step) < before and np.abs(step).max() > 1e-9:
                step = step / 2
            point = point + step
            if np.abs(step).max() < 1e-9:
                break
        return point

    def design_effect(self, point: np.ndarray, members: np.ndarray) -> float:
        """See `fit_logistic`; `members` holds the number of each trial's cluster."""
        x, y = self._trials
        n_clusters = int(members.max()) + 1
        if self.separated:
            return len(y) / n_clusters
        design, covariance = np.stack([np.ones_like(x), x], axis=1), self.covariance(point)
        p = special.expit(design @ point)
        scores, leverage = np.zeros((n_clusters, 2)), np.zeros(n_clusters)
        np.add.at(scores, members, design * (y - p)[:, None])
        np.add.at(leverage, members, p * (1 - p) * np.einsum("ni,ij,nj->n", design, covariance, design))
        scores = scores / (1 - np.minimum(leverage, 0.9))[:, None]  # a cluster draws the curve towards itself
        return max(1.0, float(np.trace(covariance @ scores.T @ scores)) / 2)

    def with_slope(self, slope: float) -> float:
        """The greatest log likelihood at that slope."""
        return self._greatest(lambda a: np.array([a, slope]))

    def with_half_at(self, x: float) -> float:
        """The greatest log likelihood of a curve that is 1/2 at x, however far away that is."""
        return self._greatest(lambda t: np.array([-t * x, t]) / (1 + abs(x)))

    def _greatest(self, point_at: Callable[[float], np.ndarray]) -> float:
        def loss(t: float) -> float:
            # Brent's method cannot take the infinity that a curve out of all proportion gives
            return min(1e12, -self.log_likelihood(point_at(t)))

        return -float(optimize.minimize_scalar(loss, bracket=(-1.0, 1.0)).fun)


def _interval(excess: Callable[[float], float], centre: float, reach: float) -> tuple[float, float]:
    """Where a function that is negative at `centre` crosses 0 below and above it; `reach` is about how far that is."""
    ends = []
    for sign in (-1.0, 1.0):
        inner, outer = 0.0, reach
        while excess(centre + sign * outer) < 0:
            inner, outer = outer, 2 * outer
        distance = optimize.brentq(lambda t, sign=sign: excess(centre + sign * t), inner, outer, rtol=1e-8)
        ends.append(float(centre + sign * distance))
    return ends[0], ends[1]


def _checked(
    x: Sequence[float], placed: Sequence[bool], clusters: Sequence[Hashable] | None, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x and outcomes as numbers, and the number of each trial's cluster, (N,) each."""
    x, y = np.asarray(x, dtype=float), np.asarray(placed, dtype=float)
    labels = list(range(len(x))) if clusters is None else list(clusters)
    if not len(x) == len(y) == len(labels) or not np.isfinite(x).all():
        counts = f"{len(x)} x, {len(y)} outcomes and {len(labels)} clusters"
        raise ValueError(f"a curve needs a finite x, an outcome and a cluster per trial; got {counts}")
    if not 0 < level < 1:
        raise ValueError(f"a confidence level lies between 0 and 1, as 0.95; got {level}")
    numbers = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    if len(numbers) < 3 or len(np.unique(x)) < 2 or len(np.unique(y)) < 2:
        raise ValueError(
            f"no curve to fit: {len(np.unique(x))} values of x, {len(numbers)} clusters, {int(y.sum())} of {len(y)} "
            "placed; at least two, three, and both outcomes are needed"
        )
    return x, y, np.array([numbers[label] for label in labels])
