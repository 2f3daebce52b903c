"""The headline and the tables of a report, as HTML. Every number comes from the summary or the records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from itertools import zip_longest
from typing import Any

from para.evaluation.records import EpisodeRecord
from para.evaluation.results import interval_of, summary_row
from para.interfaces import OUTCOMES
from para.reports.family.marks import filter_attributes
from para.reports.run_files import RunFiles
from para.reports.style import INK, OUTCOME_COLOURS, OUTCOME_SIGNS, PALE, policy_colour
from para.reports.wording import (
    base_policy,
    brief,
    comparison_text,
    execution_of,
    in_reading_order,
    percent,
    policy_name,
    rate_text,
    split_name,
    splits_in_reading_order,
    variant_of,
)

Row = Mapping[str, Any]


def headline(run: RunFiles) -> tuple[str, str]:
    """The result in a short sentence and in a full one, as HTML: the first two policies out of distribution."""
    splits = splits_in_reading_order(row["split"] for row in run.summary["rows"])
    split = "test" if "test" in splits else run.headline_splits[0]
    rows = [row for policy in run.main_policies for row in run.rows(policy, split)][:2]
    if not rows:
        return "No policy was scored", ""
    rates = [
        f"{escape(percent(row['rate']))} ({row['placed']}/{row['trials']})" if row["trials"] else "– (no trial ran)"
        for row in rows
    ]
    known = {"test": "Beyond its training data", "train": "Within its training data", "all": "Anywhere on the table"}
    where = known.get(split, split_name(split)[:1].upper() + split_name(split)[1:])
    parts = [f"{coloured(row['policy'])}{verb} {rate}" for row, verb, rate in zip(rows, (" places", ""), rates)]
    short = f"{escape(where)}, {', '.join(parts)}"
    full = "; ".join(f"{escape(policy_name(row['policy']))} {escape(rate_text(row))}" for row in rows)
    pair = [row["policy"] for row in rows]
    for comparison in run.summary["comparisons"]:
        if comparison["split"] == split and [comparison["a"], comparison["b"]] == pair:
            full += f"; difference {escape(comparison_text(comparison))}"
    return f"{short}.", f"{escape(split_name(split))}: {full}."


def coloured(policy: str) -> str:
    """A policy's name in its colour."""
    return f'<span class="policy" style="color:{policy_colour(policy)}">{escape(policy_name(policy))}</span>'


def main_table(run: RunFiles) -> str:
    """Ours beside the paper's: a row per main policy and split."""
    splits = splits_in_reading_order(row["split"] for row in run.summary["rows"])
    lines = []
    for split in splits:
        for number, policy in enumerate(run.main_policies):
            for row in run.rows(policy, split):
                said = escape(split_name(split)) if number == 0 else ""
                lines.append(f'<tr><td class="split">{said}</td><td>{coloured(policy)}</td>{_cells(row, run)}</tr>')
    return table(["", "policy", *_heads(run)], lines)


def paper_sources(run: RunFiles) -> str:
    """Where the paper's numbers come from, in words; numbers of one source together."""
    by_source: dict[str, list[str]] = {}
    for row in run.summary["rows"]:
        if row["paper"] is not None and row["paper_source"]:
            by_source.setdefault(row["paper_source"], []).append(
                f"{policy_name(row['policy'])} {percent(row['paper'])}"
            )
    said = [f"{', '.join(numbers)}: {source}" for source, numbers in by_source.items()]
    return escape(f"Sources of the paper’s numbers: {'; '.join(said)}.") if said else ""


def variants_table(run: RunFiles, policies: Sequence[str] | None = None) -> str | None:
    """Further variants beside the policy that each varies, out of distribution first; None where there are none.

    Args:
        run: of which.
        policies: which; default: every variant that is no way of execution and not shown as a main policy.
    """
    names = in_reading_order(row["policy"] for row in run.summary["rows"])
    shown = run.config.get("main", ())
    variants = [n for n in names if variant_of(n) and execution_of(variant_of(n)) is None and n not in shown]
    why = run.config.get("recipes") or {}
    lines = []
    for variant in variants if policies is None else policies:
        for split in splits_in_reading_order(row["split"] for row in run.rows(variant)):
            (row,) = run.rows(variant, split)
            said = f'<div class="why">{escape(str(why.get(variant, "")))}</div>' if split != "train" else ""
            cells = f'<td>{coloured(variant)}{said}</td><td class="split">{escape(split_name(split))}</td>'
            lines.append(f"<tr{filter_attributes(policy=variant)}>{cells}{_cells(row, run)}</tr>")
    return table(["policy", "", *_heads(run)], lines) if lines else None


def execution_table(run: RunFiles) -> str | None:
    """Rates by the number of steps that are executed per prediction; None where only one way was tried."""
    ways: dict[tuple, dict[str, list[Row]]] = {}
    for row in run.summary["rows"]:
        key = _execution_key(row["policy"], run.config.get("execute") or {})
        if key is not None:
            ways.setdefault(key, {}).setdefault(base_policy(row["policy"]), []).append(row)
    if len(ways) < 2:
        return None
    policies = in_reading_order(policy for way in ways.values() for policy in way)
    splits = splits_in_reading_order(row["split"] for way in ways.values() for rows in way.values() for row in rows)
    columns = [(split, policy) for split in splits for policy in policies]
    lines = []
    for key in sorted(ways):
        cells = [f'<th scope="row">{escape(key[1])}</th>']
        for split, policy in columns:
            rows = [row for row in ways[key].get(policy, []) if row["split"] == split]
            mark = "" if not rows or variant_of(rows[0]["policy"]) else '<div class="why">headline</div>'
            cells.append(f"<td>{rate_cell(rows[0])}{mark}</td>" if rows else '<td class="none">–</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    heads = ["steps executed"]
    heads += [f"{coloured(policy)}<br>{escape(split_name(split).lower())}" for split, policy in columns]
    return table(heads, lines, kind="compact")


def _execution_key(policy: str, execute: Mapping[str, Any]) -> tuple[float, str] | None:
    """Where a way of executing stands in its table, and how it is called; None for a policy that varies otherwise."""
    way = execution_of(variant_of(policy))
    if variant_of(policy) and way is None:
        return None
    options = execute.get(policy) or {}
    if options.get("ensemble_decay") is not None or way == "ensemble":
        return (1000.0, "1 + temporal ensembling")
    steps = options.get("execute_steps", 0 if way == "all" else way)
    if steps is None:  # a headline of which the run does not say how it was executed
        return (998.0, "as configured")
    return (999.0, "all of the chunk") if steps == 0 else (float(steps), str(steps))


def headline_executions(run: RunFiles) -> str:
    """How many steps each main policy executes before it predicts again, in words."""
    execute = run.config.get("execute") or {}
    keys = {policy: _execution_key(policy, execute) for policy in run.main_policies if policy in execute}
    said = [f"{policy_name(policy)} {key[1]}" for policy, key in keys.items() if key is not None]
    return escape(f"Steps executed per prediction: {', '.join(said)}.") if said else ""


def error_list(run: RunFiles) -> str:
    """What the episodes that raised said, with how often; empty where none did."""
    errors = Counter((r.policy, r.split, r.error) for r in run.records if r.error is not None)
    if not errors:
        return ""
    items = [
        f"<li>{n} × {coloured(policy)}, {escape(split_name(split).lower())}: <code>{escape(text)}</code></li>"
        for (policy, split, text), n in sorted(errors.items())
    ]
    total = sum(errors.values())
    return (
        f'<div class="errors"><p>{total} of {len(run.records)} episodes raised an error. They are counted apart, as '
        f"neither placed nor missed:</p><ul>{''.join(items)}</ul></div>"
    )


def seeds_text(run: RunFiles) -> str:
    """Counts of each training seed, where there are several: pooled rates hide how much trainings differ."""
    splits = splits_in_reading_order(row["split"] for row in run.summary["rows"])
    lines = []
    for policy in run.main_policies:
        for row in sorted(run.rows(policy), key=lambda row: splits.index(row["split"])):
            if len(row["train_seeds"]) > 1:
                counts = ", ".join(_seed_count(run, policy, row["split"], seed) for seed in row["train_seeds"])
                lines.append(f"<li>{coloured(policy)}, {escape(split_name(row['split']).lower())}: {counts}</li>")
    if not lines:
        return ""
    said = (
        "<h3>Placed, by training seed</h3><p>The intervals above are about these trainings: they allow for scenes "
        "that several share, not for how others would come out.</p>"
    )
    return f"{said}<ul class='plain'>{''.join(lines)}</ul>"


def _seed_count(run: RunFiles, policy: str, split: str, seed: int) -> str:
    ran = [r for r in run.records if (r.policy, r.split, r.train_seed) == (policy, split, seed) and r.error is None]
    return f"{sum(r.outcome == 'placed' for r in ran)}/{len(ran)}"


def trainings_table(run: RunFiles) -> str:
    """Steps, time and held-out errors of each policy's trainings; empty where the run does not say."""
    lines = []
    for policy in in_reading_order(row["policy"] for row in run.trainings):
        rows = [row for row in run.trainings if row["policy"] == policy]
        steps = ", ".join(str(n) for n in sorted({row["steps"] for row in rows}))
        cells = [coloured(policy), str(len(rows)), steps]
        cells += [_mean_and_range([row[key] for row in rows]) for key in ("error_mm", "pixel_error_px")]
        cells += [_mean_and_range([row["seconds"] / 60 for row in rows])]
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    heads = ["policy", "trainings", "steps", "held-out error, mm", "held-out error, px", "minutes"]
    return table(heads, lines) if lines else ""


def _mean_and_range(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return '<span class="none">–</span>'
    spread = f' <span class="n">({min(known):.1f} to {max(known):.1f})</span>' if len(known) > 1 else ""
    return f"{sum(known) / len(known):.1f}{spread}"


def legend(run: RunFiles) -> str:
    """What the colours and shapes of outcomes mean."""
    outcomes = [*OUTCOMES, *(["error"] if _has_errors(run) else [])]
    return ", ".join(f'<span class="outcome">{sign(outcome)} {outcome}</span>' for outcome in outcomes)


def sign(outcome: str) -> str:
    """The shape of an outcome in its colour."""
    return f'<span style="color:{OUTCOME_COLOURS[outcome]}">{OUTCOME_SIGNS[outcome]}</span>'


def _heads(run: RunFiles) -> list[str]:
    paper, errors = ["paper"] if has_paper(run) else [], ["errors"] if _has_errors(run) else []
    return ["ours: placed", "", *paper, *(f"{sign(outcome)} {outcome}" for outcome in OUTCOMES), *errors]


def _cells(row: Row, run: RunFiles) -> str:
    cells = [rate_cell(row), interval_bar(row), *([_paper_cell(row)] if has_paper(run) else [])]
    cells += [str(row[outcome]) for outcome in OUTCOMES]
    if _has_errors(run):
        cells.append(f'<span class="error">{row["errors"]}</span>' if row["errors"] else "0")
    return "".join(f"<td>{cell}</td>" for cell in cells)


def has_paper(run: RunFiles) -> bool:
    """Whether the paper has a number for any row."""
    return any(row["paper"] is not None for row in run.summary["rows"])


def _has_errors(run: RunFiles) -> bool:
    return any(row["errors"] for row in run.summary["rows"])


def rate_cell(row: Row, *, short: bool = False) -> str:
    """A rate with its counts and interval; short, where a caption says what interval that is."""
    if row["rate"] is None:
        return f'<span class="none">{rate_text(row)}</span>'
    rest = rate_text(row).partition(" ")[2]
    rest = brief(rest) if short else rest
    return f'<span class="rate"><b>{escape(percent(row["rate"]))}</b> <span class="n">{escape(rest)}</span></span>'


def row_of(records: Sequence[EpisodeRecord], outcome: str) -> Row:
    """How often a policy's episodes ended so, as if that had been "placed": of those that ran; errors, of all."""

    def turned(record: EpisodeRecord) -> EpisodeRecord:
        if outcome == "errors":
            return replace(record, error=None, outcome="placed" if record.error else "missed")
        ended = None if record.error else "placed" if record.outcome == outcome else "missed"
        return replace(record, outcome=ended)

    return {**summary_row([turned(record) for record in records]), "paper": None}


def _paper_cell(row: Row) -> str:
    if row["paper"] is None:
        return '<span class="none">–</span>'
    return escape(percent(row["paper"]))


def interval_bar(row: Row) -> str:
    """The rate as a dot on a scale from 0 to 100%, its interval as a bar, the paper's rate as a diamond."""
    width, height, middle = 150, 16, 8
    x = [4 + (width - 8) * (number or 0.0) for number in (*interval_of(row), row["rate"], row["paper"])]
    colour = policy_colour(row["policy"])
    shapes = [f'<line x1="4" x2="{width - 4}" y1="{middle}" y2="{middle}" stroke="{PALE}" stroke-width="8"/>']
    if row["paper"] is not None:
        shapes.append(
            f'<path d="M{x[3]:.1f} {middle - 6} l6 6 l-6 6 l-6 -6 z" fill="white" stroke="{INK}" stroke-width="1.2"/>'
        )
    if row["rate"] is not None:
        shapes.append(
            f'<line x1="{x[0]:.1f}" x2="{x[1]:.1f}" y1="{middle}" y2="{middle}" stroke="{colour}" stroke-width="3" '
            f'opacity="0.55"/><circle cx="{x[2]:.1f}" cy="{middle}" r="4" fill="{colour}"/>'
        )
    box = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg class="bar" {box} aria-hidden="true">{"".join(shapes)}</svg>'


def table(heads: Sequence[str], lines: Sequence[str], *, kind: str = "full", marks: Sequence[str] = ()) -> str:
    """An HTML table of heads, rows (`<tr>...</tr>`) and the attributes of the heads, that scrolls on narrow screens."""
    cells = "".join(f'<th scope="col"{mark}>{head}</th>' for head, mark in zip_longest(heads, marks, fillvalue=""))
    head, body = f"<thead><tr>{cells}</tr></thead>", f"<tbody>{''.join(lines)}</tbody>"
    return f'<div class="scroll"><table class="{kind}">{head}{body}</table></div>'
