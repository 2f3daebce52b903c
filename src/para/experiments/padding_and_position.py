"""Padding and position (docs/method.md): a heatmap is as equivariant as its backbone. What leaks position?"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from para.backbones import SmallConvConfig, VitConfig
from para.experiments.experiment import Experiment, Recipe
from para.experiments.halves import half_scenes
from para.experiments.recipes import ACT, PARA, extra, trained_longer, variant

ZEROS, REFLECT = SmallConvConfig(padding="zeros"), SmallConvConfig(padding="reflect")
VIT = VitConfig(channels=96, patch=8, depth=4, n_heads=3)
"""Small enough for two CPU cores: 16 x 16 tokens of a 128 px image."""

VIT_OFFSET = replace(VIT, position="random_offset")


def vit(suffix: str, why: str, backbone: VitConfig, base: Recipe = PARA) -> Recipe:
    """A policy on a transformer, at half the learning rate, at which PARA was seen to train steadily."""
    return replace(variant(base, suffix, why, backbone=backbone), lr_scale=0.5)


def vit_longer(suffix: str, why: str, backbone: VitConfig) -> tuple[Recipe, ...]:
    """PARA and ACT, which reads the CLS token there, on a transformer that is given four times the steps: after the
    usual ones PARA is far from done there."""
    why += ", four times the steps"
    return tuple(extra(trained_longer(vit(f"{suffix}+long", why, backbone, base), 4)) for base in (PARA, ACT))


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
        vit("+vit_offset", "position embeddings read at a random offset in training", VIT_OFFSET),
        *vit_longer("+vit_offset", "position embeddings read at a random offset in training", VIT_OFFSET),
        *vit_longer("+vit", "a vision transformer with learned position embeddings", VIT),
    ),
    comparisons=(
        ("para", "para+zeros", "test"),
        ("para", "para+vit", "test"),
        ("para+vit_offset", "para+vit", "test"),
        ("para+vit_none", "para+vit", "test"),
        ("para+vit_offset+long", "act+vit_offset+long", "test"),
        ("para+vit+long", "act+vit+long", "test"),
        ("para+vit_offset+long", "para+vit+long", "test"),
    ),
    headline=(
        "para",
        "para+zeros",
        "para+vit",
        "para+vit_none",
        "para+vit_offset",
        "para+vit_offset+long",
        "act+vit_offset+long",
        "para+vit+long",
        "act+vit+long",
    ),
)
