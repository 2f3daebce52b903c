"""The arms of the `tabletop` world. To add one: a module with its kinematics and MJCF, and a line in `ARMS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from para.worlds import arm, arm_model, printed_arm
from para.worlds.arm_model import Drive


class Arm(NamedTuple):
    """An arm whose tool points down, with two fingers that open along world y (`arm_model.FINGER_JOINTS`)."""

    proportions: arm.Proportions

    joints: tuple[str, ...]
    """Names, from the base on."""

    joint_angles: Callable[[np.ndarray], np.ndarray]
    """Inverse kinematics in closed form: (N, 3) reachable points, metres -> (N, J) radians."""

    body: Callable[[Drive], str]
    """Its <body>, named "base", with a site `arm_model.EE_SITE` between the fingertips."""

    materials: str = ""
    """Children of <asset> that its body uses and the room does not have."""

    habits: arm.Habits = arm.HABITS
    """Where it starts, how high it goes and how fast."""

    def clamp_to_reach(self, p_world: np.ndarray) -> np.ndarray:
        """The nearest point that it may go to. (3,) -> (3,) metres."""
        return arm.clamp_to_reach(p_world, self.proportions)


ARMS: dict[str, Arm] = {
    "seven_joint": Arm(arm.SEVEN_JOINTS, arm_model.ARM_JOINTS, arm.joint_angles, arm_model.arm_body),
    "printed": Arm(
        printed_arm.PROPORTIONS,
        printed_arm.JOINTS,
        printed_arm.joint_angles,
        printed_arm.arm_body,
        printed_arm.MATERIALS,
        printed_arm.HABITS,
    ),
}
"""`seven_joint`: white, as a Franka. `printed`: five joints, blue printed parts and black servos, as an SO-100; it
starts elsewhere, goes higher and more slowly."""
