"""Decoded frames in one memory-mapped file, so that video decoding is never on the training path."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from para.datasets.lerobot_v3_layout import CACHE_FOLDER, DatasetError, stored_image_size
from para.datasets.lerobot_v3_read import video_file
from para.datasets.video import frames_at
from para.files import TEMPORARY_SUFFIX, disk_error
from para.locks import turn_to_write
from para.progress import progress_bar

logger = logging.getLogger(__name__)

ANY_KEY = "[0-9a-f]" * 16
"""A pattern for `_cache_key`."""


class Frames:
    """Some frames of a memory-mapped array, in a chosen order; reads from the disk only what is indexed.

    `frames[index]` gives uint8 arrays (..., H, W, 3); `np.asarray(frames)` reads everything.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, stored: np.ndarray, rows: np.ndarray):
        self._stored, self._rows = stored, rows
        self.shape = (len(rows), *stored.shape[1:])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index) -> np.ndarray:
        return np.asarray(self._stored[self._rows[index]])

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[:], dtype=dtype)

    def subset(self, index: np.ndarray) -> Frames:
        """Some of these frames, without reading them."""
        return Frames(self._stored, self._rows[index])


def open_frame_cache(
    root: Path, info: dict[str, Any], rows: list[dict[str, Any]], video_key: str, data_hash: str, cache_dir: Path | None
) -> Frames:
    """The decoded frames of a dataset, from the cache where it is fresh and whole, decoded into it otherwise.

    Args:
        root: the dataset.
        info, rows: info.json and meta/episodes.
        video_key: the camera's feature.
        data_hash: of the dataset; a cache made for another one is stale.
        cache_dir: where caches live; None: in the dataset's own folder.

    Raises:
        FileNotFoundError, DatasetError: if a video is missing, damaged, or of another size or length than promised.
        OSError: ENOSPC where the disk is full.
    """
    H, W = stored_image_size(info["features"][video_key])
    total = sum(row["length"] for row in rows)
    folder = Path(cache_dir) if cache_dir is not None else root / CACHE_FOLDER
    key = _cache_key(root, info, rows, video_key, data_hash)
    prefix = _prefix(None if cache_dir is None else root, video_key)
    path = folder / f"{prefix}-{key}.npy"
    stored = _open_if_whole(path, (total, H, W, 3))
    if stored is None:
        with _turn_to_build(folder / prefix):
            stored = _open_if_whole(path, (total, H, W, 3))  # another process may have made it meanwhile
            if stored is None:
                for left_over in folder.glob(f".{prefix}-{ANY_KEY}.npy{TEMPORARY_SUFFIX}"):
                    left_over.unlink()  # by a decoding that was killed
                _build(path, root, info, rows, video_key, (total, H, W, 3))
                for old in _caches(folder, prefix, own=cache_dir is None):
                    if old != path:
                        old.unlink()  # made for what the dataset was before
                stored = _open_if_whole(path, (total, H, W, 3))
    return Frames(stored, np.arange(total))


def _prefix(root: Path | None, video_key: str) -> str:
    """How the names of a camera's caches begin; `root`: the dataset, where others may share the folder, or None."""
    camera = video_key.rsplit(".", 1)[-1]
    if root is None:
        return camera  # without the dataset's place: a folder that is moved takes its cache along
    # Only a dataset's own old caches may be deleted.
    return f"{camera}-{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:8]}"


def _caches(folder: Path, prefix: str, *, own: bool) -> Iterator[Path]:
    """The caches of a camera, and no other camera's whose name begins alike."""
    yield from list(folder.glob(f"{prefix}-{ANY_KEY}.npy"))
    if own:  # names had the dataset's place in them here, too, so that a moved dataset has caches that nothing opens
        yield from list(folder.glob(f"{prefix}-{'[0-9a-f]' * 8}-{ANY_KEY}.npy"))


def _cache_key(root: Path, info: dict[str, Any], rows: list[dict[str, Any]], video_key: str, data_hash: str) -> str:
    paths = dict.fromkeys(video_file(root, info, row, video_key) for row in rows)
    videos = [(path.name, s.st_size, s.st_mtime_ns) for path in paths if path.exists() for s in [path.stat()]]
    return hashlib.sha256(json.dumps([data_hash, videos]).encode()).hexdigest()[:16]


def _open_if_whole(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    if not path.is_file():
        return None
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError):
        logger.warning("the frame cache %s is damaged; decoding again", path)
        return None
    return stored if stored.shape == shape and stored.dtype == np.uint8 else None


@contextmanager
def _turn_to_build(cache: Path) -> Iterator[None]:
    """Be the only process that decodes a dataset; whoever needs its frames too waits for them.

    Raises:
        DatasetError: if nothing can be written there.
    """
    try:
        with turn_to_write(cache):
            yield
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise DatasetError(
                f"no frame cache can be written to {cache.parent}; copy the dataset to where one can be, or "
                "from Python pass a cache_dir"
            ) from error
        raise


def _build(path: Path, root: Path, info: dict, rows: list[dict], video_key: str, shape: tuple[int, ...]) -> None:
    temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")
    try:
        # Written frame by frame rather than through a map: a full disk is then an error here, not a SIGBUS later.
        with open(temporary, "wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_2_0(file, header)
            with progress_bar(len(rows), "decoding demonstrations", unit="episode") as bar:
                for frames in decoded_episodes(root, info, rows, video_key, shape[1:3]):
                    file.write(np.ascontiguousarray(frames).data)
                    bar.update()
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise disk_error(error, path) from error
    finally:
        temporary.unlink(missing_ok=True)


def decoded_episodes(root: Path, info: dict, rows: list[dict], video_key: str, image_size: tuple[int, int]):
    """The frames (n, H, W, 3) of each episode, one in memory at a time; those that share a file follow one another."""
    for path, group in groupby(rows, lambda row: video_file(root, info, row, video_key)):
        spans = [(first_frame(row, video_key, info["fps"]), row["length"]) for row in group]
        for frames in frames_at(path, spans):
            if frames.shape[1:3] != tuple(image_size):
                raise DatasetError(
                    f"{path} shows {frames.shape[1:3]} (H, W), info.json promises {tuple(image_size)}; "
                    "put the right video there, or record again"
                )
            yield frames


def first_frame(row: dict, video_key: str, fps: float) -> int:
    """Which frame of its video file an episode begins at."""
    return round(row[f"videos/{video_key}/from_timestamp"] * fps)
