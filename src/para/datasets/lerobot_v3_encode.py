"""One episode as the bytes and columns that a LeRobotDataset v3.0 stores."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from para.datasets.lerobot_v3_layout import (
    ACTION_KEY,
    EPISODE_INFO,
    EPISODE_K,
    EPISODE_OUTCOME,
    EPISODE_SCENE,
    EPISODE_T,
    EPISODE_VIDEO_SHA256,
    IMAGE_KEY,
    PHASE_KEY,
    POSE_KEY,
    STATE_KEY,
)
from para.datasets.lerobot_v3_stats import Stats, column_stats, image_stats
from para.datasets.plausible import wrong_camera
from para.datasets.video import VideoEncoding, encode_video
from para.interfaces import OUTCOMES, Episode


@dataclass(frozen=True)
class EncodedEpisode:
    """An episode ready to be stored; only its place in the dataset is open."""

    columns: dict[str, np.ndarray]
    """Feature -> (N,) or (N, D), all but the video and the index columns."""

    video: bytes
    """The MP4 file."""

    stats: Stats
    """Of the columns and the video."""

    extras: dict[str, Any]
    """The `para.*` columns of meta/episodes."""

    def __len__(self) -> int:
        return len(self.columns[STATE_KEY])


def camera_moves(episode: Episode) -> bool:
    """Whether the camera's pose changes within the episode."""
    T = episode.camera.T_world_cam
    return bool((T != T[:1]).any())


def encode_episode(
    episode: Episode, *, camera: str, fps: int, encoding: VideoEncoding, with_pose_column: bool
) -> EncodedEpisode:
    """Everything that is stored of an episode but its place.

    Args:
        episode: checked with `check_episode`.
        camera: name of the camera.
        fps: declared frame rate of the video.
        encoding: of the video.
        with_pose_column: store the camera's pose per frame (float32) rather than per episode (float64).
    """
    video = encode_video(episode.image, fps, encoding)
    K = episode.camera.K[0].double().flatten()  # (9,)
    T_world_cam = episode.camera.T_world_cam.double().flatten(1)  # (N, 16)
    columns = {
        STATE_KEY: _with_gripper(episode.ee_position, episode.gripper),
        ACTION_KEY: _with_gripper(episode.action_position, episode.action_gripper),
        PHASE_KEY: np.asarray(episode.phase, dtype=np.int64),
    }
    extras: dict[str, Any] = {EPISODE_K.format(camera=camera): K.tolist()}
    if with_pose_column:
        columns[POSE_KEY.format(camera=camera)] = T_world_cam.numpy().astype(np.float32)
    else:
        extras[EPISODE_T.format(camera=camera)] = T_world_cam[0].tolist()
    extras[EPISODE_SCENE] = json.dumps(episode.scene.to_dict())
    extras[EPISODE_OUTCOME] = episode.outcome
    extras[EPISODE_INFO] = json.dumps(episode.info)
    extras[EPISODE_VIDEO_SHA256] = hashlib.sha256(video).hexdigest()
    stats = {name: column_stats(values) for name, values in columns.items()}
    stats[IMAGE_KEY.format(camera=camera)] = image_stats(episode.image)
    return EncodedEpisode(columns, video, stats, extras)


def _with_gripper(position: np.ndarray, gripper: np.ndarray) -> np.ndarray:
    return np.concatenate([position, np.asarray(gripper)[:, None]], axis=1).astype(np.float32)  # (N, 4)


def check_episode(episode: Episode, image_size: tuple[int, int]) -> None:
    """Refuse what could not be read back as it is.

    Raises:
        ValueError: if frames were not kept, or shapes, sizes, numbers, the outcome or the info are wrong.
    """
    N = len(episode)
    shapes = {
        "image": (episode.image.shape, (N, *image_size, 3)),
        "camera.K": (tuple(episode.camera.K.shape), (N, 3, 3)),
        "camera.T_world_cam": (tuple(episode.camera.T_world_cam.shape), (N, 4, 4)),
        "camera.image_size": (tuple(episode.camera.image_size), tuple(image_size)),
        "ee_position": (episode.ee_position.shape, (N, 3)),
        "gripper": (episode.gripper.shape, (N,)),
        "action_position": (episode.action_position.shape, (N, 3)),
        "action_gripper": (episode.action_gripper.shape, (N,)),
        "phase": (episode.phase.shape, (N,)),
    }
    wrong = [f"{name} is {found}, not {needed}" for name, (found, needed) in shapes.items() if found != needed]
    if N == 0 or wrong:
        raise ValueError(
            f"an episode of {N} frames cannot be stored: {'; '.join(wrong) or 'there is nothing in it'}; "
            "record it with its frames, at the image size of the dataset"
        )
    numbers = {
        "camera.K": episode.camera.K.numpy(),
        "camera.T_world_cam": episode.camera.T_world_cam.numpy(),
        "ee_position": episode.ee_position,
        "gripper": episode.gripper,
        "action_position": episode.action_position,
        "action_gripper": episode.action_gripper,
    }
    for name, values in numbers.items():
        bad = ~np.isfinite(values).reshape(N, -1).all(axis=1)
        if bad.any():
            raise ValueError(
                f"{name} is not finite in {bad.sum()} of {N} frames (first: frame {bad.argmax()}); "
                "mend the world or the driver that gave it"
            )
    wrong = wrong_camera(numbers["camera.K"], numbers["camera.T_world_cam"], episode.ee_position, image_size)
    if wrong is not None:
        what, bad = wrong
        raise ValueError(f"in {bad.sum()} of {N} frames (first: frame {bad.argmax()}) {what}")
    if (episode.camera.K != episode.camera.K[:1]).any():
        raise ValueError("camera.K changes within the episode, one K can be stored: fix the zoom, or split the episode")
    if episode.outcome not in OUTCOMES:
        raise ValueError(f"outcome '{episode.outcome}' is unknown; it must be one of {', '.join(OUTCOMES)}")
    _check_info(episode.info)


def _check_info(info: dict[str, Any]) -> None:
    for name, value in info.items():
        try:
            json.dumps({name: value})
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"info['{name}'] cannot be stored as JSON ({error}); turn what NumPy and torch give into numbers and "
                "lists of Python: int(), float(), .tolist()"
            ) from error


def parquet_bytes(columns: dict[str, Any], *, metadata: dict[bytes, bytes] | None = None) -> bytes:
    """A parquet file of columns: (N,) arrays, (N, D) arrays (as fixed-size lists), or lists as pyarrow takes them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {}
    for name, values in columns.items():
        if isinstance(values, np.ndarray) and values.ndim == 2:
            flat = pa.array(np.ascontiguousarray(values).reshape(-1))
            arrays[name] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
        else:
            arrays[name] = pa.array(values)
    table = pa.table(arrays)
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), buffer, compression="snappy")
    return buffer.getvalue()


def tasks_parquet(tasks: list[str]) -> bytes:
    """meta/tasks.parquet: `task_index`, with `task` as the pandas index that LeRobot looks tasks up by."""
    pandas = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [
            {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy_kind, "metadata": None}
            for name, kind, numpy_kind in (("task_index", "int64", "int64"), ("task", "unicode", "object"))
        ],
        "pandas_version": "2.2.0",
    }
    columns = {"task_index": np.arange(len(tasks)), "task": tasks}
    return parquet_bytes(columns, metadata={b"pandas": json.dumps(pandas).encode()})
