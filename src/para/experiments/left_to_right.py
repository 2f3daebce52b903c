"""Left to right (paper fig. 4a): train with the object on the left half of the table, test on the right half."""

from __future__ import annotations

from functools import partial

from para.experiments.experiment import Experiment, PaperNumber
from para.experiments.halves import half_scenes
from para.experiments.recipes import ACT, ACT_TRAIN_RANGE, PARA, PARA_KEYPOSE, PARA_PAPER_FORM

LEFT_TO_RIGHT = Experiment(
    name="left_to_right",
    title="Left to right: new object positions",
    question="Trained only with the object on the left half of the table, does the policy place it on the right half?",
    scenes=partial(half_scenes, "left", "right"),
    recipes=(PARA, ACT, PARA_PAPER_FORM, PARA_KEYPOSE, ACT_TRAIN_RANGE),
    comparisons=(
        ("para", "act", "test"),
        ("para", "act", "train"),
        ("para", "para+paper_form", "test"),
        ("act", "act+train_range", "test"),
    ),
    paper={
        "para": {"test": PaperNumber(0.54, "paper draft, sec. 4.2: 54 of 100 trials, LIBERO")},
        "act": {"test": PaperNumber(0.01, "paper draft, sec. 4.2: 1 of 100 trials, LIBERO")},
    },
)
