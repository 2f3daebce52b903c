"""Which device computes: the GPU where there is one, and then how many processes it has room for."""

from __future__ import annotations

import os

import torch
from torch import nn

PROCESS_BYTES = 1 << 30
"""What CUDA and its kernels take of a GPU in each process, about."""

ACTING_TIMES_WEIGHTS = 2
"""A policy that acts takes so many times the memory of its weights, about: themselves, and what it computes."""


def gpus() -> tuple[str, ...]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; empty where there is none."""
    if not torch.cuda.is_available():
        return ()
    n = torch.cuda.device_count()
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    return tuple(name.strip() for name in told.split(",")[:n]) if told else tuple(str(i) for i in range(n))


def gpu_models() -> str:
    """What GPUs they are, as `2 x NVIDIA H200`; empty where there is none."""
    n = len(gpus())
    return f"{n} x {torch.cuda.get_device_name(0)}" if n else ""


def acting_device() -> torch.device:
    """Where policies act. Never Apple's MPS: geometry is computed in float64 in places, which that does not have."""
    return torch.device("cuda" if gpus() else "cpu")


def device_of(module: nn.Module) -> torch.device:
    """Where a network is; the CPU for one without parameters."""
    return next((parameter.device for parameter in module.parameters()), torch.device("cpu"))


def wait_for_gpu() -> None:
    """Return once what was begun on the GPU is done; before that, a clock tells how long it took to ask for it."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def free_unused_memory() -> None:
    """Give back what this process keeps of the GPU for later, so that other processes can have it."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def trainings_at_a_time(workers: int) -> int:
    """How many of so many processes train at a time: one for each GPU, and all where there is none.

    A training keeps a GPU busy by itself, and a large one fills its memory.
    """
    return min(workers, len(gpus())) if gpus() else workers


def acting_processes(workers: int, weights_bytes: int) -> int:
    """How many of so many processes may act at a time: as many as there is memory for on the GPUs, and all without one.

    Each takes `PROCESS_BYTES`, and `ACTING_TIMES_WEIGHTS` times its weights. One is always let try.

    Args:
        workers: processes that were asked for; 0 stays 0, this process.
        weights_bytes: of the largest policy.
    """
    n = len(gpus())
    if n == 0 or workers == 0:
        return workers
    on_each = min(free_bytes(i) for i in range(n)) // (PROCESS_BYTES + ACTING_TIMES_WEIGHTS * weights_bytes)
    return max(1, min(workers, n * on_each))


def free_bytes(gpu: int) -> int:
    """Memory of a GPU that no process holds."""
    free_unused_memory()
    return torch.cuda.mem_get_info(gpu)[0]
