"""Whether the numbers of demonstrations can be what they are read as: finite, in their units, seen by a camera."""

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

MIN_FOCAL_SHARE = 0.1
"""Of the image's side: with a shorter focal length a pinhole would see more than 157 degrees."""

MAX_DISTANCE_M = 30.0
"""Between a camera and the end effector that it films; where it is more, lengths are in other units."""

MAX_SHEAR = 2e-3
"""How far R R^T may be from the identity: what a rotation written with three decimals has."""


def refuse_implausible(root: Path, demonstrations: Demonstrations) -> None:
    """Raise DatasetError where a dataset's numbers cannot be meant as they are read; it says what to do."""
    _check_numbers(root, demonstrations)
    _check_cameras(root, demonstrations)
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
            raise DatasetError(
                f"{root}: {what} is not finite {_where(demonstrations, bad)}; record those episodes again, or mend "
                "their geometry"
            )


def _where(demonstrations: Demonstrations, bad: np.ndarray) -> str:
    episodes = np.unique(demonstrations.episode_index[bad])
    some = f"{', '.join(map(str, episodes[:5]))}{', ...' if len(episodes) > 5 else ''}"
    return f"in {bad.sum()} of {len(bad)} frames (episodes {some})"


def _check_cameras(root: Path, demonstrations: Demonstrations) -> None:
    d = demonstrations
    wrong = wrong_camera(d.K, d.T_world_cam, d.ee_position, d.image_size)
    if wrong is not None:
        what, bad = wrong
        raise DatasetError(f"{root}, {_where(d, bad)}: {what}")


def wrong_camera(
    K: np.ndarray, T_world_cam: np.ndarray, ee_position: np.ndarray, image_size: tuple[int, int]
) -> tuple[str, np.ndarray] | None:
    """What a camera as it was read cannot be: no pinhole, no rotation, lengths that are not metres.

    Args:
        K: (N, 3, 3) pixels, finite.
        T_world_cam: (N, 4, 4) metres, finite.
        ee_position: (N, 3) world frame, metres.
        image_size: (H, W), pixels.

    Returns:
        What was found, what is needed and what to do, of the first kind of fault; and (N,) bool, the frames that have
        it. None where nothing is wrong.
    """
    H, W = image_size
    R = T_world_cam[:, :3, :3]
    below = np.abs(np.concatenate([K[:, 1, :1], K[:, 2] - [0, 0, 1]], axis=1)).max(axis=1)  # (N,) of the diagonal
    focal = K[:, [0, 1], [0, 1]]  # (N, 2)
    short = (focal < MIN_FOCAL_SHARE * np.array([W, H])).any(axis=1)  # (N,)
    last = T_world_cam[:, 3]
    apart = np.abs(last - [0, 0, 0, 1]).max(axis=1)  # (N,)
    shear = np.abs(R @ R.swapaxes(1, 2) - np.eye(3)).max(axis=(1, 2))  # (N,)
    distance = np.linalg.norm(ee_position - T_world_cam[:, :3, 3], axis=1)  # (N,)
    faults = {
        f"K is {K[below.argmax()].round(3).tolist()}; it must be fx, s, cx; 0, fy, cy; 0, 0, 1, row by row: transpose "
        "it, or divide by its last entry": below > 1e-3,
        f"K has focal lengths down to {focal.min():g}; pixels of the {H} x {W} (H x W) image are needed, at least "
        f"{MIN_FOCAL_SHARE:g} of its sides: divide lengths by the size of a pixel": short,
        f"T_world_cam ends in the row {last[apart.argmax()].tolist()}; 0, 0, 0, 1 is needed: transpose it": apart
        > 1e-4,
        f"T_world_cam has no rotation R, R R^T is up to {shear.max():.2g} off the identity; the camera's axes are "
        "needed as columns, of length 1 and at right angles: take the scale out, or calibrate again": shear > MAX_SHEAR,
        "T_world_cam is left-handed; OpenCV's camera axes are needed, x right, y down, z forward: turn the sign of the "
        "column of the axis that points the other way": np.linalg.det(R) < 0,
        f"the camera is up to {distance.max():.0f} m from the end effector; poses are needed in metres, and "
        f"{MAX_DISTANCE_M:g} m at most: divide millimetres by 1000": distance > MAX_DISTANCE_M,
    }
    return next(((what, bad) for what, bad in faults.items() if bad.any()), None)


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
