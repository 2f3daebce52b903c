"""Success along a sweep: number of demonstrated positions, error of the calibration, window, whatever a run varies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from para.reports.family.curves import Point, draw_paper, draw_points, finish
from para.reports.family.files import name_of, scored, title_of
from para.reports.family.marks import filter_attributes, mark, plot
from para.reports.figures import PAGE_WIDTH, new_figure
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles
from para.reports.style import RC, line_styles, to_svg
from para.reports.tables import coloured, rate_cell, table
from para.reports.wording import INTERVALS, comparison_text, in_reading_order, percent, policy_name, split_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUANTITIES = {
    "rotation_deg": "error of the camera's orientation (degrees)",
    "translation_mm": "error of the camera's position (mm)",
    "focal_percent": "error of the focal length (%)",
    "horizon": "steps predicted at once",
    "n": "demonstrated positions",
}
"""What is swept, as an axis label; another quantity goes by its own name."""

POSITIONS = re.compile(r"(?P<base>.+)\+n(?P<n>\d+)(?P<variant>\+.+)?")
"""Names of policies that were trained on so many positions: `act+n32+long` is `act+long` on 32."""


class Swept(NamedTuple):
    """One policy of a sweep."""

    policy: str
    base: str
    """The policy of which it is a variation."""

    quantity: str
    value: float


def swept_policies(run: RunFiles) -> list[Swept]:
    """The policies of a run's sweeps: those that `config.json` names under "sweep", and those named as `para+n32`."""
    named: Mapping[str, Mapping[str, Any]] = run.config.get("sweep") or {}
    there = {row["policy"] for row in run.summary["rows"]}
    swept = [Swept(p, s["base"], s["quantity"], float(s["value"])) for p, s in named.items() if p in there]
    for policy in sorted(there - set(named)):
        found = POSITIONS.fullmatch(policy)
        if found and (policy in run.headline or not found["variant"]):
            swept.append(Swept(policy, found["base"] + (found["variant"] or ""), "n", float(found["n"])))
    return swept


def sweeps_of(run: RunFiles, pictures: Pictures) -> str:
    """The plot of one experiment's sweeps and its numbers; empty where it has none of at least two values."""
    split_said = ", ".join(split_name(split).lower() for split in run.headline_splits)
    drawn = plot(
        pictures, f"sweep_{name_of(run)}", sweep_figure(run),
        f"Placed, {escape(split_said)}; bars, and in the table: {INTERVALS}.{_unchanged_said(run)}{_paper_said(run)}",
        "Success along a sweep", title=title_of(run),
    )  # fmt: skip
    return drawn and f"<div{filter_attributes(axis=run.axis)}>{drawn}{sweep_table(run)}</div>"


def sweep_table(run: RunFiles) -> str:
    """The same in numbers, folded: a row per value and policy, with the run's comparisons of policies of that row."""
    swept = swept_policies(run)
    place = {s.policy: (s.quantity, s.value) for s in swept}
    order = sorted(swept, key=lambda s: (s.quantity, s.value, in_reading_order(place).index(s.policy)))
    lines = [
        _sweep_line(run, s, row) for split in run.headline_splits for s in order for row in run.rows(s.policy, split)
    ]
    body = table(["", "policy", "placed", "paper", "difference"], lines, kind="small")
    return f"<details><summary>The same in numbers</summary>{body}</details>"


def _sweep_line(run: RunFiles, swept: Swept, row: Mapping[str, Any]) -> str:
    what = f"{QUANTITIES.get(swept.quantity, swept.quantity)}: {swept.value:g}"
    what += f", {split_name(row['split']).lower()}" if len(run.headline_splits) > 1 else ""
    said = [
        f"{coloured(c['a'])} minus this one: {escape(comparison_text(c))}"
        for c in run.summary["comparisons"]
        if (c["b"], c["split"]) == (swept.policy, row["split"])
    ]
    paper = "–" if row["paper"] is None else escape(percent(row["paper"]))
    cells = [escape(what), coloured(swept.policy), rate_cell(row), paper, "<br>".join(said) or "–"]
    return f"<tr{filter_attributes(policy=swept.policy)}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _unchanged_said(run: RunFiles) -> str:
    """What the lines without marks are, where there are any."""
    swept = swept_policies(run)
    names = {s.policy for s in swept}
    bases = {*(s.base for s in swept), *run.headline} - names
    drawn = any(scored(run, base, [split]) for base in bases for split in run.headline_splits)
    return " Level dashed lines without marks: policies to which nothing was done." if drawn else ""


def _paper_said(run: RunFiles) -> str:
    swept = {s.policy for s in swept_policies(run)}
    rows = [row for row in run.summary["rows"] if row["policy"] in swept and row["paper"] is not None]
    sources = sorted({str(row["paper_source"]) for row in rows})
    return f" Hollow diamonds: the paper ({escape('; '.join(sources))})." if rows else ""


def sweep_figure(run: RunFiles) -> str | None:
    """A panel per swept quantity (columns) and headline split (rows); None where fewer than two values were tried."""
    import matplotlib

    swept = swept_policies(run)
    quantities = list(dict.fromkeys(s.quantity for s in swept))
    quantities = [q for q in quantities if len({s.value for s in swept if s.quantity == q}) > 1]
    splits = run.headline_splits
    if not quantities:
        return None
    names = {s.policy for s in swept}
    bases = in_reading_order([*(s.base for s in swept), *(policy for policy in run.headline if policy not in names)])
    with matplotlib.rc_context(RC):
        figure, axes = new_figure(PAGE_WIDTH, 3.3 * len(splits) + 0.2, len(quantities), len(splits), sharey=True)
        for row, split in zip(axes, splits):
            for axis, quantity in zip(row, quantities):
                _panel(axis, run, split, [s for s in swept if s.quantity == quantity], bases)
                if len(splits) > 1:
                    axis.set_title(split_name(split))
                finish(axis, QUANTITIES.get(quantity, quantity), legend=False)
                axis.label_outer(remove_inner_ticks=False)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(labels)))
        return to_svg(figure)


def _panel(axis: Axes, run: RunFiles, split: str, swept: Sequence[Swept], bases: Sequence[str]) -> None:
    values = sorted({s.value for s in swept})
    styles = line_styles(bases)
    for base in bases:
        of_base = sorted((s for s in swept if s.base == base), key=lambda s: s.value)
        rows = [(s.value, row["paper"]) for s in of_base for row in run.rows(s.policy, split)]
        paper = [(value, rate) for value, rate in rows if rate is not None]
        if paper:
            draw_paper(axis, paper, base, styles[base])
        unchanged = scored(run, base, [split])
        if unchanged and base not in {s.policy for s in of_base}:
            _unchanged(axis, base, unchanged, values, styles[base], label=not of_base)
        of_policy = [(s.value, scored(run, s.policy, [split])) for s in of_base]
        if of_policy:
            draw_points(axis, [Point.of(value, r) for value, r in of_policy if r], base, styles[base])
    if values[0] > 0 and values[-1] >= 8 * values[0]:  # else the small ones would stand upon each other
        axis.set_xscale("log", base=2)
    axis.set_xticks(values, [f"{value:g}" for value in values])
    axis.minorticks_off()


def _unchanged(
    axis: Axes, base: str, records: Sequence, values: Sequence[float], style: Mapping[str, Any], *, label: bool
) -> None:
    """A level line for a policy to which nothing was done."""
    placed, trials = _count(records)
    level = [100 * placed / trials] * 2
    named = policy_name(base) if label else None
    (drawn,) = axis.plot([values[0], values[-1]], level, color=style["color"], lw=1.0, ls=(0, (5, 3)), label=named)
    mark(drawn, policy=base, title=f"{policy_name(base)}, unchanged: {placed}/{trials}")


def _count(records: Sequence) -> tuple[int, int]:
    return sum(r.outcome == "placed" for r in records), len(records)
