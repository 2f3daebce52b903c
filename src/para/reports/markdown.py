"""Tables of documents, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

NONE = "–"
"""What stands in a cell without a number."""


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
