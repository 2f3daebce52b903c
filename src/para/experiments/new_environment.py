"""New environment (paper sec. 4.3, there on the real arm): another table, wall and light."""

from __future__ import annotations

from para.experiments.clutter_sets import elsewhere
from para.experiments.experiment import Experiment, PaperNumber
from para.experiments.recipes import (
    ACT,
    PARA,
    PLAIN,
    WHOLE_TABLE,
    in_strong_looks,
    plain_compared,
    variant,
    whole_table_compared,
)

RECIPES = (
    *(in_strong_looks(recipe) if recipe.name.startswith("para") else recipe for recipe in WHOLE_TABLE),
    variant(PARA, "+usual_looks", "PARA with looks varied as in the other experiments"),
    variant(in_strong_looks(ACT), "+strong_looks", "ACT with PARA's looks here, with which it does not learn the task"),
    *PLAIN,
)
"""PARA trains in the looks that were best for it in validation rooms, ACT in the usual; and each in the other's."""

SOURCE = "paper draft, sec. 4.3: SO-100 arm, not simulated; number of trials not given"

NEW_ENVIRONMENT = Experiment(
    name="new_environment",
    title="New environment: another table, wall and light",
    question="Trained in one room, does the policy work in rooms that look different?",
    axis="clutter",
    scenes=elsewhere,
    recipes=RECIPES,
    comparisons=(
        *whole_table_compared("test"),
        ("para", "para+usual_looks", "test"),
        ("para+usual_looks", "act", "test"),
        *plain_compared("test"),
    ),
    headline=(*(recipe.name for recipe in WHOLE_TABLE), "para+usual_looks", *(recipe.name for recipe in PLAIN)),
    paper={
        "para": {"test": PaperNumber(0.94, SOURCE)},
        "act": {"test": PaperNumber(0.0, SOURCE)},
        "motion_tracks": {"test": PaperNumber(0.06, SOURCE)},
    },
)
