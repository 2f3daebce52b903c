"""Where a dataset keeps the geometry of its camera, found and laid out per frame.

In order: a pose column per frame, columns `para.camera.<name>.*` per episode, the feature's `info["para.camera"]`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from para.datasets.lerobot_v3_layout import (
    CAMERA_INFO_KEY,
    EPISODE_K,
    EPISODE_T,
    POSE_KEY,
    STEP_INFO_KEY,
    DatasetError,
    stored_image_size,
)


@dataclass(frozen=True)
class CameraSource:
    """A camera of a dataset and where its geometry stands."""

    name: str
    video_key: str
    image_size: tuple[int, int]
    step_s: float
    shared: dict[str, Any]
    """The feature's `info["para.camera"]`."""
    pose_column: str | None
    """Name of the per-frame pose feature, if there is one."""


def find_camera(root: Path, info: dict[str, Any], rows: list[dict[str, Any]], name: str | None) -> CameraSource:
    """The camera to use: the named one, or the first with geometry.

    Raises:
        DatasetError: if there is no such camera, it has no geometry or one for another image size, or the seconds
            between its frames are not above 0.
    """
    features = info["features"]
    videos = [key for key, feature in features.items() if feature.get("dtype") == "video"]
    if not videos:
        kinds = sorted({feature.get("dtype") for feature in features.values()})
        raise DatasetError(f"{root} has no video feature (it has {kinds}); camera images stored as video are needed")
    by_name = {key.rsplit(".", 1)[-1]: key for key in videos}
    if name is not None and name not in by_name:
        raise DatasetError(f"{root} has no camera '{name}'; it has {', '.join(sorted(by_name))}")
    candidates = [name] if name is not None else list(by_name)
    with_geometry = [c for c in candidates if _has_geometry(features, by_name[c], c, rows)]
    if not with_geometry:
        raise DatasetError(
            f"{root} has no geometry for camera {', '.join(candidates)}; K and T_world_cam are needed in "
            f'features["{by_name[candidates[0]]}"]["info"]["{CAMERA_INFO_KEY}"] of meta/info.json (K: 9 numbers, '
            "T_world_cam: 16, row by row): calibrate the camera and put them there"
        )
    chosen = with_geometry[0]
    feature = features[by_name[chosen]]
    extra = feature.get("info") or {}
    shared = extra.get(CAMERA_INFO_KEY) or {}
    H, W = stored_image_size(feature)
    if tuple(shared.get("image_size") or (H, W)) != (H, W):
        raise DatasetError(
            f"{root}: the geometry of camera '{chosen}' is for {tuple(shared['image_size'])} (H, W), but its frames "
            f"are {(H, W)}; scale K with the image, or calibrate at that size"
        )
    pose_column = POSE_KEY.format(camera=chosen)
    return CameraSource(
        name=chosen,
        video_key=by_name[chosen],
        image_size=(H, W),
        step_s=_step_s(root, extra, info["fps"]),
        shared=shared,
        pose_column=pose_column if pose_column in features else None,
    )


def _step_s(root: Path, extra: dict[str, Any], fps: float) -> float:
    """Seconds between stored frames: as the camera's feature says, or else by the frame rate."""
    stored = extra.get(STEP_INFO_KEY)
    if stored is None:
        return 1 / fps
    if isinstance(stored, bool) or not isinstance(stored, (int, float)) or not 0 < stored < math.inf:
        raise DatasetError(
            f"{root}: {STEP_INFO_KEY} is {stored!r}; seconds between stored frames, above 0, are needed: mend it in "
            "meta/info.json, or take it out where frames follow one another at fps"
        )
    return float(stored)


def _has_geometry(features: dict, video_key: str, name: str, rows: list[dict]) -> bool:
    shared = (features[video_key].get("info") or {}).get(CAMERA_INFO_KEY) or {}
    first = rows[0] if rows else {}
    has_K = first.get(EPISODE_K.format(camera=name)) or shared.get("K")
    has_T = first.get(EPISODE_T.format(camera=name)) or shared.get("T_world_cam")
    return bool(has_K) and bool(has_T or POSE_KEY.format(camera=name) in features)


def camera_per_frame(
    source: CameraSource, rows: list[dict[str, Any]], pose: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """K (N, 3, 3) and T_world_cam (N, 4, 4), float64, for the frames of some episodes.

    Args:
        source: from `find_camera`.
        rows: of meta/episodes.
        pose: (N, 16) the per-frame pose column, or None.

    Raises:
        DatasetError: if matrices have the wrong number of entries.
    """
    lengths = [row["length"] for row in rows]
    K = [_matrix(row.get(EPISODE_K.format(camera=source.name)) or source.shared.get("K"), 3, "K") for row in rows]
    if pose is not None:
        T_world_cam = np.asarray(pose, dtype=np.float64).reshape(-1, 4, 4)
    else:
        column = EPISODE_T.format(camera=source.name)
        T = [_matrix(row.get(column) or source.shared.get("T_world_cam"), 4, "T_world_cam") for row in rows]
        T_world_cam = np.repeat(np.stack(T), lengths, axis=0)
    return np.repeat(np.stack(K), lengths, axis=0), T_world_cam


def _matrix(values: Any, side: int, what: str) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.size != side * side:
        raise DatasetError(f"{what} has {array.size} numbers, {side * side} are needed; write it row by row")
    return array.reshape(side, side)
