"""A pool of processes, each with a world of its own, whose results come back in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from para.geometry import Camera
from para.interfaces import Episode, World
from para.processes import worker_pool

AHEAD_PER_WORKER = 3
"""Jobs handed out beyond what has been taken back: enough to keep workers busy, few enough to bound memory."""

_make_world: Callable[[], World] | None = None
_world: World | None = None
"""The world of this worker process, and how to build it."""


def in_order(
    make_world: Callable[[], World], work: Callable[[World, Any], Episode], jobs: Sequence[Any], workers: int
) -> Iterator[Episode]:
    """`work(world, job)` for every job, in the order of the jobs. Close the iterator to stop early.

    Args:
        make_world: called once per process; picklable where there is more than one worker.
        work: a function of a module.
        jobs: picklable.
        workers: processes; 1 or less: the work is done here.

    Raises:
        WorkerDied: if a worker process dies (killed, or out of memory).
        Whatever `make_world` or `work` raises.
    """
    workers = min(workers, len(jobs))
    if workers > 1:
        yield from _in_processes(make_world, work, jobs, workers)
        return
    if not jobs:
        return
    world = make_world()
    try:
        for job in jobs:
            yield work(world, job)
    finally:
        world.close()


def _in_processes(make_world, work, jobs, workers: int) -> Iterator[Episode]:
    waiting = iter(jobs)
    running: deque = deque()
    with worker_pool(workers, partial(_start_worker, make_world)) as pool:
        while True:
            while len(running) < workers * AHEAD_PER_WORKER and (job := next(waiting, None)) is not None:
                running.append(pool.submit(_work, work, job))
            if not running:
                return
            yield _unpacked(running.popleft().result())


def _start_worker(make_world: Callable[[], World]) -> None:
    global _make_world
    torch.set_num_threads(1)
    _make_world = make_world


def _work(work, job) -> tuple[Episode, tuple]:
    # The world is built with the first job and not with the process: what is wrong with it then reaches the caller.
    global _world
    if _world is None:
        _world = _make_world()
    return _packed(work(_world, job))


def _packed(episode: Episode) -> tuple[Episode, tuple]:
    """Tensors travel as arrays: torch would share their memory through files, which the worker's end can take away."""
    camera = episode.camera
    return replace(episode, camera=None), (camera.K.numpy(), camera.T_world_cam.numpy(), camera.image_size)


def _unpacked(packed: tuple[Episode, tuple]) -> Episode:
    episode, (K, T_world_cam, image_size) = packed
    return replace(episode, camera=Camera(torch.from_numpy(K), torch.from_numpy(T_world_cam), image_size))
