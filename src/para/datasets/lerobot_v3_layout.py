"""LeRobotDataset v3.0 on disk: where things lie, and the features that `para` stores.

`para` keeps one data file, one video and one metadata file per episode, which the format allows and which makes every
finished episode independent of the next one. Camera geometry travels in places that LeRobot keeps and ignores: private
keys of the camera feature's `info`, and extra columns `para.*` in meta/episodes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CODEBASE_VERSION = "v3.0"
FILES_PER_CHUNK = 1000
FPS = 7
"""Declared frame rate. LeRobot wants an integer and reads timestamps as frame_index / fps; a stored step really takes
0.15 s (`STEP_S`), as the camera feature's `info` says."""

STEP_S = 0.15
"""Seconds between stored frames: every third control step of 20 Hz (the paper's stride)."""

DEFAULT_TASK = "put the black bowl on the plate"

IMAGE_KEY = "observation.images.{camera}"
POSE_KEY = "observation.camera.{camera}.pose"
STATE_KEY, ACTION_KEY, PHASE_KEY = "observation.state", "action", "phase"
AXES = ["x", "y", "z", "gripper"]
INDEX_COLUMNS = ("timestamp", "frame_index", "episode_index", "index", "task_index")

CAMERA_INFO_KEY = "para.camera"
STEP_INFO_KEY = "para.step_s"
LAYOUT_INFO_KEY, FILE_PER_EPISODE = "para.layout", "file_per_episode"
EPISODE_K = "para.camera.{camera}.K"
EPISODE_T = "para.camera.{camera}.T_world_cam"
EPISODE_SCENE, EPISODE_OUTCOME, EPISODE_INFO = "para.scene", "para.outcome", "para.info"
EPISODE_VIDEO_SHA256 = "para.video_sha256"

INFO_FILE = "meta/info.json"
STATS_FILE = "meta/stats.json"
TASKS_FILE = "meta/tasks.parquet"
CAMERAS_FILE = "meta/para_cameras.json"
RECORDING_FILE = "meta/para_recording.json"
TRACK_PICTURES = "meta/tracks"
CONVERSION_FILE = "meta/para_conversion.json"
LOCK_FILE = "meta/.writer.lock"
CACHE_FOLDER = ".frame_cache"
KNOWN_FOLDERS = ("meta", "data", "videos", CACHE_FOLDER)

DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"


class DatasetError(ValueError):
    """A dataset folder is not what was needed; one line says what was found, what was needed and what to do."""


def chunk_and_file(episode_index: int) -> tuple[int, int]:
    """Where `para` puts the files of an episode: (chunk_index, file_index)."""
    return divmod(episode_index, FILES_PER_CHUNK)


def episode_paths(root: Path, episode_index: int, camera: str) -> tuple[Path, Path, Path]:
    """The video, data and metadata file of an episode that `para` wrote."""
    chunk_index, file_index = chunk_and_file(episode_index)
    at = {"chunk_index": chunk_index, "file_index": file_index, "video_key": IMAGE_KEY.format(camera=camera)}
    return root / VIDEO_PATH.format(**at), root / DATA_PATH.format(**at), root / EPISODES_PATH.format(**at)


def video_feature(image_size: tuple[int, int], fps: int, codec: str, pix_fmt: str, crf: int, g: int) -> dict[str, Any]:
    """The camera's entry in `features`, as LeRobot describes a video."""
    H, W = image_size
    return {
        "dtype": "video",
        "shape": [H, W, 3],
        "names": ["height", "width", "channels"],
        "info": {
            "video.height": H,
            "video.width": W,
            "video.codec": codec,
            "video.pix_fmt": pix_fmt,
            "video.fps": fps,
            "video.channels": 3,
            "video.g": g,
            "video.crf": crf,
            "is_depth_map": False,
            "has_audio": False,
        },
    }


def stored_image_size(feature: dict[str, Any]) -> tuple[int, int]:
    """(H, W) of a camera's entry in `features`; others write [C, H, W] too, and `names` tells which is which."""
    shape, names = feature["shape"], feature.get("names")
    by_name = dict(zip(names, shape)) if isinstance(names, list) and len(names) == len(shape) else {}
    return int(by_name.get("height", shape[0])), int(by_name.get("width", shape[1]))


def para_features(camera: str, video: dict[str, Any], *, with_pose_column: bool) -> dict[str, Any]:
    """All features of a dataset that `para` writes.

    Args:
        camera: name of the camera, the last part of its feature's name.
        video: the camera's entry (`video_feature`).
        with_pose_column: true where the camera moves within episodes.
    """
    features = {
        IMAGE_KEY.format(camera=camera): video,
        STATE_KEY: {"dtype": "float32", "shape": [4], "names": AXES},
        ACTION_KEY: {"dtype": "float32", "shape": [4], "names": AXES},
        PHASE_KEY: {"dtype": "int64", "shape": [1], "names": None},
    }
    if with_pose_column:
        # Flat on purpose: LeRobot normalises every observation.* column and fails on a 4 x 4 one.
        features[POSE_KEY.format(camera=camera)] = {"dtype": "float32", "shape": [16], "names": None}
    for name in INDEX_COLUMNS:
        features[name] = {"dtype": "float32" if name == "timestamp" else "int64", "shape": [1], "names": None}
    return features


def has_file_per_episode(info: dict[str, Any]) -> bool:
    """Whether `para` wrote the dataset: only then does a file's number say which episode it belongs to."""
    notes = [feature.get("info") or {} for feature in info["features"].values()]
    return any(of.get(LAYOUT_INFO_KEY) == FILE_PER_EPISODE for of in notes)


def new_info(features: dict[str, Any], fps: int) -> dict[str, Any]:
    """meta/info.json of a dataset without episodes."""
    return {
        "codebase_version": CODEBASE_VERSION,
        "robot_type": "end_effector",
        "total_episodes": 0,
        "total_frames": 0,
        "total_tasks": 0,
        "chunks_size": FILES_PER_CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": fps,
        "splits": {},
        "data_path": DATA_PATH,
        "video_path": VIDEO_PATH,
        "features": features,
    }


def read_info(root: Path) -> dict[str, Any]:
    """meta/info.json of a dataset of this format version.

    Raises:
        FileNotFoundError: if there is no folder, or no dataset in it.
        DatasetError: if info.json is damaged or of another format version.
    """
    root, path = Path(root), Path(root) / INFO_FILE
    if not root.is_dir():
        raise FileNotFoundError(f"no dataset at {root} (no such folder); record one with `para record`, or mend it")
    if not path.is_file():
        found = "an empty folder" if not any(root.iterdir()) else "a folder without meta/info.json"
        raise FileNotFoundError(
            f"{root} is {found}; a LeRobotDataset v3.0 is needed: mend the path, or record one with `para record`"
        )
    try:
        info = json.loads(path.read_text())
        version = info["codebase_version"]
        complete = isinstance(info["features"], dict) and int(info["fps"]) > 0 and int(info["total_episodes"]) >= 0
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} is damaged ({error}); run `para dataset repair {root}`") from error
    if version != CODEBASE_VERSION:
        raise DatasetError(wrong_version(root, version))
    if not complete:
        raise DatasetError(f"{path} is damaged (features, fps or total_episodes); run `para dataset repair {root}`")
    return info


def wrong_version(root: Path, version: Any) -> str:
    """What to say of a dataset of another format version."""
    convert = (
        f"convert it with LeRobot: python -m lerobot.scripts.convert_dataset_v21_to_v30 --repo-id=local/{root.name} "
        f"--root={root} --push-to-hub=false"
        if str(version) == "v2.1"
        else "convert it with LeRobot's own scripts"
    )
    return f"{root} is a LeRobotDataset of version {version}; {CODEBASE_VERSION} is needed: {convert}"
