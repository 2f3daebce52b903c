"""The Franka Panda of the LIBERO world: its inverse kinematics in closed form, and where it may go. Numpy only.

The tool points straight down with a fixed yaw, and the two rolls (joints 3 and 5) stay at 0, as in LIBERO's own start:
the remaining joints then follow in closed form, the same for equal points whatever came before. LIBERO's start tilts
the hand by 3 degrees; here it is vertical.
"""

from __future__ import annotations

import math

import numpy as np

BASE_XY = (-0.66, 0.0)
"""Of the arm's vertical first axis, world frame, metres: LIBERO's mount."""

SHOULDER_HEIGHT = 0.345
"""Of the second axis above the table: the mount's 12 mm and the Panda's 333 mm, metres."""

UPPER_ARM = (0.0825, 0.316)
"""From shoulder to elbow axis, (outwards, upwards) where joint 2 is 0, metres."""
FOREARM = (-0.0825, 0.384)
"""From elbow to wrist axis where the forearm points up, metres."""
WRIST_OFFSET = 0.088
"""Horizontal distance from the wrist-pitch axis to the tool's axis, outwards, metres."""
TOOL_LENGTH = 0.2035
"""Vertical distance from the wrist-pitch axis down to robosuite's grip site, metres."""

UPPER_LENGTH, FORE_LENGTH = math.hypot(*UPPER_ARM), math.hypot(*FOREARM)
UPPER_LEAN, FORE_LEAN = math.atan2(*UPPER_ARM), math.atan2(*FOREARM)

SHORTEST, LONGEST = 0.210, 0.998 * (UPPER_LENGTH + FORE_LENGTH)
"""Between shoulder and wrist, metres: the elbow's stop (3.07 rad) is at 0.201; straight, the arm is singular."""

FINGER_TRAVEL = 0.04
"""Of each finger, metres: the gripper opens to 8 cm."""

BOX_LOW = (-0.42, -0.42, 0.015)
BOX_HIGH = (0.14, 0.42, 0.45)
"""The end effector is kept within this box, world frame, metres: the fingertips stay off the table."""

HOME = (-0.2085, 0.0, 0.2733)
"""LIBERO's own start of the end effector, world frame, metres."""


def clamp_to_reach(p_world: np.ndarray) -> np.ndarray:
    """The nearest points that the arm may go to: into the safe box, then along the horizontal towards or away from the
    base until the arm reaches them. (..., 3) -> (..., 3) metres.
    """
    boxed = np.clip(p_world, BOX_LOW, BOX_HIGH)
    drop = boxed[..., 2] + TOOL_LENGTH - SHOULDER_HEIGHT
    nearest = WRIST_OFFSET + np.sqrt(np.maximum(0.0, SHORTEST**2 - drop**2))
    farthest = WRIST_OFFSET + np.sqrt(LONGEST**2 - drop**2)
    way = boxed[..., :2] - BASE_XY
    distance = np.linalg.norm(way, axis=-1)
    scale = np.clip(distance, nearest, farthest) / distance
    return np.concatenate([BASE_XY + scale[..., None] * way, boxed[..., 2:]], axis=-1)


def joint_angles(p_world: np.ndarray) -> np.ndarray:
    """The seven joint angles that put the end effector at points, tool down, fingers opening along world y.

    Args:
        p_world: (N, 3) points that `clamp_to_reach` leaves alone, metres.

    Returns:
        (N, 7) radians.
    """
    dx, dy = p_world[:, 0] - BASE_XY[0], p_world[:, 1] - BASE_XY[1]
    yaw = np.arctan2(dy, dx)
    rho = np.hypot(dx, dy) - WRIST_OFFSET  # (N,) the wrist's horizontal distance from the shoulder
    zeta = p_world[:, 2] + TOOL_LENGTH - SHOULDER_HEIGHT  # (N,) its height above the shoulder
    cosine = (rho**2 + zeta**2 - UPPER_LENGTH**2 - FORE_LENGTH**2) / (2 * UPPER_LENGTH * FORE_LENGTH)
    bend = np.arccos(np.clip(cosine, -1.0, 1.0))
    lead = np.arctan2(FORE_LENGTH * np.sin(bend), UPPER_LENGTH + FORE_LENGTH * np.cos(bend))
    shoulder = np.arctan2(rho, zeta) - lead - UPPER_LEAN
    elbow = FORE_LEAN - UPPER_LEAN - bend
    zero = np.zeros_like(yaw)
    return np.stack([yaw, shoulder, zero, elbow, zero, shoulder - elbow, yaw + math.pi / 4], axis=-1)
