"""Making a damaged dataset whole again from its complete episodes; the damaged one is kept beside it."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from para.datasets.checks import check_dataset
from para.datasets.conversion_note import goes_by_order
from para.datasets.lerobot_v3_encode import EncodedEpisode
from para.datasets.lerobot_v3_folder import take_lock, uncommitted_files
from para.datasets.lerobot_v3_layout import (
    CONVERSION_FILE,
    EPISODE_VIDEO_SHA256,
    FPS,
    IMAGE_KEY,
    INDEX_COLUMNS,
    INFO_FILE,
    RECORDING_FILE,
    STEP_INFO_KEY,
    STEP_S,
    DatasetError,
    episode_paths,
    has_file_per_episode,
    read_info,
)
from para.datasets.lerobot_v3_read import as_arrays, read_table
from para.datasets.lerobot_v3_stats import from_columns
from para.datasets.lerobot_v3_write import DatasetWriter
from para.datasets.video import is_lossless, read_video


def repair_dataset(root: str | Path) -> list[str]:
    """Make a dataset that `para` wrote whole again.

    What an interrupted writer left is removed. Where more is wrong, the complete episodes are gathered into a new
    dataset, numbered anew, which takes the folder's name; the damaged one is kept as `<root>.damaged-1` (-2, ...). Of a
    dataset that was made of another one those before the first damage alone: the command that made it adds the others.

    Returns:
        What was done, one line each; empty if nothing was wrong.

    Raises:
        FileNotFoundError: if there is nothing at `root`.
        DatasetError: if it is of another format version, was not written by `para`, is being written, has no complete
            episode, or what is wrong (a camera's geometry, say) cannot be learnt from the data.
    """
    root = Path(root)
    staging = root.with_name(root.name + ".repaired")
    if not root.exists() and (staging / INFO_FILE).exists():
        os.replace(staging, root)
        return [f"finished a repair of {root} that was interrupted"]
    info = _info_or_none(root)
    with take_lock(root) or nullcontext():  # files that a writer has not committed yet look like leftovers
        return _repair(root, staging, info)


def _repair(root: Path, staging: Path, info: dict[str, Any] | None) -> list[str]:
    done = _remove_uncommitted(root, info)
    problems = check_dataset(root)
    if not problems:
        return done
    shutil.rmtree(staging, ignore_errors=True)
    kept, lost = _gather(root, info, staging)
    if len(check_dataset(staging)) >= len(problems):
        shutil.rmtree(staging)
        raise DatasetError(f"this cannot be repaired from the data itself: {problems[0]}")
    damaged = next(path for k in range(1, 10**6) if not (path := root.with_name(f"{root.name}.damaged-{k}")).exists())
    os.replace(root, damaged)
    os.replace(staging, root)
    done.append(f"gathered {kept} complete episodes into a new {root}; the damaged dataset is {damaged}")
    return done + [f"left out {reason}" for reason in lost]


def _info_or_none(root: Path) -> dict[str, Any] | None:
    """info.json, or None where it is damaged or missing but episodes are there."""
    try:
        info = read_info(root)
    except (DatasetError, FileNotFoundError) as error:
        other_version = isinstance(error, DatasetError) and "is damaged" not in str(error)
        if other_version or not any((root / "meta/episodes").glob("*/*.parquet")):
            raise
        return None
    if not has_file_per_episode(info):
        raise DatasetError(
            f"{root} was not written by para, which repairs its own datasets only (one file per episode); "
            "use lerobot-edit-dataset"
        )
    return info


def _remove_uncommitted(root: Path, info: dict[str, Any] | None) -> list[str]:
    left = [] if info is None else uncommitted_files(root, info)
    for path in left:
        path.unlink()
    return [f"removed {path.relative_to(root)}, left by an interrupted recording" for path in left]


def _gather(root: Path, info: dict[str, Any] | None, staging: Path) -> tuple[int, list[str]]:
    """Write the complete episodes of `root` to `staging`; returns how many, and why others were left out."""
    camera = next(
        (p.name.rsplit(".", 1)[-1] for p in sorted((root / "videos").glob(IMAGE_KEY.format(camera="*")))), "main"
    )
    n = info["total_episodes"] if info is not None else _highest_episode(root) + 1
    writer, lost, in_order = None, [], goes_by_order(root)
    try:
        for i in range(n):
            try:
                encoded, task = _read_encoded(root, i, camera)
            except (ValueError, OSError, KeyError) as error:
                lost.append(f"episode {i}: {error}")
                if not in_order:
                    continue
                lost.append(f"the {n - i - 1} after it, too: the command that made the dataset goes on from there")
                break
            if writer is None:
                writer = DatasetWriter(staging, **_storage(root, info, camera, i), camera=camera)
            writer.append_encoded(encoded, task=task)
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        among = f"the first of {n} is damaged" if in_order and n else f"it has no complete episode among {n}"
        raise DatasetError(f"{root}: {among}; nothing was changed: make it anew in another folder")
    for note in (RECORDING_FILE, CONVERSION_FILE):
        if (root / note).is_file():
            shutil.copyfile(root / note, staging / note)
    return writer.n_episodes, lost


def _highest_episode(root: Path) -> int:
    numbers = [
        int(path.parent.name.removeprefix("chunk-")) * 1000 + int(path.stem.removeprefix("file-"))
        for path in (root / "meta/episodes").glob("chunk-*/file-*.parquet")
    ]
    return max(numbers, default=-1)


def _read_encoded(root: Path, episode_index: int, camera: str) -> tuple[EncodedEpisode, str]:
    """A stored episode, verified, and its task. Raises ValueError or OSError where it is not complete."""
    video_path, data_path, row_path = episode_paths(root, episode_index, camera)
    row = read_table(row_path).to_pylist()[0]
    columns = as_arrays(read_table(data_path))
    columns = {name: values for name, values in columns.items() if name not in INDEX_COLUMNS}
    n = len(read_video(video_path))
    video = video_path.read_bytes()
    lengths = {n, row["length"], *(len(values) for values in columns.values())}
    if len(lengths) != 1:
        raise DatasetError(f"its video, frames and metadata disagree on its length: {sorted(lengths)}")
    if hashlib.sha256(video).hexdigest() != row[EPISODE_VIDEO_SHA256]:
        raise DatasetError(f"{video_path} is not the video that was recorded (SHA-256 differs)")
    numbers = [*columns.values()] + [v for k, v in row.items() if k.startswith("para.camera.")]
    if not all(np.isfinite(values).all() for values in numbers):
        raise DatasetError("its positions or its camera are not finite")
    stats = {name: of for name, of in from_columns(row).items() if name not in INDEX_COLUMNS}
    extras = {name: value for name, value in row.items() if name.startswith("para.")}
    return EncodedEpisode(columns, video, stats, extras), row["tasks"][0]


def _storage(root: Path, info: dict[str, Any] | None, camera: str, episode_index: int) -> dict[str, Any]:
    """How the dataset was recorded, as options of `DatasetWriter`; from the episode itself where info.json is lost."""
    video_path = episode_paths(root, episode_index, camera)[0]
    notes = {} if info is None else info["features"][IMAGE_KEY.format(camera=camera)]["info"]
    return {
        "image_size": read_video(video_path).shape[1:3],
        "fps": FPS if info is None else info["fps"],
        "step_s": notes.get(STEP_INFO_KEY, STEP_S),
        "lossless": is_lossless(video_path),
    }
