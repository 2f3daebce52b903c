"""What pretraining on circles sees: on circles, and on a robot, which it has never seen (original report, figures).

The pretrained policies, nothing fine-tuned: pictures of their heatmaps, the pixel errors along demonstrations, and
what they do in closed loop.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from para.experiments.experiment import Execution, Experiment, Recipe, SceneSet
from para.experiments.few_shot import CIRCLES, everywhere_on_the_grid
from para.experiments.position_sets import everywhere
from para.experiments.scale import Scale
from para.experiments.track_pretraining import ACT_2D, ACT_3D, PARA_2D, PARA_3D
from para.worlds.scenes import Workspace

ON_CIRCLES = "+on_circles"
"""Of a policy's name in the records, where it acts in circle scenes."""


def scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Circles at every position of the grid; looks and episodes anywhere, off the grid."""
    circles = everywhere_on_the_grid(workspace, scale, circles=True)
    robot = everywhere_on_the_grid(workspace, scale)
    positions = np.array([scene.object_xy for scene in robot.scenes])
    # of two sets, since no scene of the test lies outside of where circles were shown: there is no distance to tell
    sets = {"robot": positions, CIRCLES: positions}
    evaluated = everywhere(workspace, scale.with_fewer_scenes(4), validation, sets)
    return evaluated._replace(train={"robot": robot, CIRCLES: circles})


def both_ways(recipe: Recipe) -> Recipe:
    """The recipe, executed among robots and among circles."""
    how = recipe.executions[""]
    return replace(recipe, executions={"": how, ON_CIRCLES: Execution(how.rollout, (("circles", True),))})


RECIPES = tuple(both_ways(recipe) for recipe in (PARA_2D, PARA_3D, ACT_3D, ACT_2D))

HEATMAP_TRANSFER = Experiment(
    name="heatmap_transfer",
    title="What pretraining on a disc sees, and sees in a robot",
    question="Do heatmaps that were learnt from a moving disc find the places where a robot must go?",
    axis="pretraining",
    scenes=scenes,
    recipes=RECIPES,
    # what was told pixels alone has no gripper and can place nothing anywhere: there is nothing to compare
    comparisons=tuple((r.name + ON_CIRCLES, r.name, "test") for r in RECIPES if r.supervision == "all"),
    headline=("para+3d", "act+3d"),
    figures={"heatmap_transfer": {"suffix": ON_CIRCLES}},
)
