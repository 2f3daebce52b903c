"""How every picture of a report looks: colours, marks and the way to SVG.

Policies have colours of their own (blue, orange, ...); outcomes have others and a shape each, so that both can be told
apart without seeing colours.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from para.reports.wording import base_policy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, GREY, FAINT, PALE = "#1b1f24", "#646c76", "#c9ced6", "#eef1f5"

POLICY_COLOURS = {
    "para": "#1f5fa8",
    "act": "#dd7a0c",
    "global_regression": "#7d56a5",
    "motion_tracks": "#4d7c8a",
    "diffusion": "#8a5a44",
    "soft_argmax": "#b0417c",
    "video_para": "#0f7f72",
    "video_regression": "#a0621a",
}

POLICY_MARKS = {
    "para": "o",
    "act": "s",
    "global_regression": "P",
    "motion_tracks": "D",
    "diffusion": "^",
    "soft_argmax": "v",
    "video_para": "h",
    "video_regression": "X",
}
"""matplotlib's marker of each policy, so that no curve is told apart by colour alone."""

LINE_STYLES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (8, 2)))
"""Of the variants of one policy in one plot, in turn."""

OUTCOME_COLOURS = {"placed": "#24914a", "grasped": "#e3b505", "missed": "#c62f3d", "error": "#6f7680"}

OUTCOME_MARKS = {"placed": "o", "grasped": "^", "missed": "X", "error": "s"}
"""matplotlib's marker of each outcome."""

OUTCOME_SIGNS = {
    "placed": "\N{BLACK CIRCLE}",
    "grasped": "\N{BLACK UP-POINTING TRIANGLE}",
    "missed": "\N{MULTIPLICATION X}",
    "error": "\N{BLACK SQUARE}",
}
"""The same shapes in text."""

FONTS = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"

RC = {
    "svg.fonttype": "none",  # text stays text: small, crisp, and in the reader's own font
    "svg.hashsalt": "para",  # the same figure gives the same bytes
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": GREY,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "grid.color": PALE,
    "legend.frameon": False,
    "figure.dpi": 100,
}
"""matplotlib's settings for every figure."""


def policy_colour(policy: str) -> str:
    """Of a policy or of any variant of it."""
    return POLICY_COLOURS.get(base_policy(policy), INK)


def line_styles(policies: Sequence[str]) -> dict[str, dict[str, Any]]:
    """How each policy of a plot is drawn: its colour and mark; variants of one policy by their lines and fills."""
    styles, seen = {}, Counter()
    for policy in policies:
        base = base_policy(policy)
        number = seen[base]
        seen[base] += 1
        styles[policy] = {
            "color": policy_colour(policy),
            "marker": POLICY_MARKS.get(base, "o"),
            "markerfacecolor": mark_fill(policy_colour(policy), number),
            "linestyle": LINE_STYLES[number % len(LINE_STYLES)],
        }
    return styles


def mark_fill(colour: str, number: int) -> str:
    """What fills the marks of a policy's variants in one plot, in turn: its colour, white, half of it, black."""
    half = "#" + "".join(f"{(part + 255) // 2:02x}" for part in rgb(colour))
    return (colour, "white", half, INK)[number % 4]


def rgb(colour: str) -> tuple[int, int, int]:
    """`#1f5fa8` as three numbers from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def to_svg(figure: Figure) -> str:
    """The figure as an SVG document, byte for byte the same each time."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, facecolor="none")
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"'DejaVu Sans'[^;\"]*sans-serif", FONTS, svg)


def inline_svg(svg: str, name: str, description: str) -> str:
    """The `<svg>` element to put into a page: no prolog, its ids its own (`name` first), a description (already
    escaped) for those who do not see it."""
    body = svg[svg.index("<svg") :].replace("*{stroke", "svg *{stroke")
    body = re.sub(r'\s+xmlns(:xlink)?="[^"]*"', "", body).replace("xlink:href", "href")
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", body)
    return body.replace("<svg ", f'<svg role="img" aria-label="{description}" ', 1)
