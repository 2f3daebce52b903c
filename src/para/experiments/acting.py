"""Trained policies that act: on the GPU where there is one, in as many processes as it has room for."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from torch import nn

from para.devices import acting_device, acting_processes
from para.evaluation.protocol import cached_policy
from para.experiments.lessons import lesson_of
from para.training.checkpoint import WEIGHTS_FILE, load_policy

logger = logging.getLogger(__name__)


def load_to_act(checkpoint: str | Path) -> nn.Module:
    """The policy of a checkpoint, in evaluation mode, where policies act, with the one camera of its demonstrations, or
    None, as `home_camera`. Raises as `load_policy` and `lesson_of`.

    On a GPU it takes the place of those whose episodes are done: `processes_to_act` reckons with one in each process.
    """
    device = acting_device()
    if device.type == "cuda":
        cached_policy.cache_clear()
    policy = load_policy(checkpoint, device)
    policy.home_camera = lesson_of(Path(checkpoint)).home_camera()
    return policy


def processes_to_act(checkpoints: Iterable[str | Path], workers: int) -> int:
    """How many of so many processes may act with any of these policies at a time (`para.devices.acting_processes`)."""
    sizes = [(Path(folder) / WEIGHTS_FILE).stat().st_size for folder in set(checkpoints)]
    n = acting_processes(workers, max(sizes, default=0))
    if n < workers:
        logger.info("%d processes evaluate at a time, not %d: the GPU's memory has room for no more", n, workers)
    return n
