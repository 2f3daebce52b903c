"""Which way up frames are stored, told from their content: what moves must be where the end effector projects to.

robosuite draws upside down. Datasets of LIBERO keep that, or turn the picture by 180 degrees, which mirrors it left to
right: harmless for a policy that pools the image, fatal for one that predicts pixels.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np
import torch

from para.datasets.lerobot_v3_layout import DatasetError
from para.geometry import Camera, project

logger = logging.getLogger(__name__)

ORIENTATIONS: dict[str, tuple[int, int]] = {
    "upright": (1, 1),
    "upside_down": (-1, 1),
    "mirrored": (1, -1),
    "rotated": (-1, -1),
}
"""What was done to upright frames -> steps along rows and columns that do it; doing it again undoes it. LIBERO's own
files are upside_down, as robosuite draws; those of OpenVLA, openpi and LeRobot are rotated by 180 degrees."""

DISC = 0.06
"""Radius of the disc about the end effector in which change is looked for, as a share of the image's shorter side."""

MIN_MOTION = 0.15
"""Two frames tell something if the end effector has moved farther than this between them, in the same unit."""

PAIRS_PER_EPISODE = 40
"""Pairs of frames that are compared of each episode."""

ENOUGH_EPISODES = 12
"""From so many episodes it is told which way up a dataset's frames are."""

MIN_PAIRS = 20
"""With fewer pairs in all, nothing is concluded."""

MARGIN = 1.2
"""How many times the best orientation's score must exceed the next one's. LIBERO's own episodes: 1.3 to 2 each."""


def undo(frames: np.ndarray, orientation: str) -> np.ndarray:
    """Upright frames from frames in some orientation. (N, H, W, 3) -> (N, H, W, 3).

    Raises:
        ValueError: for an unknown orientation.
    """
    if orientation not in ORIENTATIONS:
        raise ValueError(f"no orientation '{orientation}' (known: {', '.join(ORIENTATIONS)})")
    rows, columns = ORIENTATIONS[orientation]
    return np.ascontiguousarray(frames[:, ::rows, ::columns])


def orientation_scores(frames: np.ndarray, ee_position: np.ndarray, camera: Camera) -> tuple[np.ndarray, int]:
    """How well each orientation fits an episode.

    Between two frames, the image changes most where the end effector was and where it is. The score is the change
    within a disc about these two pixels, relative to the change of the whole image, on average over pairs of frames.

    Args:
        frames: (N, H, W, 3) uint8, as stored.
        ee_position: (N, 3) at each frame, world frame, metres.
        camera: of upright frames, not batched.

    Returns:
        (4,) scores in the order of `ORIENTATIONS`, 0 where nothing was compared, and how many pairs were.
    """
    H, W = camera.image_size
    side = min(H, W)
    uv, depth = project(torch.from_numpy(np.asarray(ee_position)).double(), _double(camera))
    uv = uv.numpy()
    seen = (uv >= 0).all(axis=1) & (uv <= (W - 1, H - 1)).all(axis=1) & (depth.numpy() > 0)
    first, second = np.triu_indices(len(frames), 1)
    far = np.linalg.norm(uv[first] - uv[second], axis=1) > MIN_MOTION * side
    usable = np.flatnonzero(far & seen[first] & seen[second])
    chosen = usable[np.linspace(0, len(usable) - 1, min(PAIRS_PER_EPISODE, len(usable))).astype(int)]
    v, u = np.mgrid[:H, :W]
    scores = np.zeros(len(ORIENTATIONS))
    for a, b in zip(first[chosen], second[chosen]):
        change = np.abs(frames[a].mean(axis=-1, dtype=np.float32) - frames[b].mean(axis=-1, dtype=np.float32))
        discs = [(u - uv[k, 0]) ** 2 + (v - uv[k, 1]) ** 2 <= (DISC * side) ** 2 for k in (a, b)]
        for i, (rows, columns) in enumerate(ORIENTATIONS.values()):
            turned = change[::rows, ::columns]
            scores[i] += sum(turned[disc].mean() for disc in discs) / 2 / max(float(change.mean()), 1e-6)
    return scores / max(len(chosen), 1), len(chosen)


def find_orientation(episodes: Iterable[tuple[np.ndarray, np.ndarray, Camera]]) -> str:
    """The orientation of a dataset's frames.

    Args:
        episodes: frames (N, H, W, 3) uint8, end-effector positions (N, 3), and the camera of upright frames, unbatched,
            of some episodes; more than `ENOUGH_EPISODES` add nothing.

    Returns:
        A name of `ORIENTATIONS`.

    Raises:
        DatasetError: where it cannot be told: too little motion, or two orientations fit alike (as where the camera is
            not the one that took the frames, or the arm keeps to the middle of the image).
    """
    total, n_pairs = np.zeros(len(ORIENTATIONS)), 0
    for frames, ee_position, camera in episodes:
        scores, n = orientation_scores(frames, ee_position, camera)
        total, n_pairs = total + n * scores, n_pairs + n
    scores = total / max(n_pairs, 1)
    order = np.argsort(-scores)
    names = list(ORIENTATIONS)
    said = ", ".join(f"{names[i]} {scores[i]:.2f}" for i in order)
    if n_pairs < MIN_PAIRS or scores[order[0]] < MARGIN * max(scores[order[1]], 1.0):
        raise DatasetError(
            f"cannot tell which way up the frames are (fit over {n_pairs} pairs of frames: {said}; needed: {MIN_PAIRS} "
            f"pairs and a factor of {MARGIN}); check the camera, or say it: --orientation {' | '.join(ORIENTATIONS)}"
        )
    logger.info("the frames are %s (fit over %d pairs of frames: %s)", names[order[0]], n_pairs, said)
    return names[order[0]]


def _double(camera: Camera) -> Camera:
    return Camera(camera.K.double(), camera.T_world_cam.double(), camera.image_size)
