"""What is wrong with a dataset, and what is in it; nothing here changes anything."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from para.datasets.demonstrations import Demonstrations, Tables, open_tables
from para.datasets.frame_cache import decoded_episodes, first_frame
from para.datasets.lerobot_v3_cameras import cameras_checksum, cameras_document
from para.datasets.lerobot_v3_folder import is_being_written, uncommitted_files
from para.datasets.lerobot_v3_layout import (
    CACHE_FOLDER,
    CAMERAS_FILE,
    EPISODE_K,
    EPISODE_VIDEO_SHA256,
    RECORDING_FILE,
    STATS_FILE,
    TASKS_FILE,
    DatasetError,
    has_file_per_episode,
    read_info,
)
from para.datasets.lerobot_v3_read import read_episode_rows, read_frame_columns, read_tasks, video_file
from para.datasets.orientation import ENOUGH_EPISODES, find_orientation
from para.datasets.partial_supervision import never_told
from para.datasets.video import shown
from para.files import read_json

AT_REST_M = 0.005
"""A step shorter than this is dwell."""

GRIPPER_CHANGE = 0.3
"""A commanded opening that changes by more than this between two frames is the gripper acting."""


def check_dataset(root: str | Path) -> list[str]:
    """All that is wrong with a dataset, one line each; empty if it is good.

    Reads every file once. Each line says what was found, what was needed and what to do.
    """
    root = Path(root)
    try:
        info = read_info(root)
        read_episode_rows(root, info)
    except (ValueError, OSError) as error:
        return [str(error)]
    problems = [*_leftovers(root, info), *_side_files(root, info)]
    try:
        tables = open_tables(root)
    except (ValueError, OSError) as error:
        return [*problems, str(error)]
    found = [*_videos(tables), *_visibility(tables)]
    upright = [] if found else _orientation(tables)  # where frames are missing, nothing more can be said of them
    return [*problems, *_indices(tables), *found, *upright, *_cameras_file(tables)]


def _leftovers(root: Path, info: dict[str, Any]) -> list[str]:
    left = uncommitted_files(root, info) if has_file_per_episode(info) else []
    if not left or is_being_written(root):  # what is written now is not committed yet
        return []
    return [
        f"{len(left)} files of an episode whose writing was cut short (first: {left[0].relative_to(root)}); "
        f"recording again or `para dataset repair {root}` removes them"
    ]


def _side_files(root: Path, info: dict[str, Any]) -> list[str]:
    problems = []
    try:
        missing = set(info["features"]) - set(read_json(root / STATS_FILE))
        if missing and info["total_episodes"]:
            problems.append(f"{STATS_FILE} lacks {sorted(missing)}; `para dataset repair {root}` computes it again")
    except (ValueError, OSError) as error:
        problems.append(f"{error}; `para dataset repair {root}` computes it again")
    try:
        if len(read_tasks(root)) < info["total_tasks"]:
            problems.append(f"{TASKS_FILE} lacks tasks; `para dataset repair {root}` writes it again")
    except ValueError as error:
        problems.append(str(error))
    return problems


def _indices(tables: Tables) -> list[str]:
    names = ["timestamp", "frame_index", "index"]
    try:
        columns = read_frame_columns(tables.root, tables.info, tables.rows, names)
    except (ValueError, OSError) as error:
        return [str(error)]
    demonstrations = tables.demonstrations
    frame = np.arange(len(demonstrations)) - demonstrations.episode_start[demonstrations.episode_index]
    problems = []
    if (columns["frame_index"] != frame).any() or (columns["index"] != np.arange(len(frame))).any():
        problems.append("frame_index or index do not count the frames; `para dataset repair` writes them again")
    worst = np.abs(columns["timestamp"] - frame / tables.info["fps"]).max()
    if worst > 1e-4:
        problems.append(
            f"timestamps are up to {worst:.4f} s from frame_index / fps, LeRobot allows 0.0001 s; "
            "`para dataset repair` writes them again"
        )
    return problems


def _videos(tables: Tables) -> list[str]:
    problems = []
    key, (H, W) = tables.source.video_key, tables.demonstrations.image_size
    by_path: dict[Path, list[dict[str, Any]]] = {}
    for row in tables.rows:
        by_path.setdefault(video_file(tables.root, tables.info, row, key), []).append(row)
    for path, rows in by_path.items():
        try:
            n_frames, size = shown(path)
        except (ValueError, OSError) as error:
            problems.append(str(error))
            continue
        needed = max(first_frame(row, key, tables.info["fps"]) + row["length"] for row in rows)
        if size != (H, W):
            problems.append(f"{path} shows {size} (H, W), its feature promises {(H, W)}; record it again")
        if n_frames < needed:
            problems.append(f"{path} holds {n_frames} frames, {needed} are needed; `para dataset repair` drops it")
        sha256 = rows[0].get(EPISODE_VIDEO_SHA256)
        if sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            problems.append(f"{path} is not the video that was recorded (SHA-256 differs); restore it from a copy")
    return problems


def _visibility(tables: Tables) -> list[str]:
    unseen = np.flatnonzero(tables.demonstrations.in_image_share() == 0)
    if not unseen.size:
        return []
    return [
        f"in episodes {', '.join(map(str, unseen[:5]))}{', ...' if unseen.size > 5 else ''} the camera never sees the "
        "end effector; it must project into the image: check T_world_cam of those episodes"
    ]


def _orientation(tables: Tables) -> list[str]:
    """Frames that are mirrored or upside down with respect to their camera; silent where that cannot be told."""
    demonstrations, key = tables.demonstrations, tables.source.video_key
    if tables.source.pose_column is not None:
        return []  # the picture of a moving camera changes everywhere
    rows = tables.rows[:ENOUGH_EPISODES]
    episodes = decoded_episodes(tables.root, tables.info, rows, key, demonstrations.image_size)
    starts, stops = demonstrations.episode_start, demonstrations.episode_stop
    parts = (
        (frames, demonstrations.ee_position[start:stop], demonstrations.camera([start])[0])
        for frames, start, stop in zip(episodes, starts, stops)
    )
    try:
        orientation = find_orientation(parts)
    except DatasetError:
        return []
    if orientation == "upright":
        return []
    return [
        f"the frames are {orientation} with respect to their camera: what moves in them is not where the end effector "
        "projects to; turn them (LIBERO's: `para dataset convert-libero`), or mend the camera's K and T_world_cam"
    ]


def _cameras_file(tables: Tables) -> list[str]:
    path = tables.root / CAMERAS_FILE
    if not path.is_file():
        return []
    try:
        document = read_json(path)
        intact = document["checksum"] == cameras_checksum(document["cameras"])
        covered = {i for entry in document["cameras"] for i in entry["episodes"]}
    except (ValueError, KeyError, TypeError, OSError) as error:
        return [f"{path} is damaged ({error}); `para dataset repair {tables.root}` writes it again"]
    if not intact:
        return [
            f"{path} was edited by hand (its checksum differs), which changes nothing that is read; change the columns "
            f"of meta/episodes, or let `para dataset repair {tables.root}` write it again"
        ]
    # An interrupted recording has more episodes than its list of cameras: that is no contradiction.
    has_columns = EPISODE_K.format(camera=tables.source.name) in tables.rows[0]
    rows = [row for row in tables.rows if row["episode_index"] in covered] if has_columns else []
    expected = cameras_document(rows, tables.source.name, tables.demonstrations.image_size)["cameras"]
    if has_columns and json.dumps(expected) != json.dumps(document["cameras"]):
        return [f"{path} lists other cameras than meta/episodes; `para dataset repair {tables.root}` writes it again"]
    return []


def describe_dataset(root: str | Path) -> dict[str, Any]:
    """What is in a dataset, JSON-ready, without decoding its videos. Raises what `Demonstrations.open` raises."""
    tables = open_tables(root)
    demonstrations, info = tables.demonstrations, tables.info
    lengths = demonstrations.episode_stop - demonstrations.episode_start
    poses = np.unique(demonstrations.T_world_cam.reshape(len(demonstrations), 16), axis=0)
    files = [p for p in tables.root.rglob("*") if p.is_file()]
    cached = [p for p in files if CACHE_FOLDER in p.parts]
    recording = read_json(path) if (path := tables.root / RECORDING_FILE).is_file() else {}
    positions = demonstrations.action_position.astype(np.float64)
    lacking = never_told([demonstrations])
    # without heights nobody measured a camera or a place: those of the files are nominal
    measured = {
        "outcomes": dict(Counter(demonstrations.outcomes)),
        "action_range_m": {"low": _rounded(positions.min(axis=0)), "high": _rounded(positions.max(axis=0))},
    }
    return {
        "root": str(tables.root),
        "format": f"LeRobotDataset {info['codebase_version']}",
        "episodes": demonstrations.n_episodes,
        "frames": len(demonstrations),
        "frames_per_episode": {
            "min": int(lengths.min()),
            "median": float(np.median(lengths)),
            "max": int(lengths.max()),
        },
        "step_s": demonstrations.step_s,
        "minutes": round(len(demonstrations) * demonstrations.step_s / 60, 2),
        "image_size": list(demonstrations.image_size),
        "camera": {
            "name": tables.source.name,
            "K": demonstrations.K[0].round(3).tolist(),
            "distinct_poses": len(poses),
            "moves_within_episodes": tables.source.pose_column is not None,
            "sees_end_effector_share": round(float(demonstrations.in_image_share().mean()), 4),
        },
        "tasks": dict(Counter(demonstrations.tasks)),
        "dropped": len(recording.get("dropped", [])),
        **{name: recording[name] for name in ("world", "options", "assets") if name in recording},
        **({"not_told": ", ".join(lacking)} if lacking else {}),
        **({"camera_is": "nominal"} if "heights" in lacking else measured),
        "phases": int(demonstrations.phase.max()) + 1,
        "gripper_dwell_frames": gripper_dwell_frames(demonstrations),
        "megabytes": round(sum(p.stat().st_size for p in files) / 1e6 - sum(p.stat().st_size for p in cached) / 1e6, 2),
        "cache_megabytes": round(sum(p.stat().st_size for p in cached) / 1e6, 2),
        "data_hash": demonstrations.data_hash,
    }


def _rounded(values: np.ndarray) -> list[float]:
    return values.round(4).tolist()


def gripper_dwell_frames(demonstrations: Demonstrations) -> int | None:
    """Fewest stored frames at rest around any change of the gripper's command; None if it never changes.

    Below 2, the gripper acts between stored frames, and policies learn to close it in mid-air.
    """
    step = np.linalg.norm(demonstrations.action_position - demonstrations.ee_position, axis=1)  # (N,) metres
    fewest: int | None = None
    for start, stop in zip(demonstrations.episode_start, demonstrations.episode_stop):
        rest = step[start:stop] < AT_REST_M
        jumps = np.abs(np.diff(demonstrations.action_gripper[start:stop])) > GRIPPER_CHANGE
        for t in np.flatnonzero(jumps) + 1:  # the first frame with the new command
            before = int((~rest[:t][::-1]).argmax()) if (~rest[:t]).any() else t
            after = int((~rest[t:]).argmax()) if (~rest[t:]).any() else len(rest) - t
            fewest = before + after if fewest is None else min(fewest, before + after)
    return fewest
