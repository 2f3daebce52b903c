"""Maps of the table: where the object lay in the demonstrations and in every scored scene, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from para.evaluation.records import EpisodeRecord
from para.reports.family.files import name_of, scored, title_of
from para.reports.family.marks import mark, plot
from para.reports.figures import PAGE_WIDTH, draw_training_positions, new_figure
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles
from para.reports.style import OUTCOME_COLOURS, OUTCOME_MARKS, RC, policy_colour, to_svg
from para.reports.tables import legend
from para.reports.wording import policy_name, split_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_COLUMNS = 4
SEED_SPREAD_CM = 0.9
"""Marks of several training seeds in one scene, and of several scenes at one position, stand this far apart."""

MAX_MARKS = 600
"""A panel shows the first scenes of each split, up to so many marks: more could not be told apart."""


def map_of(run: RunFiles, pictures: Pictures) -> str:
    """The map of one experiment."""
    shown = {policy: few(scored(run, policy, run.headline_splits)) for policy in run.headline}
    splits = ", ".join(split_name(split).lower() for split in run.headline_splits)
    n_all = {policy: len(scored(run, policy, run.headline_splits)) for policy in run.headline}
    cut = any(len(shown[policy]) < n_all[policy] for policy in run.headline)
    some = f" The first {max(map(len, shown.values()))} of {max(n_all.values())} episodes per policy." if cut else ""
    trained = " Grey squares: positions of the demonstrations." if any(len(s.xy) for s in run.training_sets) else ""
    return plot(
        pictures, f"map_{name_of(run)}", map_figure(run, shown),
        f"{escape(splits[:1].upper() + splits[1:])}: {legend(run)}.{trained}{_side_by_side(shown)}{some}",
        "Map of training and scored positions, coloured by outcome, one panel per policy", axis=run.axis,
        title=title_of(run),
    )  # fmt: skip


def few(records: Sequence[EpisodeRecord]) -> list[EpisodeRecord]:
    """The episodes of the first scenes, as many scenes as make at most `MAX_MARKS` marks."""
    scenes = list(dict.fromkeys((r.scene_index, r.split) for r in sorted(records, key=lambda r: r.scene_index)))
    kept = set(scenes[: max(1, math.floor(MAX_MARKS * len(scenes) / max(1, len(records))))])
    return [r for r in records if (r.scene_index, r.split) in kept]


def map_figure(run: RunFiles, shown: dict[str, list[EpisodeRecord]]) -> str:
    """One panel per policy, as the camera sees the table: y to the right, x (away from the robot) downwards."""
    import matplotlib

    n_columns = max(2, min(MAX_COLUMNS, len(shown)))
    n_rows = math.ceil(len(shown) / n_columns)
    height = n_rows * (0.62 * PAGE_WIDTH / n_columns + 0.55) + 0.2
    with matplotlib.rc_context(RC):
        figure, axes = new_figure(PAGE_WIDTH, height, n_columns, n_rows, sharex=True, sharey=True, layout="compressed")
        for axis in list(axes.flat)[len(shown) :]:
            axis.set_visible(False)
        for axis, (policy, records) in zip(axes.flat, shown.items()):
            draw_training_positions(axis, 100 * run.training_set(policy).xy)
            _outcomes(axis, records)
            mark(axis, policy=policy)
            axis.set_title(policy_name(policy), color=policy_colour(policy))
            axis.set(aspect="equal", xlabel="y (cm)", ylabel="x (cm)")
            axis.label_outer()
        axes[0, 0].invert_yaxis()  # the axes are shared: once is enough
        return to_svg(figure)


def _side_by_side(shown: Mapping[str, Sequence[EpisodeRecord]]) -> str:
    """What marks that stand close together are, as sentences; empty where each stands alone."""
    said = ""
    if any(r.train_seed != records[0].train_seed for records in shown.values() for r in records):
        said += " Marks side by side are the training seeds in one scene."
    if any(len(scenes) > 1 for records in shown.values() for scenes in _scenes_at(records).values()):
        said += " Where several scenes share a position, they are fanned out about it."
    return said


def _scenes_at(records: Sequence[EpisodeRecord]) -> dict[tuple[float, ...], list[tuple[str, int]]]:
    """The scenes at each position of the object."""
    found: dict[tuple[float, ...], dict[tuple[str, int], None]] = {}
    for r in records:
        found.setdefault(tuple(r.scene["object_xy"]), {})[r.split, r.scene_index] = None
    return {xy: sorted(scenes) for xy, scenes in found.items()}


def places_of(records: Sequence[EpisodeRecord]) -> np.ndarray:
    """Where each episode's mark stands, [x, y] in centimetres, (N, 2): seeds side by side, scenes in a block."""
    scenes_at = _scenes_at(records)
    n_seeds = max((r.train_seed for r in records), default=0) + 1
    places = []
    for r in records:
        scenes = scenes_at[tuple(r.scene["object_xy"])]
        n_rows = math.ceil(math.sqrt(len(scenes) * n_seeds)) if len(scenes) > 1 else 1
        n_columns = math.ceil(len(scenes) / n_rows)
        column, row = divmod(scenes.index((r.split, r.scene_index)), n_rows)
        down = row - (min(n_rows, len(scenes)) - 1) / 2
        aside = column * n_seeds + r.train_seed - (n_columns * n_seeds - 1) / 2
        places.append(100 * np.array(r.scene["object_xy"]) + SEED_SPREAD_CM * np.array([down, aside]))
    return np.array(places).reshape(-1, 2)


def _outcomes(axis: Axes, records: Sequence[EpisodeRecord]) -> None:
    places = places_of(records)
    for outcome, shape in OUTCOME_MARKS.items():
        chosen = places[[r.outcome == outcome for r in records]]
        if len(chosen):
            style = {"marker": shape, "color": OUTCOME_COLOURS[outcome], "mec": "white", "mew": 0.4, "ms": 4.4}
            (drawn,) = axis.plot(chosen[:, 1], chosen[:, 0], ls="none", zorder=3, **style)
            mark(drawn, outcome=outcome)
