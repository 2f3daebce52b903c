"""Viewpoints (paper fig. 4b): train in the default view, test over the 8 x 8 cap of views, and beyond it."""

from __future__ import annotations

from para.experiments.experiment import Experiment, PaperNumber
from para.experiments.recipes import (
    FAIR_IN_NEW_VIEWS,
    NO_WARPS,
    PLAIN,
    SOFT_ARGMAX,
    WHOLE_TABLE,
    at_home,
    extra,
    no_warps_compared,
    plain_compared,
    trained_longer,
    variant,
    whole_table_compared,
)
from para.experiments.view_sets import default_to_all

AT_HOME = tuple(at_home(recipe) for recipe in WHOLE_TABLE if recipe.name.split("+")[0] in ("para", "act"))
"""With the camera known to both, any policy can be shown what its demonstrations' camera would see of the table."""

SOFT_ARGMAX_LONG = trained_longer(
    variant(SOFT_ARGMAX, "+long", "the expected pixel of a heatmap, trained by distance for four times the steps"), 4
)
"""PARA's pictures, labels and backbone without its classes, given time: what classes add."""

RECIPES = (*WHOLE_TABLE, *FAIR_IN_NEW_VIEWS, extra(SOFT_ARGMAX), extra(SOFT_ARGMAX_LONG))
"""The last ones can train on warped pictures too, and those that read a pooled vector get the steps that this takes
them. Others that can are in `action_heads`, in PARA's steps."""

SPLITS = ("test", "train", "beyond")

PAPER_SOURCE = "original report, per-theta table: 24 trials each, LIBERO"
PAPER_THETAS = (0.0, 3.5714, 7.1429, 10.7143, 14.2857, 17.8571, 21.4286, 25.0)
PAPER_CURVES = {"para": (88, 79, 62, 63, 62, 62, 33, 38), "act": (67, 54, 42, 17, 12, 0, 0, 0)}


def paper_mean(policy: str) -> PaperNumber:
    """The paper's rate without the training view: the mean of its rings beyond theta 0."""
    rings = PAPER_CURVES[policy][1:]
    return PaperNumber(
        round(sum(rings) / len(rings) / 100, 3), PAPER_SOURCE + ", mean of the seven rings beyond theta 0"
    )


VIEWPOINTS = Experiment(
    name="viewpoints",
    title="Viewpoints: trained in one view, tested in 56 others",
    question="Trained with the camera in one place, does the policy work when the camera is moved?",
    axis="view",
    scenes=default_to_all,
    recipes=(*RECIPES, *AT_HOME, *PLAIN, *NO_WARPS),
    comparisons=(
        *whole_table_compared(*SPLITS, recipes=RECIPES),
        *((f"{name}+home_view", name, split) for name in ("para", "act", "para+long", "act+long") for split in SPLITS),
        *((f"para{time}+home_view", f"act{time}+home_view", split) for time in ("", "+long") for split in SPLITS),
        *plain_compared(*SPLITS),
        *no_warps_compared(*SPLITS, others=("act", "motion_tracks", "diffusion", "motion_tracks+views+long")),
    ),
    headline=tuple(recipe.name for recipe in (*RECIPES, *AT_HOME, *PLAIN, *NO_WARPS)),
    headline_splits=("test", "beyond"),
    paper={
        policy: {
            "train": PaperNumber(PAPER_CURVES[policy][0] / 100, PAPER_SOURCE + ", theta 0"),
            "test": paper_mean(policy),
        }
        for policy in PAPER_CURVES
    },
    figures={
        "paper_curves": {p: [[t, r / 100] for t, r in zip(PAPER_THETAS, rates)] for p, rates in PAPER_CURVES.items()},
        "paper_curves_source": PAPER_SOURCE,
    },
)
