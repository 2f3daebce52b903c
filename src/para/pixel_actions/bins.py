"""Bins: a value and a class index (paper: N_H height bins, N_G gripper bins)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def range_of(values: Tensor, margin: float) -> tuple[float, float]:
    """From the lowest to the highest of the finite values (N,), widened by `margin` on both sides.

    Raises:
        ValueError: where there is none.
    """
    values = values[torch.isfinite(values)]
    if not len(values):
        raise ValueError("there are no finite values to set a range from; is the dataset empty?")
    return float(values.min()) - margin, float(values.max()) + margin


class Bins(nn.Module):
    """Equal bins between two edges. The edges are buffers: set from the training data, saved with the policy.

    Bin j covers [low + j w, low + (j + 1) w) with w = (high - low) / n. Values beyond an edge belong to the bin at that
    edge, and `outside` tells them apart so that they can be counted.
    """

    def __init__(self, n: int, low: float, high: float):
        super().__init__()
        if n < 1:
            raise ValueError(f"bins need at least one class; got n = {n}")
        self.n = n
        self.register_buffer("edges", torch.tensor([low, high], dtype=torch.float32))
        self.set_range(low, high)

    def set_range(self, low: float, high: float) -> None:
        """Move the outer edges. Raises ValueError unless they are finite and rise."""
        if not (torch.isfinite(torch.tensor([low, high])).all() and low < high):
            raise ValueError(f"a range of bins must be finite and rise; got [{low}, {high}]")
        self.edges.copy_(torch.tensor([low, high]))

    def fit(self, values: Tensor, margin: float) -> None:
        """Set the range to that of `values`, widened by `margin` (in their unit) on both sides."""
        self.set_range(*range_of(values, margin))

    @property
    def width(self) -> Tensor:
        """Width of one bin; half of it is the error to expect from decoding to centres."""
        return (self.edges[1] - self.edges[0]) / self.n

    @property
    def centres(self) -> Tensor:
        """(n,) the value that each class decodes to."""
        return self.edges[0] + (torch.arange(self.n, device=self.edges.device) + 0.5) * self.width

    def to_index(self, value: Tensor) -> Tensor:
        """The class of each value; values outside the range go to the end bins. (...) -> (...) long."""
        return ((value - self.edges[0]) / self.width).floor().long().clamp(0, self.n - 1)

    def to_value(self, index: Tensor) -> Tensor:
        """The centre of each class. (...) long -> (...)."""
        return self.edges[0] + (index + 0.5) * self.width

    def outside(self, value: Tensor) -> Tensor:
        """Which values no bin covers. (...) -> (...) bool."""
        return (value < self.edges[0]) | (value > self.edges[1])

    def split(self, value: Tensor) -> Tensor:
        """Each value as a distribution over the two bins whose centres enclose it. (...) -> (..., n), sums to 1.

        Its expectation over the centres is the value itself (where the value lies between the outermost centres), so a
        model trained on it decodes without the half-bin error of classes.
        """
        position = ((value - self.edges[0]) / self.width - 0.5).clamp(0, self.n - 1)  # (...) in bins from centre 0
        below = position.floor().clamp(max=max(self.n - 2, 0))
        share = position - below  # (...) in [0, 1]
        index = torch.arange(self.n, device=value.device)
        near = (index == below.unsqueeze(-1)).to(value.dtype) * (1 - share).unsqueeze(-1)
        return near + (index == below.unsqueeze(-1) + 1).to(value.dtype) * share.unsqueeze(-1)

    def decode(self, logits: Tensor) -> Tensor:
        """The expected value within one bin of the likeliest class. (..., n) -> (...).

        The window keeps two separate hypotheses from being averaged into a value that neither of them means.
        """
        probs = logits.softmax(dim=-1)
        best = probs.argmax(dim=-1, keepdim=True)
        index = torch.arange(self.n, device=logits.device)
        window = probs * ((index - best).abs() <= 1)
        return (window * self.centres).sum(dim=-1) / window.sum(dim=-1)
