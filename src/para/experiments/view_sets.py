"""Scenes of the viewpoint experiments: the 8 x 8 cap of views about the default one (paper sec. 4.2), and beyond it.

Theta is the angle off the default line of sight, phi the direction; all eight directions of theta 0 are one view, so
the cap has 57 distinct ones.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from para.experiments.experiment import EvaluationScene, SceneSet, TrainingSet
from para.experiments.halves import grid_scenes
from para.experiments.scale import Scale
from para.interfaces import Scene
from para.worlds.scenes import Workspace, sample_object_xy, viewpoint_cap

SEEDS = {"heldout": 32, "train": 33, "test": 34, "validation_train": 35, "validation_test": 36, "demonstrations": 37,
         "beyond": 38, "validation_beyond": 39}  # fmt: skip
"""One stream of random numbers per set of scenes."""

HELD_OUT_PHI = (135.0, 180.0, 225.0)
"""The right hemisphere: the split of the original project's later runs, the only one that is written down."""

INNER_THETA = 11.0
"""Views up to this angle are the inner ones: theta 0, 3.6, 7.1 and 10.7."""

BEYOND_THETAS = (32.0, 40.0)
"""Angles beyond the paper's cap of 25 degrees."""

GRID_STRIDE = 2
"""Every other grid position along each side: 64 positions (paper: 64)."""


def default_to_all(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Demonstrations from the default view at 64 positions, from home and from a random start each; evaluation in the
    default view ("train"), in the other 56 views of the cap ("test"), and on rings beyond it ("beyond")."""
    stride = max(GRID_STRIDE, scale.grid_stride)
    demonstrations = grid_scenes(workspace, None, random_starts=scale.random_starts, stride=stride)
    beyond = [(theta, phi) for theta in BEYOND_THETAS for phi in np.arange(8) * 45.0]
    views = viewpoint_cap()
    rings = {"test": views[1:], "beyond": np.array(beyond)}
    prefix = "validation_" if validation else ""
    evaluation = {f"{prefix}train": seen_from(views[:1], f"{prefix}train", scale.n_in_distribution, workspace)}
    for split, ring in rings.items():
        ring = ring[:: scale.view_stride]
        evaluation[f"{prefix}{split}"] = seen_from(ring, f"{prefix}{split}", scale.n_per_view, workspace)
    return SceneSet(
        train={"demonstrations": TrainingSet(demonstrations)},
        heldout=[item.scene for item in seen_from(views[:1], "heldout", scale.n_heldout, workspace)],
        evaluation=evaluation,
    )


def split_cap(sides: dict[str, np.ndarray], workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """A set of demonstrations at the views of each side, and a split of evaluation at them, under the same name.

    Args:
        sides: name -> (N, 2) views, theta and phi in degrees; the default view may belong to several.
    """
    prefix = "validation_" if validation else ""
    n = scale.n_demonstrations_per_view
    thinned = {name: views[:: scale.view_stride] for name, views in sides.items()}
    first = next(iter(thinned.values()))
    n_heldout = max(1, round(scale.n_heldout / len(first)))
    return SceneSet(
        train={
            name: TrainingSet([item.scene for item in seen_from(views, "demonstrations", n, workspace)])
            for name, views in thinned.items()
        },
        heldout=[item.scene for item in seen_from(first, "heldout", n_heldout, workspace)],
        evaluation={
            f"{prefix}{name}": seen_from(views, f"{prefix}test", scale.n_per_view, workspace)
            for name, views in thinned.items()
        },
    )


def seen_from(
    views: Iterable[tuple[float, float]], stream: str, n_per_view: int, workspace: Workspace
) -> list[EvaluationScene]:
    """Random positions of the whole workspace, so many for each view, from the stream of that name."""
    generator = np.random.default_rng(SEEDS[stream])
    items = []
    for theta, phi in views:
        for x, y in sample_object_xy(workspace.low, workspace.high, n_per_view, generator=generator).round(4):
            scene = Scene(
                object_xy=(float(x), float(y)), view_theta_deg=round(float(theta), 4), view_phi_deg=float(phi),
                seed=1000 * SEEDS[stream] + len(items),
            )  # fmt: skip
            items.append(EvaluationScene(scene))
    return items
