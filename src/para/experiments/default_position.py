"""Default position (the original project's sanity check): fifty demonstrations where the task has its object.

It is tested in the world's own initial states: in LIBERO the fifty official ones, with everything of the task's scene,
of which no demonstration was recorded.
"""

from __future__ import annotations

import numpy as np

from para.experiments.experiment import EvaluationScene, Experiment, PaperNumber, SceneSet, TrainingSet
from para.experiments.recipes import ACT, PARA
from para.experiments.scale import Scale
from para.interfaces import Scene
from para.worlds.scenes import Workspace

N_SCENES = 50
"""Demonstrations, and test scenes of a world that has no initial states of its own."""

SPREAD_M = (0.015, 0.01)
"""How far object, and goal relative to it, lie from their usual places at most, along x and along y, metres. LIBERO's
own states vary by 1.5 cm too, about a place 1 cm farther, and by 2 to 3 cm between bowl and plate."""

SEEDS = {"demonstrations": 51, "heldout": 52, "train": 53, "test": 54, "validation_train": 55, "validation_test": 56}
"""One stream of random numbers per set of scenes."""

SOURCE = "original project's checklist: 50 default demonstrations, window of 6, LIBERO (number of trials not given)"


OWN_STATES = "initial_states"
"""The split of the initial states that the world brings, or of as many like them where it brings none."""


def about_the_default(workspace: Workspace, name: str, n: int) -> list[Scene]:
    """Object and goal about their usual places, everything else that the world has around them."""
    generator, of_object, of_goal = np.random.default_rng(SEEDS[name]), *SPREAD_M
    nearest = min(workspace.min_goal_distance, float(np.hypot(*workspace.goal_offset)))
    scenes: list[Scene] = []
    while len(scenes) < n:
        xy = np.add(workspace.default_xy, of_object * generator.uniform(-1, 1, 2)).round(4)
        offset = np.add(workspace.goal_offset, of_goal * generator.uniform(-1, 1, 2)).round(4)
        if np.hypot(*offset) < nearest:
            continue
        goal, seed = (xy + offset).round(4), 1000 * SEEDS[name] + len(scenes)
        scenes.append(
            Scene(tuple(xy.tolist()), goal_xy=tuple(goal.tolist()), distractors=workspace.distractors, seed=seed)
        )
    return scenes


def scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Demonstrations about the default position; evaluation there ("train") and in the world's own
    states (`OWN_STATES`), which are like the demonstrations too."""
    prefix, n = "validation_" if validation else "", -(-N_SCENES // scale.grid_stride)
    own = None if validation or workspace.own_scenes is None else workspace.own_scenes({})[:: scale.grid_stride]
    evaluation = {
        "train": about_the_default(workspace, f"{prefix}train", scale.n_in_distribution),
        OWN_STATES: own or about_the_default(workspace, f"{prefix}test", n),
    }
    return SceneSet(
        train={"demonstrations": TrainingSet(about_the_default(workspace, "demonstrations", n))},
        heldout=about_the_default(workspace, "heldout", scale.n_heldout),
        evaluation={
            f"{prefix}{split}": [EvaluationScene(scene) for scene in drawn] for split, drawn in evaluation.items()
        },
    )


DEFAULT_POSITION = Experiment(
    name="default_position",
    title="Default position: fifty demonstrations, and the world's own initial states",
    question="Does a policy that was shown the task in one place do it there?",
    axis="control",
    scenes=scenes,
    recipes=(PARA, ACT),
    comparisons=(("para", "act", OWN_STATES), ("para", "act", "train")),
    headline_splits=(OWN_STATES,),
    paper={
        "para": {OWN_STATES: PaperNumber(0.95, SOURCE)},
        "act": {OWN_STATES: PaperNumber(0.85, SOURCE + "; 20% with a window of 4")},
    },
)
