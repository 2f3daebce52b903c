"""The plots of a report: rates, map of positions, success against distance, training curves. Each is one SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from para.evaluation.results import EpisodeRecord, interval_of, interval_of_placed
from para.reports.run_files import RunFiles, TrainingLog
from para.reports.style import FAINT, GREY, INK, OUTCOME_COLOURS, OUTCOME_MARKS, PALE, RC, policy_colour, to_svg
from para.reports.wording import in_reading_order, policy_name, split_name, splits_in_reading_order, variant_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SEED_SPREAD_M = 0.007
"""Marks of several training seeds in one scene stand this far apart."""

MIN_TRIALS_PER_BIN = 8

SAME_DISTANCE_M = 0.001
"""Distances of records are rounded to tenths of a millimetre, and a run may round its positions to whole ones."""

PAGE_WIDTH = 10.4
"""Inches of a figure as wide as the page's text."""


def new_figure(width: float, height: float, n_columns: int = 1, n_rows: int = 1, *, layout="constrained", **options):
    """A matplotlib figure that belongs to no window, and its axes, (n_rows, n_columns)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)
    return figure, figure.subplots(n_rows, n_columns, squeeze=False, **options)


def rates_figure(run: RunFiles) -> str:
    """Every main policy's rate in every split, with its interval, and the paper's beside it."""
    import matplotlib

    splits = splits_in_reading_order(row["split"] for row in run.summary["rows"])
    policies = run.main_policies
    with matplotlib.rc_context(RC):
        figure, axes = new_figure(PAGE_WIDTH, 0.8 + 0.34 * len(policies), len(splits), sharey=True)
        for axis, split in zip(axes[0], splits):
            for y, policy in enumerate(policies):
                for row in run.rows(policy, split):
                    _rate_with_interval(axis, y, row, policy_colour(policy))
            axis.set(title=split_name(split), xlim=(-3, 103), ylim=(len(policies) - 0.5, -0.5), xlabel="placed (%)")
            axis.set_yticks(range(len(policies)), [policy_name(p) for p in policies])
            axis.grid(axis="x")
            axis.spines[["left", "bottom"]].set_visible(False)
        return to_svg(figure)


def _rate_with_interval(axis: Axes, y: int, row, colour: str) -> None:
    if row["rate"] is not None:
        axis.plot([100 * end for end in interval_of(row)], [y, y], color=colour, lw=2.5, solid_capstyle="butt")
        axis.plot(100 * row["rate"], y, "o", color=colour, ms=7)
    if row["paper"] is not None:
        axis.plot(100 * row["paper"], y, "D", mfc="white", mec=INK, ms=5, zorder=3)


def positions_figure(run: RunFiles) -> str:
    """Where the object lay in training and in every scored scene, coloured by outcome; one panel per main policy.

    Drawn as the camera sees it: y to the right, x (away from the robot) downwards.
    """
    import matplotlib

    policies = run.main_policies
    with matplotlib.rc_context(RC):
        figure, axes = new_figure(
            PAGE_WIDTH, 0.7 + 0.6 * PAGE_WIDTH / max(2, len(policies)), len(policies),
            sharex=True, sharey=True, layout="compressed",
        )  # fmt: skip
        for axis, policy in zip(axes[0], policies):
            draw_training_positions(axis, 100 * run.training_xy)
            _outcomes(axis, [r for r in run.records if r.policy == policy and r.split != "validation"])
            axis.set_title(policy_name(policy), color=policy_colour(policy))
            axis.set(aspect="equal", xlabel="y (cm)", ylabel="x, away from the robot (cm)")
            axis.label_outer()
        axes[0, 0].invert_yaxis()  # the axes are shared: once is enough
        return to_svg(figure)


def draw_training_positions(axis: Axes, xy_cm: np.ndarray) -> None:
    """Squares at (N, 2) positions [x, y] in centimetres, their region shaded."""
    from scipy.spatial import ConvexHull, QhullError

    if not len(xy_cm):
        return
    try:
        corners = xy_cm[ConvexHull(xy_cm).vertices]
        axis.fill(corners[:, 1], corners[:, 0], color=PALE, lw=0)
    except QhullError:
        pass  # fewer than three positions, or all on a line: no region to shade
    axis.plot(xy_cm[:, 1], xy_cm[:, 0], "s", color=FAINT, ms=2.8, mew=0)


def _outcomes(axis: Axes, records: Sequence[EpisodeRecord]) -> None:
    n_seeds = max((r.train_seed for r in records), default=0) + 1
    for outcome, mark in OUTCOME_MARKS.items():
        chosen = [r for r in records if (r.outcome or "error") == outcome]
        xy_cm = 100 * np.array([r.scene["object_xy"] for r in chosen]).reshape(-1, 2)
        aside = 100 * SEED_SPREAD_M * (np.array([r.train_seed for r in chosen]) - (n_seeds - 1) / 2)
        size = {"s": 16, "X": 30}.get(mark, 26) * (1 if n_seeds == 1 else 0.6)
        colour = OUTCOME_COLOURS[outcome]
        style = {"marker": mark, "linewidths": 0.5, "edgecolors": "white", "zorder": 3}
        axis.scatter(xy_cm[:, 1] + aside, xy_cm[:, 0], size, colour, **style)


def distance_figure(run: RunFiles) -> str | None:
    """Rate against the distance from the training region, in bins, per main policy; None where no record knows it."""
    import matplotlib

    ran = [r for r in run.records if r.error is None and r.split != "validation"]
    known = [r for r in ran if r.boundary_distance_m is not None]
    policies = [p for p in run.main_policies if any(r.policy == p for r in known)]
    edges = distance_bins(np.array([r.boundary_distance_m for r in known if r.policy in policies[:1]]))
    if len(edges) < 2:
        return None
    with matplotlib.rc_context(RC):
        figure, axes = new_figure(PAGE_WIDTH, 3.4)
        axis = axes[0, 0]
        for place, policy in enumerate(policies):
            aside = (place - (len(policies) - 1) / 2) * 0.008 * 100 * edges[-1]
            _rate_by_distance(axis, [r for r in known if r.policy == policy], edges, policy, aside)
        axis.axvline(0, color=FAINT, lw=1)
        for centre, n in _bin_sizes([r for r in known if r.policy in policies], edges):
            axis.text(centre, 112, f"n = {n}", ha="center", color=GREY, fontsize=8)
        axis.set(ylim=(-9, 118), xlabel=distance_label(run), ylabel="placed (%)")
        axis.set_yticks([0, 25, 50, 75, 100])
        axis.grid(axis="y")
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return to_svg(figure)


def from_nearest_position(run: RunFiles) -> bool:
    """Whether the distances of a run are those to the nearest demonstrated position, not to the region of all."""
    known = [r for r in run.records if r.boundary_distance_m is not None]
    if not known or not len(run.training_xy):
        return False
    xy = np.array([r.scene["object_xy"] for r in known])
    nearest = np.linalg.norm(xy[:, None] - run.training_xy, axis=-1).min(axis=1)
    return bool(np.allclose(nearest, [r.boundary_distance_m for r in known], rtol=0, atol=SAME_DISTANCE_M))


def distance_meaning(run: RunFiles) -> str:
    """From where the distances of a run are measured, in words."""
    if from_nearest_position(run):
        return "the nearest demonstrated position"
    return "the region of the demonstrated positions (0 cm: within it)"


def distance_label(run: RunFiles) -> str:
    """The axis of a plot against them."""
    where = "nearest demonstrated position" if from_nearest_position(run) else "training region"
    return f"distance of the object from the {where} (cm)"


def distance_bins(distances: np.ndarray) -> np.ndarray:
    """Edges of at most six bins of distances above 0 that hold about equally many trials, (n + 1,) metres.

    Trials at distance 0, within the training region, form a bin of their own and are not counted here.
    """
    beyond = distances[distances > 0]
    n = min(6, len(beyond) // MIN_TRIALS_PER_BIN) or min(1, len(beyond))
    return np.unique(np.quantile(beyond, np.linspace(0, 1, n + 1))) if n else np.zeros(0)


def in_bins(distance: np.ndarray, edges: np.ndarray) -> list[np.ndarray]:
    """Which trials lie within the training region, and in each bin beyond it."""
    bins = [distance <= 0] + [(distance > low) & (distance <= high) for low, high in zip(edges, edges[1:])]
    bins[1] |= distance == edges[0]
    return bins


def _bin_sizes(records: Sequence[EpisodeRecord], edges: np.ndarray) -> list[tuple[float, str]]:
    """Middle in centimetres, and number of trials per policy, of each bin that holds any; as "96 to 288" where policies
    had more trials, or fewer."""
    distance, policy = np.array([r.boundary_distance_m for r in records]), np.array([r.policy for r in records])
    found = []
    for inside in in_bins(distance, edges):
        if inside.any():
            counts = np.unique(policy[inside], return_counts=True)[1]
            low, high = int(counts.min()), int(counts.max())
            found.append((100 * distance[inside].mean(), str(low) if low == high else f"{low} to {high}"))
    return found


def _rate_by_distance(
    axis: Axes, records: Sequence[EpisodeRecord], edges: np.ndarray, policy: str, aside_cm: float
) -> None:
    distance = np.array([r.boundary_distance_m for r in records])
    placed = np.array([r.outcome == "placed" for r in records])
    centres, rates, spans = [], [], []
    for inside in in_bins(distance, edges):
        if inside.any():
            centres.append(100 * distance[inside].mean())
            rates.append(100 * placed[inside].mean())
            spans.append([100 * end for end in interval_of_placed([r for r, chosen in zip(records, inside) if chosen])])
    centres, rates, spans = np.array(centres), np.array(rates), np.array(spans)
    colour = policy_colour(policy)
    bars = [np.maximum(rates - spans[:, 0], 0), np.maximum(spans[:, 1] - rates, 0)]
    style = {"fmt": "o-", "ms": 6, "lw": 1.4, "elinewidth": 2, "label": policy_name(policy)}
    axis.errorbar(centres + aside_cm, rates, bars, color=colour, **style)
    ticks = np.where(placed, 105, -5)
    axis.plot(100 * distance + aside_cm, ticks, "|", color=colour, ms=5, mew=0.7, alpha=0.6)


def training_figure(logs: Sequence[TrainingLog]) -> str | None:
    """Training loss and held-out errors against the step, one line per training; None where nothing was logged."""
    import matplotlib
    import matplotlib.ticker

    panels = [
        ("train", "total", "training loss"),
        ("heldout", "pixel_error_px", "held-out error (px)"),
        ("heldout", "error_mm", "held-out error (mm)"),
    ]
    panels = [panel for panel in panels if any(_points(log, *panel[:2]) for log in logs)]
    if not panels:
        return None
    with matplotlib.rc_context(RC):
        figure, axes = new_figure(PAGE_WIDTH, 2.7, len(panels))
        for axis, (split, key, title) in zip(axes[0], panels):
            for policy in in_reading_order(log.policy for log in logs):
                curves = [_points(log, split, key) for log in logs if log.policy == policy]
                _curves(axis, [curve for curve in curves if curve], policy)
            axis.set(yscale="log", xlabel="step", title=title)
            axis.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_locator(matplotlib.ticker.NullLocator())
            axis.grid(axis="y")
        shown = [axis.get_legend_handles_labels() for axis in axes[0]]  # not every policy is in every panel
        named = {label: handle for handles, labels in shown for handle, label in zip(handles, labels)}
        figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=len(named))
        return to_svg(figure)


def _points(log: TrainingLog, split: str, key: str) -> list[tuple[int, float]]:
    return [(line["step"], line[key]) for line in log.lines if line.get("split") == split and line.get(key) is not None]


def _curves(axis: Axes, curves: Sequence[Sequence[tuple[int, float]]], policy: str) -> None:
    style = "--" if variant_of(policy) else "-"
    for number, curve in enumerate(curves):
        steps, values = zip(*curve)
        label = policy_name(policy) if number == 0 else None  # once for all training seeds
        axis.plot(steps, values, style, color=policy_colour(policy), lw=1.3, label=label)
