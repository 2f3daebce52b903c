"""Scenes of position extrapolation: demonstrations in one half of the workspace, evaluation in the other."""

from __future__ import annotations

from functools import partial

import numpy as np

from para.experiments.experiment import EvaluationScene, SceneSet, TrainingSet
from para.experiments.scale import Scale
from para.interfaces import Scene
from para.worlds.scenes import Workspace, sample_object_xy

SEEDS = {"starts": 11, "heldout": 12, "train": 13, "test": 14, "validation_train": 15, "validation_test": 16, "few": 17}
"""One stream of random numbers per set of scenes: the sets are disjoint, and none changes with another's size."""

N_FEW = 20
"""Demonstrations of the set `few`: as many as the paper's real-robot tasks have."""


def half_scenes(train_half: str, test_half: str, workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Demonstrations on the grid of one half; evaluation off the grid, there ("train") and in the other ("test").

    Sets of demonstrations: `demonstrations` (each grid position from the arm's home and from a random start), `home`
    (from home only, the paper's kind), `few` (twenty positions of the grid, from home).
    """
    stream = partial(sample, workspace, train_half=train_half)
    prefix = "validation_" if validation else ""
    home = grid_scenes(workspace, train_half, random_starts=0, stride=scale.grid_stride)
    chosen = np.random.default_rng(SEEDS["few"]).permutation(len(home))[:N_FEW]
    return SceneSet(
        train={
            "demonstrations": TrainingSet(with_random_starts(home, scale.random_starts)),
            "home": TrainingSet(home),
            "few": TrainingSet([home[i] for i in sorted(chosen)]),
        },
        heldout=[item.scene for item in stream("heldout", train_half, scale.n_heldout)],
        evaluation={
            f"{prefix}train": stream(f"{prefix}train", train_half, scale.n_in_distribution),
            f"{prefix}test": stream(f"{prefix}test", test_half, scale.n_test),
        },
    )


def grid_scenes(workspace: Workspace, half: str | None, *, random_starts: int, stride: int = 1) -> list[Scene]:
    """One scene per grid position of a half (None: of the whole grid) from the arm's home, then as many from random
    starts, `random_starts` times over. `stride` takes every n-th position along each side.
    """
    grid = workspace.grid_positions()[::stride, ::stride].reshape(-1, 2)
    return with_random_starts(
        home_scenes(grid if half is None else grid[workspace.boundary_distance(grid, half) == 0]), random_starts
    )


def home_scenes(positions: np.ndarray) -> list[Scene]:
    """A scene for each position (N, 2), the arm at its home."""
    return [Scene(object_xy=(float(x), float(y)), seed=i) for i, (x, y) in enumerate(positions)]


def with_random_starts(home: list[Scene], times: int) -> list[Scene]:
    """The scenes, and then each again from a random start of the arm, so many times over."""
    generator = np.random.default_rng(SEEDS["starts"])
    return home + [random_start(scene, generator) for _ in range(times) for scene in home]


def random_start(scene: Scene, generator: np.random.Generator) -> Scene:
    """The scene with the arm starting somewhere around and above the object: recovery data, which the paper lacks."""
    x, y = scene.object_xy
    low, high = (x - 0.15, y - 0.20, 0.10), (x + 0.15, y + 0.30, 0.28)
    start = generator.uniform(low, high)
    return scene.with_(ee_start=tuple(round(float(value), 4) for value in start))


def sample(workspace: Workspace, stream: str, half: str, n: int, *, train_half: str) -> list[EvaluationScene]:
    """Uniform positions in a half, from the stream of that name."""
    generator = np.random.default_rng(SEEDS[stream])
    low, high = workspace.region(half)
    xy = sample_object_xy(low, high, n, generator=generator).round(4)
    distance = workspace.boundary_distance(xy, train_half)
    return [
        EvaluationScene(Scene(object_xy=(float(x), float(y)), seed=1000 * SEEDS[stream] + i), round(float(d), 4))
        for i, ((x, y), d) in enumerate(zip(xy, distance))
    ]
