"""Several datasets as one, by sampling weights: co-training on demonstrations that tell different things."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Protocol

import torch
from torch import Tensor

from para.geometry import Camera
from para.interfaces import ActionChunk, Observation


class Samples(Protocol):
    """What `ChunkDataset` offers."""

    def __len__(self) -> int: ...

    def batch(self, indices: list[int]) -> tuple[Observation, ActionChunk]:
        """The samples of those numbers."""
        ...


class Mixture:
    """Samples of several datasets, each with its share.

    An epoch has each dataset's share to the nearest sample, and every sample of every dataset at least once; those of a
    dataset that is small for its share come again and again, in turn. Which sample a number stands for is a pure
    function, so that the training loop's order makes it deterministic, and exact after an interruption.
    """

    def __init__(self, datasets: Sequence[Samples], weights: Sequence[float]):
        """Lay out an epoch.

        Args:
            datasets: of one image size and horizon.
            weights: of each, above 0; only their proportions count.

        Raises:
            ValueError: if numbers of the two differ, a weight is not above 0, or a dataset is empty.
        """
        if len(datasets) != len(weights) or not datasets:
            raise ValueError(f"{len(datasets)} datasets need as many weights; got {list(weights)}")
        if not all(math.isfinite(weight) and weight > 0 for weight in weights):
            raise ValueError(f"sampling weights must be above 0; got {list(weights)}")
        if not all(len(data) for data in datasets):
            raise ValueError(f"a dataset of the mixture is empty (samples: {[len(data) for data in datasets]})")
        self.datasets = list(datasets)
        shares = [weight / sum(weights) for weight in weights]
        length = max(math.ceil(len(data) / share) for data, share in zip(datasets, shares))
        self.counts = [max(len(data), round(share * length)) for data, share in zip(datasets, shares)]
        """Samples of each dataset in an epoch."""
        self._stops = torch.tensor(self.counts).cumsum(0).tolist()

    def __len__(self) -> int:
        return self._stops[-1]

    def place(self, index: int) -> tuple[int, int]:
        """Which dataset a number stands for, and which of its samples."""
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        which = next(i for i, stop in enumerate(self._stops) if index < stop)
        first = self._stops[which] - self.counts[which]
        return which, (index - first) % len(self.datasets[which])

    def batch(self, indices: Sequence[int]) -> tuple[Observation, ActionChunk]:
        """The samples of those numbers in the order given, as one batch."""
        places = [self.place(int(index)) for index in indices]
        order, parts = [], []
        for which, data in enumerate(self.datasets):
            rows = [row for row, place in enumerate(places) if place[0] == which]
            if rows:
                parts.append(data.batch([places[row][1] for row in rows]))
                order += rows
        back = torch.tensor(order).argsort()
        observations, chunks = zip(*parts)
        return join_observations(observations)[back], join_chunks(chunks)[back]


def join_observations(parts: Sequence[Observation]) -> Observation:
    """One batch of several. Raises ValueError where their images differ in size."""
    sizes = sorted({part.camera.image_size for part in parts})
    if len(sizes) > 1:
        raise ValueError(f"datasets of one mixture need images of one size; got {sizes} (H, W): import or record again")
    camera = Camera(
        torch.cat([part.camera.K for part in parts]), torch.cat([part.camera.T_world_cam for part in parts]), sizes[0]
    )
    names = ("image", "ee_position", "gripper")
    image, ee_position, gripper = (torch.cat([getattr(part, name) for part in parts]) for name in names)
    return Observation(image, camera, ee_position, gripper)


def join_chunks(parts: Sequence[ActionChunk]) -> ActionChunk:
    """One batch of several; where one says what is known and another does not, all of the other is.

    Raises:
        ValueError: where horizons differ, or some have rotations and others not.
    """
    horizons = sorted({part.horizon for part in parts})
    if len(horizons) > 1:
        raise ValueError(f"datasets of one mixture need chunks of one horizon; got {horizons}")
    if len({part.rotation is None for part in parts}) > 1:
        raise ValueError("some datasets of the mixture tell the tool's rotation and others do not; leave it out")
    return ActionChunk(
        **{f.name: _join([getattr(part, f.name) for part in parts], parts, f.name) for f in fields(ActionChunk)}
    )


def _join(tensors: Sequence[Tensor | None], parts: Sequence[ActionChunk], name: str) -> Tensor | None:
    if all(tensor is None for tensor in tensors):
        return None
    if name == "known":
        tensors = [
            torch.ones(*part.is_pad.shape, 3, dtype=torch.bool) if tensor is None else tensor
            for tensor, part in zip(tensors, parts)
        ]
    return torch.cat(list(tensors))
