"""Inner square (original report): train at the middle 4 x 4 grid positions, test everywhere."""

from __future__ import annotations

from para.experiments.experiment import Experiment, PaperNumber, SceneSet
from para.experiments.position_sets import everywhere, inner_square
from para.experiments.recipes import ACT, FURTHER_BASELINES, NO_WARPS, PARA, headlines_compared, no_warps_compared
from para.experiments.scale import Scale
from para.worlds.scenes import Workspace


def scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Sixteen demonstrations in the middle; evaluation near them and anywhere."""
    return everywhere(workspace, scale, validation, {"demonstrations": inner_square(workspace)})


RECIPES = (PARA, ACT, *FURTHER_BASELINES)

INNER_SQUARE = Experiment(
    name="inner_square",
    title="Inner square: sixteen positions in the middle",
    question="Trained with sixteen demonstrations in the middle of the table, does the policy reach the rest of it?",
    axis="position",
    scenes=scenes,
    recipes=(*RECIPES, *NO_WARPS),
    comparisons=(*headlines_compared("test", "train", recipes=RECIPES), *no_warps_compared("test")),
    headline=tuple(recipe.name for recipe in (*RECIPES, *NO_WARPS)),
    paper={
        "para": {"test": PaperNumber(0.65, "original report of 2 April, first grid (15 by 20 cm), LIBERO")},
        "act": {"test": PaperNumber(0.19, "original report of 2 April, first grid (15 by 20 cm), LIBERO")},
    },
)
