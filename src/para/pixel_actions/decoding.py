"""Decoding: logits to a pixel with sub-cell precision, the height and gripper there, and the lifted chunk."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from para.geometry.pixels import argmax_pixel, cell_to_pixel

Decoder = Literal["centroid", "argmax"]
"""`centroid`: the probability centroid within one cell of the maximum. `argmax`: the brightest pixel of the upsampled
map (the paper), which always is a cell's centre, since bilinear interpolation has its maxima at the nodes."""


class Peak(NamedTuple):
    """Where each step's heatmap points, and how sure it is."""

    uv: Tensor
    """(B, T, 2) pixel, as (u, v)."""

    probability: Tensor
    """(B, T) probability within one cell of the maximum: near 1 is sure, near 9 / (h w) is lost."""

    entropy: Tensor
    """(B, T) nats, of the distribution over cells."""


def decode_peak(heatmap_logits: Tensor, stride: int, decoder: Decoder, *, best: Tensor | None = None) -> Peak:
    """The pixel that each heatmap means.

    Args:
        heatmap_logits: (B, T, h, w).
        stride: pixels per cell.
        decoder: see `Decoder`.
        best: (B, T, 2) the cells to decode around, as (u, v); None: the brightest ones.
    """
    h, w = heatmap_logits.shape[-2:]
    log_probs = heatmap_logits.flatten(2).log_softmax(dim=-1)
    probs = log_probs.exp().unflatten(-1, (h, w))  # (B, T, h, w)
    entropy = -(log_probs.exp() * log_probs).sum(dim=-1)
    best = argmax_pixel(probs) if best is None else best  # (B, T, 2) cells
    window = probs * near_cell(best, (h, w))
    mass = window.sum(dim=(-2, -1))  # (B, T)
    if decoder == "argmax":
        up = F.interpolate(heatmap_logits, scale_factor=stride, mode="bilinear", align_corners=False)
        return Peak(argmax_pixel(up).to(probs.dtype), mass, entropy)
    u = (window.sum(dim=-2) * torch.arange(w, device=probs.device)).sum(dim=-1) / mass
    v = (window.sum(dim=-1) * torch.arange(h, device=probs.device)).sum(dim=-1) / mass
    return Peak(cell_to_pixel(torch.stack([u, v], dim=-1), stride), mass, entropy)


def near_cell(cell: Tensor, grid_size: tuple[int, int]) -> Tensor:
    """The 3 x 3 cells around each given cell. (B, T, 2) as (u, v) -> (B, T, h, w) bool."""
    h, w = grid_size
    near_u = (torch.arange(w, device=cell.device) - cell[..., :1]).abs() <= 1  # (B, T, w)
    near_v = (torch.arange(h, device=cell.device) - cell[..., 1:]).abs() <= 1  # (B, T, h)
    return near_v.unsqueeze(-1) & near_u.unsqueeze(-2)


def best_voxel_cell(volume_logits: Tensor) -> Tensor:
    """The cell of the likeliest voxel, which need not be the likeliest cell. (B, T, N_H, h, w) -> (B, T, 2), (u, v)."""
    h, w = volume_logits.shape[-2:]
    flat = volume_logits.flatten(2).argmax(dim=-1) % (h * w)  # (B, T)
    return torch.stack([flat % w, flat // w], dim=-1)


def heights_near_cell(volume_logits: Tensor, cell: Tensor) -> Tensor:
    """The joint form's height logits: those of the 3 x 3 cells around a cell. -> (B, T, N_H)."""
    near = near_cell(cell, tuple(volume_logits.shape[-2:])).unsqueeze(2)  # (B, T, 1, h, w)
    return volume_logits.masked_fill(~near, float("-inf")).flatten(3).logsumexp(dim=-1)
