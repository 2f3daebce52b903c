"""A summary as lines of text: each rate with its count and interval, the paper's number beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from para.evaluation.results import interval_of, p_of

N_NAMED = 6
"""Of what is missing, so much is named."""

UNFINISHED = "unfinished"
"""In `config.json` of a run that broke off: policy -> split -> how many episodes it was to have."""


def unfinished_text(config: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """What a run lacks, as `not finished: of 10 episodes 9 are missing (act, test 5; para, test 4)`; else empty.

    Args:
        config: of the run.
        rows: of its summary.
    """
    there = {(row["policy"], row["split"]): row["trials"] + row["errors"] for row in rows}
    planned = {(p, s): n for p, splits in config.get(UNFINISHED, {}).items() for s, n in splits.items()}
    lacking = {key: n - there.get(key, 0) for key, n in planned.items() if there.get(key, 0) < n}
    if not lacking:
        return ""
    listed = [f"{policy}, {split} {n}" for (policy, split), n in lacking.items()]
    named = "; ".join(listed[:N_NAMED]) + (f"; and {len(listed) - N_NAMED} more" if len(listed) > N_NAMED else "")
    return f"not finished: of {sum(planned.values())} episodes {sum(lacking.values())} are missing ({named})"


def summary_text(summary: Mapping[str, Any]) -> str:
    """The rows and comparisons of a summary (`para.evaluation.results.summarise`), a line each."""
    return "\n".join([*map(row_text, summary["rows"]), *map(comparison_text, summary["comparisons"])])


def row_text(row: Mapping[str, Any]) -> str:
    """One policy on one split."""
    if row["rate"] is None:
        text = f"no episode ran to its end, {row['errors']} errors"
    else:
        low, high = (100 * end for end in interval_of(row))
        count = f"{row['placed']}/{row['trials']}"
        text = f"{100 * row['rate']:5.1f}%  ({count}, 95% interval {low:.0f} to {high:.0f}%)"
        text += f"  {row['errors']} errors" if row["errors"] else ""
    paper = "" if row["paper"] is None else f"   paper: {100 * row['paper']:.0f}%"
    return f"{row['policy']:<24} {row['split']:<8} {text}{paper}"


def comparison_text(comparison: Mapping[str, Any]) -> str:
    """One policy against another on the same scenes."""
    c = comparison
    low, high = (100 * end for end in interval_of(c))
    return (
        f"{c['a']} - {c['b']}, {c['split']}: {100 * c['difference']:+.1f} points "
        f"(95% interval {low:+.1f} to {high:+.1f}, {c['n_pairs']} pairs, p = {p_of(c):.2g})"
    )
