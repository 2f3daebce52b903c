"""Pretraining on circles (the original report on it, and the paper): few demonstrations after many videos of a disc.

In the pretraining videos the robot is hidden and an orange disc marks its end effector. "2D": only the disc's pixels
are told, and PARA learns its heatmap; "3D": heights and gripper too, in the same pictures. The pretraining set covers
the whole grid, and so the places of the test: `track_pretraining_fair` leaves those out.
"""

from __future__ import annotations

from para.experiments.experiment import Experiment, PaperNumber, SceneSet
from para.experiments.few_shot import (
    CIRCLES,
    against_scratch,
    everywhere_on_the_grid,
    few,
    few_anywhere,
    figure_of,
    fine_tuned,
    fine_tuned_shorter,
    pretrained,
    shorter_against_scratch,
)
from para.experiments.recipes import ACT, PARA, PARA_PLAIN, variant
from para.experiments.scale import Scale
from para.worlds.scenes import Workspace

COUNTS = (1, 3, 5, 10, 20)
HEADLINE = 10
"""The number of demonstrations at which the paper compares."""

PIXELS_WHY = "the pixels of the disc in videos without a robot"
FULL_WHY = "pixels, heights and gripper in videos with a disc for a robot"

PARA_2D = pretrained(PARA, "2d", CIRCLES, "pixels", PIXELS_WHY)
PARA_3D = pretrained(PARA, "3d", CIRCLES, "all", FULL_WHY)
ACT_2D = pretrained(ACT, "2d", CIRCLES, "pixels", PIXELS_WHY)
ACT_3D = pretrained(ACT, "3d", CIRCLES, "all", FULL_WHY)

PLAIN = PARA_PLAIN
PLAIN_2D = pretrained(PLAIN, "2d", CIRCLES, "pixels", PIXELS_WHY)
PLAIN_3D = pretrained(PLAIN, "3d", CIRCLES, "all", FULL_WHY)

PLAIN_COUNTS = (1, HEADLINE)
PART = 8
PARTS = {n: (PART,) for n in COUNTS} | {HEADLINE: (PART, 16)}
"""Number of demonstrations -> one of so many steps. The form without augmentation is at its ceiling from scratch, too:
in fewer steps there is room to see what a start is worth."""
PLAIN_STARTS = {"+3d": PLAIN_3D, "+2d": PLAIN_2D, "": None}
SHORTER = fine_tuned_shorter(PLAIN, PLAIN_STARTS, PARTS)
SHORTER_COMPARED = shorter_against_scratch(PLAIN.name, ("+3d", "+2d"), PARTS)

KINDS = {"2D": "+2d", "3D": "+3d", "scratch": ""}

RECIPES = (
    *fine_tuned(PARA, {"+3d": PARA_3D, "+2d": PARA_2D, "": None}, COUNTS),
    *fine_tuned(ACT, {"+3d": ACT_3D, "+2d": ACT_2D, "": None}, COUNTS),
    *fine_tuned(PLAIN, PLAIN_STARTS, PLAIN_COUNTS),
    *SHORTER,
    variant(PARA, "+n256", "a demonstration at every position: the upper bound", data="all"),
    variant(ACT, "+n256", "a demonstration at every position: the upper bound", data="all"),
)

REPORT = "original report on pretraining, first table, LIBERO (trials not told; 100 as elsewhere)"

PAPER_RATES = {
    "para+3d": (0, 0, 21, 66, 64), "para+2d": (10, 20, 33, 39, 31), "para": (0, 7, 7, 10, 29),
    "act+3d": (0, 0, 0, 21, 72), "act+2d": (0, 0, 0, 18, 24), "act": (0, 0, 0, 6, 44),
}  # fmt: skip
"""Success in percent at each of `COUNTS`."""

PAPER_STAGES = {
    "para+2d": ((3, 18, 12), (5, 3, 6), (15, 41, 36), (3, 62, 34), (39, 27, 52)),
    "para+3d": ((0, 0, 0), (0, 3, 2), (21, 42, 42), (66, 3, 68), (64, 1, 64)),
    "act+2d": ((0, 0, 0), (1, 7, 4), (2, 3, 4), (24, 31, 40), (50, 32, 66)),
    "act+3d": ((0, 0, 0), (0, 0, 0), (0, 0, 0), (21, 16, 29), (72, 9, 76)),
}
"""The report's second table, in percent: placed, grasped only, and placed + grasped / 2. Its 2D columns contradict
those of the first; both are shown."""


def scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """N demonstrations anywhere on the grid; evaluation anywhere, off the grid. Circles at every grid position."""
    further = {
        "all": everywhere_on_the_grid(workspace, scale),
        CIRCLES: everywhere_on_the_grid(workspace, scale, circles=True),
    }
    return few_anywhere(workspace, scale, validation, few(workspace, COUNTS, HEADLINE), further)


TRACK_PRETRAINING = Experiment(
    name="track_pretraining",
    title="Pretraining on a moving disc",
    question="Do videos in which only a disc moves make up for demonstrations of the robot?",
    axis="pretraining",
    scenes=scenes,
    recipes=RECIPES,
    comparisons=(
        *((f"para{kind}+n{n}", f"act{kind}+n{n}", "test") for kind in ("+3d", "+2d", "") for n in COUNTS),
        *against_scratch(("para", "act"), ("+3d", "+2d"), COUNTS),
        *against_scratch((PLAIN.name,), ("+3d", "+2d"), PLAIN_COUNTS),
        *SHORTER_COMPARED,
    ),
    headline=tuple(f"{kind}{suffix}+n{HEADLINE}" for suffix in ("+3d", "+2d", "") for kind in ("para", "act")),
    paper={
        f"{policy}+n{n}": {"test": PaperNumber(rate / 100, REPORT)}
        for policy, rates in PAPER_RATES.items()
        for n, rate in zip(COUNTS, rates)
    }
    | {"para+n256": {"test": PaperNumber(0.83, "original report on pretraining, upper bound, LIBERO")}},
    figures=figure_of(
        COUNTS,
        KINDS,
        {f"{policy}+n{n}": row for policy, rows in PAPER_STAGES.items() for n, row in zip(COUNTS, rows)},
        shorter={PLAIN.name: PART},
    ),
)
