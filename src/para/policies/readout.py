"""How a policy that regresses reads one vector from an image's features.

Spatial softmax is the readout of Diffusion Policy's published encoder, after Levine et al., "End-to-End Training of
Deep Visuomotor Policies" (JMLR 2016): each of K maps becomes a distribution over cells, of which the mean is told. It
keeps where things are as coordinates, finer than a cell, and drops what is there.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from para.interfaces import Backbone, FeatureMap

ReadoutKind = Literal["pooled", "mean", "frame_means", "spatial_softmax"]
"""What the vector is: the backbone's own (a CLS token, or what stands in for one); the mean over the image; that of
each frame that a video model imagines; or where some learnt feature points are in the image."""

N_POINTS = 32
"""Feature points of "spatial_softmax", as many as Diffusion Policy has."""


class Readout(nn.Module):
    """One vector per image, of `channels` numbers. It has weights for "spatial_softmax" alone."""

    def __init__(self, kind: ReadoutKind, backbone: Backbone):
        super().__init__()
        self.kind = kind
        self.points = SpatialSoftmax(backbone.channels, N_POINTS) if kind == "spatial_softmax" else None
        n_frames = getattr(backbone.config, "n_frames", 1)
        self.channels = {
            "pooled": backbone.pooled_channels,
            "mean": backbone.channels,
            "frame_means": backbone.channels * n_frames,
            "spatial_softmax": 2 * N_POINTS,
        }[kind]

    def forward(self, features: FeatureMap) -> Tensor:
        """-> (B, channels)."""
        if self.points is not None:
            return self.points(features.grid)
        if self.kind == "pooled":
            return features.pooled
        told = self.kind == "frame_means" and features.frames is not None
        grids = features.frames if told else features.grid.unsqueeze(1)  # (B, F, C, h, w)
        return grids.mean(dim=(-2, -1)).flatten(1)


class SpatialSoftmax(nn.Module):
    """The mean position of each of K learnt feature points. (B, C, h, w) -> (B, 2 * K), all u before all v.

    Coordinates are shares of the grid: -1 is its left or upper border, 1 its right or lower one.
    """

    def __init__(self, channels: int, n_points: int):
        super().__init__()
        self.score = nn.Conv2d(channels, n_points, 1)

    def forward(self, grid: Tensor) -> Tensor:
        # float32: these are sums over all cells, whose small shares bfloat16 would drop
        weight = self.score(grid).flatten(2).float().softmax(dim=-1).unflatten(-1, grid.shape[-2:])  # (B, K, h, w)
        h, w = grid.shape[-2:]
        u = (weight.sum(dim=-2) * centres(w, grid.device)).sum(dim=-1)
        v = (weight.sum(dim=-1) * centres(h, grid.device)).sum(dim=-1)
        return torch.cat([u, v], dim=-1)


def centres(n_cells: int, device: torch.device) -> Tensor:
    """Centres of the cells along one side, of which -1 to 1 spans the whole. -> (n_cells,)."""
    return (2 * torch.arange(n_cells, device=device) + 1) / n_cells - 1
