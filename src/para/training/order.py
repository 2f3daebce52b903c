"""What is random in training, as pure functions of (seed, step): a run that stops and goes on sees the same."""

from __future__ import annotations

import hashlib

import torch


def seed_of(purpose: str, seed: int, *counts: int) -> int:
    """A seed for one purpose at one place of a run; different purposes and places share nothing."""
    text = ":".join([purpose, str(seed), *map(str, counts)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def generator_of(purpose: str, seed: int, *counts: int) -> torch.Generator:
    """A CPU generator from `seed_of`."""
    return torch.Generator().manual_seed(seed_of(purpose, seed, *counts))


class SampleOrder:
    """Which samples each step sees: shuffled epochs one after the other, cut into batches.

    No sample is left out at the end of an epoch: a batch may reach into the next one.
    """

    def __init__(self, n_samples: int, batch_size: int, seed: int):
        self.n_samples, self.batch_size, self.seed = n_samples, batch_size, seed
        self._epochs: dict[int, torch.Tensor] = {}

    def indices(self, step: int) -> list[int]:
        """The samples of one step, `batch_size` of them."""
        first = step * self.batch_size
        return [self._sample(position) for position in range(first, first + self.batch_size)]

    def _sample(self, position: int) -> int:
        epoch, place = divmod(position, self.n_samples)
        if epoch not in self._epochs:
            if len(self._epochs) > 2:
                self._epochs.clear()
            generator = generator_of("order", self.seed, epoch)
            self._epochs[epoch] = torch.randperm(self.n_samples, generator=generator)
        return int(self._epochs[epoch][place])
