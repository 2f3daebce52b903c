"""Independent objects (a control that the paper lacks): bowl and plate moved apart, each anywhere in a half.

In the paper's data the plate lies at a fixed offset from the bowl, so one position tells everything. Here the place to
release must be seen too: a scene has four coordinates instead of two, which as many demonstrations cover far more
thinly. So both policies are also trained on four times as many, for four times as long.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from para.experiments.experiment import EvaluationScene, Experiment, Recipe, SceneSet, TrainingSet
from para.experiments.halves import with_random_starts
from para.experiments.recipes import ACT, NO_WARPS, PARA, extra, no_warps_compared, trained_longer, variant
from para.experiments.scale import Scale
from para.interfaces import Scene
from para.worlds.scenes import Workspace, sample_object_and_goal_xy

SEEDS = {
    "demonstrations": 51, "heldout": 52, "train": 53, "test": 54, "validation_train": 55, "validation_test": 56,
    "many": 57,
}  # fmt: skip
"""One stream of random numbers per set of scenes."""

N_DEMONSTRATIONS = 128
"""From home, and as many from random starts."""

TIMES_MANY = 4
"""Times as many demonstrations, and training steps, for the recipes `+many`."""


def independent_scenes(
    train_half: str, test_half: str, workspace: Workspace, scale: Scale, validation: bool
) -> SceneSet:
    """Demonstrations with both things anywhere in one half; evaluation there ("train") and in the other ("test")."""
    prefix = "validation_" if validation else ""
    n = max(1, N_DEMONSTRATIONS // scale.grid_stride**2)
    sizes = {"demonstrations": n, "many": TIMES_MANY * n}
    splits = {"train": (train_half, scale.n_in_distribution), "test": (test_half, scale.n_test)}
    return SceneSet(
        train={
            name: TrainingSet(with_random_starts(pairs(workspace, train_half, name, size), scale.random_starts))
            for name, size in sizes.items()
        },
        heldout=pairs(workspace, train_half, "heldout", scale.n_heldout),
        evaluation={
            f"{prefix}{split}": [EvaluationScene(scene) for scene in pairs(workspace, half, f"{prefix}{split}", count)]
            for split, (half, count) in splits.items()
        },
    )


def pairs(workspace: Workspace, half: str, stream: str, n: int) -> list[Scene]:
    """Scenes with bowl and plate drawn independently in a half, from the stream of that name."""
    generator = np.random.default_rng(SEEDS[stream])
    objects, goals = sample_object_and_goal_xy(workspace, half, n, generator=generator)
    return [
        Scene(
            (float(ox), float(oy)), goal_xy=(float(gx), float(gy)), seed=1000 * SEEDS[stream] + i
        )
        for i, ((ox, oy), (gx, gy)) in enumerate(zip(objects, goals))
    ]  # fmt: skip


def on_many(base: Recipe) -> Recipe:
    """A recipe on more demonstrations, for longer."""
    why = f"{TIMES_MANY} times as many demonstrations and training steps"
    return extra(trained_longer(variant(base, "+many", why, data="many"), TIMES_MANY))


INDEPENDENT_OBJECTS = Experiment(
    name="independent_objects",
    title="Independent objects: bowl and plate apart",
    question="Does left to right still hold where bowl and plate lie anywhere, each by itself?",
    axis="control",
    scenes=partial(independent_scenes, "left", "right"),
    recipes=(PARA, ACT, on_many(PARA), on_many(ACT), *NO_WARPS),
    comparisons=(
        *((f"para{size}", f"act{size}", split) for split in ("test", "train") for size in ("", "+many")),
        *no_warps_compared("test", "train"),
    ),
    headline=("para", "act", "para+many", "act+many", "para+no_warps"),
)
