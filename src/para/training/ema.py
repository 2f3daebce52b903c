"""An exponential moving average of a policy's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """average <- d average + (1 - d) weights after each step, with d = min(decay, (1 + step) / (10 + step)).

    The smaller d of the first steps lets the average forget where training began. Buffers (ranges, statistics) are not
    averaged.
    """

    def __init__(self, policy: nn.Module, decay: float):
        self.decay = decay
        self._parameters = {n: p for n, p in policy.named_parameters() if p.requires_grad}
        self.average = {n: p.detach().clone() for n, p in self._parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step `step` (counted from 0)."""
        d = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.average.values()), [p.detach() for p in self._parameters.values()], 1 - d)

    @torch.no_grad()
    def load(self, average: dict[str, Tensor]) -> None:
        """Go on from a saved average."""
        for name, tensor in self.average.items():
            tensor.copy_(average[name])

    @torch.no_grad()
    def exchange(self) -> None:
        """Swap the policy's weights and the average; a second call swaps back."""
        for name, parameter in self._parameters.items():
            weights = parameter.detach().clone()
            parameter.copy_(self.average[name])
            self.average[name].copy_(weights)


@contextmanager
def averaged(average: WeightAverage | None) -> Iterator[None]:
    """Within, the policy has the averaged weights; with None, its own."""
    if average is None:
        yield
        return
    average.exchange()
    try:
        yield
    finally:
        average.exchange()
