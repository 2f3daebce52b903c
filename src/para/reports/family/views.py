"""Viewpoints: success against the camera's tilt with the paper's curves behind ours, and the same in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from para.evaluation.curves import LogisticFit
from para.evaluation.family import TILT, demonstrated_views, fitted_splits
from para.evaluation.records import EpisodeRecord
from para.reports.family.curves import (
    Point,
    count_text,
    draw_band,
    draw_paper,
    draw_points,
    finish,
    fit_of,
    halves_list,
    points_at,
    splits_text,
    undrawn_text,
)
from para.reports.family.files import Family, name_of, scored, title_of
from para.reports.family.marks import filter_attributes, plot
from para.reports.family.polar import BEYOND, Count, cap_of, has_views, polar_figure, view_counts, view_of
from para.reports.figures import PAGE_WIDTH, new_figure
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles
from para.reports.style import FAINT, GREY, RC, line_styles, to_svg
from para.reports.tables import coloured, table
from para.reports.wording import INTERVALS_OF_RATES, percent, variant_of

MANY = 4
"""In a plot of more policies than that, variants of others have neither bands nor intervals: they would bury all."""

FEW_TILTS = 3
"""Up to so many tilts, the numbers are shown at once."""


def views_of(family: Family, run: RunFiles, pictures: Pictures) -> str:
    """Polar plot, curve and numbers of one experiment that varies the view; empty where it does not.

    A control has its curve alone, and only where its views go beyond the paper's cap.
    """
    if not has_views(run) or (run.axis == "control" and all(r.split != BEYOND for r in run.records)):
        return ""
    name = name_of(run)
    n_views = len({view_of(r.scene) for r in run.records if not r.split.startswith("validation")})
    cap = cap_of(run)
    beyond = "" if cap is None else f" Beyond the dashed circle, tilts of more than the paper’s {cap:g}°."
    trained = " White dots: views of the demonstrations." if any(len(s.views) for s in run.training_sets) else ""
    polar = plot(
        pictures, f"polar_{name}", polar_figure(run) if run.axis != "control" else None,
        f"{n_views} distinct views. Radius, with the scale below: how far the camera is tilted off its default line "
        f"of sight; angle: towards where, in the default image (0° right, 90° up). Colour: placed, pooled over scenes "
        f"and training seeds; point at a cell for its count.{trained}{beyond}",
        "Success in each view, one panel per policy", title=title_of(run),
    )  # fmt: skip
    fits = {policy: tilt_fit(family, run, policy) for policy in run.headline}
    curve = plot(
        pictures, f"tilt_{name}", tilt_figure(run, fits), tilt_caption(run, fits),
        "Success against the tilt of the camera", title="" if polar else title_of(run),
    )  # fmt: skip
    return f"<div{filter_attributes(axis=run.axis)}>{polar}{curve}{tilt_table(run)}{halves_list(fits, '°')}</div>"


def tilt_fit(family: Family, run: RunFiles, policy: str) -> LogisticFit | None:
    """Success against the tilt; None where there is no curve to fit."""
    if run.axis == "view":
        return family.fit(name_of(run), policy)
    return fit_of(fitted(run, policy), TILT)


def splits_of(run: RunFiles, policy: str) -> list[str]:
    """The splits that a policy's points and curve are of: a tilt must not mean two things in one plot."""
    views = demonstrated_views(run.config, policy)
    return fitted_splits(scored(run, policy), TILT, run.headline_splits, views)


def fitted(run: RunFiles, policy: str) -> list[EpisodeRecord]:
    """A policy's episodes of those splits."""
    return scored(run, policy, splits_of(run, policy))


def tilt_figure(run: RunFiles, fits: Mapping[str, LogisticFit | None]) -> str | None:
    """Rates per tilt with a logistic fit, and the paper's where the run holds them; None for a single tilt."""
    import matplotlib

    styles = line_styles(run.headline)
    points = {policy: tilt_points(run, policy) for policy in run.headline}
    tilts = sorted({point.x for of_policy in points.values() for point in of_policy})
    if len(tilts) < 2:
        return None
    with matplotlib.rc_context(RC):
        figure, axes = new_figure(PAGE_WIDTH, 3.9)
        axis = axes[0, 0]
        for place, (policy, style) in enumerate(styles.items()):
            paper = paper_curve(run, policy)
            if paper:
                draw_paper(axis, paper, policy, style)
            thin = policy in thin_policies(run)
            draw_band(axis, fits[policy], policy, style, band=not thin)
            aside = (place - (len(styles) - 1) / 2) * 0.004 * (tilts[-1] - tilts[0])
            draw_points(axis, points[policy], policy, style, aside=aside, unit="°", line=False, thin=thin)
        cap = cap_of(run)
        if cap is not None:
            axis.axvline(cap, color=FAINT, lw=1, zorder=0)
            axis.text(cap, 103, "  beyond the paper’s cap", color=GREY, fontsize=8, va="top")
        finish(axis, "tilt of the camera off its default line of sight (degrees)")
        axis.set_xticks(tilts, [f"{tilt:.3g}" for tilt in tilts])
        return to_svg(figure)


def thin_policies(run: RunFiles) -> list[str]:
    """The policies that are drawn without bands and intervals: of many, those that are variants."""
    return [policy for policy in run.headline if variant_of(policy)] if len(run.headline) > MANY else []


def tilt_of(record) -> float:
    """Theta of an episode's camera, degrees."""
    return view_of(record.scene)[0]


def tilt_points(run: RunFiles, policy: str) -> list[Point]:
    """A policy's episodes counted at each tilt, of the splits that its curve is fitted on."""
    return points_at(fitted(run, policy), tilt_of)


def paper_curve(run: RunFiles, policy: str) -> Sequence[tuple[float, float]]:
    """The paper's (tilt, rate) of a policy, rates as fractions; empty where there are none."""
    curves: Mapping[str, Any] = run.config.get("paper_curves") or {}
    return [(float(tilt), float(rate)) for tilt, rate in curves.get(policy) or ()]


def tilt_caption(run: RunFiles, fits: Mapping[str, LogisticFit | None]) -> str:
    """What is in the figure, of which splits, and where the paper's curves come from."""
    source = run.config.get("paper_curves_source")
    used = {policy: splits_of(run, policy) for policy in run.headline}
    there = {policy: {r.split for r in scored(run, policy)} for policy in run.headline}
    papers = f" Hollow diamonds: the paper’s rates ({escape(str(source))})." if source else ""
    thin = " Variants have smaller marks, and their intervals in the table below alone." if thin_policies(run) else ""
    return (
        f"Points: our rate at each tilt, moved sideways a little where policies would hide one another, bars: "
        f"{INTERVALS_OF_RATES}. Lines: logistic fits with their 95% bands, "
        f"episodes of one view counted as a cluster.{thin}{undrawn_text(fits)}{splits_text(used, there)}{papers}"
    )


def tilt_table(run: RunFiles) -> str:
    """A row per tilt: each headline policy's rate, and the paper's at the nearest tilt; then the means."""
    policies = run.headline
    points = {policy: {point.x: point for point in tilt_points(run, policy)} for policy in policies}
    tilts = sorted({tilt for of_policy in points.values() for tilt in of_policy})
    with_paper = [policy for policy in policies if paper_curve(run, policy)]
    marks = [filter_attributes(policy=policy) for policy in (*policies, *with_paper)]
    lines = []
    for tilt in tilts:
        cells = [short_count(points[policy][tilt]) if tilt in points[policy] else "–" for policy in policies]
        cells += [nearest(paper_curve(run, policy), tilt) for policy in with_paper]
        lines.append(_line(f"{tilt:.3g}°", cells, marks))
    cap = cap_of(run)
    mean = "mean of the tilts" + ("" if cap is None else f" up to {cap:g}°")
    for said, with_default in {"default view included": True, "without the default view": False}.items():
        cells = [mean_of_tilts(run, policy, with_default) for policy in policies]
        cells += [mean_of_curve(paper_curve(run, policy), with_default) for policy in with_paper]
        if any(cell != "–" for cell in cells):
            lines.append(_line(f"{mean}, {said}", cells, marks))
    heads = ["tilt", *map(coloured, policies), *(f"paper, {coloured(policy)}" for policy in with_paper)]
    body = table(heads, lines, kind="small tilts", marks=["", *marks])
    said = f'<p class="caption">In brackets: counts and {INTERVALS_OF_RATES}.</p>'
    opened = " open" if len(tilts) <= FEW_TILTS else ""
    return f"<details{opened}><summary>The same in numbers</summary>{body}{said}</details>"


def short_count(point: Point) -> str:
    """A rate with its count and interval, where a caption says what interval that is."""
    return count_text(point).replace("95% interval ", "")


def _line(said: str, cells: Sequence[str], marks: Sequence[str]) -> str:
    held = "".join(f"<td{mark}>{escape(text)}</td>" for text, mark in zip(cells, marks))
    return f'<tr><th scope="row">{escape(said)}</th>{held}</tr>'


def nearest(curve: Sequence[tuple[float, float]], tilt: float) -> str:
    """The rate of a curve at that tilt, within a tenth of a degree."""
    close = [rate for x, rate in curve if abs(x - tilt) < 0.1]
    return percent(close[0]) if close else "–"


def mean_of_tilts(run: RunFiles, policy: str, with_default: bool) -> str:
    """The unweighted mean of the rates per tilt, up to the paper's cap, each the mean of its views: as in the paper.

    A dash where there are none, or where the default view is to be included and was not tried.
    """
    views = view_counts([r for r in fitted(run, policy) if r.split != BEYOND])
    if with_default and all(tilt for tilt, _ in views):
        return "–"
    counts: dict[float, list[Count]] = {}
    for (tilt, _), count in views.items():
        if tilt or with_default:
            counts.setdefault(tilt, []).append(count)
    if not counts:
        return "–"
    mean = sum(sum(c.rate for c in of_tilt) / len(of_tilt) for of_tilt in counts.values()) / len(counts)
    placed, trials = (sum(c[i] for of_tilt in counts.values() for c in of_tilt) for i in (0, 1))
    return f"{percent(mean)} ({len(counts)} tilts, {placed}/{trials} episodes)"


def mean_of_curve(curve: Sequence[tuple[float, float]], with_default: bool) -> str:
    """The same of the paper's curve."""
    rates = [rate for tilt, rate in curve if tilt or with_default]
    return percent(sum(rates) / len(rates)) if rates else "–"
