"""How policies fail: the commonest modes of each with counts, found from the records, and episodes that show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

from para.evaluation.failures import MODES, classify
from para.evaluation.records import EpisodeRecord
from para.reports.family.files import AXES, Family
from para.reports.family.marks import filter_attributes
from para.reports.family.traces import trace
from para.reports.pictures import Pictures
from para.reports.tables import coloured, table
from para.reports.wording import base_policy, in_reading_order, percent

NO_FAILURES = ("placed", "error")
N_MODES, N_TRACES = 3, 3
"""Of each policy so many modes are shown, and of each mode so many episodes."""

Failures = Mapping[str, Mapping[str, Sequence[tuple[str, EpisodeRecord]]]]
"""policy -> mode -> (axis, record) of every failure."""


def gallery(family: Family, pictures: Pictures) -> str | None:
    """The table of modes and the gallery; None where nothing failed."""
    failures = find_failures(family)
    if not failures:
        return None
    return (
        "<p>Every episode of the table above, controls apart, that was not placed, by what the arm did. That is told "
        "from the record alone: its path, and where the gripper closed and opened. Counts pool the training seeds.</p>"
        f"{modes_table(family, failures)}{gallery_of_traces(failures)}"
    )


def find_failures(family: Family) -> Failures:
    """The failures in the runs and splits of the table, controls apart, by mode, commonest first.

    Policies that differ only in their demonstrations or their execution are one policy here.
    """
    found: dict[str, dict[str, list[tuple[str, EpisodeRecord]]]] = {}
    for axis, record in _shown(family):
        mode = classify(record)
        if mode not in NO_FAILURES:
            found.setdefault(base_policy(record.policy), {}).setdefault(mode, []).append((axis, record))
    order = list(MODES)
    return {
        policy: dict(sorted(found[policy].items(), key=lambda item: (-len(item[1]), order.index(item[0]))))
        for policy in in_reading_order(found)
    }


def _shown(family: Family) -> Iterator[tuple[str, EpisodeRecord]]:
    for run in family.of_axis("position", "view", "clutter") or family.runs:
        for record in run.records:
            if record.policy in run.headline and record.split in run.headline_splits:
                yield run.axis, record


def modes_table(family: Family, failures: Failures) -> str:
    """A row per policy and mode: how often, of all failures, and along each axis; then what the modes mean."""
    there = {axis for modes in failures.values() for found in modes.values() for axis, _ in found}
    axes = [axis for axis in AXES if axis in there]
    trials = Counter(base_policy(record.policy) for _, record in _shown(family) if record.error is None)
    lines = []
    for policy, modes in failures.items():
        total = sum(map(len, modes.values()))
        said = f"{coloured(policy)} <span class='why'>{total} failures in {trials[policy]} episodes</span>"
        heading = f'<th colspan="{2 + len(axes)}">{said}</th>'
        lines.append(f'<tr class="what"{filter_attributes(policy=policy)}>{heading}</tr>')
        for mode, found in modes.items():
            by_axis = Counter(axis for axis, _ in found)
            share = f"<b>{len(found)}</b> <span class='n'>({percent(len(found) / total)} of {total})</span>"
            cells = [f'<th scope="row">{_short(mode)}</th>', f"<td>{share}</td>"]
            cells += [f"<td>{by_axis[axis] or '–'}</td>" for axis in axes]
            lines.append(f"<tr{filter_attributes(policy=policy)}>{''.join(cells)}</tr>")
    heads = ["what happened", "failures", *(escape(AXES[axis].lower()) for axis in axes)]
    met = [mode for mode in MODES if any(mode in modes for modes in failures.values())]
    meanings = [(mode, MODES[mode].partition(":")[2].strip()) for mode in met]
    items = "".join(f"<dt>{_short(mode)}</dt><dd>{escape(meaning)}</dd>" for mode, meaning in meanings if meaning)
    return f"{table(heads, lines, kind='modes')}<details><summary>What these mean</summary><dl>{items}</dl></details>"


def _short(mode: str) -> str:
    return escape(MODES[mode].partition(":")[0])


def gallery_of_traces(failures: Failures) -> str:
    """For each policy its commonest modes, and up to three episodes of each, from different experiments if possible."""
    parts = [
        "<h3>What it looks like</h3><p class='caption'>The table from above, as the camera sees it: grey disc, where "
        "the object lay; dashed circle, the goal; cross, the arm’s start; line, the end effector’s way, up to the "
        "coloured dot. Filled triangles: the gripper closes; hollow ones: it opens. A record keeps only some points of "
        "the way, so a triangle may stand beside the line; a mark beyond the drawing stands at its edge. Below, the "
        "height of the end effector above the table, over time. Point at a drawing for its "
        "scene; the caption names the line of <code>results.jsonl</code>: its experiment, "
        "split, scene_index and train_seed.</p>"
    ]
    for policy, modes in failures.items():
        blocks = []
        for mode, found in list(modes.items())[:N_MODES]:
            drawn = "".join(trace(record) for record in examples(record for _, record in found))
            if drawn:
                blocks.append(f'<p class="mode">{_short(mode)}: {len(found)}</p><div class="traces">{drawn}</div>')
        if blocks:
            parts.append(f"<div{filter_attributes(policy=policy)}><h4>{coloured(policy)}</h4>{''.join(blocks)}</div>")
    return "".join(parts)


def examples(records: Iterable[EpisodeRecord]) -> list[EpisodeRecord]:
    """The first failure of each experiment, then the second ones, and so on: up to `N_TRACES` that have a path."""
    seen: Counter[str] = Counter()
    ranked = []
    for record in records:
        if record.ee_path:
            ranked.append((seen[record.experiment], len(ranked), record))
            seen[record.experiment] += 1
    return [record for _, _, record in sorted(ranked, key=lambda item: item[:2])[:N_TRACES]]
