"""Gripper timing and replanning, PARA's known failures (paper sec. 4.2, "failure modes"): before and after the repairs.

Each failure is provoked by leaving out what is meant to repair it, and each repair is a plain option of recording or of
rollout. Whether they are failures here, and whether the repairs work, is what the records say (docs/method.md):

- The gripper may act early where demonstrations do not rest while it moves (`dwell_frames`): rest, or carry out a
  change of the gripper only near the place at which it was predicted (`RolloutConfig.gripper_gate_m`).
- Replanning after every step follows the first predicted point, which is anchored on the arm and not on the object:
  carry out more steps, average overlapping chunks in 3D (`ensemble_decay`), or train on demonstrations that start in
  perturbed states (`ee_start`).
"""

from __future__ import annotations

from dataclasses import replace

from para.experiments.experiment import Execution, Experiment, SceneSet, TrainingSet
from para.experiments.halves import half_scenes
from para.experiments.recipes import PARA, executed
from para.experiments.scale import Scale
from para.rollout import RolloutConfig
from para.worlds.scenes import Workspace

LOOKS = executed("+execute4", ("+execute1", "+ensemble"))
GATED = {"+gate": Execution(RolloutConfig(execute_steps=4, gripper_gate_m=0.015))}


def repair_scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Those of left to right, and its demonstrations once more without rests while the gripper moves (`no_dwell`)."""
    scenes = half_scenes("left", "right", workspace, scale, validation)
    hasty = TrainingSet(scenes.train["demonstrations"].scenes, {"dwell_frames": 1})
    return scenes._replace(train=dict(scenes.train) | {"no_dwell": hasty})


REPAIRS = Experiment(
    name="repairs",
    title="Gripper timing and replanning: the failures, and what repairs them",
    question="What does each repair do to success, in distribution and on the half that training left out?",
    axis="control",
    scenes=repair_scenes,
    recipes=(
        replace(
            PARA,
            executions=LOOKS,
            why="all repairs: dwell in the demonstrations, random starts, four steps per prediction",
        ),
        replace(
            PARA, name="para+home_starts", executions=LOOKS, data="home", why="no demonstrations from perturbed states"
        ),
        replace(
            PARA, name="para+no_dwell", executions=LOOKS | GATED, data="no_dwell",
            why="demonstrations in which the arm does not rest while the gripper moves",
        ),
    ),
    comparisons=(
        ("para", "para+execute1", "test"),
        ("para", "para+no_dwell", "train"),
        ("para", "para+home_starts", "test"),
        ("para+execute1", "para+home_starts+execute1", "test"),
        ("para+home_starts+ensemble", "para+home_starts+execute1", "test"),
        ("para+no_dwell+gate", "para+no_dwell", "train"),
    ),
    headline=("para", "para+home_starts", "para+no_dwell"),
)  # fmt: skip
