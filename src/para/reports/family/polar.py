"""The polar plot of viewpoints: success in each view, its tilt as radius and the direction of the tilt as angle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from para.evaluation.records import EpisodeRecord
from para.reports.family.files import scored
from para.reports.family.marks import mark
from para.reports.figures import PAGE_WIDTH, new_figure
from para.reports.run_files import RunFiles
from para.reports.style import GREY, INK, RC, policy_colour, to_svg
from para.reports.wording import percent, policy_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RATE_COLOURS = "cividis"
"""Made to be read alike with and without colour vision: dark is failure, bright is success."""

BEYOND = "beyond"
"""The split of views that are tilted further than any of the paper's."""

MAX_COLUMNS = 4


class Count(NamedTuple):
    """Episodes of one cell."""

    placed: int
    trials: int

    @property
    def rate(self) -> float:
        """Fraction that was placed."""
        return self.placed / self.trials


def view_of(scene: Mapping) -> tuple[float, float]:
    """(theta, phi) of a scene's camera in degrees; phi is 0 where theta is, since it means nothing there."""
    theta = round(float(scene["view_theta_deg"]), 2)
    return theta, round(float(scene["view_phi_deg"]) % 360, 2) if theta else 0.0


def view_counts(records: Sequence[EpisodeRecord]) -> dict[tuple[float, float], Count]:
    """Episodes of each distinct view (theta, phi)."""
    cells: dict[tuple[float, float], list[bool]] = {}
    for record in records:
        cells.setdefault(view_of(record.scene), []).append(record.outcome == "placed")
    return {view: Count(sum(placed), len(placed)) for view, placed in sorted(cells.items())}


def has_views(run: RunFiles) -> bool:
    """Whether its scenes were seen from several views."""
    return len({view_of(r.scene) for r in run.records}) > 1


def polar_figure(run: RunFiles) -> str:
    """A panel per headline policy: every view a cell, coloured by its rate; dots: views of the demonstrations."""
    import matplotlib

    policies = run.headline
    cells = {policy: view_counts(scored(run, policy)) for policy in policies}
    edges = ring_edges(sorted({theta for views in cells.values() for theta, _ in views}))
    n_columns = min(MAX_COLUMNS, len(policies))
    n_rows = math.ceil(len(policies) / n_columns)
    panel = PAGE_WIDTH / max(3, n_columns)
    with matplotlib.rc_context(RC):
        figure, axes = new_figure(PAGE_WIDTH, n_rows * (1.15 * panel + 0.25) + 0.65, n_columns, n_rows)
        for number, axis in enumerate(axes.flat):
            axis.set_axis_off()
            if number < len(policies):
                mark(axis, policy=policies[number])
                _panel(axis, policies[number], cells[policies[number]], edges, cap_of(run))
                _training_views(axis, run.training_set(policies[number]).views)
        colours = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 100), RATE_COLOURS)
        bar = figure.colorbar(colours, ax=axes, location="bottom", aspect=50, shrink=0.5, pad=0.02)
        bar.set_label("placed (%)", color=GREY)
        bar.outline.set_visible(False)
        return to_svg(figure)


def cap_of(run: RunFiles) -> float | None:
    """The largest tilt among the views that are not beyond the paper's cap, degrees; None where none is beyond."""
    splits = {r.split for r in run.records}
    inside = [view_of(r.scene)[0] for r in run.records if r.split != BEYOND]
    return max(inside) if BEYOND in splits and inside else None


def ring_edges(thetas: Sequence[float]) -> dict[float, tuple[float, float]]:
    """Inner and outer radius of each tilt's ring, degrees: halfway to its neighbours; the first begins at 0.

    Args:
        thetas: distinct tilts in rising order.
    """
    middles = [(low + high) / 2 for low, high in zip(thetas, thetas[1:])]
    last = thetas[-1] + (thetas[-1] - middles[-1] if middles else 1.0)
    return dict(zip(thetas, zip([0.0, *middles], [*middles, last])))


def _panel(
    axis: Axes, policy: str, cells: Mapping[tuple[float, float], Count], edges: Mapping[float, tuple[float, float]],
    cap: float | None,
) -> None:  # fmt: skip
    from matplotlib import colormaps
    from matplotlib.patches import Circle, Wedge

    for (theta, phi), count in cells.items():
        inner, outer = edges[theta]
        n_phi = sum(other == theta for other, _ in cells)
        half = 180 / n_phi
        colour = colormaps[RATE_COLOURS](count.rate)
        cell = Wedge((0, 0), outer, phi - half, phi + half, width=outer - inner, fc=colour, ec="white", lw=0.7)
        where = f"tilt {theta:g}°, direction {phi:g}°" if theta else "default view"
        mark(cell, title=f"{where}: {percent(count.rate)} ({count.placed}/{count.trials})")
        axis.add_patch(cell)
    outermost = max(outer for _, outer in edges.values())
    if cap is not None:
        for colour, width, dashes in (("white", 3.0, "-"), (INK, 1.3, (0, (4, 2)))):
            axis.add_patch(Circle((0, 0), edges[cap][1], fill=False, ec=colour, lw=width, ls=dashes))
    _tilts(axis, sorted(edges), outermost, cap)
    axis.set(aspect="equal", xlim=(-1.1 * outermost, 1.1 * outermost), ylim=(-1.5 * outermost, 1.12 * outermost))
    axis.set_title(policy_name(policy), color=policy_colour(policy), loc="center")


def _tilts(axis: Axes, thetas: Sequence[float], outermost: float, cap: float | None) -> None:
    """The tilts of some rings, on a scale below the disc, where they hide no view; and the four directions."""
    level = -1.28 * outermost
    shown = sorted({0.0, thetas[len(thetas) // 3], thetas[-1]} | ({cap} if cap is not None else set()))
    axis.plot([0, shown[-1]], [level, level], color=GREY, lw=0.8)
    for theta in shown:
        axis.plot([theta, theta], [level, level - 0.04 * outermost], color=GREY, lw=0.8)
        said = f"{theta:.3g}°" if theta else "tilt 0°"
        at = "right" if theta == 0 else "center"
        axis.text(theta, level - 0.07 * outermost, said, ha=at, va="top", fontsize=7.5, color=GREY)
    for phi, (horizontal, vertical) in {
        0: ("left", "center"),
        90: ("center", "bottom"),
        180: ("right", "center"),
        270: ("center", "top"),
    }.items():
        x, y = 1.02 * outermost * np.array([math.cos(math.radians(phi)), math.sin(math.radians(phi))])
        axis.text(x, y, f"{phi}°", ha=horizontal, va=vertical, fontsize=7.5, color=GREY)


def _training_views(axis: Axes, views: np.ndarray) -> None:
    if len(views):
        theta, phi = views[:, 0], np.radians(views[:, 1])
        x, y = theta * np.cos(phi), theta * np.sin(phi)
        axis.plot(x, y, "o", color="white", mec=INK, mew=0.9, ms=4.2)
