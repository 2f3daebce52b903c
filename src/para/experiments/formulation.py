"""Formulation (paper sec. 3.3 against its figure 3): pixel and height each by itself, or one softmax over both."""

from __future__ import annotations

from para.experiments.experiment import Experiment
from para.experiments.recipes import PARA, variant
from para.experiments.view_sets import default_to_all

FORMULATION = Experiment(
    name="formulation",
    title="Formulation: factorised or joint",
    question="Is one softmax over pixels and heights together better than one over pixels with heights read there?",
    axis="control",
    scenes=default_to_all,
    recipes=(
        PARA,
        variant(PARA, "+factorised", "a softmax over pixels, and heights read at the pixel", formulation="factorised"),
    ),
    comparisons=(("para", "para+factorised", "test"), ("para", "para+factorised", "beyond")),
    headline=("para", "para+factorised"),
    headline_splits=("test", "beyond"),
)
