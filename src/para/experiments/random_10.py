"""Random 10 (original report): train at ten random positions, test everywhere. The paper's PARA lost here."""

from __future__ import annotations

from para.experiments.experiment import Experiment, PaperNumber, SceneSet
from para.experiments.position_sets import everywhere, random_positions
from para.experiments.recipes import ACT, FURTHER_BASELINES, NO_WARPS, PARA, headlines_compared, no_warps_compared
from para.experiments.scale import Scale
from para.worlds.scenes import Workspace


def scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Ten demonstrations at random grid positions; evaluation near them and anywhere."""
    return everywhere(workspace, scale, validation, {"demonstrations": random_positions(workspace, 10)})


RECIPES = (PARA, ACT, *FURTHER_BASELINES)

RANDOM_10 = Experiment(
    name="random_10",
    title="Random 10: ten demonstrations in all",
    question="Trained with ten demonstrations at random positions, does the policy work everywhere?",
    axis="position",
    scenes=scenes,
    recipes=(*RECIPES, *NO_WARPS),
    comparisons=(*headlines_compared("test", "train", recipes=RECIPES), *no_warps_compared("test")),
    headline=tuple(recipe.name for recipe in (*RECIPES, *NO_WARPS)),
    paper={
        "para": {"test": PaperNumber(0.19, "original report of 2 April, first grid (15 by 20 cm), LIBERO")},
        "act": {"test": PaperNumber(0.27, "original report of 2 April, first grid (15 by 20 cm), LIBERO")},
    },
)
