"""Near to far (paper fig. 4a): train with the object on the half near the robot, test on the far half."""

from __future__ import annotations

from functools import partial

from para.experiments.experiment import Experiment, PaperNumber
from para.experiments.halves import half_scenes
from para.experiments.recipes import HEADLINES, PARA_NO_WARPS, headlines_compared

NEAR_TO_FAR = Experiment(
    name="near_to_far",
    title="Near to far: new object positions",
    question="Trained only with the object on the half near the robot, does the policy place it on the far half?",
    axis="position",
    scenes=partial(half_scenes, "near", "far"),
    recipes=(*HEADLINES, PARA_NO_WARPS),
    comparisons=(
        *headlines_compared("test", "train"),
        ("para", "para+no_warps", "test"),
        ("para+no_warps", "act", "test"),
    ),
    headline=tuple(recipe.name for recipe in (*HEADLINES, PARA_NO_WARPS)),
    paper={
        "para": {"test": PaperNumber(0.46, "paper draft, sec. 4.2: 46 of 100 trials, LIBERO")},
        "act": {"test": PaperNumber(0.07, "paper draft, sec. 4.2: 7 of 100 trials, LIBERO")},
    },
)
