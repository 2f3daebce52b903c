"""Pictures of imported tracks, for people: whether the point stands on the end effector is seen at a glance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from para.datasets.lerobot_v3_layout import TRACK_PICTURES
from para.datasets.partial_supervision import INFO_KEY
from para.files import write_atomic
from para.geometry import project
from para.interfaces import Episode

SIDE_PX = 256
"""Images are enlarged by a whole factor up to this side."""

PATH, RING = (255, 255, 255), (255, 0, 255)
"""RGB, each drawn upon a black line, so that it is seen on any ground."""


def write_track_picture(root: str | Path, episode: Episode) -> Path:
    """Write `track_picture` of an episode that `import_tracks` made into its dataset's folder; returns where."""
    import cv2

    path = Path(root) / TRACK_PICTURES / f"{episode.info['video']}.png"
    write_atomic(path, cv2.imencode(".png", track_picture(episode)[..., ::-1])[1].tobytes())
    return path


def track_picture(episode: Episode) -> np.ndarray:
    """An episode's first, middle and last frame in which its point is seen, with its path, and a ring where it is then.

    Returns:
        (h, 3 w, 3) uint8 RGB, of images of h x w pixels after enlarging.
    """
    import cv2

    uv = project(torch.from_numpy(episode.ee_position), episode.camera)[0].numpy()
    # what is told of a frame's action is told of the next frame's point; an episode begins where its point is seen
    seen = np.flatnonzero([True, *(digit == "1" for digit in episode.info[INFO_KEY]["pixel"][:-1])])
    H, W = episode.image.shape[1:3]
    scale = max(1, SIDE_PX // max(H, W))
    path = ((uv + 0.5) * scale - 0.5).round().astype(np.int32)
    pictures = []
    for k in (seen[0], seen[len(seen) // 2], seen[-1]):
        image = cv2.resize(episode.image[k], (W * scale, H * scale), interpolation=cv2.INTER_CUBIC)
        at = tuple(path[k].tolist())
        for colour, thickness in (((0, 0, 0), 3), (PATH, 1)):
            cv2.polylines(image, [path[:, None]], False, colour, thickness, cv2.LINE_AA)
        for colour, thickness in (((0, 0, 0), 4), (RING, 2)):
            cv2.circle(image, at, 9, colour, thickness, cv2.LINE_AA)
        pictures.append(image)
    return np.concatenate(pictures, axis=1)
