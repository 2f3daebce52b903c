"""Marks of a plot that the page's filters can hide, and that say their numbers when pointed at.

A filter knows an element by its attributes `data-axis`, `data-policy` and `data-outcome`: it hides what has one of them
and does not name there what is asked for. What holds such elements goes when all of these have gone. matplotlib writes
one attribute of our choice, the id of a group: `mark` packs all of them into it, and `filterable` unpacks them again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from para.reports.pictures import Pictures

if TYPE_CHECKING:
    from matplotlib.artist import Artist

PACKED = re.compile(r'<g id="mark\|([^|"]*)\|([^|"]*)\|([^"]*)">')
LONG_NUMBER = re.compile(r"(\d\.\d\d)\d+")


def mark(artist: Artist, *, policy: str = "", outcome: str = "", title: str = "") -> None:
    """Let filters find a drawn thing by policy and outcome, and a reader its `title` when pointing at it."""
    artist.set_gid(f"mark|{policy}|{outcome}|{title}")


def filterable(svg: str) -> str:
    """The SVG with the marks of `mark` as attributes, and numbers no longer than a screen can show."""

    def unpacked(match: re.Match) -> str:
        policy, outcome, title = match.groups()
        attributes = [f' data-{k}="{v}"' for k, v in (("policy", policy), ("outcome", outcome)) if v]
        return f"<g{''.join(attributes)}>{f'<title>{title}</title>' if title else ''}"

    return LONG_NUMBER.sub(r"\1", PACKED.sub(unpacked, svg))


def plot(
    pictures: Pictures, name: str, svg: str | None, caption: str, description: str, *, axis: str = "", title: str = ""
) -> str:
    """A plot with a title and its caption (HTML), known to filters by its axis; empty where there is no plot."""
    if svg is None:
        return ""
    head = f"<h3>{escape(title)}</h3>" if title else ""
    return (
        f"<div{filter_attributes(axis=axis)}>{head}{pictures.figure(name, filterable(svg), caption, description)}</div>"
    )


def filter_attributes(*, axis: str = "", policy: str = "", outcome: str = "") -> str:
    """By what a filter knows an element, as attributes of its tag; several axes or outcomes stand apart by spaces, and
    so do policies."""
    named = {"axis": axis, "policy": policy, "outcome": outcome}
    return "".join(f' data-{name}="{escape(value)}"' for name, value in named.items() if value)


def of_both(comparison: Mapping[str, Any], *, axis: str | None = "") -> str:
    """The attributes of what compares two policies: a filter that asks for either finds it."""
    return filter_attributes(axis=axis or "", policy=f"{comparison['a']} {comparison['b']}")


def in_a_row(items: Sequence[tuple[str, str]]) -> str:
    """Things (attributes, HTML) one after the other; a filter that hides one hides the sign between it and the next."""
    last = len(items) - 1
    return "".join(f"<span{shown}>{html}{'; ' if i < last else ''}</span>" for i, (shown, html) in enumerate(items))
