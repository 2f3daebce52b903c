"""Success against one number: tilt of the camera, distance, positions demonstrated, whatever an experiment sweeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from para.evaluation.curves import LogisticFit, fit_logistic, fitted_curve
from para.evaluation.results import EpisodeRecord
from para.evaluation.statistics import wilson_interval
from para.reports.family.marks import mark
from para.reports.wording import percent, policy_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PER_CENT_TICKS = [0, 25, 50, 75, 100]


class Point(NamedTuple):
    """Episodes at one value of x."""

    x: float
    placed: int
    trials: int


def points_at(records: Sequence[EpisodeRecord], x_of: Callable[[EpisodeRecord], float]) -> list[Point]:
    """The episodes counted at each distinct value of x, in rising order."""
    groups: dict[float, list[bool]] = {}
    for record in records:
        groups.setdefault(x_of(record), []).append(record.outcome == "placed")
    return [Point(x, sum(placed), len(placed)) for x, placed in sorted(groups.items())]


def fitted(records: Sequence[EpisodeRecord], x_of: Callable[[EpisodeRecord], float]) -> LogisticFit | None:
    """Success against x, episodes of one scene as a cluster; None where there is no curve to fit."""
    placed = [r.outcome == "placed" for r in records]
    x = [x_of(r) for r in records]
    scenes = [(r.split, r.scene_index) for r in records]
    if len(set(x)) < 2 or len(set(placed)) < 2 or len(set(scenes)) < 3:
        return None
    return fit_logistic(x, placed, scenes)


def draw_points(
    axis: Axes, points: Sequence[Point], policy: str, style: Mapping[str, Any], *, aside: float = 0.0, unit: str = "",
    line: bool = True, label: str | None = None,
) -> None:  # fmt: skip
    """Rates with their 95% Wilson intervals, joined by a line; each part is known to the page's filters.

    Args:
        axis: in per cent.
        points: rates to draw.
        policy: whose they are.
        style: of its line and marks (`para.reports.style.line_styles`).
        aside: added to x, so that policies do not hide one another.
        unit: of x, for what a mark says when pointed at.
        line: whether to join the points.
        label: in the legend; default: the policy's name.
    """
    x = np.array([point.x for point in points]) + aside
    rates = [100 * point.placed / point.trials for point in points]
    if line:
        (drawn,) = axis.plot(x, rates, lw=1.4, color=style["color"], linestyle=style["linestyle"])
        mark(drawn, policy=policy)
    for at, rate, point in zip(x, rates, points):
        low, high = wilson_interval(point.placed, point.trials)
        (bar,) = axis.plot([at, at], [100 * low, 100 * high], color=style["color"], lw=1.8, alpha=0.55)
        mark(bar, policy=policy)
        (dot,) = axis.plot(at, rate, ls="none", ms=6, mew=1.3, **_of_mark(style))
        mark(dot, policy=policy, title=f"{policy_name(policy)}, {point.x:.3g}{unit}: {count_text(point)}")
    axis.plot([], [], ms=6, lw=1.4, label=label or policy_name(policy), **style)


def draw_band(axis: Axes, fit: LogisticFit | None, policy: str, colour: str) -> None:
    """A fitted curve over the range of its data, thin, and its pointwise 95% band; nothing for no fit."""
    if fit is None:
        return
    x = np.linspace(fit.x_low, fit.x_high, 80)
    rate, low, high = (100 * values for values in fitted_curve(fit, x))
    mark(axis.fill_between(x, low, high, color=colour, alpha=0.13, lw=0, zorder=1), policy=policy)
    (drawn,) = axis.plot(x, rate, color=colour, lw=1.0, alpha=0.6, zorder=1.2)
    mark(drawn, policy=policy)


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
    low, high = wilson_interval(point.placed, point.trials)
    rate = percent(point.placed / point.trials)
    return f"{rate} ({point.placed}/{point.trials}, 95% interval {100 * low:.0f} to {100 * high:.0f}%)"


def finish(axis: Axes, xlabel: str, *, legend: bool = True) -> None:
    """Label an axis in per cent."""
    axis.set(ylim=(-4, 104), xlabel=xlabel, ylabel="placed (%)")
    axis.set_yticks(PER_CENT_TICKS)
    axis.grid(axis="y")
    if legend:
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _of_mark(style: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in style.items() if key in ("color", "marker", "markerfacecolor")}
