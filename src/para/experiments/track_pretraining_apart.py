"""Pretraining on circles where ten demonstrations are few: bowl and plate anywhere, each by itself.

With the plate at a fixed offset from the bowl, one position tells everything, and ten demonstrations are enough for
PARA from scratch (`track_pretraining`): a start has nothing left to give. Here a scene has four coordinates, in which
ten demonstrations are thinly spread. The videos show other scenes than the demonstrations and the test.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from para.experiments.experiment import EvaluationScene, Experiment, SceneSet, TrainingSet
from para.experiments.few_shot import CIRCLES, NEAR, against_scratch, everywhere_on_the_grid, figure_of, fine_tuned
from para.experiments.position_sets import JITTER_M
from para.experiments.recipes import ACT, PARA, extra, trained_longer, variant
from para.experiments.scale import Scale
from para.experiments.track_pretraining import (
    ACT_2D,
    ACT_3D,
    HEADLINE,
    KINDS,
    PARA_2D,
    PARA_3D,
    PLAIN,
    PLAIN_2D,
    PLAIN_3D,
)
from para.interfaces import Scene
from para.worlds.scenes import Workspace, sample_object_and_goal_xy

COUNTS = (5, 10, 20)
SEEDS = {
    "few": 71, "videos": 72, "heldout": 73, "near": 74, "test": 75, "validation_near": 76, "validation_test": 77,
}  # fmt: skip
"""One stream of random numbers per set of scenes."""


def scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Pairs of positions drawn once for all, the first N of them demonstrated; evaluation near those of the headline
    ("near_ten") and at others ("test"). As many videos, of others again, as the grid has positions."""
    prefix = "validation_" if validation else ""
    n_videos = len(everywhere_on_the_grid(workspace, scale).scenes)
    demonstrated = pairs(workspace, "few", max(COUNTS))
    near = near_pairs(workspace, demonstrated[:HEADLINE], f"{prefix}near", scale.with_fewer_scenes(2).n_in_distribution)
    filmed = pairs(workspace, "videos", n_videos)
    return SceneSet(
        train={
            **{f"few{n}": TrainingSet(demonstrated[:n]) for n in sorted(COUNTS, key=lambda n: n != HEADLINE)},
            "all": TrainingSet(filmed),
            CIRCLES: TrainingSet(filmed, {"circles": True}),
        },
        heldout=pairs(workspace, "heldout", scale.n_heldout),
        evaluation={
            f"{prefix}{NEAR}": [EvaluationScene(scene) for scene in near],
            f"{prefix}test": [EvaluationScene(scene) for scene in pairs(workspace, f"{prefix}test", scale.n_test)],
        },
    )


def pairs(workspace: Workspace, stream: str, n: int) -> list[Scene]:
    """Scenes with bowl and plate drawn independently on the whole table; the first do not depend on `n`."""
    both = sample_object_and_goal_xy(workspace, None, n, generator=np.random.default_rng(SEEDS[stream]))
    return [as_scene(object_xy, goal_xy, stream, i) for i, (object_xy, goal_xy) in enumerate(zip(*both))]


def near_pairs(workspace: Workspace, demonstrated: list[Scene], stream: str, n: int) -> list[Scene]:
    """Scenes of which bowl and plate each lie within `JITTER_M` of those of a demonstration drawn at random."""
    generator = np.random.default_rng(SEEDS[stream])
    low, high = workspace.independent_region()
    found: list[Scene] = []
    while len(found) < n:
        scene = demonstrated[generator.integers(len(demonstrated))]
        pair = np.array([scene.object_xy, scene.goal_xy]) + generator.uniform(-JITTER_M, JITTER_M, (2, 2))
        inside = ((low <= pair) & (pair <= high)).all()
        if inside and np.linalg.norm(pair[1] - pair[0]) >= workspace.min_goal_distance:
            found.append(as_scene(*pair.round(4), stream, len(found)))
    return found


def as_scene(object_xy: np.ndarray, goal_xy: np.ndarray, stream: str, i: int) -> Scene:
    """The i-th scene of a stream, with bowl and plate there."""
    x, y, goal_x, goal_y = (float(value) for value in (*object_xy, *goal_xy))
    return Scene((x, y), goal_xy=(goal_x, goal_y), seed=1000 * SEEDS[stream] + i)


STARTS = (
    (PARA, {"+3d": PARA_3D, "+2d": PARA_2D, "": None}),
    (PLAIN, {"+3d": PLAIN_3D, "+2d": PLAIN_2D, "": None}),
    (ACT, {"+3d": ACT_3D, "+2d": ACT_2D, "": None}),
)
"""Each policy, and what it starts from: suffix of its name -> the pretrained one."""

TWICE = tuple(
    extra(replace(trained_longer(recipe, 2), name=f"{recipe.name}+twice", why=f"{recipe.why}; twice the steps"))
    for recipe in fine_tuned(PLAIN, {"": None}, (HEADLINE,))
)
"""From scratch for as many steps as a pretrained policy has had in all, the videos' among them."""

TRACK_PRETRAINING_APART = Experiment(
    name="track_pretraining_apart",
    title="Pretraining on a moving disc, bowl and plate apart",
    question="Do such videos make up for demonstrations where ten of these are not enough?",
    axis="pretraining",
    scenes=scenes,
    recipes=(
        *(recipe for base, starts in STARTS for recipe in fine_tuned(base, starts, COUNTS)),
        *(
            variant(base, "+n256", "as many demonstrations as videos: the upper bound", data="all")
            for base, _ in STARTS
        ),
        *TWICE,
    ),
    comparisons=(
        *((f"para{kind}+n{n}", f"act{kind}+n{n}", "test") for kind in ("+3d", "+2d", "") for n in COUNTS),
        *against_scratch([base.name for base, _ in STARTS], ("+3d", "+2d"), COUNTS),
        *((f"{PLAIN.name}{kind}+n{HEADLINE}", recipe.name, "test") for recipe in TWICE for kind in ("+3d", "+2d")),
    ),
    headline=(
        *(f"{kind}{suffix}+n{HEADLINE}" for kind in (PLAIN.name, "para", "act") for suffix in ("+3d", "+2d", "")),
        *(recipe.name for recipe in TWICE),
    ),
    figures=figure_of(COUNTS, KINDS, shorter={PLAIN.name: 1}),
)
