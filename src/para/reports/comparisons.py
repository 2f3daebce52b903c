"""The paired comparisons of a run: in words, and those of a start with training from scratch as a table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any, NamedTuple

from para.evaluation.results import interval_of, p_of
from para.reports.family.marks import filter_attributes
from para.reports.run_files import RunFiles
from para.reports.tables import coloured, rate_cell, table
from para.reports.wording import (
    INTERVALS,
    comparison_text,
    in_reading_order,
    number_in,
    p_text,
    points,
    split_name,
)

Comparison = Mapping[str, Any]


def comparisons_list(run: RunFiles, among: Collection[str] | None = None) -> str:
    """The paired comparisons of the summary, in words; empty where there are none.

    Args:
        run: of which.
        among: only those of which one side is one of these policies; default: every one that has no table of its own
            (`starts_table`).
    """
    kinds = (run.config.get("few_shot") or {}).get("kinds", {})
    items = [
        f"<li>{coloured(c['a'])} against {coloured(c['b'])}, {escape(split_name(c['split']).lower())}: "
        f"{escape(comparison_text(c))}. Both placed in {c['both']} pairs, only the first in {c['a_only']}, only the "
        f"second in {c['b_only']}. Holm {escape(p_text(c['p_holm']))}.</li>"
        for c in run.summary["comparisons"]
        if ({c["a"], c["b"]} & set(among) if among is not None else not in_starts_table(c, kinds))
    ]
    if not items:
        return ""
    note = f'<p class="caption">{_holm_said(run)}</p>'
    return f"<h3>Paired comparisons, on the same scenes</h3><ul class='plain'>{''.join(items)}</ul>{note}"


def _holm_said(run: RunFiles) -> str:
    return f"Holm’s p is adjusted over all {len(run.summary['comparisons'])} comparisons of this experiment."


class Start(NamedTuple):
    """A comparison of a policy that started from something with the same one from scratch."""

    n: int
    """Demonstrations of the robot."""

    part: int
    """Both trained for one in so many of the usual steps."""

    policy: str
    """The name without the three."""

    kind: str
    """What it started from, in words."""

    comparison: Comparison


def in_starts_table(comparison: Comparison, kinds: Mapping[str, str]) -> bool:
    """Whether a comparison is of a start with none on so many demonstrations, which stand in a table of their own.

    Args:
        comparison: of the summary.
        kinds: of `few_shot` in `config.json`; empty where a run has no such.
    """
    a, b = comparison["a"], comparison["b"]
    return start_of(a, b, kinds) is not None and number_in(a, "n") is not None


def starts_compared(run: RunFiles, told: Mapping[str, Any], split: str) -> list[Start]:
    """The run's comparisons with training from scratch, by number of demonstrations, steps, policy and start.

    Args:
        run: of which.
        told: `few_shot` of its `config.json`, which names the starts.
        split: of which scenes.
    """
    kinds, found = list(told["kinds"]), []
    for c in run.summary["comparisons"]:
        if c["split"] == split and in_starts_table(c, told["kinds"]):
            kind, n = start_of(c["a"], c["b"], told["kinds"]), number_in(c["a"], "n")
            part = number_in(c["a"], "short")
            left = [p for p in c["b"].split("+") if p not in (f"n{n}", f"short{part}")]
            found.append(Start(n, part or 1, "+".join(left), kind, c))
    policies = in_reading_order(start.policy for start in found)
    return sorted(found, key=lambda s: (s.n, s.part, policies.index(s.policy), kinds.index(s.kind)))


def start_of(a: str, b: str, kinds: Mapping[str, str]) -> str | None:
    """What policy a started from, in words, if but for that it is policy b; None: it is another."""
    for kind, suffix in kinds.items():
        parts = a.split("+")
        if suffix and suffix[1:] in parts:
            parts.remove(suffix[1:])
            if "+".join(parts) == b:
                return kind
    return None


def starts_table(run: RunFiles, told: Mapping[str, Any], split: str) -> str:
    """What each start is worth against none, on the same scenes; empty where the run compares no such two."""
    found = starts_compared(run, told, split)
    if not found:
        return ""
    lines = [
        _start_line(run, s, repeated=before is not None and (before.n, before.policy) == (s.n, s.policy))
        for before, s in pairwise([None, *found])
    ]
    heads = ["demonstrations", "steps", "policy", "started from", "placed", "placed from scratch"]
    heads += ["difference, points", "p", "Holm p"]
    title = f"<h3>Against training from scratch, {escape(split_name(split).lower())}</h3>"
    return f'{title}{table(heads, lines, kind="compact")}<p class="caption">{_starts_said(run, found)}</p>'


def _starts_said(run: RunFiles, found: Sequence[Start]) -> str:
    said = (
        "A policy after each start minus the same one from scratch, after as many steps, on the same scenes. In "
        f"brackets: counts, and {INTERVALS}. p: exact McNemar, by cluster in the same way. {_holm_said(run)}"
    )
    if any(start.part > 1 for start in found):
        said += (
            " The shares of the steps were chosen in <code>track_pretraining</code>, on its scenes, after its full "
            "trainings had shown no gain for PARA; its own p do not allow for that."
        )
    return said


def _start_line(run: RunFiles, start: Start, *, repeated: bool) -> str:
    """A row of the table; `repeated`: the one before is of that policy and as many demonstrations, and says so."""
    c = start.comparison
    low, high = map(points, interval_of(c))
    rest = f'<span class="n">({low} to {high}, {c["n_pairs"]} pairs)</span>'
    p_values = p_of(c), c["p_holm"]
    cells = [
        "" if repeated else str(start.n),
        _steps_said(run, start),
        coloured(start.policy),
        escape(start.kind),
        *(rate_cell(run.rows(c[side], c["split"])[0], short=True) for side in ("a", "b")),
        f'<span class="rate"><b>{points(c["difference"])}</b> {rest}</span>',
        *(escape(p_text(p).removeprefix("p ").removeprefix("= ")) for p in p_values),
    ]
    shown = filter_attributes(policy=start.policy)
    return f"<tr{shown}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _steps_said(run: RunFiles, start: Start) -> str:
    """As `100 (1/8 of the usual)`; where the run does not tell how many, the share alone."""
    steps = (run.config.get("train_steps") or {}).get(start.comparison["a"])
    share = "usual" if start.part == 1 else f"1/{start.part}"
    if steps is None:
        return share
    return str(steps) if start.part == 1 else f'{steps} <span class="n">({share} of the usual)</span>'
