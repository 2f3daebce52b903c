"""Gripper timing and replanning, PARA's known failures (paper sec. 4.2, "failure modes"): before and after the repairs.

Each failure is provoked by leaving out what is meant to repair it, and each repair is a plain option of recording or of
rollout. Whether they are failures here, and whether the repairs work, is what the records say (docs/method.md):

- The gripper may act early where demonstrations do not rest while it moves (`dwell_frames`): rest, or carry out a
  change of the gripper only near the place at which it was predicted (`RolloutConfig.gripper_gate_m`).
- Looking again after every step follows the first predicted point, which is anchored on the arm and not on the object:
  carry out more steps, average overlapping chunks in 3D (`ensemble_decay`), or train on demonstrations that start in
  perturbed states (`ee_start`).
"""

from __future__ import annotations

from functools import partial

from para.experiments.experiment import Experiment, Recipe
from para.experiments.halves import half_scenes
from para.experiments.recipes import para
from para.rollout import RolloutConfig

LOOKS = {
    "": RolloutConfig(execute_steps=4),
    "+execute1": RolloutConfig(execute_steps=1),
    "+ensemble": RolloutConfig(execute_steps=1, ensemble_decay=0.1),
}

REPAIRS = Experiment(
    name="repairs",
    title="Gripper timing and replanning: the failures, and what repairs them",
    question="What does each repair do to success, in distribution and on the half that training left out?",
    scenes=partial(half_scenes, "left", "right"),
    data={"demonstrations": {}, "demonstrations_no_dwell": {"dwell_frames": 1}},
    recipes=(
        Recipe("para", para, LOOKS, why="all repairs: dwell in the demonstrations, random starts, four steps per look"),
        Recipe("para+home_starts", para, LOOKS, home_starts_only=True, why="no demonstrations from perturbed states"),
        Recipe(
            "para+no_dwell", para, LOOKS | {"+gate": RolloutConfig(execute_steps=4, gripper_gate_m=0.015)},
            data="demonstrations_no_dwell", why="demonstrations in which the arm does not rest while the gripper moves",
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
)  # fmt: skip
