"""Pools of worker processes that end with the process that started them, however that ends."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.queues import SimpleQueue


class WorkerDied(RuntimeError):
    """A process of a pool ended before its work was done, through no fault of what was asked."""


@contextmanager
def worker_pool(
    workers: int, start: Callable[[], None] | None = None, *, gpus: Sequence[str] = ()
) -> Iterator[ProcessPoolExecutor]:
    """A pool of fresh processes, whose work is stopped when the body raises (Ctrl-C among the reasons).

    Workers do not hear Ctrl-C, which a terminal sends to all processes: this process decides, and then sends SIGTERM.
    They also end when this process is killed; a pool of the standard library would work on for nobody, and would write
    into the same files as the run that is started next.

    Args:
        workers: how many processes.
        start: called once in each of them, a function of a module; None: nothing is.
        gpus: dealt out to them in turn: each sees one alone (CUDA_VISIBLE_DEVICES); empty: nothing is changed.

    Raises:
        WorkerDied: if a process of it ended before its work was done.
    """
    others = set(multiprocessing.active_children())
    # spawn: a forked child would inherit the parent's renderer and thread pools in an unusable state
    context = multiprocessing.get_context("spawn")
    dealt = context.SimpleQueue() if gpus else None
    for i in range(workers if gpus else 0):
        dealt.put(gpus[i % len(gpus)])
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(start, dealt))
    try:
        yield pool
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        if isinstance(error, BrokenProcessPool):
            raise WorkerDied(
                "a process that did a part of the work died (killed, or out of memory); what is done stays: run the "
                "same command again, with fewer --workers if memory is short"
            ) from error
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Of `mallopt` (malloc.h)."""


def _start_worker(start: Callable[[], None] | None, gpus: SimpleQueue | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus.get()  # before anything asks CUDA what there is
    _keep_freed_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if start is not None:
        start()


def _keep_freed_memory() -> None:
    """Let freed memory be used again instead of going back to the system, where malloc is glibc's.

    A training step frees all its activations and the next one allocates as many. What autograd's thread frees would be
    handed back and faulted in again, page by page: a tenth of the time of a step.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the most that glibc allows; what is larger is mapped anew each time
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_TOP_PAD, 64 << 20)


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
