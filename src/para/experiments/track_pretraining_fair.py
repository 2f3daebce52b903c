"""Pretraining on circles that does not show the places of the test: both on the left, the test on the right.

The original's pretraining set covers the test positions too. Here neither the videos nor the demonstrations of the
robot leave the left half of the table.
"""

from __future__ import annotations

from functools import partial

from para.experiments.experiment import Experiment, SceneSet, TrainingSet
from para.experiments.few_shot import CIRCLES, against_scratch, everywhere_on_the_grid, few, figure_of, fine_tuned
from para.experiments.halves import home_scenes, sample
from para.experiments.recipes import ACT, PARA, variant
from para.experiments.scale import Scale
from para.experiments.track_pretraining import (
    ACT_2D,
    ACT_3D,
    COUNTS,
    HEADLINE,
    KINDS,
    PARA_2D,
    PARA_3D,
    PART,
    PLAIN,
    SHORTER,
    SHORTER_COMPARED,
)
from para.worlds.scenes import Workspace

TRAIN, TEST = "left", "right"


def scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Everything on the left; evaluation there ("same_half") and on the right ("test"), off the grid."""
    stream = partial(sample, workspace, train_half=TRAIN)
    prefix = "validation_" if validation else ""
    fewer = scale.with_fewer_scenes(2)
    positions = few(workspace, COUNTS, HEADLINE, TRAIN)
    return SceneSet(
        train={
            **{name: TrainingSet(home_scenes(xy)) for name, xy in positions.items()},
            "all": everywhere_on_the_grid(workspace, scale, TRAIN),
            CIRCLES: everywhere_on_the_grid(workspace, scale, TRAIN, circles=True),
        },
        heldout=[item.scene for item in stream("heldout", TRAIN, scale.n_heldout)],
        evaluation={
            f"{prefix}same_half": stream(f"{prefix}train", TRAIN, fewer.n_in_distribution),
            f"{prefix}test": stream(f"{prefix}test", TEST, fewer.n_test),
        },
    )


TRACK_PRETRAINING_FAIR = Experiment(
    name="track_pretraining_fair",
    title="Pretraining on a moving disc, tested where it was not",
    question="Do such videos help on the right half of the table when they, too, show only the left?",
    axis="pretraining",
    scenes=scenes,
    recipes=(
        *fine_tuned(PARA, {"+3d": PARA_3D, "+2d": PARA_2D, "": None}, COUNTS),
        *fine_tuned(ACT, {"+3d": ACT_3D, "+2d": ACT_2D, "": None}, COUNTS),
        *SHORTER,
        variant(PARA, "+n128", "a demonstration at every position of the left half: the upper bound", data="all"),
        variant(ACT, "+n128", "a demonstration at every position of the left half: the upper bound", data="all"),
    ),
    comparisons=(
        *((f"para{kind}+n{n}", f"act{kind}+n{n}", "test") for kind in ("+3d", "+2d", "") for n in COUNTS),
        *against_scratch(("para", "act"), ("+3d", "+2d"), COUNTS),
        *SHORTER_COMPARED,
    ),
    headline=tuple(f"{kind}{suffix}+n{HEADLINE}" for suffix in ("+3d", "+2d", "") for kind in ("para", "act")),
    figures=figure_of(COUNTS, KINDS, shorter={PLAIN.name: PART}),
)
