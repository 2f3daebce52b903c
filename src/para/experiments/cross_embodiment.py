"""From one arm to another: demonstrations of the printed arm, or circles, before N ones of the seven-joint arm.

What the paper's text claims and its experiment, on circles alone, does not show. The arms differ in every link, in
where they stand, in their grippers' looks, and in the paths and the speed of their end effectors (`para.worlds.arms`);
what they do to the bowl is the same.
"""

from __future__ import annotations

from para.experiments import track_pretraining
from para.experiments.experiment import Experiment, SceneSet
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
from para.experiments.recipes import ACT, PARA
from para.experiments.scale import Scale
from para.experiments.track_pretraining import PARA_2D, PART, PLAIN, PLAIN_2D
from para.worlds.scenes import Workspace

COUNTS = (1, 5, 10, 20)
HEADLINE = 10
PARTS = {n: track_pretraining.PARTS[n] for n in COUNTS}
OTHER_ARM = "other_arm"
"""The set of demonstrations that the printed arm gives."""

WHY = "demonstrations of another arm"
PARA_ARM = pretrained(PARA, "other_arm", OTHER_ARM, "all", WHY)
PARA_ARM_2D = pretrained(PARA, "other_arm_2d", OTHER_ARM, "pixels", f"the pixels of the end effector in {WHY}")
ACT_ARM = pretrained(ACT, "other_arm", OTHER_ARM, "all", WHY)

PLAIN_ARM = pretrained(PLAIN, "other_arm", OTHER_ARM, "all", WHY)
PLAIN_ARM_2D = pretrained(PLAIN, "other_arm_2d", OTHER_ARM, "pixels", f"the pixels of the end effector in {WHY}")
PLAIN_STARTS = {"+other_arm": PLAIN_ARM, "+other_arm_2d": PLAIN_ARM_2D, "+2d": PLAIN_2D, "": None}

KINDS = {"another arm": "+other_arm", "its pixels": "+other_arm_2d", "circles, 2D": "+2d", "scratch": ""}


def scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """N demonstrations of the arm to be tested, anywhere on the grid; at every position the other arm's, and the same
    ones as circles, so that these tell no more of the arm to be tested than the other arm does."""
    further = {
        OTHER_ARM: everywhere_on_the_grid(workspace, scale, arm="printed"),
        CIRCLES: everywhere_on_the_grid(workspace, scale, circles=True, arm="printed"),
    }
    return few_anywhere(workspace, scale, validation, few(workspace, COUNTS, HEADLINE), further)


CROSS_EMBODIMENT = Experiment(
    name="cross_embodiment",
    title="From one arm to another",
    question="Do demonstrations of another arm make up for demonstrations of this one?",
    axis="pretraining",
    scenes=scenes,
    recipes=(
        *fine_tuned(PARA, {"+other_arm": PARA_ARM, "+other_arm_2d": PARA_ARM_2D, "+2d": PARA_2D, "": None}, COUNTS),
        *fine_tuned(ACT, {"+other_arm": ACT_ARM, "": None}, COUNTS),
        *fine_tuned_shorter(PLAIN, PLAIN_STARTS, PARTS),
        PARA_ARM,
        ACT_ARM,
    ),
    comparisons=(
        *((f"para{kind}+n{n}", f"act{kind}+n{n}", "test") for kind in ("+other_arm", "") for n in COUNTS),
        *against_scratch(("para",), ("+other_arm", "+other_arm_2d", "+2d"), COUNTS),
        *against_scratch(("act",), ("+other_arm",), COUNTS),
        *shorter_against_scratch(PLAIN.name, ("+other_arm", "+other_arm_2d", "+2d"), PARTS),
        ("para+other_arm", "act+other_arm", "test"),
    ),
    headline=(
        *(f"{kind}{suffix}+n{HEADLINE}" for suffix in ("+other_arm", "") for kind in ("para", "act")),
        "para+other_arm",
        "act+other_arm",
    ),
    figures=figure_of(COUNTS, KINDS, shorter={PLAIN.name: PART}),
)
