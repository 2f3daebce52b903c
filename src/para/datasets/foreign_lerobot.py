"""LeRobotDatasets that others recorded, of versions 2.0, 2.1 and 3.0, with pictures as video or inside the tables.

They have no camera geometry and entries of their own; what reads them here gives frames, states and actions as they are
stored. What these mean is the business of who asks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from para.datasets.frame_cache import first_frame
from para.datasets.lerobot_v3_layout import INFO_FILE, DatasetError
from para.datasets.lerobot_v3_read import data_file, read_episode_rows, read_table, video_file
from para.datasets.video import frames_at

VERSIONS = ("v2.0", "v2.1", "v3.0")

STATE_KEYS, ACTION_KEYS = ("observation.state", "state"), ("action", "actions")

WRIST_NAMES = ("wrist", "hand", "image2", "gripper")
"""Parts of the names of cameras that sit on the arm: these are taken only when asked for."""

EPISODES_JSONL = "meta/episodes.jsonl"


@dataclass(frozen=True)
class ForeignDataset:
    """A dataset opened without its frames."""

    root: Path
    info: dict[str, Any]
    rows: list[dict[str, Any]]
    """Of each episode: `episode_index`, `length`, `tasks` (in words), and in version 3 where its files are."""
    image_key: str
    state_key: str
    action_key: str

    @property
    def is_v3(self) -> bool:
        """Whether several episodes may share a file."""
        return self.info["codebase_version"] == "v3.0"


@dataclass(frozen=True)
class ForeignEpisode:
    """One episode as stored."""

    index: int
    task: str
    """In words; empty where the dataset does not say."""
    frames: np.ndarray
    """(N, H, W, 3) uint8 RGB."""
    state: np.ndarray
    """(N, D) float64."""
    action: np.ndarray
    """(N, A) float64."""
    files: list[Path]
    """Where it is stored, alone or with others: its table and, if it has one, its video."""


def open_foreign(root: str | Path, camera: str = "") -> ForeignDataset:
    """Open a LeRobotDataset that somebody else recorded.

    Args:
        root: the dataset's folder.
        camera: name of the camera's feature, or its last part; "": the only one that is not on the wrist.

    Raises:
        FileNotFoundError: if there is no dataset.
        DatasetError: if it is damaged, of an unknown version, or lacks pictures, states or actions.
    """
    root = Path(root)
    path = root / INFO_FILE
    if not path.is_file():
        raise FileNotFoundError(f"no LeRobotDataset at {root}: {INFO_FILE} is missing; mend the path")
    try:
        info = json.loads(path.read_text())
        version, features = info["codebase_version"], info["features"]
        int(info["total_episodes"]), info["data_path"].format, features.items()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} is damaged ({error!r}); copy the dataset again") from error
    if version not in VERSIONS:
        raise DatasetError(f"{root} is a LeRobotDataset of version {version}; known are {', '.join(VERSIONS)}")
    image_key = _camera_key(root, features, camera)
    state_key, action_key = (_first(root, features, keys) for keys in (STATE_KEYS, ACTION_KEYS))
    rows = read_episode_rows(root, info) if version == "v3.0" else _rows_v2(root, int(info["total_episodes"]))
    return ForeignDataset(root, info, rows, image_key, state_key, action_key)


def read_foreign(
    dataset: ForeignDataset, wanted: Callable[[str], bool] = lambda task: True
) -> Iterator[ForeignEpisode]:
    """The episodes whose task, in words, is wanted, one after the other.

    Raises:
        FileNotFoundError, DatasetError: if a file is missing, damaged, or shorter than promised.
    """
    rows = [row for row in dataset.rows if wanted(_task_of(row))]
    for path, group in groupby(rows, lambda row: _data_path(dataset, row)):
        of_file = list(group)
        table = read_table(path)
        names = [dataset.state_key, dataset.action_key, "episode_index"]
        embedded = dataset.info["features"][dataset.image_key]["dtype"] == "image"
        missing = [n for n in [*names, *([dataset.image_key] if embedded else [])] if n not in table.column_names]
        if missing:
            raise DatasetError(f"{path} lacks the columns {missing}; it has {table.column_names}: copy it again")
        of_episode = table["episode_index"].to_numpy()
        videos = None if embedded else _video_frames(dataset, of_file)
        for row in of_file:
            places = np.flatnonzero(of_episode == row["episode_index"])
            if len(places) != row["length"] or not len(places):
                raise DatasetError(
                    f"{path} holds {len(places)} frames of episode {row['episode_index']}, {row['length']} are "
                    "promised; copy the dataset again"
                )
            part = table.slice(int(places[0]), len(places))
            frames = _embedded_frames(path, part[dataset.image_key]) if videos is None else next(videos)
            state, action = (_matrix(path, part[key], key) for key in names[:2])
            files = [path] if embedded else [path, _video_path(dataset, row)]
            yield ForeignEpisode(row["episode_index"], _task_of(row), frames, state, action, files)


def _camera_key(root: Path, features: dict[str, Any], camera: str) -> str:
    keys = [key for key, feature in features.items() if feature.get("dtype") in ("image", "video")]
    if not keys:
        raise DatasetError(f"{root} has no pictures (features: {', '.join(sorted(features))})")
    if camera:
        named = [key for key in keys if camera in (key, key.rsplit(".", 1)[-1])]
    else:
        named = [key for key in keys if not any(part in key.rsplit(".", 1)[-1] for part in WRIST_NAMES)]
    if len(named) != 1:
        raise DatasetError(f"{root} has the cameras {', '.join(keys)}; name the one that sees the scene: --camera")
    return named[0]


def _first(root: Path, features: dict[str, Any], keys: tuple[str, ...]) -> str:
    for key in keys:
        if key in features:
            return key
    raise DatasetError(f"{root} has no {' or '.join(keys)} (features: {', '.join(sorted(features))})")


def _rows_v2(root: Path, total: int) -> list[dict[str, Any]]:
    path = root / EPISODES_JSONL
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing from its dataset; copy it again")
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        numbers = [int(row["episode_index"]) for row in rows if int(row["length"]) > 0]
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} is damaged ({error!r}); copy the dataset again") from error
    if numbers != list(range(total)):
        raise DatasetError(f"{path} holds {len(numbers)} usable rows, info.json promises {total}; copy it again")
    return rows


def _task_of(row: dict[str, Any]) -> str:
    tasks = row.get("tasks") or [""]
    return str(tasks[0])


def _data_path(dataset: ForeignDataset, row: dict[str, Any]) -> Path:
    if dataset.is_v3:
        return data_file(dataset.root, dataset.info, row)
    return dataset.root / dataset.info["data_path"].format(**_at_v2(dataset, row))


def _video_path(dataset: ForeignDataset, row: dict[str, Any]) -> Path:
    if dataset.is_v3:
        return video_file(dataset.root, dataset.info, row, dataset.image_key)
    return dataset.root / dataset.info["video_path"].format(**_at_v2(dataset, row))


def _at_v2(dataset: ForeignDataset, row: dict[str, Any]) -> dict[str, Any]:
    index = row["episode_index"]
    chunk = index // int(dataset.info.get("chunks_size") or 1000)
    return {"episode_chunk": chunk, "episode_index": index, "video_key": dataset.image_key}


def _matrix(path: Path, column, name: str) -> np.ndarray:
    try:
        values = np.array(column.to_pylist(), dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise DatasetError(f"{path}: {name} is no list of numbers of one length ({error}); copy it again") from error
    if values.ndim != 2 or not np.isfinite(values).all():
        raise DatasetError(f"{path}: {name} has shape {values.shape} or is not finite; a finite (N, D) is needed")
    return values


def _embedded_frames(path: Path, column) -> np.ndarray:
    import cv2

    frames = []
    for value in column.to_pylist():
        content = (value or {}).get("bytes") if isinstance(value, dict) else value
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
        if picture is None:
            raise DatasetError(f"{path} holds a picture that cannot be read (frame {len(frames)}); copy it again")
        frames.append(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    if len({frame.shape for frame in frames}) != 1:
        raise DatasetError(f"{path} holds pictures of several sizes in one episode; one size is needed")
    return np.stack(frames)


def _video_frames(dataset: ForeignDataset, rows: list[dict[str, Any]]) -> Iterator[np.ndarray]:
    """The frames (n, H, W, 3) of episodes, decoding each file once and keeping no more than an episode."""
    if not dataset.is_v3:
        for row in rows:
            yield from frames_at(_video_path(dataset, row), [(0, row["length"])])
        return
    for path, group in groupby(rows, lambda row: _video_path(dataset, row)):
        spans = [(first_frame(row, dataset.image_key, dataset.info["fps"]), row["length"]) for row in group]
        yield from frames_at(path, spans)
