"""A summary as lines of text: each rate with its count and interval, the paper's number beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from para.evaluation.results import interval_of, shares_clusters


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
    p = c["p_cluster" if shares_clusters(c) else "p_value"]
    return (
        f"{c['a']} - {c['b']}, {c['split']}: {100 * c['difference']:+.1f} points "
        f"(95% interval {low:+.1f} to {high:+.1f}, {c['n_pairs']} pairs, p = {p:.2g})"
    )
