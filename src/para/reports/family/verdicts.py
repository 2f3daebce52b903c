"""What the table says, in words: where ours is ahead, where another is, where the data do not tell; the headline."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from para.reports.family.files import Family, title_of, verdict
from para.reports.family.marks import filter_attributes
from para.reports.pictures import Pictures
from para.reports.tables import coloured
from para.reports.wording import base_policy, p_text, percent, points, rate_text, split_name

KINDS = (
    ("b", "Ours is behind: the baseline, or the other variant, places more"),
    ("open", "Not told apart"),
    ("a", "Ours is ahead"),
)
"""Verdicts, the uncomfortable one first."""


def headline(family: Family) -> tuple[str, str]:
    """How PARA stands against its baselines and against the paper's PARA, counted over the table; controls apart."""
    found = [
        verdict(c)
        for c in family.numbers["comparisons"]
        if family.run(c["experiment"]).axis != "control" and base_policy(c["a"]) == "para" != base_policy(c["b"])
    ]
    rows = [row for row in family.numbers["rows"] if base_policy(row["policy"]) == "para"]
    beyond = [row["rate"] > row["paper"] for row in rows if row["paper"] is not None and row["rate"] is not None]
    short = f"PARA is ahead of its baselines in {found.count('a')} of {len(found)} comparisons"
    full = (
        f"Behind in {found.count('b')}, not told apart in {found.count('open')} (paired tests, adjusted for their "
        f"number). It places more often than the paper’s PARA in {sum(beyond)} of the {len(beyond)} settings for which "
        "the paper has a number; its pictures and its backbone were others: read its numbers beside ours, not against."
    )
    return short, full


def verdicts(family: Family, pictures: Pictures) -> str:
    """Every comparison of the table by its verdict, and where ours does not reach the paper's rate."""
    said: dict[str, list[str]] = {kind: [] for kind, _ in KINDS}
    for c in family.numbers["comparisons"]:
        run = family.run(c["experiment"])
        where = f"{escape(title_of(run))} ({escape(split_name(c['split']).lower())})"
        said[verdict(c)].append(
            f"<li{filter_attributes(axis=run.axis, policy=c['b'])}>{where}: {coloured(c['a'])} "
            f"{points(c['difference'])} points on {coloured(c['b'])} (Holm {escape(p_text(c['p_holm']))})</li>"
        )
    blocks = [
        f"<details{' open' if kind == 'b' else ''}><summary>{title}: {len(said[kind])}</summary>"
        f"{_list(said[kind])}</details>"
        for kind, title in KINDS
    ]
    return (
        "<p>Every comparison of the table, called where p, adjusted by Holm’s method over all of them, is below 0.05. "
        f"Points are of what was placed.</p>{''.join(blocks)}{_below_the_paper(family)}"
    )


def _below_the_paper(family: Family) -> str:
    items = [
        f"<li{filter_attributes(axis=family.run(row['experiment']).axis, policy=row['policy'])}>"
        f"{escape(row['experiment'])} ({escape(split_name(row['split']).lower())}): {coloured(row['policy'])} "
        f"{escape(rate_text(row))}, paper {escape(percent(row['paper']))}</li>"
        for row in family.numbers["rows"]
        if row["paper"] is not None and row["rate"] is not None and row["rate"] < row["paper"]
    ]
    title = f"Below the paper’s number for the same policy: {len(items)}"
    return f"<details open><summary>{title}</summary>{_list(items)}</details>"


def _list(items: Sequence[str]) -> str:
    return f"<ul class='plain'>{''.join(items) or '<li>nowhere</li>'}</ul>"
