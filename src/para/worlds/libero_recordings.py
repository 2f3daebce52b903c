"""What others recorded of LIBERO, in this project's terms: the end effector in our frame, openings, steps of 0.15 s.

LIBERO's numbers: positions in its own frame (table top at z = 0.90), joint positions of the two fingers in metres, and
actions of robosuite's OSC_POSE, of which the last entry closes or opens the gripper. What an action asks for is rarely
where the arm gets to within a step, so the target of a step is where the end effector is one stored frame later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from para.geometry import Camera
from para.interfaces import Episode, Outcome, Scene
from para.worlds.libero_arm import FINGER_TRAVEL
from para.worlds.libero_servo import TABLE_HEIGHT
from para.worlds.mujoco_camera import FLIP_YZ, intrinsics_from_fovy

AGENTVIEW_POSITION = (0.6586131746834771, 0.0, 1.6103500240372423)
AGENTVIEW_QUAT = (0.6380177736282349, 0.3048497438430786, 0.30484986305236816, 0.6380177736282349)
"""Of the camera in LIBERO's table scenes, libero_spatial's among them: metres in LIBERO's frame, (w, x, y, z)."""

AGENTVIEW_FOVY_DEG = 45.0

STRIDE = 3
"""Control steps of 0.05 s from one stored frame to the next, as where this project records. LIBERO's files hold every
control step, whatever frame rate a converted one declares."""

SPATIAL_TASK = re.compile(r"pick.*black.bowl.*place.it.on.the.plate", re.IGNORECASE)
"""A task of libero_spatial, in words or as a file's name: no other suite has one like it."""

MIN_AGREEMENT = 0.3
"""Correlation that tells whether a gripper command of 1 opens or closes."""


@dataclass(frozen=True)
class Recording:
    """One demonstration at every control step, or at those that are kept: N of them."""

    frames: np.ndarray
    """(N, H, W, 3) uint8, as stored: not necessarily upright."""

    ee_position: np.ndarray
    """(N, 3) where the end effector was when the frame was taken, world frame, metres."""

    gripper: np.ndarray
    """(N,) measured opening then, 0 closed to 1 open."""

    command: np.ndarray
    """(N,) commanded opening of the control step after it."""

    task: str
    """In words."""


def agentview(image_size: tuple[int, int]) -> Camera:
    """LIBERO's agentview of upright frames at a size, in our world frame. K (3, 3), T_world_cam (4, 4)."""
    w, x, y, z = np.array(AGENTVIEW_QUAT) / np.linalg.norm(AGENTVIEW_QUAT)
    T = np.eye(4)
    R = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    T[:3, :3] = np.array(R) @ FLIP_YZ
    T[:3, 3] = np.array(AGENTVIEW_POSITION) - [0.0, 0.0, TABLE_HEIGHT]
    K = intrinsics_from_fovy(AGENTVIEW_FOVY_DEG, image_size)
    return Camera(torch.from_numpy(K).float(), torch.from_numpy(T).float(), image_size)


def is_spatial(task: str) -> bool:
    """Whether a task, in words or as a name with underscores, is one of libero_spatial."""
    return SPATIAL_TASK.search(task) is not None


def in_our_frame(p_libero: np.ndarray) -> np.ndarray:
    """Points in LIBERO's frame in ours. (..., 3) -> (..., 3) metres."""
    return np.asarray(p_libero, dtype=np.float64) - [0.0, 0.0, TABLE_HEIGHT]


def opening(finger_joints: np.ndarray) -> np.ndarray:
    """Measured opening from the positions of the two finger joints, metres. (..., 2) -> (...), 0 closed to 1 open."""
    return np.clip(np.abs(np.asarray(finger_joints)).mean(axis=-1) / FINGER_TRAVEL, 0.0, 1.0)


def from_state_and_action(
    frames: np.ndarray, state: np.ndarray, action: np.ndarray, task: str, whose: str
) -> Recording:
    """A recording from the numbers that datasets converted from LIBERO keep.

    Args:
        frames: (N, H, W, 3) uint8, as stored.
        state: (N, 8) position, rotation vector and the two finger joints.
        action: (N, 7); its last entry opens or closes the gripper, in a convention that differs between datasets and is
            told from what the fingers did.
        task: in words.
        whose: names the episode in messages.

    Raises:
        ValueError: for other shapes, positions that are not LIBERO's, or a gripper that nothing explains.
    """
    if state.shape[1:] != (8,) or action.shape[1:] != (7,):
        raise ValueError(
            f"{whose} has states {state.shape} and actions {action.shape}; LIBERO's are (N, 8), position, rotation "
            "vector and two fingers, and (N, 7)"
        )
    ee_position = in_our_frame(state[:, :3])
    if ee_position[:, 2].min() < -0.1 or np.abs(ee_position).max() > 1.5:
        raise ValueError(
            f"{whose} has the end effector at {state[:, :3].min(axis=0)} to {state[:, :3].max(axis=0)}; over LIBERO's "
            f"table z is above {TABLE_HEIGHT}: is it of another scene, or normalised?"
        )
    gripper = opening(state[:, 6:8])
    return Recording(frames, ee_position, gripper, _commanded(action[:, 6], gripper, whose), task)


def _commanded(entry: np.ndarray, gripper: np.ndarray, whose: str) -> np.ndarray:
    """(N,) commanded opening, 0 or 1, from a gripper entry of which the sign and the range are not known.

    The fingers follow the command within a few control steps; so the entry that goes with an open gripper opens.
    """
    low, high = entry.min(), entry.max()
    later = np.concatenate([gripper[STRIDE:], np.repeat(gripper[-1:], STRIDE)])[: len(gripper)]
    if high - low < 1e-3 or later.std() < 1e-3:
        raise ValueError(
            f"{whose} never moves its gripper (entry 6 of the actions is {low} to {high}): no demonstration"
        )
    agreement = float(np.corrcoef(entry, later)[0, 1])
    if abs(agreement) < MIN_AGREEMENT:
        raise ValueError(
            f"{whose}: the fingers do not follow entry 6 of the actions (correlation {agreement:.2f}), so nothing "
            "says when they were told to close"
        )
    share = (entry - low) / (high - low)
    return (share > 0.5 if agreement > 0 else share < 0.5).astype(np.float64)


def kept_steps(n: int) -> np.ndarray:
    """Which of n control steps are kept: every third, and last where the last of these leads. (M,) ascending.

    Raises:
        ValueError: for fewer control steps than a step takes.
    """
    if n <= STRIDE:
        raise ValueError(f"a demonstration of {n} control steps has no step of {STRIDE}; drop it")
    return np.append(np.arange(0, n - 1, STRIDE), n - 1)


def commands_between(command: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(M,) what the gripper was last told on the way from each kept control step to the next one."""
    return command[np.append(np.maximum(at[1:] - 1, at[:-1]), at[-1])]


def thinned(recording: Recording) -> Recording:
    """The control steps that are kept. Raises ValueError where there are too few."""
    at = kept_steps(len(recording.frames))
    return Recording(
        recording.frames[at],
        recording.ee_position[at],
        recording.gripper[at],
        commands_between(recording.command, at),
        recording.task,
    )


def to_episode(recording: Recording, camera: Camera, scene: Scene, outcome: Outcome, info: dict[str, Any]) -> Episode:
    """A demonstration of this project: each frame with where the end effector is at the next one.

    Args:
        recording: thinned, with upright frames, M of them; the episode has M - 1.
        camera: that took them, not batched.
        scene: what is known of the initial condition.
    """
    n = len(recording.frames) - 1
    return Episode(
        scene=scene,
        image=np.ascontiguousarray(recording.frames[:n]),
        camera=Camera(camera.K.repeat(n, 1, 1), camera.T_world_cam.repeat(n, 1, 1), camera.image_size),
        ee_position=recording.ee_position[:n].astype(np.float32),
        gripper=recording.gripper[:n].astype(np.float32),
        action_position=recording.ee_position[1:].astype(np.float32),
        action_gripper=recording.command[:n].astype(np.float32),
        phase=np.full(n, -1, dtype=np.int64),
        outcome=outcome,
        info=info,
    )
