"""How policies fail: the commonest modes of each with counts, found from the records, and episodes that show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple

from para.evaluation.failures import MODES, classify
from para.evaluation.records import EpisodeRecord
from para.reports.family.files import AXES, Family, has_learnt
from para.reports.family.marks import filter_attributes
from para.reports.family.traces import how_to_read, trace
from para.reports.pictures import Pictures
from para.reports.tables import coloured, table
from para.reports.wording import base_policy, execution_of, in_reading_order, number_in, percent, variant_of

NO_FAILURES = ("placed", "error")
N_MODES, N_TRACES = 3, 2
"""Of each policy along each axis so many modes are shown, and of each mode so many episodes."""

TOGETHER, POOLED = "together", ("position", "view", "clutter")
"""The column of the axes whose failures are counted together: in controls, policies are made to fail."""


class Way(NamedTuple):
    """How episodes failed; each mode has one outcome, but for those of which the record does not tell the mode."""

    mode: str
    """Of `para.evaluation.failures.MODES`."""

    outcome: str

    @property
    def said(self) -> str:
        """In words."""
        short = MODES[self.mode].partition(":")[0]
        return f"{short} ({self.outcome})" if self.mode == "unknown" else short


Failures = Mapping[str, Mapping[str, Mapping[Way, Sequence[EpisodeRecord]]]]
"""policy -> axis -> way -> every failure."""

VARIANTS = "variants"
"""Behind a policy's name: all recipes of it but its own, together."""


def gallery(family: Family, pictures: Pictures) -> str | None:
    """The table of modes and the gallery; None where nothing failed."""
    failures = find_failures(family)
    if not failures:
        return None
    return (
        "<p>Episodes of the table above that were not placed, by what the arm did, of policies that have learnt the "
        "task in that experiment. It is told from the record alone: its path, and where the gripper closed and opened. "
        "Counts pool the training seeds, and what a policy does after other numbers of demonstrations or in other "
        "executions; its variants are counted together and apart from it.</p>"
        f"{modes_table(family, failures)}{gallery_of_traces(failures)}"
    )


def find_failures(family: Family) -> Failures:
    """The failures in the runs and splits of the table along each axis, by way, commonest first.

    Policies that differ only in their number of demonstrations or their execution are one policy here, and a policy's
    variants another (`group_of`).
    """
    found: dict[str, dict[str, dict[Way, list[EpisodeRecord]]]] = {}
    for axis, record in _shown(family):
        mode = classify(record)
        if mode not in NO_FAILURES:
            of_axis = found.setdefault(group_of(record.policy), {}).setdefault(axis, {})
            of_axis.setdefault(Way(mode, str(record.outcome)), []).append(record)
    order = list(MODES)

    def rank(item: tuple[Way, list[EpisodeRecord]]) -> tuple[int, int, str]:
        way, records = item
        return -len(records), order.index(way.mode), way.outcome

    return {
        policy: {axis: dict(sorted(ways.items(), key=rank)) for axis, ways in found[policy].items()}
        for policy in in_reading_order(found)
    }


def group_of(policy: str) -> str:
    """Under which name failures are counted: `para` of `para+n32`, `para+variants` of `para+long+n32`."""
    number = f"n{number_in(policy, 'n')}"
    others = [v for v in variant_of(policy).split("+") if v and v != number and execution_of(v) is None]
    return f"{base_policy(policy)}+{VARIANTS}" if others else base_policy(policy)


def _shown(family: Family) -> Iterator[tuple[str, EpisodeRecord]]:
    for run in family.of_axis(*AXES):
        learnt = {policy for policy in run.headline if has_learnt(run, policy)}
        for record in run.records:
            if record.policy in learnt and record.split in run.headline_splits:
                yield run.axis, record


def modes_table(family: Family, failures: Failures) -> str:
    """A row per policy and way: how often, along each axis, of all failures there; then what the modes mean."""
    axes = [axis for axis in AXES if any(axis in by_axis for by_axis in failures.values())]
    pooled = [axis for axis in POOLED if axis in axes]
    columns = {TOGETHER: pooled} if len(pooled) > 1 else {}
    columns |= {axis: [axis] for axis in axes}
    trials = Counter((group_of(record.policy), axis) for axis, record in _shown(family) if record.error is None)
    lines = []
    for policy, by_axis in failures.items():
        lines += _lines(policy, by_axis, columns, {axis: trials[policy, axis] for axis in axes})
    said = {TOGETHER: f"the next {len(pooled)} together", **{axis: AXES[axis].lower() for axis in axes}}
    heads = ["what happened", *(escape(said[column]) for column in columns)]
    marks = ["", *(filter_attributes(axis=column) for column in columns)]
    return (
        f"<div>{table(heads, lines, kind='modes', marks=marks)}<p class='caption'>In brackets: of the policy’s "
        f"failures in the same column.</p>{_meanings(failures)}</div>"
    )


def _lines(
    policy: str, by_axis: Mapping[str, Mapping[Way, Sequence[EpisodeRecord]]], columns: Mapping[str, Sequence[str]],
    trials: Mapping[str, int],
) -> list[str]:  # fmt: skip
    """How many of the policy's episodes failed, and below it a line per way, commonest first."""
    counts = {column: Counter() for column in columns}
    for column, axes in columns.items():
        for axis in axes:
            counts[column].update({way: len(found) for way, found in by_axis.get(axis, {}).items()})
    order, ways = list(MODES), {way for ways in by_axis.values() for way in ways}
    ranked = sorted(ways, key=lambda way: ([-n[way] for n in counts.values()], order.index(way.mode), way.outcome))
    totals = {column: sum(n.values()) for column, n in counts.items()}
    cells = [f'<th scope="row">{coloured(policy)}</th>']
    for column, axes in columns.items():
        n_trials = sum(trials[axis] for axis in axes)
        said = f"{totals[column]} failures in {n_trials}" if n_trials else "–"
        cells.append(f'<td class="why"{filter_attributes(axis=column)}>{said}</td>')
    there = " ".join(column for column in columns if totals[column])
    lines = [f'<tr class="what"{filter_attributes(axis=there, policy=policy)}>{"".join(cells)}</tr>']
    for way in ranked:
        cells = [f'<th scope="row">{escape(way.said)}</th>']
        for column, n in counts.items():
            share = f"<b>{n[way]}</b> <span class='n'>({percent(n[way] / totals[column])})</span>" if n[way] else "–"
            cells.append(f"<td{filter_attributes(axis=column)}>{share}</td>")
        there = " ".join(column for column in columns if counts[column][way])
        lines.append(f"<tr{filter_attributes(axis=there, policy=policy, outcome=way.outcome)}>{''.join(cells)}</tr>")
    return lines


def _meanings(failures: Failures) -> str:
    met = {way.mode for by_axis in failures.values() for ways in by_axis.values() for way in ways}
    meanings = [MODES[mode].partition(": ")[::2] for mode in MODES if mode in met]
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(said)}</dd>" for name, said in meanings if said)
    return f"<details><summary>What these mean</summary><dl>{items}</dl></details>"


def gallery_of_traces(failures: Failures) -> str:
    """For each policy, along each axis, its commonest ways to fail, and episodes of each."""
    parts = []
    for policy, by_axis in failures.items():
        blocks = "".join(_of_axis(axis, ways) for axis, ways in by_axis.items())
        if blocks:
            parts.append(f"<div{filter_attributes(policy=policy)}><h4>{coloured(policy)}</h4>{blocks}</div>")
    if not parts:
        return ""
    return f"<div><h3>What it looks like</h3><p class='caption'>{how_to_read()}</p>{''.join(parts)}</div>"


def _of_axis(axis: str, ways: Mapping[Way, Sequence[EpisodeRecord]]) -> str:
    total, columns = sum(map(len, ways.values())), []
    for way in chosen(ways):
        drawn = "".join(trace(record, axis) for record in examples(ways[way]))
        said = f"{escape(way.said)}: {len(ways[way])} of {total}"
        columns.append(f'<div{filter_attributes(outcome=way.outcome)}><p class="mode">{said}</p>{drawn}</div>')
    if not columns:
        return ""
    head = f"<h5>{escape(AXES[axis])}</h5>"
    return f'<div{filter_attributes(axis=axis)}>{head}<div class="traces">{"".join(columns)}</div></div>'


def chosen(ways: Mapping[Way, Sequence[EpisodeRecord]]) -> list[Way]:
    """The commonest ways, of which there is a path to draw; and of each outcome at least one, whatever is asked for."""
    drawable = [way for way, found in ways.items() if any(record.ee_path for record in found)]
    shown = drawable[:N_MODES]
    for way in drawable[N_MODES:]:
        if way.outcome not in {other.outcome for other in shown}:
            shown.append(way)
    return shown


def examples(records: Iterable[EpisodeRecord]) -> list[EpisodeRecord]:
    """The first failure of each experiment, then the second ones, and so on: up to `N_TRACES` that have a path."""
    seen: Counter[str] = Counter()
    ranked = []
    for record in records:
        if record.ee_path:
            ranked.append((seen[record.experiment], len(ranked), record))
            seen[record.experiment] += 1
    return [record for _, _, record in sorted(ranked, key=lambda item: item[:2])[:N_TRACES]]
