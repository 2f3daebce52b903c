"""Success against one number: tilt of the camera, distance, positions demonstrated, whatever an experiment sweeps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from para.evaluation.curves import LogisticFit, fitted_curve
from para.evaluation.family import fit_records
from para.evaluation.records import EpisodeRecord
from para.evaluation.results import interval_of_placed
from para.reports.family.marks import filter_attributes, mark
from para.reports.tables import coloured
from para.reports.wording import p_text, percent, policy_name, split_name, splits_in_reading_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PER_CENT_TICKS = [0, 25, 50, 75, 100]

N_CURVE = 80
"""Points of a drawn curve."""

WIDEST_BAND = 0.5
"""A fit whose 95% band is wider than this on average tells too little of a rate to be drawn."""


class Point(NamedTuple):
    """Episodes at one value of x."""

    x: float
    placed: int
    trials: int
    low: float
    high: float
    """The 95 % interval of their rate (`para.evaluation.results.interval_of`)."""

    @classmethod
    def of(cls, x: float, records: Sequence[EpisodeRecord]) -> Point:
        """Of episodes that ran to their end, at least one."""
        return cls(x, sum(r.outcome == "placed" for r in records), len(records), *interval_of_placed(records))


def points_at(records: Sequence[EpisodeRecord], x_of: Callable[[EpisodeRecord], float]) -> list[Point]:
    """The episodes counted at each distinct value of x, in rising order."""
    groups: dict[float, list[EpisodeRecord]] = {}
    for record in records:
        groups.setdefault(x_of(record), []).append(record)
    return [Point.of(x, group) for x, group in sorted(groups.items(), key=lambda item: item[0])]


def draw_points(
    axis: Axes, points: Sequence[Point], policy: str, style: Mapping[str, Any], *, aside: float = 0.0, unit: str = "",
    line: bool = True, thin: bool = False,
) -> None:  # fmt: skip
    """Rates with their 95% intervals, joined by a line; each part is known to the page's filters.

    Args:
        axis: in per cent.
        points: rates to draw.
        policy: whose they are.
        style: of its line and marks (`para.reports.style.line_styles`).
        aside: added to x, so that policies do not hide one another.
        unit: of x, for what a mark says when pointed at.
        line: whether to join the points.
        thin: smaller marks and no intervals, for a plot of many.
    """
    x = np.array([point.x for point in points]) + aside
    rates = [100 * point.placed / point.trials for point in points]
    if line:
        (drawn,) = axis.plot(x, rates, lw=1.4, color=style["color"], linestyle=style["linestyle"])
        mark(drawn, policy=policy)
    size = {"ms": 4, "mew": 0.9} if thin else {"ms": 6, "mew": 1.3}
    for at, rate, point in zip(x, rates, points):
        if not thin:
            (bar,) = axis.plot([at, at], [100 * point.low, 100 * point.high], color=style["color"], lw=1.8, alpha=0.55)
            mark(bar, policy=policy)
        (dot,) = axis.plot(at, rate, ls="none", **size, **_of_mark(style))
        mark(dot, policy=policy, title=f"{policy_name(policy)}, {point.x:.3g}{unit}: {count_text(point)}")
    axis.plot([], [], ms=size["ms"], lw=0.9 if thin else 1.4, label=policy_name(policy), **style)


def fit_of(records: Sequence[EpisodeRecord], variable: str) -> LogisticFit | None:
    """Success against a variable (`para.evaluation.family.fit_records`); None where there is no curve to fit."""
    try:
        return fit_records(records, variable)
    except ValueError:
        return None


def tells(fit: LogisticFit | None) -> bool:
    """Whether a fit says enough of the rate to be drawn: there is one, and its band is not as wide as the plot."""
    if fit is None:
        return False
    _, low, high = fitted_curve(fit, np.linspace(fit.x_low, fit.x_high, N_CURVE))
    return float(np.mean(high - low)) <= WIDEST_BAND


def draw_band(
    axis: Axes, fit: LogisticFit | None, policy: str, style: Mapping[str, Any], *, unit: float = 1.0, band: bool = True
) -> None:
    """A fitted curve over the range of its data, thin, and its pointwise 95% band; nothing where the fit does not tell.

    Args:
        style: of its line (`para.reports.style.line_styles`).
        unit: how many units of the axis are one unit of the fit's x.
        band: whether to draw it, too.
    """
    if fit is None or not tells(fit):
        return
    colour = style["color"]
    x = np.linspace(fit.x_low, fit.x_high, N_CURVE)
    rate, low, high = (100 * values for values in fitted_curve(fit, x))
    x = unit * x
    if band:
        mark(axis.fill_between(x, low, high, color=colour, alpha=0.13, lw=0, zorder=1), policy=policy)
    (drawn,) = axis.plot(x, rate, color=colour, ls=style["linestyle"], lw=1.0, alpha=0.6, zorder=1.2)
    mark(drawn, policy=policy)


def half_text(fit: LogisticFit | None, unit: str, scale: float = 1.0) -> str:
    """Where a fitted curve falls to one half, with its interval, in words; only where that lies within what was tried.

    Beyond it a half-point is a guess of the curve's form; and so it is within a gap between successes and failures.
    """
    if fit is None:
        return "no curve to fit: all episodes ended alike, or there are too few of them"
    slope = f"slope {'not told from 0' if fit.half_at is None else 'told from 0'}, {p_text(fit.p_value)}, not adjusted"
    tried = f"{scale * fit.x_low:.3g} to {scale * fit.x_high:.3g}{unit}"
    if fit.half_at is None:
        return f"the fit does not tell whether success changes from {tried}; {slope}"
    if fit.separated:
        ends = f"{scale * fit.gap_low:.3g}{unit}", f"{scale * fit.gap_high:.3g}{unit}"
        where = f"at {ends[0]}" if ends[0] == ends[1] else f"somewhere between {ends[0]} and {ends[1]}"
        return f"one half {where}: all episodes below end one way, all above the other; {slope}"
    low, high = sorted((scale * fit.half_low, scale * fit.half_high))
    if fit.x_low <= fit.half_low and fit.half_high <= fit.x_high:
        return f"one half at {scale * fit.half_at:.3g}{unit} (95% interval {low:.3g} to {high:.3g}{unit}); {slope}"
    if not fit.half_observed:
        return f"the curve does not pass one half within what was tried, {tried}; {slope}"
    return f"the fit does not tell where, or whether, success passes one half within what was tried, {tried}; {slope}"


def halves_list(fits: Mapping[str, LogisticFit | None], unit: str, scale: float = 1.0) -> str:
    """Each policy's fit in words, as a folded list."""
    items = "".join(
        f"<li{filter_attributes(policy=policy)}>{coloured(policy)}: {escape(half_text(fit, unit, scale))}</li>"
        for policy, fit in fits.items()
    )
    return f"<details><summary>The fitted curves</summary><ul class='plain'>{items}</ul></details>"


def undrawn_text(fits: Mapping[str, LogisticFit | None]) -> str:
    """Whose curve is not drawn and why, as a sentence (HTML); empty where all are."""
    alike = [coloured(policy) for policy, fit in fits.items() if fit is None]
    vague = [coloured(policy) for policy, fit in fits.items() if fit is not None and not tells(fit)]
    said = [f"{', '.join(alike)} (nothing to fit: all episodes ended alike, or too few)"] if alike else []
    said += [f"{', '.join(vague)} (the band would fill half of the plot or more)"] if vague else []
    return f" No line for {'; '.join(said)}." if said else ""


def splits_text(used: Mapping[str, Collection[str]], there: Mapping[str, Collection[str]]) -> str:
    """Which splits points and lines are of, as a sentence (HTML); and why others are left out, where some are.

    Args:
        used: splits of each policy (`para.evaluation.family.fitted_splits`).
        there: every split that it was scored on.
    """
    policies: dict[tuple[str, ...], list[str]] = {}
    for policy, of_policy in used.items():
        policies.setdefault(tuple(splits_in_reading_order(of_policy)), []).append(coloured(policy))
    said = []
    for of_group, names in policies.items():
        listed = escape(", ".join(split_name(split).lower() for split in of_group) or "none")
        said.append(listed + (f" ({' and '.join(names)})" if len(policies) > 1 else ""))
    left_out = any(set(there[policy]) - set(used[policy]) for policy in used)
    why = (
        " Others are left out: where the demonstrations were seen from many views, a tilt does not say how far a view "
        "lies from them."
    )
    return f" Points, and lines where there are any, are of these splits: {'; '.join(said)}.{why if left_out else ''}"


def draw_paper(axis: Axes, points: Sequence[tuple[float, float]], policy: str, style: Mapping[str, Any]) -> None:
    """The paper's rates (x, fraction) behind ours: hollow diamonds, joined by a thin dotted line."""
    x, rates = np.array(points, dtype=float).T
    (drawn,) = axis.plot(
        x, 100 * rates, ls=":", lw=1.2, color=style["color"], marker="D", ms=4.5, mfc="white", mew=1.0, alpha=0.75,
        zorder=1.5, label=f"{policy_name(policy)}, paper",
    )  # fmt: skip
    mark(drawn, policy=policy)


def count_text(point: Point) -> str:
    """As `55% (11/20, 34 to 74%)`."""
    rate = percent(point.placed / point.trials)
    return f"{rate} ({point.placed}/{point.trials}, 95% interval {100 * point.low:.0f} to {100 * point.high:.0f}%)"


def finish(axis: Axes, xlabel: str, *, legend: bool = True) -> None:
    """Label an axis in per cent."""
    axis.set(ylim=(-4, 104), xlabel=xlabel, ylabel="placed (%)")
    axis.set_yticks(PER_CENT_TICKS)
    axis.grid(axis="y")
    if legend:
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _of_mark(style: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in style.items() if key in ("color", "marker", "markerfacecolor")}
