"""The device under the training loop, through `accelerate`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from para.interfaces import ActionChunk, Observation

if TYPE_CHECKING:
    from accelerate import Accelerator


def is_fast_at_bfloat16(on_cuda: bool) -> bool:
    """Whether the device multiplies matrices of bfloat16: recent GPUs, and CPUs with AMX (1.4 times as fast).

    Other CPUs can compute in bfloat16 too, but no faster than in float32.
    """
    if on_cuda:
        return torch.cuda.is_bf16_supported()
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # absent before torch 2.10
    return bool(capabilities.get("amx_bf16", False))


@contextmanager
def without_denormals() -> Iterator[None]:
    """Within, this thread takes numbers below 1.2e-38 for zero, and afterwards what it took them for before.

    CPUs are many times slower at such numbers, and a heatmap that has learnt where to look is full of them: most of its
    probabilities, and their gradients, are all but zero. Training of `para` took 1.5 times as long.
    """
    before = bool(torch.tensor(1e-38) * 1e-3 == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


@contextmanager
def with_threads(n: int) -> Iterator[None]:
    """Within, torch computes with n threads, and afterwards with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def make_accelerator(device: Literal["auto", "cpu"], mixed_precision: Literal["auto", "no", "bf16"]) -> Accelerator:
    """An `accelerate` engine: one process, or the share of it that `accelerate launch` or `torchrun` started.

    Args:
        device: "auto" takes the accelerator where there is one.
        mixed_precision: "auto" is bfloat16 where `is_fast_at_bfloat16`, and float32 elsewhere.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState

    on_cuda = device == "auto" and torch.cuda.is_available()
    if mixed_precision == "auto":
        mixed_precision = "bf16" if is_fast_at_bfloat16(on_cuda) else "no"
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        # accelerate keeps the first device and precision of a process for good; each run here has its own
        AcceleratorState._reset_state(reset_partial_state=True)
    # a policy may leave parameters out of some losses (a term without valid steps), which plain DDP waits for forever
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(cpu=device == "cpu", mixed_precision=mixed_precision, kwargs_handlers=[unused])


def precision(accelerator: Accelerator) -> str:
    """In which number format it trains."""
    return {"no": "float32", "bf16": "bfloat16"}[accelerator.mixed_precision]


class LossModule(nn.Module):
    """The policy's loss as a forward pass, since autocast and data-parallel wrappers act on forward passes."""

    def __init__(self, policy: nn.Module):
        super().__init__()
        self.policy = policy

    def forward(self, obs: Observation, actions: ActionChunk, generator: torch.Generator | None) -> dict[str, Tensor]:
        return self.policy.loss(obs, actions, generator=generator)
