"""Maps of the table: where the object lay in the demonstrations and in every scored scene, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
"""Marks of several training seeds in one scene stand this far apart."""

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
        f"{escape(splits[:1].upper() + splits[1:])}: {legend(run)}.{trained}{some}",
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


def _outcomes(axis: Axes, records: Sequence[EpisodeRecord]) -> None:
    middle = max((r.train_seed for r in records), default=0) / 2
    for outcome, shape in OUTCOME_MARKS.items():
        chosen = [r for r in records if r.outcome == outcome]
        if chosen:
            xy_cm = 100 * np.array([r.scene["object_xy"] for r in chosen])
            aside = SEED_SPREAD_CM * (np.array([r.train_seed for r in chosen]) - middle)
            style = {"marker": shape, "color": OUTCOME_COLOURS[outcome], "mec": "white", "mew": 0.4, "ms": 4.4}
            (drawn,) = axis.plot(xy_cm[:, 1] + aside, xy_cm[:, 0], ls="none", zorder=3, **style)
            mark(drawn, outcome=outcome)
