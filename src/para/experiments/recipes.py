"""The recipes that experiments compare: each policy at its best, and the variants that show what makes it so."""

from __future__ import annotations

from dataclasses import replace

from para.experiments.experiment import Recipe
from para.experiments.scale import Scale
from para.policies import ActConfig, ParaConfig
from para.policies.augment import AugmentConfig
from para.policies.para import paper_form
from para.rollout import RolloutConfig

ENSEMBLE = RolloutConfig(execute_steps=1, ensemble_decay=0.1)
"""Look at every step and follow the average of all chunks that reach it (temporal ensembling). ACT was published with
it, though with weights that favour the oldest chunk."""

EXECUTIONS: dict[str, RolloutConfig] = {
    "+execute1": RolloutConfig(execute_steps=1),
    "+execute2": RolloutConfig(execute_steps=2),
    "+execute4": RolloutConfig(execute_steps=4),
    "+execute_all": RolloutConfig(execute_steps=0),
    "+ensemble": ENSEMBLE,
}
"""The table of executed steps: suffix of the policy's name in the records, and how its chunks are carried out."""


def executed(headline: str, others: tuple[str, ...] = tuple(EXECUTIONS)) -> dict[str, RolloutConfig]:
    """The ways of executing a policy: its headline, under its bare name, and others, under names of their own."""
    return {"": EXECUTIONS[headline]} | {suffix: EXECUTIONS[suffix] for suffix in others if suffix != headline}


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


# Each policy's headline is its best execution on the validation scenes.
PARA = Recipe("para", para, executed("+execute4"), why="PARA as we run it: it looks again after every four steps")
ACT = Recipe(
    "act", act, executed("+ensemble"),
    why="coordinate regression at its best in distribution: outputs over the whole workspace, temporal ensembling",
)  # fmt: skip


def headline(recipe: Recipe) -> Recipe:
    """The recipe in its headline execution only."""
    return replace(recipe, executions={"": recipe.executions[""]})


PARA_PAPER_FORM = Recipe(
    "para+paper_form", para_paper_form, executed("+execute4", ()), home_starts_only=True,
    why="the paper's plain form: factorised, hard targets at full resolution, argmax, no augmentation, no state but "
    "the start pixel, demonstrations from home only",
)  # fmt: skip
PARA_KEYPOSE = Recipe(
    "para+keypose", para_keypose, executed("+execute4", ("+execute1", "+execute_all")),
    step="keypose", why="a step is the next key pose of the task (hover, grasp, ...), not the next stored frame",
)  # fmt: skip
ACT_TRAIN_RANGE = Recipe(
    "act+train_range", act_train_range, executed("+ensemble", ()),
    why="ACT with the paper's normalisation, which cannot leave the training range",
)  # fmt: skip
