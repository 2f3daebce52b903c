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
VIT_REFINED = replace(VIT_OFFSET, stem="convolutions", cells_per_patch=2)
"""What such a transformer lacks from scratch: convolutions before it, and cells as fine, of the image, as the 32 of the
pretrained ones at 448 px."""

VIT_REFINED_LEARNED = replace(VIT_REFINED, position="learned")
REFINED_WHY = "convolutions before the transformer, and after it, to finer cells"
OFFSET_WHY = "position embeddings read at a random offset in training"


def vit(suffix: str, why: str, backbone: VitConfig, base: Recipe = PARA) -> Recipe:
    """A policy on a transformer (ACT reads its CLS token), at half the learning rate, at which PARA was seen to train
    steadily."""
    return replace(variant(base, suffix, why, backbone=backbone), lr_scale=0.5)


def longer(recipe: Recipe) -> Recipe:
    """Four times the steps: after the usual ones these are far from done."""
    return extra(
        trained_longer(replace(recipe, name=f"{recipe.name}+long", why=f"{recipe.why}, four times the steps"), 4)
    )


OFFSET = vit("+vit_offset", OFFSET_WHY, VIT_OFFSET)
REFINED, ACT_REFINED = (
    extra(vit("+vit_refined", f"{REFINED_WHY}; {OFFSET_WHY}", VIT_REFINED, base)) for base in (PARA, ACT)
)
LEARNED, ACT_LEARNED = (
    extra(vit("+vit_refined_learned", f"{REFINED_WHY}; learned position embeddings", VIT_REFINED_LEARNED, base))
    for base in (PARA, ACT)
)
"""ACT reads the CLS token, which knows where things are from position embeddings alone. With random offsets these say
how things lie to each other and not where, so that of the two only this one is fair to ACT."""

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
        OFFSET,
        longer(OFFSET),
        REFINED,
        ACT_REFINED,
        LEARNED,
        ACT_LEARNED,
        longer(ACT_LEARNED),
    ),
    comparisons=(
        ("para", "para+zeros", "test"),
        ("para", "para+vit", "test"),
        ("para+vit_offset", "para+vit", "test"),
        ("para+vit_none", "para+vit", "test"),
        ("para+vit_refined", "act+vit_refined", "test"),
        ("para+vit_refined", "para+vit_offset", "test"),
        ("para+vit_refined", "para+vit_offset+long", "test"),
        ("para+vit_refined", "para+vit_refined_learned", "test"),
        ("para+vit_refined_learned", "act+vit_refined_learned", "test"),
        ("para+vit_refined_learned", "act+vit_refined_learned+long", "test"),
    ),
    headline=(
        "para",
        "para+zeros",
        "para+vit",
        "para+vit_none",
        "para+vit_offset",
        "para+vit_offset+long",
        "para+vit_refined",
        "act+vit_refined",
        "para+vit_refined_learned",
        "act+vit_refined_learned",
        "act+vit_refined_learned+long",
    ),
)
