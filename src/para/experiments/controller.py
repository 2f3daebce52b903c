"""Controller (a control that the paper lacks): its "teleport servo" puts the arm where the prediction says. With joint
controllers in the loop the arm lags and sags, and demonstrations come from the teleported arm still."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from para.experiments.experiment import Execution, Experiment, Recipe
from para.experiments.halves import half_scenes
from para.experiments.recipes import HEADLINES, headlines_compared


def both_servos(recipe: Recipe) -> Recipe:
    """The recipe with the teleported arm, and with the joint controllers in the loop."""
    headline = recipe.executions[""]
    tracked = Execution(headline.rollout, (("servo", "controller"),))
    return replace(recipe, executions={"": headline, "+controller": tracked})


IN_THE_LOOP = tuple(replace(recipe, name=f"{recipe.name}+controller") for recipe in HEADLINES)
"""The policies as they are called in the records where controllers are in the loop."""

CONTROLLER = Experiment(
    name="controller",
    title="Controller: teleported arm against controllers in the loop",
    question="Does what holds for a teleported arm hold with the dynamics of a controller in the loop?",
    axis="control",
    scenes=partial(half_scenes, "left", "right"),
    recipes=tuple(both_servos(recipe) for recipe in HEADLINES),
    comparisons=(
        ("para", "para+controller", "test"),
        *headlines_compared("test", recipes=IN_THE_LOOP),
        *((recipe.name, f"{recipe.name}+controller", "train") for recipe in HEADLINES[1:]),
    ),
    headline=tuple(recipe.name for recipe in IN_THE_LOOP),
)
