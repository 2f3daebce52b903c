"""The arm of the `tabletop` world: its proportions, its inverse kinematics in closed form, and where it may go.

Seven joints as on a Franka: base yaw, shoulder pitch, upper-arm roll, elbow pitch, forearm roll, wrist pitch, flange
roll. The tool points down with a fixed yaw, and the two rolls stay at 0, which keeps the elbow above the line from
shoulder to wrist: the remaining joints then follow in closed form. Numpy only.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

BASE_XY = (-0.55, 0.0)
"""Of the arm's vertical first axis, world frame, metres; it stands on the table."""

SHOULDER_HEIGHT = 0.36
UPPER_ARM = 0.43
FOREARM = 0.43
WRIST_OFFSET = 0.08
"""Horizontal distance from the wrist-pitch axis to the tool's axis, outwards, metres."""
TOOL_LENGTH = 0.21
"""Vertical distance from the wrist-pitch axis down to the point between the fingertips, metres."""

FINGER_TRAVEL = 0.04
"""Of each finger, metres: the gripper opens to 8 cm."""
PAD_HALF_HEIGHT = 0.011
"""The fingertips end this far below the point between them, metres."""

BOX_LOW = (-0.32, -0.52, 0.015)
BOX_HIGH = (0.32, 0.52, 0.42)
"""The end effector is kept within this box, world frame, metres: the fingertips stay 4 mm above the table."""

FULL_STRETCH = 0.998
"""The elbow never straightens beyond this share of the arm's length: a straight arm is singular."""

HOME = (-0.10, 0.0, 0.22)
"""Where the end effector starts by default, world frame, metres."""


class Habits(NamedTuple):
    """How an arm goes about the task; all in metres."""

    home: tuple[float, float, float] = HOME
    """Where the end effector starts by default, world frame."""

    hover_height: float = 0.15
    """Of the end effector above the table before it descends."""

    carry_height: float = 0.11
    """Of the bowl's foot above the table while it is carried."""

    retreat_height: float = 0.17
    """Of the end effector at the end."""

    max_step: float = 0.045
    """Of the end effector per stored frame: 0.3 m/s for 0.15 s."""


HABITS = Habits()
"""Of the seven-joint arm."""


class Proportions(NamedTuple):
    """Of an arm whose tool points down, metres: see the constants of these names."""

    base_xy: tuple[float, float]
    shoulder_height: float
    upper_arm: float
    forearm: float
    wrist_offset: float
    tool_length: float


SEVEN_JOINTS = Proportions(BASE_XY, SHOULDER_HEIGHT, UPPER_ARM, FOREARM, WRIST_OFFSET, TOOL_LENGTH)


def clamp_to_reach(p_world: np.ndarray, of: Proportions = SEVEN_JOINTS) -> np.ndarray:
    """The nearest point that the arm may go to: into the safe box, then along the horizontal towards the base until the
    arm reaches it. (3,) -> (3,) metres.
    """
    x, y, z = np.clip(p_world, BOX_LOW, BOX_HIGH)
    drop = z + of.tool_length - of.shoulder_height
    reach = of.wrist_offset + math.sqrt((FULL_STRETCH * (of.upper_arm + of.forearm)) ** 2 - drop**2)
    dx, dy = x - of.base_xy[0], y - of.base_xy[1]
    scale = min(1.0, reach / math.hypot(dx, dy))
    return np.array([of.base_xy[0] + scale * dx, of.base_xy[1] + scale * dy, z])


def joint_angles(p_world: np.ndarray) -> np.ndarray:
    """The seven joint angles that put the end effector at points, tool down, fingers opening along world y.

    Closed form, so equal points give equal joints whatever came before (an iterative solver drifts in its null space).

    Args:
        p_world: (N, 3) points that `clamp_to_reach` leaves alone, metres.

    Returns:
        (N, 7) radians.
    """
    yaw, shoulder, elbow, wrist = bending_angles(p_world, SEVEN_JOINTS)
    zero = np.zeros_like(yaw)
    return np.stack([yaw, shoulder, zero, elbow, zero, wrist, yaw], axis=-1)


def bending_angles(p_world: np.ndarray, of: Proportions) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Base yaw, and shoulder, elbow and wrist pitch, of an arm of such proportions; (N,) radians each."""
    dx, dy = p_world[:, 0] - of.base_xy[0], p_world[:, 1] - of.base_xy[1]
    yaw = np.arctan2(dy, dx)
    rho = np.hypot(dx, dy) - of.wrist_offset  # (N,) the wrist's horizontal distance from the shoulder
    zeta = p_world[:, 2] + of.tool_length - of.shoulder_height  # (N,) its height above the shoulder
    cosine = (rho**2 + zeta**2 - of.upper_arm**2 - of.forearm**2) / (2 * of.upper_arm * of.forearm)
    elbow = np.arccos(np.clip(cosine, -1.0, 1.0))
    lead = np.arctan2(of.forearm * np.sin(elbow), of.upper_arm + of.forearm * np.cos(elbow))
    shoulder = np.arctan2(rho, zeta) - lead  # from the vertical, forwards
    return yaw, shoulder, elbow, np.pi - shoulder - elbow
