"""Experiments: one table or figure of the paper each, as a recipe of data, policies, scenes and the paper's numbers.

To add one: a file with an `Experiment` (read and imitate `left_to_right.py`), and one line in `EXPERIMENTS`.
`tests/test_contracts.py` then covers it.
"""

from __future__ import annotations

from para.experiments.action_heads import ACTION_HEADS
from para.experiments.calibration_error import CALIBRATION_ERROR
from para.experiments.controller import CONTROLLER
from para.experiments.corner_scaling import CORNER_SCALING
from para.experiments.cross_embodiment import CROSS_EMBODIMENT
from para.experiments.default_position import DEFAULT_POSITION
from para.experiments.depth_vs_height import DEPTH_VS_HEIGHT
from para.experiments.distractors import DISTRACTORS
from para.experiments.experiment import Experiment
from para.experiments.formulation import FORMULATION
from para.experiments.heatmap_transfer import HEATMAP_TRANSFER
from para.experiments.hemispheres import HEMISPHERES
from para.experiments.independent_objects import INDEPENDENT_OBJECTS
from para.experiments.inner_outer import INNER_OUTER
from para.experiments.inner_square import INNER_SQUARE
from para.experiments.left_to_right import LEFT_TO_RIGHT
from para.experiments.near_to_far import NEAR_TO_FAR
from para.experiments.new_environment import NEW_ENVIRONMENT
from para.experiments.padding_and_position import PADDING_AND_POSITION
from para.experiments.random_10 import RANDOM_10
from para.experiments.repairs import REPAIRS
from para.experiments.track_pretraining import TRACK_PRETRAINING
from para.experiments.track_pretraining_apart import TRACK_PRETRAINING_APART
from para.experiments.track_pretraining_fair import TRACK_PRETRAINING_FAIR
from para.experiments.video_backbone import VIDEO_BACKBONE, VIDEO_FEATURES
from para.experiments.viewpoints import VIEWPOINTS
from para.experiments.wide_views import WIDE_VIEWS
from para.experiments.window import WINDOW
from para.registry import pick

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        LEFT_TO_RIGHT,
        NEAR_TO_FAR,
        INNER_SQUARE,
        RANDOM_10,
        CORNER_SCALING,
        VIEWPOINTS,
        HEMISPHERES,
        INNER_OUTER,
        DISTRACTORS,
        NEW_ENVIRONMENT,
        WIDE_VIEWS,
        DEPTH_VS_HEIGHT,
        CALIBRATION_ERROR,
        INDEPENDENT_OBJECTS,
        DEFAULT_POSITION,
        WINDOW,
        CONTROLLER,
        FORMULATION,
        ACTION_HEADS,
        PADDING_AND_POSITION,
        REPAIRS,
        TRACK_PRETRAINING,
        TRACK_PRETRAINING_FAIR,
        TRACK_PRETRAINING_APART,
        CROSS_EMBODIMENT,
        HEATMAP_TRANSFER,
        VIDEO_BACKBONE,
        VIDEO_FEATURES,
    )
}
"""In the order in which a family of them runs (`para experiment all`)."""


def pick_experiment(name: str) -> Experiment:
    """An experiment by name. Raises ValueError with the nearest name for an unknown one."""
    return pick(EXPERIMENTS, "experiment", name)


__all__ = ["EXPERIMENTS", "Experiment", "pick_experiment"]
