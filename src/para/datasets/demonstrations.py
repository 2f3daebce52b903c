"""Demonstrations opened for training: frames from the cache, everything else as arrays in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from para.datasets.frame_cache import Frames, open_frame_cache
from para.datasets.geometry_columns import CameraSource, camera_per_frame, find_camera
from para.datasets.lerobot_v3_layout import (
    ACTION_KEY,
    AXES,
    EPISODE_INFO,
    EPISODE_OUTCOME,
    EPISODE_SCENE,
    PHASE_KEY,
    STATE_KEY,
    DatasetError,
    read_info,
)
from para.datasets.lerobot_v3_read import data_file, read_episode_rows, read_frame_columns
from para.datasets.plausible import refuse_implausible
from para.geometry import Camera, project
from para.geometry.pixels import in_image
from para.interfaces import Episode, Outcome, Scene


@dataclass(frozen=True)
class Demonstrations:
    """All frames of some episodes, one after another: N frames of E episodes. World frame, metres."""

    images: Frames
    """(N, H, W, 3) uint8 RGB; index it, it lies on the disk."""

    ee_position: np.ndarray
    """(N, 3) float32, where the end effector was at each frame."""

    gripper: np.ndarray
    """(N,) float32, observed opening at each frame: 0 closed, 1 open."""

    action_position: np.ndarray
    """(N, 3) float32, the commanded position of the step after each frame."""

    action_gripper: np.ndarray
    """(N,) float32, the commanded opening of that step."""

    phase: np.ndarray
    """(N,) int64, which key pose each action is on the way to; -1 where the dataset does not say."""

    K: np.ndarray
    """(N, 3, 3) float64 intrinsics at each frame, pixels."""

    T_world_cam: np.ndarray
    """(N, 4, 4) float64 pose of the camera at each frame."""

    episode_index: np.ndarray
    """(N,) int64, which of these E episodes each frame belongs to: 0 to E - 1."""

    episode_start: np.ndarray
    """(E,) int64, first frame of each episode."""

    episode_stop: np.ndarray
    """(E,) int64, one past the last frame of each episode."""

    scenes: list[Scene]
    """Of each episode; object_xy is NaN where the dataset does not say."""

    outcomes: list[Outcome]
    """Of each episode; `placed` where the dataset does not say, since demonstrations show what to do."""

    tasks: list[str]
    """Of each episode, in words."""

    episode_infos: list[dict[str, Any]]
    """What else was noted of each episode."""

    image_size: tuple[int, int]
    """(H, W), pixels."""

    step_s: float
    """Seconds between stored frames."""

    data_hash: str
    """SHA-256 of what is in it (metadata, tables and, where `para` wrote them, videos), the same on every machine."""

    def __len__(self) -> int:
        return len(self.gripper)

    @property
    def n_episodes(self) -> int:
        """E, the number of episodes."""
        return len(self.episode_start)

    @staticmethod
    def open(root: str | Path, cache_dir: str | Path | None = None, *, camera: str | None = None) -> Demonstrations:
        """Open a LeRobotDataset v3.0 whose end-effector columns and camera geometry are there.

        Args:
            root: the dataset's folder.
            cache_dir: where decoded frames are kept; None: in the dataset's own folder.
            camera: name of the camera, the last part of its feature's name; None: the first that has geometry.

        Raises:
            FileNotFoundError: if the folder, or a file of the dataset, is missing.
            DatasetError: if it is empty, truncated, of another version, without geometry or end-effector columns, with
                numbers that are not finite, a camera that can be none, or one that never sees the end effector.
        """
        tables = open_tables(root, camera)
        cache_dir = None if cache_dir is None else Path(cache_dir)
        frames = open_frame_cache(
            tables.root, tables.info, tables.rows, tables.source.video_key, tables.demonstrations.data_hash, cache_dir
        )
        return replace(tables.demonstrations, images=frames)

    def camera(self, frames: Sequence[int] | np.ndarray | slice) -> Camera:
        """The camera at some frames, float32."""
        K = torch.from_numpy(self.K[frames].astype(np.float32))
        return Camera(K, torch.from_numpy(self.T_world_cam[frames].astype(np.float32)), self.image_size)

    def episode(self, index: int, images: np.ndarray | None = None) -> Episode:
        """One episode, read into memory; `images`: its frames, where they are there already."""
        frames = slice(int(self.episode_start[index]), int(self.episode_stop[index]))
        return Episode(
            scene=self.scenes[index],
            image=self.images[frames] if images is None else images,
            camera=self.camera(frames),
            ee_position=self.ee_position[frames],
            gripper=self.gripper[frames],
            action_position=self.action_position[frames],
            action_gripper=self.action_gripper[frames],
            phase=self.phase[frames],
            outcome=self.outcomes[index],
            info=self.episode_infos[index],
        )

    def subset(self, episode_indices: Sequence[int]) -> Demonstrations:
        """Some of the episodes, in the order given; frames stay on the disk. Raises ValueError if there are none."""
        chosen = np.asarray(episode_indices, dtype=np.int64)
        if chosen.size == 0 or chosen.min() < 0 or chosen.max() >= self.n_episodes:
            raise ValueError(
                f"episodes {chosen.tolist()[:5]} of {self.n_episodes} were asked for; choose at least one, "
                f"from 0 to {self.n_episodes - 1}"
            )
        frames = np.concatenate([np.arange(self.episode_start[i], self.episode_stop[i]) for i in chosen])
        lengths = (self.episode_stop - self.episode_start)[chosen]
        of_frames = ("ee_position", "gripper", "action_position", "action_gripper", "phase", "K", "T_world_cam")
        of_episodes = ("scenes", "outcomes", "tasks", "episode_infos")
        digest = hashlib.sha256(json.dumps([self.data_hash, chosen.tolist()]).encode()).hexdigest()
        return replace(
            self,
            images=self.images.subset(frames),
            **{name: getattr(self, name)[frames] for name in of_frames},
            **{name: [getattr(self, name)[i] for i in chosen] for name in of_episodes},
            episode_index=np.repeat(np.arange(len(chosen)), lengths),
            episode_start=lengths.cumsum() - lengths,
            episode_stop=lengths.cumsum(),
            data_hash=digest,
        )

    def in_image_share(self) -> np.ndarray:
        """Share of each episode's frames in which the end effector lies inside the image, (E,)."""
        camera = Camera(torch.from_numpy(self.K), torch.from_numpy(self.T_world_cam), self.image_size)
        uv, depth = project(torch.from_numpy(self.ee_position).double(), camera)
        seen = in_image(uv, self.image_size, depth).numpy()
        return np.add.reduceat(seen, self.episode_start) / (self.episode_stop - self.episode_start)


@dataclass(frozen=True)
class Tables:
    """A dataset opened without its frames."""

    root: Path
    info: dict[str, Any]
    rows: list[dict[str, Any]]
    source: CameraSource
    demonstrations: Demonstrations
    """Complete but for `images`, which has no frames."""


def open_tables(root: str | Path, camera: str | None = None) -> Tables:
    """Everything of a dataset that needs no video decoding, checked; see `Demonstrations.open` for what it raises."""
    root = Path(root)
    info = read_info(root)
    rows = read_episode_rows(root, info)
    if not rows:
        raise DatasetError(f"{root} holds a dataset without episodes; record some with `para record`")
    source = find_camera(root, info, rows, camera)
    arrays = _frame_arrays(root, info, rows, source.pose_column)
    K, T_world_cam = camera_per_frame(source, rows, arrays.pop("pose"))
    lengths = np.array([row["length"] for row in rows])
    demonstrations = Demonstrations(
        images=Frames(np.zeros((0, *source.image_size, 3), dtype=np.uint8), np.arange(0)),
        **arrays,
        K=K,
        T_world_cam=T_world_cam,
        episode_index=np.repeat(np.arange(len(rows)), lengths),
        episode_start=lengths.cumsum() - lengths,
        episode_stop=lengths.cumsum(),
        scenes=[_scene(row) for row in rows],
        outcomes=[row.get(EPISODE_OUTCOME) or "placed" for row in rows],
        tasks=[row["tasks"][0] if row.get("tasks") else "" for row in rows],
        episode_infos=[json.loads(row.get(EPISODE_INFO) or "{}") for row in rows],
        image_size=source.image_size,
        step_s=source.step_s,
        data_hash=_data_hash(root, info, rows),
    )
    refuse_implausible(root, demonstrations)
    return Tables(root, info, rows, source, demonstrations)


def _frame_arrays(root: Path, info: dict, rows: list[dict], pose_column: str | None) -> dict[str, np.ndarray]:
    """The per-frame arrays, and `pose`: (N, 16), or None where the camera has no pose column."""
    features = info["features"]
    columns = {key: _axes_of(root, features, key) for key in (STATE_KEY, ACTION_KEY)}
    optional = [name for name in (PHASE_KEY, pose_column) if name in features]
    read = read_frame_columns(root, info, rows, [STATE_KEY, ACTION_KEY, *optional])
    state = read[STATE_KEY][:, columns[STATE_KEY]].astype(np.float32)  # (N, 4)
    action = read[ACTION_KEY][:, columns[ACTION_KEY]].astype(np.float32)  # (N, 4)
    phase = read.get(PHASE_KEY)
    return {
        "ee_position": state[:, :3],
        "gripper": state[:, 3],
        "action_position": action[:, :3],
        "action_gripper": action[:, 3],
        "phase": np.full(len(state), -1, dtype=np.int64) if phase is None else phase.astype(np.int64),
        "pose": read.get(pose_column),
    }


def _axes_of(root: Path, features: dict[str, Any], key: str) -> list[int]:
    """Which entries of a vector feature are x, y, z and gripper."""
    names = features.get(key, {}).get("names")
    flat = next(iter(names.values())) if isinstance(names, dict) and names else names
    if not flat or any(axis not in flat for axis in AXES):
        raise DatasetError(
            f"{root} has {key} with entries {flat}; end-effector entries {AXES} in world metres are needed: "
            "joint positions must go through the arm's forward kinematics first"
        )
    return [list(flat).index(axis) for axis in AXES]


def _scene(row: dict[str, Any]) -> Scene:
    text = row.get(EPISODE_SCENE)
    return Scene.from_dict(json.loads(text)) if text else Scene(object_xy=(float("nan"), float("nan")))


def _data_hash(root: Path, info: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    digest = hashlib.sha256(json.dumps(info, sort_keys=True).encode())
    digest.update(json.dumps(rows, sort_keys=True, default=str).encode())
    for path in dict.fromkeys(data_file(root, info, row) for row in rows):
        digest.update(path.read_bytes())
    return digest.hexdigest()
