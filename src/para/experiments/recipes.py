"""The recipes that experiments compare: each policy at its best, and the variants that show what makes it so."""

from __future__ import annotations

from dataclasses import replace

from para.experiments.experiment import Recipe
from para.experiments.scale import Scale
from para.policies import ActConfig, ParaConfig
from para.policies.augment import AugmentConfig
from para.policies.para import paper_form
from para.rollout import RolloutConfig

EXECUTIONS: dict[str, RolloutConfig] = {
    "": RolloutConfig(execute_steps=4),
    "+execute1": RolloutConfig(execute_steps=1),
    "+execute2": RolloutConfig(execute_steps=2),
    "+execute_all": RolloutConfig(execute_steps=0),
    "+ensemble": RolloutConfig(execute_steps=1, ensemble_decay=0.1),
}
"""The headline looks again after every 4 steps, for every policy; the others are the table of executed steps."""

COLOUR = AugmentConfig(brightness=0.1, colour=0.05)
"""Variation that world coordinates may share: nothing moves."""

WARPS = AugmentConfig(scale=(0.8, 1.1), max_rotation_deg=8.0, max_shift=0.08, brightness=0.1, colour=0.05)
"""Variation whose pixel labels follow: only a pixel-aligned policy can use it."""


def para(scale: Scale) -> ParaConfig:
    """PARA as we run it."""
    return ParaConfig(image_size=scale.image_size, backbone=scale.backbone, augment=WARPS)


def para_keypose(scale: Scale) -> ParaConfig:
    """PARA over the task's eight key poses."""
    return replace(para(scale), horizon=8)


def para_paper_form(scale: Scale) -> ParaConfig:
    """PARA as the paper writes it."""
    return paper_form(scale.image_size, scale.backbone)


def act(scale: Scale) -> ActConfig:
    """ACT at its best in distribution: told the arm's state, any output in the workspace possible."""
    return ActConfig(image_size=scale.image_size, backbone=scale.backbone, augment=COLOUR)


def act_train_range(scale: Scale) -> ActConfig:
    """ACT with the paper's normalisation: outputs within the training data's range."""
    return ActConfig(image_size=scale.image_size, backbone=scale.backbone, augment=COLOUR, output_range="training")


PARA = Recipe("para", para, EXECUTIONS, why="PARA as we run it")
ACT = Recipe(
    "act", act, EXECUTIONS, why="coordinate regression at its best in distribution, outputs over the whole workspace"
)


def headline(recipe: Recipe) -> Recipe:
    """The recipe in its headline execution only."""
    return replace(recipe, executions={"": recipe.executions[""]})


PARA_PAPER_FORM = Recipe(
    "para+paper_form", para_paper_form, home_starts_only=True,
    why="the paper's plain form: factorised, hard targets at full resolution, argmax, no augmentation, no state but "
    "the start pixel, demonstrations from home only",
)  # fmt: skip
PARA_KEYPOSE = Recipe(
    "para+keypose", para_keypose, {suffix: EXECUTIONS[suffix] for suffix in ("", "+execute1", "+execute_all")},
    step="keypose", why="a step is the next key pose of the task (hover, grasp, ...), not the next stored frame",
)  # fmt: skip
ACT_TRAIN_RANGE = Recipe(
    "act+train_range", act_train_range, why="ACT with the paper's normalisation, which cannot leave the training range"
)
