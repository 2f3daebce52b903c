"""Whether the numbers of demonstrations can be what they are read as: finite, in their units, seen by the camera."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from para.datasets.lerobot_v3_layout import DatasetError

if TYPE_CHECKING:
    from para.datasets.demonstrations import Demonstrations

GRIPPER_SLACK = 0.05
"""Openings may leave 0 to 1 by this, as those of a real gripper's encoder do."""

FAR_M = 0.1
"""An end effector that is nearer than this to where it was told to be follows positions, not increments."""


def refuse_implausible(root: Path, demonstrations: Demonstrations) -> None:
    """Raise DatasetError where a dataset's numbers cannot be meant as they are read; it says what to do."""
    _check_numbers(root, demonstrations)
    _check_units(root, demonstrations)
    _check_visible(root, demonstrations)


def _check_numbers(root: Path, demonstrations: Demonstrations) -> None:
    numbers = {
        "the end effector's position": demonstrations.ee_position,
        "the gripper": demonstrations.gripper,
        "the action": demonstrations.action_position,
        "the action's gripper": demonstrations.action_gripper,
        "the camera's K": demonstrations.K,
        "the camera's pose": demonstrations.T_world_cam,
    }
    for what, values in numbers.items():
        bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
        if bad.any():
            episodes = np.unique(demonstrations.episode_index[bad])
            raise DatasetError(
                f"{root}: {what} is not finite in {bad.sum()} of {len(bad)} frames (episodes "
                f"{', '.join(map(str, episodes[:5]))}{', ...' if len(episodes) > 5 else ''}); "
                "record those episodes again, or mend their geometry"
            )


def _check_units(root: Path, demonstrations: Demonstrations) -> None:
    """Raise DatasetError for the commonest misunderstandings: a gripper in other units, actions that are increments."""
    for what, opening in (("gripper", demonstrations.gripper), ("action's gripper", demonstrations.action_gripper)):
        low, high = float(opening.min()), float(opening.max())
        if low < -GRIPPER_SLACK or high > 1 + GRIPPER_SLACK:
            raise DatasetError(
                f"{root}: the {what} goes from {low:g} to {high:g}; needed are openings, 0 closed to 1 open: scale them"
            )
    followed = np.flatnonzero(np.diff(demonstrations.episode_index) == 0)  # frames with a next one
    if not followed.size:
        return
    ee, action = demonstrations.ee_position, demonstrations.action_position
    step = np.median(np.linalg.norm(ee[followed + 1] - ee[followed], axis=1))
    off = np.median(np.linalg.norm(action[followed] - ee[followed + 1], axis=1))
    if off > max(FAR_M, 5 * step):
        raise DatasetError(
            f"{root}: actions are {100 * off:.0f} cm from where the end effector is one frame later (median), and it "
            f"moves by {100 * step:.1f} cm a frame: they look like increments; needed are positions in the world "
            "frame, metres (docs/data.md)"
        )


def _check_visible(root: Path, demonstrations: Demonstrations) -> None:
    if not demonstrations.in_image_share().any():
        raise DatasetError(
            f"{root}: the camera never sees the end effector (0 of {len(demonstrations)} frames project into the "
            f"{demonstrations.image_size} image); p_world = T_world_cam @ p_cam must hold, in metres: check "
            "that T_world_cam is not inverted, and K"
        )
