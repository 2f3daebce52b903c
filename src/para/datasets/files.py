"""Files that are either there in full or not at all: write beside, flush to the disk, rename."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

TEMPORARY_SUFFIX = ".tmp"
"""Ends the names of files that are being written; what bears it is never read and may be deleted."""


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
        raise _explained(error, path, len(content)) from error


def _explained(error: OSError, path: Path, n_bytes: int) -> OSError:
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    return OSError(
        errno.ENOSPC,
        f"the disk is full: {path} needs {n_bytes} bytes more; what was finished before is untouched; "
        "free some space and run the same command again",
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
    """As indented JSON, NaN refused. Raises ValueError for values that JSON cannot hold."""
    return (json.dumps(values, indent=2, allow_nan=False) + "\n").encode()
