"""meta/para_cameras.json: the cameras of a dataset, for people; the columns of meta/episodes are what is read."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np

from para.datasets.lerobot_v3_layout import EPISODE_K, EPISODE_T

CONVENTIONS = (
    "p_world = T_world_cam @ p_cam, metres; OpenCV camera axes (x right, y down, z forward); integer pixel "
    "coordinates are pixel centres; world z = 0 is the table top"
)


def cameras_document(rows: list[dict[str, Any]], camera: str, image_size: tuple[int, int]) -> dict[str, Any]:
    """Each distinct camera of some episodes, and the episodes that it saw.

    Args:
        rows: of meta/episodes.
        camera: name of the camera.
        image_size: (H, W), pixels.

    Returns:
        JSON-ready values; `checksum` is the SHA-256 of `cameras` as compact JSON.
    """
    distinct: dict[str, dict[str, Any]] = {}
    for row in rows:
        K, T_world_cam = row[EPISODE_K.format(camera=camera)], row.get(EPISODE_T.format(camera=camera))
        entry = {
            "name": camera,
            "model": "pinhole",
            "image_size": list(image_size),
            "K": np.reshape(K, (3, 3)).tolist(),
            "T_world_cam": "per frame" if T_world_cam is None else np.reshape(T_world_cam, (4, 4)).tolist(),
        }
        distinct.setdefault(json.dumps(entry), entry | {"episodes": []})["episodes"].append(row["episode_index"])
    cameras = list(distinct.values())
    return {"conventions": CONVENTIONS, "cameras": cameras, "checksum": cameras_checksum(cameras)}


def cameras_checksum(cameras: list[dict[str, Any]]) -> str:
    """SHA-256 of a list of cameras as compact JSON."""
    return hashlib.sha256(json.dumps(cameras, separators=(",", ":")).encode()).hexdigest()
