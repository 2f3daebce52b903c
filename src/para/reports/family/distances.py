"""Success against how far the object lies from the training positions, with a logistic fit and its band."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from para.evaluation.curves import LogisticFit
from para.evaluation.records import EpisodeRecord
from para.reports.family.curves import (
    Point,
    draw_band,
    draw_points,
    finish,
    fit_of,
    halves_list,
    splits_text,
    undrawn_text,
)
from para.reports.family.files import Family, name_of, scored, title_of
from para.reports.family.marks import filter_attributes, plot
from para.reports.figures import PAGE_WIDTH, distance_bins, distance_label, distance_meaning, in_bins, new_figure
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles
from para.reports.style import FAINT, RC, line_styles, to_svg
from para.reports.wording import INTERVALS_OF_RATES

CM_PER_M = 100.0


def distances_of(family: Family, run: RunFiles, pictures: Pictures) -> str:
    """The plot of one experiment; empty where its objects do not lie at different distances."""
    fits = {policy: distance_fit(family, run, policy) for policy in run.headline}
    figure = distance_figure(run, fits)
    if figure is None:
        return ""
    splits = {policy: {r.split for r in known(run, policy)} for policy in fits}
    drawn = plot(
        pictures, f"distance_{name_of(run)}", figure,
        f"Placed, against how far the object lies from {distance_meaning(run)}. "
        f"Points: bins with about equally many scenes, moved sideways a little where policies would hide one another, "
        f"with {INTERVALS_OF_RATES}. Lines: logistic fits "
        "to single episodes with 95% bands, episodes of one place counted as a cluster."
        f"{undrawn_text(fits)}{splits_text(splits, splits)}",
        "Success against distance from the demonstrations", axis=run.axis, title=title_of(run),
    )  # fmt: skip
    return f"<div{filter_attributes(axis=run.axis)}>{drawn}{halves_list(fits, ' cm', CM_PER_M)}</div>"


def distance_fit(family: Family, run: RunFiles, policy: str) -> LogisticFit | None:
    """Success against the distance; None where there is no curve to fit."""
    if run.axis == "position":
        return family.fit(name_of(run), policy)
    return fit_of(known(run, policy), "boundary_distance_m")


def known(run: RunFiles, policy: str) -> list[EpisodeRecord]:
    """A policy's episodes whose distance is known."""
    return [r for r in scored(run, policy) if r.boundary_distance_m is not None]


def distance_figure(run: RunFiles, fits: Mapping[str, LogisticFit | None]) -> str | None:
    """One axis with every headline policy; None where all distances are 0 or unknown."""
    import matplotlib

    records = {policy: known(run, policy) for policy in run.headline}
    records = {policy: of_policy for policy, of_policy in records.items() if of_policy}
    if not records:
        return None
    edges = distance_bins(np.array([r.boundary_distance_m for r in next(iter(records.values()))]))
    if len(edges) < 2:
        return None
    styles = line_styles(list(records))
    with matplotlib.rc_context(RC):
        figure, axes = new_figure(PAGE_WIDTH, 3.4)
        axis = axes[0, 0]
        for place, (policy, style) in enumerate(styles.items()):
            draw_band(axis, fits[policy], policy, style, unit=CM_PER_M)
            aside = (place - (len(styles) - 1) / 2) * 0.008 * 100 * edges[-1]
            points = binned(records[policy], edges)
            draw_points(axis, points, policy, style, aside=aside, unit=" cm", line=False)
        axis.axvline(0, color=FAINT, lw=1, zorder=0)
        finish(axis, distance_label(run))
        return to_svg(figure)


def binned(records: list[EpisodeRecord], edges: np.ndarray) -> list[Point]:
    """Episodes at distance 0, and in each bin beyond it, at their mean distance in centimetres."""
    distance = np.array([r.boundary_distance_m for r in records])
    return [
        Point.of(float(100 * distance[inside].mean()), [r for r, chosen in zip(records, inside) if chosen])
        for inside in in_bins(distance, edges)
        if inside.any()
    ]
