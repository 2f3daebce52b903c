"""Rollouts as drawings, from the records alone: along each axis a few episodes, in the same scenes for every policy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np

from para.evaluation.records import EpisodeRecord
from para.reports.family.files import AXES, Family, name_of, title_of
from para.reports.family.marks import filter_attributes
from para.reports.family.traces import how_to_read, trace
from para.reports.run_files import RunFiles
from para.reports.tables import coloured
from para.reports.wording import base_policy

N_SCENES = 4
"""So many episodes of each policy are drawn."""

FOLDED = ("position", "view", "clutter")
"""Axes of which all other experiments are drawn too, folded."""

Tried = Mapping[tuple[str, int], Mapping[str, EpisodeRecord]]
"""(split, scene_index) -> policy -> its episode there."""


def stills(family: Family) -> str:
    """A part per axis; empty where no record has a path."""
    parts = "".join(_of_axis(axis, family.of_axis(axis)) for axis in AXES)
    if not parts:
        return ""
    return (
        "<div><p>Episodes drawn from their records, of every policy in the same scenes: a column is a scene. Scenes "
        "are ranked by how many of these policies placed there, and taken evenly spaced, from where most did to where "
        "fewest did. Along each axis stand as few experiments as show every policy of the table; of the axes that the "
        "paper has all others are folded.</p>"
        f"<p class='caption'>{how_to_read()}</p>{parts}</div>"
    )


def _of_axis(axis: str, runs: Sequence[RunFiles]) -> str:
    shown = enough(runs)
    grids = "".join(map(_grid, shown))
    others = [run for run in runs if run not in shown and axis in FOLDED and one_of_each(run)]
    if others:
        named = ", ".join(escape(title_of(run).partition(":")[0]) for run in others)
        grids += f"<details><summary>More: {named}</summary>{''.join(map(_grid, others))}</details>"
    return f"<div{filter_attributes(axis=axis)}><h3>{escape(AXES[axis])}</h3>{grids}</div>" if grids else ""


def _grid(run: RunFiles) -> str:
    """A row per policy, a column per scene."""
    rows = "".join(
        f'<div{filter_attributes(policy=policy)}><p class="mode">{coloured(policy)}</p>'
        f'<div class="traces">{"".join(trace(record, run.axis) for record in records)}</div></div>'
        for policy, records in episodes(run).items()
    )
    return f"<div><h4>{escape(title_of(run))} <span class='why'>{escape(name_of(run))}</span></h4>{rows}</div>"


def one_of_each(run: RunFiles) -> list[str]:
    """The headline policies that differ in more than their training or their execution: of each the first variant that
    has a path to draw."""
    drawable = {record.policy for record in _drawable(run)}
    first: dict[str, str] = {}
    for policy in run.headline:
        if policy in drawable:
            first.setdefault(base_policy(policy), policy)
    return list(first.values())


def enough(runs: Sequence[RunFiles]) -> list[RunFiles]:
    """As few of the runs as show every policy of all of them: that which adds most first, in their order."""
    shows = {run.folder: set(map(base_policy, one_of_each(run))) for run in runs}
    missing, taken = set().union(*shows.values()), []
    while missing:
        best = max(runs, key=lambda run: len(shows[run.folder] & missing))
        taken.append(best)
        missing -= shows[best.folder]
    return taken


def episodes(run: RunFiles) -> dict[str, list[EpisodeRecord]]:
    """Each policy's episodes in the chosen scenes; in scenes of its own where it was tried in none of these."""
    policies = one_of_each(run)
    tried = scenes_tried(run, policies)
    scenes = spread(tried)
    found = {}
    for policy in policies:
        own = {scene: {policy: by_policy[policy]} for scene, by_policy in tried.items() if policy in by_policy}
        shared = [scene for scene in scenes if scene in own]
        found[policy] = [own[scene][policy] for scene in shared or spread(own)]
    return found


def scenes_tried(run: RunFiles, policies: Iterable[str]) -> Tried:
    """Every scene of the table with each policy's episode there, that of the first training seed."""
    there, found = set(policies), {}
    for record in sorted(_drawable(run), key=lambda record: (record.split, record.scene_index, record.train_seed)):
        if record.policy in there:
            found.setdefault((record.split, record.scene_index), {}).setdefault(record.policy, record)
    return found


def spread(tried: Tried) -> list[tuple[str, int]]:
    """Scenes in which most policies were tried, evenly spaced from where most of these placed to where fewest did."""
    most = max(map(len, tried.values()))
    shared = [scene for scene, by_policy in tried.items() if len(by_policy) == most]
    ranked = sorted(shared, key=lambda scene: -sum(r.outcome == "placed" for r in tried[scene].values()))
    places = np.linspace(0, len(ranked) - 1, min(N_SCENES, len(ranked))).round().astype(int)
    return [ranked[place] for place in places]


def _drawable(run: RunFiles) -> list[EpisodeRecord]:
    return [record for record in run.records if record.ee_path and record.split in run.headline_splits]
