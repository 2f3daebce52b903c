"""Depth against height (a control that the paper lacks): bins along the camera's axis instead of above the table.

A height does not change when the camera moves, a depth does: that is the paper's argument for heights (sec. 3.3).
Virtual views in training show both many cameras, so each is also trained without warps. Depths span more metres than
heights do (0.92 m with virtual views and 0.67 m without, against 0.26 m), so they get more classes, each as fine as one
of height (1.6 cm).
"""

from __future__ import annotations

from para.experiments.experiment import Experiment
from para.experiments.recipes import COLOUR, PARA, PARA_NO_WARPS, variant
from para.experiments.view_sets import default_to_all

DEPTH_VS_HEIGHT = Experiment(
    name="depth_vs_height",
    title="Depth or height: what the third coordinate should be",
    question="Is it better to predict how high above the table than how deep along the camera's axis?",
    axis="control",
    scenes=default_to_all,
    recipes=(
        PARA,
        variant(
            PARA, "+depth", "bins of depth along the optical axis instead of height", third="depth", n_height_bins=57
        ),
        PARA_NO_WARPS,
        variant(
            PARA,
            "+depth+no_warps",
            "depths; pictures never moved in training",
            third="depth",
            n_height_bins=41,
            augment=COLOUR,
        ),
    ),
    comparisons=tuple(
        comparison
        for split in ("test", "beyond")
        for comparison in (("para", "para+depth", split), ("para+no_warps", "para+depth+no_warps", split))
    ),
    headline=("para", "para+depth", "para+no_warps", "para+depth+no_warps"),
    headline_splits=("test", "beyond"),
)
