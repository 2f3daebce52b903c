"""The table of executed steps: how much of a chunk each trained policy carries out before it predicts again."""

from __future__ import annotations

from html import escape

from para.reports.family.files import title_of
from para.reports.family.marks import filter_attributes
from para.reports.readme_runs import way_of
from para.reports.run_files import RunFiles
from para.reports.tables import coloured, rate_cell, table
from para.reports.wording import in_reading_order, split_name, trained_policy


def executions_of(run: RunFiles) -> str:
    """A row per trained policy, a column per way of carrying out its chunks; empty where each was tried in one way."""
    execute = run.config.get("execute") or {}
    there = {row["policy"] for row in run.summary["rows"]}
    ways = {name: way_of(how) for name, how in execute.items() if name in there}
    trained = [p for p in in_reading_order(map(trained_policy, ways)) if sum(trained_policy(n) == p for n in ways) > 1]
    columns = sorted({ways[name] for name in ways if trained_policy(name) in trained})
    if len(columns) < 2:
        return ""
    parts = []
    for split in run.headline_splits:
        lines = []
        for policy in trained:
            cells = [f'<th scope="row">{coloured(policy)}</th>']
            for way in columns:
                rows = [
                    row for n in ways if ways[n] == way and trained_policy(n) == policy for row in run.rows(n, split)
                ]
                mark = '<div class="why">headline</div>' if rows and rows[0]["policy"] == policy else ""
                cells.append(f"<td>{rate_cell(rows[0])}{mark}</td>" if rows else '<td class="none">–</td>')
            lines.append(f"<tr{filter_attributes(policy=policy)}>{''.join(cells)}</tr>")
        heads = ["steps executed per prediction", *(escape(way[-1]) for way in columns)]
        parts.append(f"<p class='caption'>{escape(split_name(split))}</p>{table(heads, lines, kind='compact')}")
    return f"<div{filter_attributes(axis=run.axis)}><h3>{escape(title_of(run))}</h3>{''.join(parts)}</div>"
