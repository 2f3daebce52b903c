"""Distractors (paper sec. 4.2): trained in a clean scene, tested among other things. The paper prints two results, 60
against 40 and 28 against 10, most likely of two protocols; both are run here, each with its own source."""

from __future__ import annotations

from para.experiments.clutter_sets import cluttered
from para.experiments.experiment import Experiment, PaperNumber
from para.experiments.recipes import PARA_NO_WARPS, PLAIN, WHOLE_TABLE, plain_compared, whole_table_compared

AT_DEFAULT = "paper draft, sec. 4.2, and original report: default position, distractors and furniture, LIBERO"
MOVED = "original website: most likely several positions, LIBERO"

SPLITS = ("default_position", "test")

RECIPES = (*WHOLE_TABLE, PARA_NO_WARPS)
"""The camera stays where it was: warps of the picture are not asked for here, and what they cost is to be seen."""

DISTRACTORS = Experiment(
    name="distractors",
    title="Distractors: trained clean, tested in clutter",
    question="Trained in a clean scene, does the policy work among objects that it has never seen?",
    axis="clutter",
    scenes=cluttered,
    recipes=(*RECIPES, *PLAIN),
    comparisons=(
        *whole_table_compared(*SPLITS, recipes=RECIPES),
        *(("para+no_warps", "act", split) for split in SPLITS),
        *plain_compared(*SPLITS),
    ),
    headline=tuple(recipe.name for recipe in (*RECIPES, *PLAIN)),
    headline_splits=SPLITS,
    paper={
        "para": {"default_position": PaperNumber(0.60, AT_DEFAULT), "test": PaperNumber(0.28, MOVED)},
        "act": {"default_position": PaperNumber(0.40, AT_DEFAULT), "test": PaperNumber(0.10, MOVED)},
    },
)
