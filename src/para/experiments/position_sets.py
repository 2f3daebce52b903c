"""Scenes of the experiments that train on few positions of the whole workspace and are tested everywhere."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from para.experiments.experiment import EvaluationScene, SceneSet, TrainingSet
from para.experiments.halves import home_scenes
from para.experiments.scale import Scale
from para.interfaces import Scene
from para.worlds.scenes import Workspace, sample_object_xy

SEEDS = {"heldout": 22, "train": 23, "test": 24, "validation_train": 25, "validation_test": 26, "random": 27}
"""One stream of random numbers per set of scenes."""

JITTER_M = 0.012
"""In distribution means within this of a training position along x and y (grid spacing is 26 by 40 mm)."""


def inner_square(workspace: Workspace) -> np.ndarray:
    """The middle 4 x 4 positions of the grid. (16, 2) metres."""
    start = workspace.n_grid // 2 - 2
    return workspace.grid_positions()[start : start + 4, start : start + 4].reshape(-1, 2)


def random_positions(workspace: Workspace, n: int) -> np.ndarray:
    """So many positions of the grid, drawn at random once for all. (n, 2) metres."""
    grid = workspace.grid_positions().reshape(-1, 2)
    return grid[np.sort(np.random.default_rng(SEEDS["random"]).permutation(len(grid))[:n])]


def corner_positions(workspace: Workspace, n: int) -> np.ndarray:
    """The grid's four corners, and then, up to `n`, each time the position farthest from all before it. (n, 2) metres.

    The paper names its sets by N and starts at the corners; how it goes on from there it does not say.
    """
    grid = workspace.grid_positions().reshape(-1, 2)
    side = workspace.n_grid
    chosen = [0, side - 1, side * (side - 1), side * side - 1]
    nearest = np.min([np.linalg.norm(grid - grid[i], axis=-1) for i in chosen], axis=0)
    while len(chosen) < n:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(grid - grid[chosen[-1]], axis=-1))
    return grid[chosen[:n]]


def everywhere(workspace: Workspace, scale: Scale, validation: bool, positions: Mapping[str, np.ndarray]) -> SceneSet:
    """Demonstrations at some positions, one each, from home; evaluation near those of the first set ("train") and
    anywhere in the workspace ("test"). Distances are from the nearest training position; with several sets of those
    there is no one distance, and none is told.
    """
    first = next(iter(positions.values()))
    prefix = "validation_" if validation else ""
    near = near_positions(workspace, first, scale.n_in_distribution, f"{prefix}train")
    heldout = near_positions(workspace, first, scale.n_heldout, "heldout")
    n_test, test = scale.n_test, np.random.default_rng(SEEDS[f"{prefix}test"])
    anywhere = sample_object_xy(workspace.low, workspace.high, n_test, generator=test)
    trained = first if len(positions) == 1 else None
    return SceneSet(
        train={name: TrainingSet(home_scenes(xy)) for name, xy in positions.items()},
        heldout=[item.scene for item in as_items(heldout, trained, 1000 * SEEDS["heldout"])],
        evaluation={
            f"{prefix}train": as_items(near, trained, 1000 * SEEDS[f"{prefix}train"]),
            f"{prefix}test": as_items(anywhere, trained, 1000 * SEEDS[f"{prefix}test"]),
        },
    )


def near_positions(workspace: Workspace, trained: np.ndarray, n: int, stream: str) -> np.ndarray:
    """Positions next to training positions drawn at random, inside the workspace. (n, 2) metres."""
    generator = np.random.default_rng(SEEDS[stream])
    chosen = trained[generator.integers(len(trained), size=n)]
    xy = chosen + generator.uniform(-JITTER_M, JITTER_M, chosen.shape)
    # mirrored at the edge: clipped, those at a corner would be the training position itself
    low, high = np.array(workspace.low), np.array(workspace.high)
    return high - np.abs(high - (low + np.abs(xy - low)))


def as_items(xy: np.ndarray, trained: np.ndarray | None, seed: int) -> list[EvaluationScene]:
    """Scenes at positions (N, 2), each with its distance from the nearest of the training positions (M, 2), if told."""
    scenes = [Scene((float(x), float(y)), seed=seed + i) for i, (x, y) in enumerate(xy.round(4))]
    if trained is None:
        return [EvaluationScene(scene) for scene in scenes]
    distance = np.linalg.norm(xy.round(4)[:, None] - trained[None], axis=-1).min(axis=1)
    return [EvaluationScene(scene, round(float(d), 4)) for scene, d in zip(scenes, distance)]
