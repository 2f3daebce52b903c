"""One process at a time writes into a folder. The system frees these locks when their holder ends, however it ends.

A run's folder is held for the whole run, and a second command on it is refused; so is a second training in one folder.
A set of demonstrations and a training that several runs may share, and the decoded frames of a dataset, are held while
they are made, and whoever needs them too waits: two experiments can go on side by side over one shared folder.
"""

from __future__ import annotations

import logging
import multiprocessing
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)

LOCK_FILE = ".lock"
"""In a run's folder; that of a shared entry lies beside it, since nothing else may lie in a dataset's folder."""

HOLDER_SUFFIX = ".holder"
"""Ends the name of the file that says who holds a lock. It means nothing where nobody does."""

PATIENCE_S = 1.0
"""Between two looks at a lock that somebody else holds."""


@contextmanager
def only_writer(out: Path, path: Path | None = None) -> Iterator[None]:
    """Be the only process that writes into a run's folder.

    Args:
        out: the folder.
        path: of the lock, where it is not the folder's `LOCK_FILE`.

    Raises:
        ValueError: if another one does; it says which.
    """
    path = path or out / LOCK_FILE
    lock = take(path)
    if lock is None:
        raise ValueError(
            f"{out} is being written by {holder_of(path)}; wait until that has ended, stop it, or choose another --out"
        )
    try:
        yield
    finally:
        give_back(lock)


def check_free(out: Path) -> None:
    """Raises ValueError if another process is writing into a run's folder; one that never had a lock gets none."""
    if (out / LOCK_FILE).exists():
        with only_writer(out):
            pass


@contextmanager
def turn_to_write(entry: Path) -> Iterator[None]:
    """Be the only process that makes a folder or file, once whoever is making it has ended.

    Args:
        entry: a set of demonstrations, a training, a file; it need not exist.
    """
    path = entry.with_name(f".{entry.name}{LOCK_FILE}")
    lock = take(path)
    if lock is None:
        logger.warning("waiting for %s, which is being made by %s", entry, holder_of(path))
    while lock is None:
        time.sleep(PATIENCE_S)
        lock = take(path)
    try:
        yield
    finally:
        give_back(lock)


def take(path: Path) -> FileLock | None:
    """The lock at a path, signed by this process; None while another one holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    # beside the lock, since some versions of filelock empty the file when they merely try to take it
    signature(path).write_text(this_process())
    return lock


def give_back(lock: FileLock) -> None:
    """Free a lock; its file stays, because removing it would let two processes hold one each."""
    signature(Path(lock.lock_file)).unlink(missing_ok=True)
    lock.release()


def is_lock_file(path: Path) -> bool:
    """Whether a file in a run's folder is there because of the lock alone."""
    return path.name in (LOCK_FILE, LOCK_FILE + HOLDER_SUFFIX)


def signature(path: Path) -> Path:
    """The file that says who holds the lock at a path."""
    return path.with_name(path.name + HOLDER_SUFFIX)


def this_process() -> str:
    """Which command this is, in words: the process that a person started, not one of its workers."""
    process = multiprocessing.parent_process() or multiprocessing.current_process()
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return f"process {process.pid} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')} ({command})"


def holder_of(path: Path) -> str:
    """Who holds the lock at a path, in words."""
    try:
        return signature(path).read_text() or "another process"
    except FileNotFoundError:  # it has just taken the lock, or is just giving it back
        return "another process"
