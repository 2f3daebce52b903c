"""Scenes of the clutter and appearance experiments: trained clean at 64 positions, tested among other things."""

from __future__ import annotations

import numpy as np

from para.experiments.experiment import EvaluationScene, SceneSet
from para.experiments.scale import Scale
from para.experiments.view_sets import default_to_all
from para.interfaces import Scene
from para.worlds.scenes import Workspace, sample_object_xy

SEEDS = {"test": 44, "validation_test": 46}
"""One stream of random numbers per set of scenes."""

LOOKS = ("garage", "studio", "cafe", "office")
"""Tables, walls and lights that no demonstration shows, and no choice was made on."""

VALIDATION_LOOKS = ("workshop", "evening", "laboratory", "kitchen")
"""Others, on which augmentation was chosen."""

N_POSITIONS = 20
"""The paper's test positions; each is met with several placements of the distractors."""


def cluttered(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """The paper's two protocols: the object at its default position ("default_position"), or at twenty positions
    ("test"), among all the world's distractors, which lie elsewhere in each scene: those of the paper's full scene, and
    in `tabletop` a mug."""
    clean = default_to_all(workspace, scale, validation)
    prefix = "validation_" if validation else ""
    seed = 1000 * SEEDS[f"{prefix}test"]
    n_default = scale.n_in_distribution
    default = [
        Scene(workspace.default_xy, distractors=workspace.distractors, seed=seed + 500 + i) for i in range(n_default)
    ]
    generator = np.random.default_rng(SEEDS[f"{prefix}test"])
    twenty = sample_object_xy(workspace.low, workspace.high, N_POSITIONS, generator=generator).round(4)
    moved = [
        Scene((float(x), float(y)), distractors=workspace.distractors, seed=seed + i)
        for i, (x, y) in enumerate(twenty[np.arange(scale.n_test) % N_POSITIONS])
    ]
    return clean._replace(
        evaluation={
            f"{prefix}train": clean.evaluation[f"{prefix}train"],
            f"{prefix}default_position": [EvaluationScene(scene) for scene in default],
            f"{prefix}test": [EvaluationScene(scene) for scene in moved],
        }
    )


def elsewhere(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Another table, wall and light: each new look equally often, the object anywhere."""
    clean = default_to_all(workspace, scale, validation)
    prefix = "validation_" if validation else ""
    generator = np.random.default_rng(SEEDS[f"{prefix}test"] + 100)
    xy = sample_object_xy(workspace.low, workspace.high, scale.n_test, generator=generator).round(4)
    looks = VALIDATION_LOOKS if validation else LOOKS
    scenes = [
        Scene((float(x), float(y)), appearance=looks[i % len(looks)], seed=1000 * SEEDS[f"{prefix}test"] + i)
        for i, (x, y) in enumerate(xy)
    ]
    return clean._replace(
        evaluation={
            f"{prefix}train": clean.evaluation[f"{prefix}train"],
            f"{prefix}test": [EvaluationScene(scene) for scene in scenes],
        }
    )
