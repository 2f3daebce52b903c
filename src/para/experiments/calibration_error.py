"""Calibration error (a control that the paper lacks): PARA is told where the camera is. What if that is wrong?

The policy is handed a camera that is turned, moved, or has another focal length; the world stays as it is.
"""

from __future__ import annotations

from dataclasses import replace

from para.experiments.experiment import EvaluationScene, Execution, Experiment, SceneSet
from para.experiments.recipes import ACT, PARA
from para.experiments.scale import Scale
from para.experiments.view_sets import default_to_all
from para.worlds.scenes import Workspace

ERRORS: dict[str, tuple[str, tuple[float, ...]]] = {
    "rotation_deg": ("camera_rotation_error_deg", (0.25, 0.5, 1.0, 2.0, 4.0)),
    "translation_mm": ("camera_translation_error_mm", (5.0, 10.0, 20.0, 40.0)),
    "focal_percent": ("camera_focal_error_percent", (1.0, 2.0, 4.0, 8.0)),
}
"""What is wrong with the camera: its name, the option of the rollout, and by how much."""

SWEEP = {
    f"para+{quantity}_{value:g}": {"base": "para", "quantity": quantity, "value": value}
    for quantity, (_, values) in ERRORS.items()
    for value in values
}


def scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Demonstrations as for the viewpoints; evaluation in the default view alone, where nothing else is new."""
    sets = default_to_all(workspace, scale, validation)
    split = "validation_train" if validation else "train"
    more = replace(scale, n_in_distribution=scale.n_test)
    items = default_to_all(workspace, more, validation).evaluation[split]
    return sets._replace(evaluation={split: [EvaluationScene(item.scene) for item in items]})


def with_errors() -> dict[str, Execution]:
    """PARA's headline execution, told a true camera and wrong ones."""
    headline = PARA.executions[""]
    wrong = {
        f"+{quantity}_{value:g}": Execution(replace(headline.rollout, **{option: value}))
        for quantity, (option, values) in ERRORS.items()
        for value in values
    }
    return {"": headline} | wrong


CALIBRATION_ERROR = Experiment(
    name="calibration_error",
    title="Calibration error: the price of using the camera",
    question="How wrong may the camera's calibration be before PARA fails? ACT does not use it.",
    axis="control",
    scenes=scenes,
    recipes=(replace(PARA, executions=with_errors()), ACT),
    comparisons=(
        ("para", "act", "train"),
        *(("para", name, "train") for name in SWEEP),
        *((name, "act", "train") for name in SWEEP),
    ),
    headline_splits=("train",),
    figures={"sweep": SWEEP},
)
