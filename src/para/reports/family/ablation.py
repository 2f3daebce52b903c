"""The table that says where an advantage comes from: a row per policy, its factors, and its rate in every split."""

from __future__ import annotations

from html import escape

from para.reports.family.files import title_of
from para.reports.family.marks import filter_attributes
from para.reports.run_files import RunFiles
from para.reports.tables import coloured, interval_bar, rate_cell, table
from para.reports.wording import comparison_text, split_name, splits_in_reading_order


def ablation_of(run: RunFiles) -> str:
    """The table of one experiment; empty where `config.json` names no factors."""
    factors: dict[str, dict[str, str]] = run.config.get("factors") or {}
    there = {row["policy"] for row in run.summary["rows"]}
    policies = [policy for policy in factors if policy in there]
    if not policies:
        return ""
    names = list(dict.fromkeys(name for policy in policies for name in factors[policy]))
    splits = splits_in_reading_order(
        row["split"] for row in run.summary["rows"] if not row["split"].startswith("validation")
    )
    lines = []
    for policy in policies:
        cells = [f'<th scope="row">{coloured(policy)}</th>']
        cells += [f"<td>{escape(str(factors[policy].get(name, '–')))}</td>" for name in names]
        for split in splits:
            rows = run.rows(policy, split)
            inside = f"{rate_cell(rows[0])}{interval_bar(rows[0])}" if rows else '<span class="none">–</span>'
            cells.append(f"<td>{inside}</td>")
        lines.append(f"<tr{filter_attributes(axis=run.axis, policy=policy)}>{''.join(cells)}</tr>")
    heads = ["policy", *map(escape, names), *(escape(split_name(split).lower()) for split in splits)]
    head = f"<h3>{escape(title_of(run))}</h3>"
    rates = table(heads, lines, kind="compact")
    return f"<div{filter_attributes(axis=run.axis)}>{head}{rates}{_comparisons(run)}</div>"


def _comparisons(run: RunFiles) -> str:
    """Every comparison of the run, in words, folded: what one factor gives where all others stay."""
    items = "".join(
        f"<li{filter_attributes(policy=c['b'])}>{escape(split_name(c['split']))}: {coloured(c['a'])} minus "
        f"{coloured(c['b'])}: {escape(comparison_text(c))}</li>"
        for c in run.summary["comparisons"]
    )
    return f"<details><summary>Pair by pair</summary><ul class='plain'>{items}</ul></details>" if items else ""
