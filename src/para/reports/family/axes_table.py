"""The table ours | paper of the whole family: a row per experiment, split and policy; PARA against each baseline."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from para.evaluation.statistics import wilson_interval
from para.reports.family.files import AXES, Family, name_of, title_of
from para.reports.family.marks import filter_attributes
from para.reports.family.numbers import Comparison, Comparisons, headline_comparisons
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles
from para.reports.tables import coloured, interval_bar, rate_cell, table
from para.reports.wording import interval_text, p_text, percent, points, policy_name, split_name

OUTCOMES = ("placed", "grasped", "missed", "errors")
"""What a reader can ask the table for, as the rows of a summary call them."""


def axes_table(family: Family, pictures: Pictures) -> str:
    """The table, a part per axis."""
    compared = headline_comparisons(family.runs)
    lines = []
    for axis, said in AXES.items():
        runs = family.of_axis(axis)
        if runs:
            lines.append(f'<tr class="axis"{filter_attributes(axis=axis)}><th colspan="6">{escape(said)}</th></tr>')
        for run in runs:
            for split in run.headline_splits:
                lines += _rows(compared, run, split)
    ours = "".join(_by_outcome(outcome, f"ours: {_said(outcome)}") for outcome in OUTCOMES)
    return (
        f"{table(['policy', ours, '', 'paper', 'ours minus this one', ''], lines, kind='axes')}"
        '<p class="caption">Dot: our rate; bar: its 95% Wilson interval; diamond: the paper’s rate. Differences are of '
        "what was placed, in points: the first policy of an experiment (or the one named) minus this one in the same "
        "scenes, with a 95% interval; p is adjusted by Holm’s method over all comparisons of this table. Rates are of "
        f"the episodes that ran to their end.</p>{paper_sources(family)}"
    )


def _rows(compared: Comparisons, run: RunFiles, split: str) -> list[str]:
    """A line that names experiment and split, and one per policy; the group ties them together for the filters."""
    group = f' data-group="{escape(name_of(run))}:{escape(split)}"'
    said = f"{escape(title_of(run))} <span class='why'>{escape(_split_said(run, split))}</span>"
    lines = [f'<tr class="what"{group}{filter_attributes(axis=run.axis)}><th colspan="6">{said}</th></tr>']
    for policy in run.headline:
        for row in run.rows(policy, split):
            comparison = compared.get((name_of(run), policy, split))
            cells = [
                f'<th scope="row">{coloured(policy)}</th>',
                f"<td>{''.join(_by_outcome(outcome, _rate(row, outcome)) for outcome in OUTCOMES)}</td>",
                f"<td>{interval_bar(row)}</td>",
                f'<td class="paper">{"–" if row["paper"] is None else escape(percent(row["paper"]))}</td>',
                f"<td>{_difference(comparison, run)}</td>",
                f"<td>{_verdict(comparison)}</td>",
            ]
            shown = filter_attributes(axis=run.axis, policy=policy)
            lines.append(f"<tr{group}{shown}>{''.join(cells)}</tr>")
    return lines


def _split_said(run: RunFiles, split: str) -> str:
    return f"{name_of(run)}, {split_name(split).lower()}"


def _said(outcome: str) -> str:
    return "raised an error" if outcome == "errors" else outcome


def _by_outcome(outcome: str, html: str) -> str:
    """What is shown while the table is asked for that outcome; at first, and without scripts, for what was placed."""
    return f'<span data-asked="{outcome}"{"" if outcome == "placed" else " hidden"}>{html}</span>'


def _rate(row: Mapping[str, Any], outcome: str) -> str:
    """How often a row ended so: with counts and interval, of the trials that ran (errors: of all)."""
    if outcome == "placed":
        return rate_cell(row)
    n = row["trials"] + (row["errors"] if outcome == "errors" else 0)
    if n == 0:
        return '<span class="none">no trial ran</span>'
    low, high = wilson_interval(row[outcome], n)
    counts = escape(f"({row[outcome]}/{n}, {interval_text(low, high)})")
    return f'<span class="rate"><b>{escape(percent(row[outcome] / n))}</b> <span class="n">{counts}</span></span>'


def _difference(comparison: Comparison | None, run: RunFiles) -> str:
    if comparison is None:
        return '<span class="none">–</span>'
    other = "" if comparison.a == run.headline[0] else f'<div class="why">{coloured(comparison.a)} minus this one</div>'
    low, high = points(comparison.ci_low), points(comparison.ci_high)
    p = escape(p_text(comparison.p_holm).replace("p", "Holm p", 1))
    rest = f'<span class="n">({low} to {high}, {p})</span>'
    return f'{other}<span class="rate"><b>{points(comparison.difference)}</b> {rest}</span>'


def _verdict(comparison: Comparison | None) -> str:
    if comparison is None:
        return ""
    winner = {"a": comparison.a, "b": comparison.b}.get(comparison.verdict)
    kind = {"a": "ahead", "b": "behind"}.get(comparison.verdict, "open")
    said = "not told apart" if winner is None else f"{policy_name(winner)} ahead"
    return f'<span class="verdict {kind}">{escape(said)}</span>'


def paper_sources(family: Family) -> str:
    """Where each number of the paper comes from."""
    said: dict[str, list[str]] = {}
    for run in family.runs:
        for split in run.headline_splits:
            for policy in run.headline:
                for row in run.rows(policy, split):
                    if row["paper"] is not None:
                        number = f"{name_of(run)} {coloured(policy)} {escape(percent(row['paper']))}"
                        said.setdefault(str(row["paper_source"]), []).append(number)
    items = "".join(f"<li>{escape(source)}: {'; '.join(numbers)}</li>" for source, numbers in said.items())
    if not items:
        return ""
    return f"<details><summary>Sources of the paper’s numbers</summary><ul class='plain'>{items}</ul></details>"


def verdicts(family: Family, pictures: Pictures) -> str:
    """In plain words: where ours is ahead, where another is, and where the data do not tell."""
    said: dict[str, list[str]] = {"b": [], "open": [], "a": []}
    runs = {name_of(run): run for run in family.runs}
    for (experiment, _, split), c in headline_comparisons(family.runs).items():
        run = runs[experiment]
        where = f"{escape(title_of(run))}, {escape(split_name(split).lower())}"
        said[c.verdict].append(
            f"<li{filter_attributes(axis=run.axis, policy=c.b)}>{where}: {coloured(c.a)} {points(c.difference)} points "
            f"on {coloured(c.b)}</li>"
        )
    blocks = [
        f"<h3>{title} ({len(said[kind])})</h3><ul class='plain'>{''.join(said[kind]) or '<li>nowhere</li>'}</ul>"
        for kind, title in (("b", "The other is ahead"), ("open", "Not told apart"), ("a", "The first is ahead"))
    ]
    return (
        "<p>Every comparison of the table, called where p, adjusted by Holm over all of them, is below 0.05.</p>"
        f"{''.join(blocks)}"
    )
