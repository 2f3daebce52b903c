"""The table that says where an advantage comes from: a row per policy, its factors, and its rate in every split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from para.evaluation.results import compare, interval_of
from para.reports.family.files import has_learnt, title_of
from para.reports.family.marks import filter_attributes, of_both
from para.reports.run_files import RunFiles
from para.reports.tables import coloured, interval_bar, rate_cell, table
from para.reports.wording import INTERVALS, comparison_text, split_name, splits_in_reading_order

SPLITS = {
    "test": "new positions, in the view of the demonstrations",
    "view": "the positions of the demonstrations, in new views",
    "both": "new positions in new views",
    "train": "new scenes at the positions, and in the view, of the demonstrations",
}
"""What is new to a policy in each split of an experiment with factors, in the order of the table."""


def ablation_of(run: RunFiles) -> str:
    """The table of one experiment; empty where `config.json` names no factors."""
    factors: dict[str, dict[str, str]] = run.config.get("factors") or {}
    there = {row["policy"] for row in run.summary["rows"]}
    policies = [policy for policy in factors if policy in there]
    if not policies:
        return ""
    names = list(dict.fromkeys(name for policy in policies for name in factors[policy]))
    found = {row["split"] for row in run.summary["rows"] if not row["split"].startswith("validation")}
    splits = [split for split in SPLITS if split in found] + splits_in_reading_order(found - set(SPLITS))
    lines = []
    for policy in policies:
        cells = [f'<th scope="row">{coloured(policy)}</th>']
        cells += [f'<td class="why">{escape(str(factors[policy].get(name, "–")))}</td>' for name in names]
        for split in splits:
            rows = run.rows(policy, split)
            inside = (
                f"{rate_cell(rows[0], short=True)}{interval_bar(rows[0])}" if rows else '<span class="none">–</span>'
            )
            cells.append(f"<td>{inside}</td>")
        lines.append(f"<tr{filter_attributes(axis=run.axis, policy=policy)}>{''.join(cells)}</tr>")
    heads = ["policy", *map(escape, names), *(escape(split_name(split).lower()) for split in splits)]
    head = f"<h3>{escape(title_of(run))}</h3>"
    rates = table(heads, lines, kind="compact ablation")
    said = "; ".join(f"{escape(split_name(s).lower())}: {SPLITS[s]}" for s in splits if s in SPLITS)
    caption = f"In brackets: counts, and {INTERVALS}.{f' {said[:1].upper()}{said[1:]}.' if said else ''}"
    answer = who_keeps_up(run, {policy: factors[policy] for policy in policies}, splits)
    return (
        f'<div{filter_attributes(axis=run.axis)}>{head}{answer}{rates}<p class="caption">{caption}</p>'
        f"{_comparisons(run)}</div>"
    )


def who_keeps_up(run: RunFiles, factors: Mapping[str, Mapping[str, str]], splits: Sequence[str]) -> str:
    """The answer to the heading, as a list: in each split, who is not behind ours, and what these have in common."""
    left_out = [policy for policy in factors if not has_learnt(run, policy)]
    ours, *others = factors
    if ours in left_out:
        return f"<p>{unlearnt_said(left_out)}</p>"
    factors = {policy: of_policy for policy, of_policy in factors.items() if policy not in left_out}
    others, items = [policy for policy in others if policy in factors], []
    for split in splits:
        level = [other for other in others if keeps_up(run, ours, other, split)]
        listed = ", ".join(map(coloured, level)) or "none of the others"
        common = shared([factors[policy] for policy in (ours, *level)], list(factors.values()))
        what = f". Shared with {coloured(ours)}, and not by all: {escape(common)}" if level and common else ""
        items.append(f"<li>{escape(split_name(split))}: {listed}{what}.</li>")
    return (
        f"<p>Who is not behind {coloured(ours)}: the 95% interval of the difference on the same scenes holds 0 "
        f"(not adjusted for how many are looked at). {unlearnt_said(left_out)}</p>"
        f"<ul class='plain'>{''.join(items)}</ul>"
    )


def unlearnt_said(policies: Sequence[str]) -> str:
    """Which policies say nothing of their factors; empty where all have learnt the task."""
    if not policies:
        return ""
    names = ", ".join(map(coloured, policies))
    return (
        f"Left out: {names}. In scenes like their own demonstrations they place fewer than half, so what their "
        "factors would give a policy that has learnt the task is open."
    )


def keeps_up(run: RunFiles, ours: str, other: str, split: str) -> bool:
    """Whether the data leave open that another policy places as often as ours in a split, or say that it does."""
    comparison = compare(run.records, ours, other, split)
    return comparison is not None and interval_of(comparison)[0] <= 0


def shared(some: Sequence[Mapping[str, str]], of_all: Sequence[Mapping[str, str]]) -> str:
    """What some policies' factors are, where others' are something else: as `head: heatmap or expected pixel`."""
    said = []
    for name in dict.fromkeys(name for factors in of_all for name in factors):
        here = list(dict.fromkeys(str(factors[name]) for factors in some if name in factors))
        if len(here) < len({str(factors[name]) for factors in of_all if name in factors}):
            said.append(f"{name}: {' or '.join(here)}")
    return "; ".join(said)


def _comparisons(run: RunFiles) -> str:
    """Every comparison of the run, in words, folded: what one factor gives where all others stay."""
    items = "".join(
        f"<li{of_both(c)}>{escape(split_name(c['split']))}: {coloured(c['a'])} minus "
        f"{coloured(c['b'])}: {escape(comparison_text(c))}</li>"
        for c in run.summary["comparisons"]
    )
    return f"<details><summary>Pair by pair</summary><ul class='plain'>{items}</ul></details>" if items else ""
