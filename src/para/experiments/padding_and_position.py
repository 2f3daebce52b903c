"""Padding and position (docs/method.md): a heatmap is as equivariant as its backbone. What leaks position?"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from para.backbones import SmallConvConfig, VitConfig
from para.experiments.experiment import Experiment, Recipe
from para.experiments.halves import half_scenes
from para.experiments.recipes import PARA, variant

ZEROS, REFLECT = SmallConvConfig(padding="zeros"), SmallConvConfig(padding="reflect")
VIT = VitConfig(channels=96, patch=8, depth=4, n_heads=3)
"""Small enough for two CPU cores: 16 x 16 tokens of a 128 px image."""


def vit(suffix: str, why: str, backbone: VitConfig) -> Recipe:
    """PARA on a transformer, at half the learning rate, at which it was seen to train steadily."""
    return replace(variant(PARA, suffix, why, backbone=backbone), lr_scale=0.5)


PADDING_AND_POSITION = Experiment(
    name="padding_and_position",
    title="Padding and position: what tells a backbone where it looks",
    question="Does a backbone that knows where in the image a cell lies still carry over to new positions?",
    axis="control",
    scenes=partial(half_scenes, "left", "right"),
    recipes=(
        PARA,
        variant(PARA, "+zeros", "borders padded with zeros, which tell where they are", backbone=ZEROS),
        variant(PARA, "+reflect", "borders reflected", backbone=REFLECT),
        vit("+vit", "a vision transformer with learned position embeddings", VIT),
        vit("+vit_none", "one without position embeddings", replace(VIT, position="none")),
        vit(
            "+vit_offset",
            "position embeddings read at a random offset in training",
            replace(VIT, position="random_offset"),
        ),
    ),
    comparisons=(
        ("para", "para+zeros", "test"),
        ("para", "para+vit", "test"),
        ("para+vit_offset", "para+vit", "test"),
        ("para+vit_none", "para+vit", "test"),
    ),
    headline=("para", "para+zeros", "para+vit", "para+vit_none", "para+vit_offset"),
)
