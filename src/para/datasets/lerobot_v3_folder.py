"""A dataset's folder: who may write into it, what does not belong there, and what an interrupted writer left."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TextIO

from para.datasets.lerobot_v3_layout import (
    CAMERA_INFO_KEY,
    INFO_FILE,
    KNOWN_FOLDERS,
    LOCK_FILE,
    DatasetError,
    stored_image_size,
)
from para.files import TEMPORARY_SUFFIX

KNOWN_FILES = ("README.md", ".gitattributes")
"""What people and the hub put beside a dataset's folders."""


def refuse_unrelated(root: Path) -> None:
    """Refuse to write a dataset into a folder that holds anything else.

    Raises:
        DatasetError: if it does, or is a file; it names what was found.
    """
    if root.is_file():
        raise DatasetError(f"{root} is a file; demonstrations need a folder of their own: choose another name")
    if not root.is_dir():
        return
    if (root / INFO_FILE).exists():
        strangers = [p.name for p in root.iterdir() if p.name not in (*KNOWN_FOLDERS, *KNOWN_FILES)]
    else:
        # A writer killed before its first info.json leaves meta/ with its lock and temporary files only.
        started = [p for p in root.rglob("*") if p.parent == root / "meta" and _is_leftover(p)]
        strangers = [str(p.relative_to(root)) for p in root.rglob("*") if p not in started and p != root / "meta"]
    if strangers:
        raise DatasetError(
            f"{root} holds {', '.join(sorted(strangers)[:3])}, which is no part of a dataset; "
            "demonstrations need a folder of their own: choose another, or move that away"
        )


def _is_leftover(path: Path) -> bool:
    return path.name.endswith(TEMPORARY_SUFFIX) or path.name == Path(LOCK_FILE).name


def take_lock(root: Path) -> TextIO | None:
    """Make sure that no other process writes there; the lock goes when the file is closed or the process ends.

    Raises:
        DatasetError: if another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such lock; one writer at a time is up to the user there
        return None
    path = root / LOCK_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = open(path, "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise DatasetError(f"{root} is being written by another process; wait for it, or stop it") from error
    return lock


def is_being_written(root: Path) -> bool:
    """Whether another process, or another writer of this one, appends to the dataset now."""
    if not (root / LOCK_FILE).exists():
        return False
    try:
        lock = take_lock(root)
    except DatasetError:
        return True
    except OSError:  # nobody writes to what cannot be written to
        return False
    if lock is not None:
        lock.close()
    return False


def refuse_other_recording(root: Path, info: dict[str, Any], needed: dict[str, Any], video_key: str) -> None:
    """Refuse to append episodes to a dataset that was recorded in another way.

    Args:
        root: for the message.
        info: info.json found there.
        needed: the info.json that the new episodes would start.
        video_key: the camera's feature.

    Raises:
        DatasetError: if columns, frame rate, image size or encoding differ.
    """
    found, wanted = info["features"], needed["features"]
    if set(found) != set(wanted) or info["fps"] != needed["fps"]:
        raise DatasetError(
            f"{root} holds a dataset with features {sorted(found)} at {info['fps']} fps, not para's {sorted(wanted)} "
            f"at {needed['fps']} fps; choose another folder"
        )
    size, wanted_size = (stored_image_size(features[video_key]) for features in (found, wanted))
    if size != wanted_size:
        raise DatasetError(
            f"{root} holds frames of {size} (H, W), not {wanted_size}; record at that size, or choose another folder"
        )
    notes = found[video_key].get("info") or {}
    for name, value in wanted[video_key]["info"].items():
        if name != CAMERA_INFO_KEY and notes.get(name) != value:
            raise DatasetError(
                f"{root} was recorded with {name} = {notes.get(name)}, not {value}; record as it was, or choose "
                "another folder"
            )


def uncommitted_files(root: Path, info: dict[str, Any]) -> list[Path]:
    """What an interrupted writer left: temporary files, and the files of episodes beyond info.json's count.

    Only for datasets that `para` wrote, with one file per episode.
    """
    left = []
    for path in sorted(p for folder in ("meta", "data", "videos") for p in (root / folder).rglob("*") if p.is_file()):
        chunk, file = path.parent.name.removeprefix("chunk-"), path.stem.removeprefix("file-")
        numbered = path.stem.startswith("file-") and chunk.isdigit() and file.isdigit()
        beyond = numbered and int(chunk) * info["chunks_size"] + int(file) >= info["total_episodes"]
        if path.name.endswith(TEMPORARY_SUFFIX) or beyond:
            left.append(path)
    return left
