"""A run with few demonstrations in a document, as Markdown: a row per start, a column per number of demonstrations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from para.evaluation.results import interval_of, p_of
from para.reports.comparisons import in_starts_table
from para.reports.markdown import NONE, table
from para.reports.wording import (
    INTERVALS,
    brief,
    in_reading_order,
    number_in,
    p_text,
    percent,
    points,
    policy_name,
    rate_text,
    split_name,
    splits_in_reading_order,
)

Kinds = Mapping[str, str]
"""Of `few_shot` in `config.json`: how a policy started, in words -> suffix of its name, "" from scratch."""

Row = Mapping[str, Any]


class Case(NamedTuple):
    """A policy on N demonstrations."""

    policy: str
    """Its name without start and number."""

    kind: str
    """How it started, in words."""

    n: int


def case_of(policy: str, kinds: Kinds) -> Case | None:
    """What a name stands for: `para+2d+n10+short8` for (`para+short8`, "2D", 10). None: it has no number."""
    n, parts = number_in(policy, "n"), policy.split("+")
    if n is None:
        return None
    parts.remove(f"n{n}")
    found = next((kind for kind, suffix in kinds.items() if suffix and suffix[1:] in parts), None)
    if found is None:
        scratch = next(kind for kind, suffix in kinds.items() if not suffix)
        return Case("+".join(parts), scratch, n)
    parts.remove(kinds[found][1:])
    return Case("+".join(parts), found, n)


def few_shot_text(summary: Mapping[str, Any], kinds: Kinds) -> str:
    """What was placed in each split, the paper's rates below ours, and what each start is worth against none; empty for
    a run without numbers of demonstrations."""
    rows = [row for row in summary["rows"] if case_of(row["policy"], kinds) is not None]
    if not rows:
        return ""
    rates = [rates_table(rows, split, kinds) for split in splits_of(rows)]
    against_none = [c for c in summary["comparisons"] if in_starts_table(c, kinds)]
    starts = [starts_table(against_none, split, kinds) for split in splits_of(against_none)]
    said = (
        f"In brackets: counts, and {INTERVALS}. p: exact McNemar, by cluster in the same way, not adjusted (Holm's are "
        "on the page of the records)."
    )
    return "\n\n".join([*rates, *starts, said])


def splits_of(rows: Iterable[Row]) -> list[str]:
    """The splits of rows or comparisons, in reading order."""
    return splits_in_reading_order(row["split"] for row in rows)


def rates_table(rows: Iterable[Row], split: str, kinds: Kinds) -> str:
    """What was placed in a split, and below each row the paper's rates, where it has any."""
    mine = {case_of(row["policy"], kinds): row for row in rows if row["split"] == split}
    cells = {case: brief_rate(row) for case, row in mine.items()}
    paper = {case: percent(row["paper"]) for case, row in mine.items() if row["paper"] is not None}
    return by_number(f"placed, {split_name(split).lower()}", cells, kinds, paper)


def errors_table(errors: Mapping[str, str], kinds: Kinds) -> str:
    """Policy -> its errors on held-out demonstrations, as a table."""
    found = {case_of(policy, kinds): text for policy, text in errors.items()}
    return by_number("on held-out demonstrations", {case: text for case, text in found.items() if case}, kinds, {})


def starts_table(against_none: Iterable[Mapping[str, Any]], split: str, kinds: Kinds) -> str:
    """How much more each start places than none in a split."""
    cells = {case_of(c["a"], kinds): brief_difference(c) for c in against_none if c["split"] == split}
    return by_number(f"points above scratch, {split_name(split).lower()}", cells, kinds, {})


def by_number(head: str, cells: Mapping[Case, str], kinds: Kinds, paper: Mapping[Case, str]) -> str:
    """A row per policy and start, a column per number of demonstrations; below a row the paper's, where it has any.

    Args:
        head: of the first column.
        cells: what stands where.
        kinds: the starts, in the order of their rows.
        paper: the paper's rates.
    """
    numbers = sorted({case.n for case in cells})
    lines = []
    for policy in in_reading_order(case.policy for case in cells):
        for kind in kinds:
            named = [(policy_name(policy), cells), ("the paper's", paper)]
            for name, of in named:
                mine = {case.n: text for case, text in of.items() if case[:2] == (policy, kind)}
                if mine:
                    lines.append([name, kind, *(mine.get(n, NONE) for n in numbers)])
    return table([head, "started from", *(f"N = {n}" for n in numbers)], lines)


def brief_rate(row: Row) -> str:
    """As `91% (29/32, 76 to 97%)`, with the episodes that raised where there are any."""
    errors = f", {row['errors']} error{'s' if row['errors'] > 1 else ''}" if row["errors"] else ""
    return brief(rate_text(row)) + errors


def brief_difference(comparison: Mapping[str, Any]) -> str:
    """As `+25 (+9 to +42), p = 0.0078`; interval and p are those of `interval_of` and `p_of`."""
    low, high = map(points, interval_of(comparison))
    return f"{points(comparison['difference'])} ({low} to {high}), {p_text(p_of(comparison))}"
