"""Writing demonstrations as a LeRobotDataset v3.0 that a kill at any moment leaves readable.

The order is the whole idea: an episode's video, frames and metadata are written under names that nothing refers to yet,
each in full or not at all, and info.json, replaced last, is what makes the episode part of the dataset.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from para.datasets.lerobot_v3_cameras import cameras_document
from para.datasets.lerobot_v3_encode import (
    EncodedEpisode,
    camera_moves,
    check_episode,
    encode_episode,
    parquet_bytes,
    tasks_parquet,
)
from para.datasets.lerobot_v3_folder import refuse_other_recording, refuse_unrelated, take_lock, uncommitted_files
from para.datasets.lerobot_v3_layout import (
    CAMERA_INFO_KEY,
    CAMERAS_FILE,
    DEFAULT_TASK,
    EPISODE_K,
    EPISODE_T,
    FILE_PER_EPISODE,
    FPS,
    IMAGE_KEY,
    INFO_FILE,
    LAYOUT_INFO_KEY,
    POSE_KEY,
    STATS_FILE,
    STEP_INFO_KEY,
    STEP_S,
    TASKS_FILE,
    DatasetError,
    chunk_and_file,
    episode_paths,
    has_file_per_episode,
    new_info,
    para_features,
    read_info,
    video_feature,
)
from para.datasets.lerobot_v3_read import read_episode_rows, read_tasks
from para.datasets.lerobot_v3_stats import Stats, column_stats, flat_columns, from_columns, pooled, to_lists
from para.datasets.video import DATASET_ENCODING, LOSSLESS_ENCODING, pixel_format
from para.files import json_bytes, write_atomic
from para.interfaces import Episode


class DatasetWriter:
    """Appends episodes to a dataset folder. One writer at a time; use it in a `with` block, or call `close`."""

    def __init__(
        self,
        root: str | Path,
        *,
        image_size: tuple[int, int],
        fps: int = FPS,
        step_s: float = STEP_S,
        lossless: bool = False,
        camera: str = "main",
        task: str = DEFAULT_TASK,
        go_on: bool = False,
    ):
        """Start a dataset in a folder that is new or empty.

        Args:
            root: the dataset's folder.
            image_size: (H, W) of all frames.
            fps: frame rate to declare; LeRobot needs an integer.
            step_s: seconds that really pass between two stored frames.
            lossless: store frames bit for bit (larger; browsers cannot play the videos).
            camera: name of the camera; its feature is `observation.images.<camera>`.
            task: what the demonstrations show, in words, where `add` is not told otherwise.
            go_on: append to the dataset that is there, if there is one; see `open_or_create`.

        Raises:
            ValueError: if fps is no positive integer, or step_s not finite and above 0.
            DatasetError: if the folder holds anything (with `go_on`: anything but a dataset that was recorded alike).
        """
        if int(fps) != fps or fps <= 0:
            raise ValueError(
                f"fps is {fps}; LeRobot needs a positive integer: round it, and give step_s the true value"
            )
        if not 0 < step_s < math.inf:  # NaN is not, either
            raise ValueError(f"step_s is {step_s}; it must be the seconds between two stored frames, above 0")
        self.root = Path(root)
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self.fps, self.step_s, self.camera, self.task = int(fps), float(step_s), camera, task
        self.encoding = LOSSLESS_ENCODING if lossless else DATASET_ENCODING
        self.rows: list[dict[str, Any]] = []  # of meta/episodes, without statistics
        self._tasks: list[str] = []
        self._stats: Stats = {}
        self._lock: TextIO | None = None
        self._closed = False
        refuse_unrelated(self.root)
        there = (self.root / INFO_FILE).exists()
        if there and not go_on:
            raise DatasetError(
                f"{self.root} holds a dataset already; go on with it through DatasetWriter.open_or_create, "
                "or choose another folder"
            )
        if there:
            self._resume()
        else:
            self._start()

    @classmethod
    def open_or_create(
        cls,
        root: str | Path,
        *,
        image_size: tuple[int, int],
        fps: int = FPS,
        step_s: float = STEP_S,
        lossless: bool = False,
        camera: str = "main",
        task: str = DEFAULT_TASK,
    ) -> DatasetWriter:
        """Go on with the dataset in a folder, or start one; what an interrupted `add` left is cleaned away.

        Raises:
            DatasetError: if the folder holds something else: other files, another format version, or episodes of
                another image size, frame rate or encoding.
        """
        return cls(
            root,
            image_size=image_size,
            fps=fps,
            step_s=step_s,
            lossless=lossless,
            camera=camera,
            task=task,
            go_on=True,
        )

    @property
    def n_episodes(self) -> int:
        """Episodes that are part of the dataset."""
        return self._info["total_episodes"]

    def _start(self) -> None:
        self._lock = take_lock(self.root)
        self._info = self._new_info(with_pose_column=False)
        write_atomic(self.root / INFO_FILE, json_bytes(self._info))

    def _resume(self) -> None:
        self._info_to_go_on_from()
        self._lock = take_lock(self.root)
        self._info = info = self._info_to_go_on_from()  # another writer may have come between
        for row in read_episode_rows(self.root, info, with_stats=True):
            self._stats = pooled(self._stats, from_columns(row))
            self.rows.append({name: value for name, value in row.items() if not name.startswith("stats/")})
        self._tasks = read_tasks(self.root)[: info["total_tasks"]]
        for path in uncommitted_files(self.root, info):
            path.unlink()

    def _info_to_go_on_from(self) -> dict[str, Any]:
        info = read_info(self.root)
        if not info["total_episodes"] and has_file_per_episode(info):
            return self._new_info(with_pose_column=False)  # of what failed at its first episode: it binds nobody
        needed = self._new_info(with_pose_column=POSE_KEY.format(camera=self.camera) in info["features"])
        refuse_other_recording(self.root, info, needed, IMAGE_KEY.format(camera=self.camera))
        return info

    def _new_info(self, with_pose_column: bool) -> dict[str, Any]:
        H, W = self.image_size
        pix_fmt = pixel_format(self.encoding, self.image_size)
        crf = 0 if self.encoding.lossless else self.encoding.crf
        video = video_feature(self.image_size, self.fps, "h264", pix_fmt, crf, self.encoding.keyframe_every)
        video["info"] |= {STEP_INFO_KEY: self.step_s, LAYOUT_INFO_KEY: FILE_PER_EPISODE}
        video["info"][CAMERA_INFO_KEY] = {"model": "pinhole", "image_size": [H, W], "K": None, "T_world_cam": None}
        return new_info(para_features(self.camera, video, with_pose_column=with_pose_column), self.fps)

    def add(self, episode: Episode, *, task: str | None = None) -> None:
        """Append an episode; when this returns, it survives anything but the disk's own death.

        Args:
            episode: with its frames, at the dataset's image size.
            task: what it shows, in words; None: the writer's.

        Raises:
            ValueError: if the episode cannot be stored; the dataset is as it was.
            OSError: ENOSPC where the disk is full; the dataset is as it was.
        """
        check_episode(episode, self.image_size)
        moves = camera_moves(episode)
        pose_key = POSE_KEY.format(camera=self.camera)
        with_pose_column = moves if self.n_episodes == 0 else pose_key in self._info["features"]
        if moves and not with_pose_column:
            raise ValueError(
                f"the camera moves within the episode, but {self.root} began with fixed cameras and has no column "
                f"{pose_key}; record moving cameras into a folder of their own"
            )
        encoded = encode_episode(
            episode, camera=self.camera, fps=self.fps, encoding=self.encoding, with_pose_column=with_pose_column
        )
        self.append_encoded(encoded, task=task)

    def append_encoded(self, encoded: EncodedEpisode, *, task: str | None = None) -> None:
        """Append an episode whose video is encoded already; see `add`."""
        i, n = self.n_episodes, len(encoded)
        if i == 0:
            self._info = self._new_info(with_pose_column=POSE_KEY.format(camera=self.camera) in encoded.columns)
        task = self.task if task is None else task
        tasks = self._tasks if task in self._tasks else [*self._tasks, task]
        index_columns = self._index_columns(n, tasks.index(task))
        stats = encoded.stats | {name: column_stats(values) for name, values in index_columns.items()}
        row = self._row(n, task) | encoded.extras
        info = self._info_after(n, len(tasks), row)
        stats_after = pooled(self._stats, stats)

        video_path, data_path, row_path = episode_paths(self.root, i, self.camera)
        write_atomic(video_path, encoded.video)
        write_atomic(data_path, parquet_bytes(encoded.columns | index_columns))
        if tasks != self._tasks or i == 0:
            write_atomic(self.root / TASKS_FILE, tasks_parquet(tasks))
        write_atomic(row_path, parquet_bytes({name: [value] for name, value in (row | flat_columns(stats)).items()}))
        write_atomic(self.root / STATS_FILE, json_bytes(to_lists(stats_after)))
        write_atomic(self.root / INFO_FILE, json_bytes(info))  # the episode is part of the dataset from here on

        self._info, self._stats, self._tasks = info, stats_after, tasks
        self.rows.append(row)

    def _index_columns(self, n: int, task_index: int) -> dict[str, np.ndarray]:
        i, start = self.n_episodes, self._info["total_frames"]
        frame_index = np.arange(n, dtype=np.int64)
        return {
            "timestamp": (frame_index / self.fps).astype(np.float32),
            "frame_index": frame_index,
            "episode_index": np.full(n, i, dtype=np.int64),
            "index": start + frame_index,
            "task_index": np.full(n, task_index, dtype=np.int64),
        }

    def _row(self, n: int, task: str) -> dict[str, Any]:
        i, start = self.n_episodes, self._info["total_frames"]
        chunk_index, file_index = chunk_and_file(i)
        video = f"videos/{IMAGE_KEY.format(camera=self.camera)}"
        return {
            "episode_index": i,
            "tasks": [task],
            "length": n,
            "data/chunk_index": chunk_index,
            "data/file_index": file_index,
            "dataset_from_index": start,
            "dataset_to_index": start + n,
            f"{video}/chunk_index": chunk_index,
            f"{video}/file_index": file_index,
            f"{video}/from_timestamp": 0.0,
            f"{video}/to_timestamp": n / self.fps,
            "meta/episodes/chunk_index": chunk_index,
            "meta/episodes/file_index": file_index,
        }

    def _info_after(self, n: int, n_tasks: int, row: dict[str, Any]) -> dict[str, Any]:
        info = json.loads(json.dumps(self._info))
        i = info["total_episodes"]
        info |= {"total_episodes": i + 1, "total_frames": info["total_frames"] + n, "total_tasks": n_tasks}
        info["splits"] = {"train": f"0:{i + 1}"}
        # What all episodes share stands in the feature's info, where people and other programs look for it.
        shared = info["features"][IMAGE_KEY.format(camera=self.camera)]["info"][CAMERA_INFO_KEY]
        for name, column in (("K", EPISODE_K), ("T_world_cam", EPISODE_T)):
            value = row.get(column.format(camera=self.camera))
            shared[name] = value if i == 0 or shared[name] == value else None
        return info

    def close(self) -> None:
        """Write the readable list of cameras and let other writers in. May be called twice."""
        if self._closed:
            return
        self._closed = True
        try:
            if self.n_episodes:
                cameras = cameras_document(self.rows, self.camera, self.image_size)
                write_atomic(self.root / CAMERAS_FILE, json_bytes(cameras))
        finally:
            if self._lock is not None:
                self._lock.close()

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(self, *_) -> None:
        self.close()
