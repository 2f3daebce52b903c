"""What the table says, in words: where ours is ahead, where another is, where the data do not tell; the headline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from para.reports.family.axes_table import unlearnt_text
from para.reports.family.files import Family, is_ours, loser, title_of, verdict
from para.reports.family.marks import filter_attributes, of_both
from para.reports.pictures import Pictures
from para.reports.tables import coloured
from para.reports.wording import (
    base_policy,
    in_reading_order,
    p_text,
    percent,
    points,
    policy_name,
    rate_text,
    split_name,
)

KINDS = (
    ("b", "Ours is behind: the baseline, or the other variant, places more"),
    ("open", "Not distinguishable"),
    ("unlearnt", "The one that is behind has not learnt the task"),
    ("a", "Ours is ahead"),
    ("others", "Between other policies"),
)
"""Verdicts, the uncomfortable one first."""

CONTROL_AXES = ("control", "pretraining")
"""Of these the headline counts apart: they ask where an advantage comes from, and at what price."""


def headline(family: Family) -> tuple[str, str]:
    """How PARA stands against its baselines and against the paper's PARA, counted over the table; controls apart."""
    if not family.numbers["comparisons"]:
        return "No two policies were compared", "The table has what each placed by itself."
    found = against_others(family, controls=False)
    behind, open_, unlearnt = (len(found[kind]) for kind in ("b", "open", "unlearnt"))
    counted = len(found["a"]) + behind + open_
    rows = [row for row in family.numbers["rows"] if base_policy(row["policy"]) == "para"]
    beyond = [row["rate"] > row["paper"] for row in rows if row["paper"] is not None and row["rate"] is not None]
    left_out = f"; left out: {unlearnt} more, in which the baseline has not learnt the task" if unlearnt else ""
    short = f"PARA is ahead of its baselines in {len(found['a'])} of {counted} comparisons"
    if not counted:
        short = "PARA was compared with no baseline that has learnt the task"
    full = (
        f"Behind in {behind}, not distinguishable in {open_} (paired tests, adjusted for their number){left_out}. "
        "A comparison with one of PARA’s variants counts as one, so that a baseline can be counted twice. "
        f"{controls_text(against_others(family, controls=True))}"
        f"It places more often than the paper’s PARA in {sum(beyond)} of the {len(beyond)} settings for which "
        "the paper has a number; its pictures and its backbone were others: read its numbers beside ours, not against."
    )
    return short, full


def against_others(family: Family, *, controls: bool) -> dict[str, list[Mapping[str, Any]]]:
    """The table's comparisons of PARA with policies that are none of its variants, by their verdict."""
    found: dict[str, list[Mapping[str, Any]]] = {kind: [] for kind, _ in KINDS}
    for c in family.numbers["comparisons"]:
        is_control = family.run(c["experiment"]).axis in CONTROL_AXES
        if is_control == controls and base_policy(c["a"]) == "para" != base_policy(c["b"]):
            found[verdict(family, c)].append(c)
    return found


def controls_text(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """How PARA stands in controls, as sentences; empty where there are none."""
    n = {kind: len(comparisons) for kind, comparisons in found.items()}
    if not sum(n.values()):
        return ""
    others = Counter(base_policy(c["b"]) for c in found["open"])
    names = ", ".join(f"{policy_name(policy)} {others[policy]}" for policy in in_reading_order(others))
    more = f"; in {n['unlearnt']} more the other has not learnt the task" if n["unlearnt"] else ""
    return (
        f"In the controls and in pretraining, counted apart, it is ahead of other policies in {n['a']} of "
        f"{n['a'] + n['b'] + n['open']}, behind in {n['b']} and not distinguishable in {n['open']}"
        f"{f' ({names})' if names else ''}{more}. "
    )


def verdicts(family: Family, pictures: Pictures) -> str:
    """Every comparison of the table by its verdict, and where ours does not reach the paper's rate."""
    said: dict[str, list[str]] = {kind: [] for kind, _ in KINDS}
    for c in family.numbers["comparisons"]:
        run = family.run(c["experiment"])
        where = f"{escape(title_of(run))} ({escape(split_name(c['split']).lower())})"
        found = verdict(family, c) if is_ours(family, c) else "others"
        why = f"; {coloured(loser(c))}: {unlearnt_text(family, c)}" if found == "unlearnt" else ""
        said[found].append(
            f"<li{of_both(c, axis=run.axis)}>{where}: {coloured(c['a'])} "
            f"{points(c['difference'])} points on {coloured(c['b'])} (Holm {escape(p_text(c['p_holm']))}){why}</li>"
        )
    blocks = [
        f"<details{' open' if kind == 'b' else ''}><summary>{title}: {len(said[kind])}</summary>"
        f"{_list(said[kind])}</details>"
        for kind, title in KINDS
    ]
    return (
        "<p>Every comparison of the table, called where p, adjusted by Holm’s method over all of them, is below 0.05. "
        "Points are of what was placed. A policy that places fewer than half in scenes like its own demonstrations has "
        f"not learnt the task: to be ahead of it says nothing of new scenes.</p>"
        f"<div>{''.join(blocks)}{_below_the_paper(family)}</div>"
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
