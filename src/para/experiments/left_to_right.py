"""Left to right (paper fig. 4a): train with the object on the left half of the table, test on the right half."""

from __future__ import annotations

from functools import partial

from para.experiments.experiment import Experiment, PaperNumber
from para.experiments.halves import half_scenes
from para.experiments.recipes import (
    ACT,
    ACT_NO_STATE,
    ACT_TRAIN_RANGE,
    HEADLINES,
    PARA,
    PARA_NO_WARPS,
    PARA_PAPER_FORM,
    headlines_compared,
    variant,
)

PARA_FEW = variant(PARA, "+few", "twenty demonstrations in all, from home", data="few")
ACT_FEW = variant(ACT, "+few", "twenty demonstrations in all, from home", data="few")

LEFT_TO_RIGHT = Experiment(
    name="left_to_right",
    title="Left to right: new object positions",
    question="Trained only with the object on the left half of the table, does the policy place it on the right half?",
    axis="position",
    scenes=partial(half_scenes, "left", "right"),
    recipes=(*HEADLINES, PARA_NO_WARPS, PARA_PAPER_FORM, PARA_FEW, ACT_FEW, ACT_NO_STATE, ACT_TRAIN_RANGE),
    comparisons=(
        *headlines_compared("test", "train"),
        ("para", "para+no_warps", "test"),
        ("para+no_warps", "act", "test"),
        ("para", "para+paper_form", "test"),
        ("para+few", "act+few", "test"),
        *(("act", "act+no_state", split) for split in ("test", "train")),
        ("act", "act+train_range", "test"),
    ),
    headline=tuple(recipe.name for recipe in (*HEADLINES, PARA_NO_WARPS)),
    paper={
        "para": {"test": PaperNumber(0.54, "paper draft, sec. 4.2: 54 of 100 trials, LIBERO")},
        "act": {"test": PaperNumber(0.01, "paper draft, sec. 4.2: 1 of 100 trials, LIBERO")},
    },
)
