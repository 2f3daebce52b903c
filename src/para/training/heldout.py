"""How good a policy is on samples that it does not train on, and whether it looks at the image at all."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

import torch
from torch import nn

from para.interfaces import ActionChunk, Observation

log = logging.getLogger(__name__)


class ChunkData(Protocol):
    """Training samples, as `para.datasets` reads them."""

    def __len__(self) -> int: ...

    def batch(self, indices: list[int]) -> tuple[Observation, ActionChunk]:
        """The samples of those numbers as one batch on the CPU: a pure function, called from a thread of its own."""
        ...


def spread(n: int, n_wanted: int) -> list[int]:
    """At most `n_wanted` numbers out of 0 .. n - 1, evenly spaced."""
    n_wanted = min(n, n_wanted)
    return [i * n // n_wanted for i in range(n_wanted)]


@contextmanager
def evaluation_mode(policy: nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluation mode, without gradients, and with what it draws from torch's global generators given back."""
    training = policy.training
    policy.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(0)
            yield
    finally:
        policy.train(training)


def heldout_metrics(
    policy: nn.Module, data: ChunkData, *, n_samples: int, batch_size: int, device: torch.device
) -> dict[str, float]:
    """Losses and errors on samples spread evenly over `data`, in evaluation mode and without augmentation.

    Returns:
        Each entry of the policy's loss (its "total" as "loss"), the mean of each batch weighted by its samples (where
        some steps are not known, it depends a little on the size of batches), and "error_mm": how far the
        predicted positions are from the demonstrated ones, averaged over the steps that are not padding and whose
        pixel and height are known, millimetres; absent where there is no such step. What is no finite number is left
        out: a diagnostic is not to cost the weights.
    """
    sums: dict[str, float] = {}
    distance_m, n_steps, n_seen = 0.0, 0, 0
    chosen = spread(len(data), n_samples)
    with evaluation_mode(policy, device):
        for first in range(0, len(chosen), batch_size):
            obs, actions = data.batch(chosen[first : first + batch_size])
            obs, actions = obs.to(device), actions.to(device)
            for name, value in policy.loss(obs, actions, generator=None).items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(obs)
            distance = (policy.act(obs).position - actions.position).norm(dim=-1)  # (B, T)
            counts = ~actions.is_pad & actions.pixel_known & actions.height_known
            distance_m += float(distance[counts].double().sum())
            n_steps += int(counts.sum())
            n_seen += len(obs)
    metrics = {"loss" if name == "total" else name: value / n_seen for name, value in sums.items()}
    metrics |= {"error_mm": 1000 * distance_m / n_steps} if n_steps else {}
    if wrong := [name for name, value in metrics.items() if not math.isfinite(value)]:
        log.warning("%s of the held-out samples: no finite number, left out of the record", ", ".join(wrong))
    return {name: value for name, value in metrics.items() if name not in wrong}


def ignores_images(policy: nn.Module, data: ChunkData, *, device: torch.device) -> bool:
    """Whether the actions stay the same when the images change places within a batch: a policy that does not look.

    False where all the images are equal, since nothing can be said then.
    """
    obs, _ = data.batch(spread(len(data), 8))
    obs = obs.to(device)
    moved = replace(obs, image=obs.image.roll(1, dims=0))
    if torch.equal(moved.image, obs.image):
        return False
    with evaluation_mode(policy, device):
        before, after = policy.act(obs).position, policy.act(moved).position
    return bool((before - after).abs().max() < 1e-6)
