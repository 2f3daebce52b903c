"""Files that are either there in full or not at all: write beside, flush to the disk, rename."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

TEMPORARY_SUFFIX = ".tmp"
"""Ends the names of files that are being written; what bears it is never read and may be deleted."""

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says when a disk, or one's share of it, is full."""


def write_atomic(path: str | Path, content: bytes) -> None:
    """Put `content` at `path` so that a reader, or a kill at any moment, sees all of it or the file as it was.

    Raises:
        OSError: where the disk is full (ENOSPC), with one line that says so; the file at `path` is as it was.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise disk_error(error, path) from error


def disk_error(error: OSError, path: Path) -> OSError:
    """The error, or where it is that of a full disk, one that says what to do."""
    if error.errno not in DISK_FULL:
        return error
    return OSError(
        errno.ENOSPC,
        f"the disk is full: {path} could not be written; what was finished before is untouched; free some space and "
        "run the same command again",
    )


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the system offers that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows cannot open folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def json_bytes(values: Any) -> bytes:
    """As indented JSON. Raises ValueError for values that JSON cannot hold, NaN among them."""
    return (json.dumps(values, indent=2, allow_nan=False) + "\n").encode()


def write_json(path: str | Path, values: Any) -> None:
    """Write JSON, whole or not at all."""
    write_atomic(path, json_bytes(values))


def read_json(path: str | Path) -> dict[str, Any]:
    """One JSON object. Raises FileNotFoundError, or ValueError where the file holds something else."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no {path.name} in {path.parent}; is that the right folder?")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}); restore it, or make it again") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold a JSON object; got a {type(values).__name__}")
    return values
