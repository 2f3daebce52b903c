"""Who has learnt the task: how often each trained policy places in scenes like its own demonstrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from para.reports.family.files import GOAL, UNLEARNT_BELOW, Family, in_distribution, name_of, title_of
from para.reports.family.marks import filter_attributes, in_a_row
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles
from para.reports.tables import coloured, rate_cell, table
from para.reports.wording import brief, in_reading_order, percent, rate_text, trained_policy

HEADS = ["policy", "seeds", "placed in distribution", "trained with", "what it is"]


def learnt(family: Family, pictures: Pictures) -> str | None:
    """The policies below the goal with their recipes, by experiment; experiments in which all reach it folded."""
    found = {name_of(run): learnt_rows(run) for run in family.runs}
    runs = [run for run in family.runs if found[name_of(run)]]
    if not runs:
        return None
    below = [run for run in runs if not all(map(reaches, found[name_of(run)]))]
    lines = [line for run in below for line in _lines(run, found[name_of(run)])]
    rows = [row for run in runs for row in found[name_of(run)]]
    n_reach = sum(map(reaches, rows))
    folded = _all_reach([run for run in runs if run not in below], found)
    return (
        "<p>The rate in new scenes that are like a policy’s own demonstrations: at their positions and in their views. "
        f"{n_reach} of {len(rows)} reach {percent(GOAL)}; the {len(rows) - n_reach} others are marked, with what they "
        "are. Their rates elsewhere tell of a training that is not done, too. What was tried for them is in "
        "<code>docs/method.md</code>, under Training and The baselines.</p>"
        f"{table(HEADS, lines, kind='learnt') if lines else ''}{folded}"
    )


def learnt_rows(run: RunFiles) -> list[Mapping[str, Any]]:
    """The row in distribution of each training of a run; none where its policies never saw what they are tested on."""
    if "heatmap_transfer" in run.config:  # trained on discs, tested among robots
        return []
    policies = in_reading_order(row["policy"] for row in run.summary["rows"])
    recipes = run.config.get("recipes") or {policy: "" for policy in policies if trained_policy(policy) == policy}
    rows = [in_distribution(run, policy) for policy in policies if policy in recipes]
    return [row for row in rows if row is not None and row["rate"] is not None]


def reaches(row: Mapping[str, Any]) -> bool:
    """Whether a policy reaches the goal."""
    return row["rate"] >= GOAL


def _lines(run: RunFiles, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The experiment's name, a line for each row below the goal, and one for all others."""
    lines = [_head(run)]
    lines += [_line(run, row) for row in rows if not reaches(row)]
    others = [
        (filter_attributes(policy=row["policy"]), f"{coloured(row['policy'])} {escape(_short(row))}")
        for row in rows
        if reaches(row)
    ]
    if others:
        said = f"{percent(GOAL)} or more: {in_a_row(others)}"
        lines.append(
            f'<tr{filter_attributes(axis=run.axis)}><td colspan="{len(HEADS)}" class="others">{said}</td></tr>'
        )
    return lines


def _head(run: RunFiles) -> str:
    said = f"{escape(title_of(run))} <span class='why'>{escape(name_of(run))}</span>"
    return f'<tr class="what"{filter_attributes(axis=run.axis)}><th colspan="{len(HEADS)}">{said}</th></tr>'


def _line(run: RunFiles, row: Mapping[str, Any]) -> str:
    policy = row["policy"]
    badge = "" if reaches(row) else f' <span class="verdict b">below {percent(GOAL)}</span>'
    if row["rate"] < UNLEARNT_BELOW:
        badge = ' <span class="verdict b">not learnt</span>'
    why = str((run.config.get("recipes") or {}).get(policy, ""))
    cells = [
        f'<th scope="row">{coloured(policy)}</th>', f"<td>{len(row['train_seeds'])}</td>",
        f"<td>{rate_cell(row, short=True)}{badge}</td>", f'<td class="why">{escape(trained_with(run, policy))}</td>',
        f'<td class="why">{escape(why)}</td>',
    ]  # fmt: skip
    return f"<tr{filter_attributes(axis=run.axis, policy=policy)}>{''.join(cells)}</tr>"


def trained_with(run: RunFiles, policy: str) -> str:
    """As `128 demonstrations, 800 steps`, as far as the run says."""
    config = run.config
    made = (config.get("training") or {}).get((config.get("data") or {}).get(policy), {})
    scale = config["scale"] if isinstance(config.get("scale"), Mapping) else {}
    steps = (config.get("train_steps") or {}).get(policy, scale.get("train_steps"))
    said = [f"{made['n']:,} demonstration{'' if made['n'] == 1 else 's'}"] if "n" in made else []
    return ", ".join(said + ([f"{steps:,} steps"] if steps else []))


def _short(row: Mapping[str, Any]) -> str:
    return brief(rate_text(row))


def _all_reach(runs: Sequence[RunFiles], found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    if not runs:
        return ""
    lines = [line for run in runs for line in (_head(run), *(_line(run, row) for row in found[name_of(run)]))]
    title = f"Experiments in which all reach {percent(GOAL)}: {len(runs)}"
    return f"<details><summary>{title}</summary>{table(HEADS, lines, kind='learnt')}</details>"
