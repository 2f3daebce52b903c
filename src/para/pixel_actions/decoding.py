"""Decoding: logits to a pixel with sub-cell precision, the height and gripper there, and the lifted chunk."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from para.geometry import lift_to_depth_masked, lift_to_height_masked
from para.geometry.pixels import argmax_pixel, cell_to_pixel
from para.interfaces import Observation

Decoder = Literal["centroid", "argmax"]
"""`centroid`: the probability centroid within one cell of the maximum. `argmax`: the centre of the brightest cell. The
paper's brightest pixel of the upsampled map is within half a pixel of it, since bilinear interpolation has its maxima
at the nodes (of a cell at the border it may be any towards the border)."""

Third = Literal["height", "depth"]
"""What makes a pixel a point: its height above the table (the paper), which stays when the camera moves; or its depth
along the camera's optical axis, which does not."""


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
    near = near_cell(best, (h, w))
    window = probs * near
    mass = window.sum(dim=(-2, -1))  # (B, T)
    if decoder == "argmax":
        # the likeliest cell may be elsewhere than the likeliest voxel, whose height is read near its own cell
        brightest = argmax_pixel(heatmap_logits.masked_fill(~near, float("-inf")))
        return Peak(cell_to_pixel(brightest.to(probs.dtype), stride), mass, entropy)
    return Peak(cell_to_pixel(mean_cell(window), stride), mass, entropy)


def mean_cell(weight: Tensor) -> Tensor:
    """The centre of mass of maps of weights over cells. (B, T, h, w) -> (B, T, 2), as (u, v)."""
    h, w = weight.shape[-2:]
    mass = weight.sum(dim=(-2, -1))
    u = (weight.sum(dim=-2) * torch.arange(w, device=weight.device)).sum(dim=-1) / mass
    v = (weight.sum(dim=-1) * torch.arange(h, device=weight.device)).sum(dim=-1) / mass
    return torch.stack([u, v], dim=-1)


def expected_pixel(heatmap_logits: Tensor, stride: int) -> Tensor:
    """The expectation of each heatmap over the whole image ("soft-argmax"). (B, T, h, w) -> (B, T, 2), as (u, v).

    It has a gradient. It lies between the outermost cells' centres, and between two hypotheses, where there are two.
    """
    probs = heatmap_logits.flatten(2).softmax(dim=-1).view_as(heatmap_logits)
    return cell_to_pixel(mean_cell(probs), stride)


def lift_or_hold(uv: Tensor, third: Tensor, obs: Observation, kind: Third = "height") -> tuple[Tensor, Tensor]:
    """The lifted chunk; a step that cannot be lifted holds the end effector where it is.

    Args:
        uv: (B, T, 2) pixels.
        third: (B, T) metres, see `Third`.
        obs: what is seen: camera and end effector.
        kind: what `third` is.

    Returns:
        position: (B, T, 3) world frame, metres.
        valid: (B, T) bool; false where the ray never meets its plane, or the depth is none.
    """
    lift = lift_to_height_masked if kind == "height" else lift_to_depth_masked
    position, valid = lift(uv, third, obs.camera.unsqueeze(1))
    return torch.where(valid.unsqueeze(-1), position, obs.ee_position.unsqueeze(1)), valid


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
    h, w = volume_logits.shape[-2:]
    aside = torch.arange(-1, 2, device=cell.device)
    u, v = cell[..., 0, None] + aside, cell[..., 1, None] + aside  # (B, T, 3)
    on_grid = ((v >= 0) & (v < h)).unsqueeze(-1) & ((u >= 0) & (u < w)).unsqueeze(-2)  # (B, T, 3, 3)
    index = v.clamp(0, h - 1).unsqueeze(-1) * w + u.clamp(0, w - 1).unsqueeze(-2)
    # only nine cells are read: a mask over the volume would take as long as all heads together
    near = index.flatten(2).unsqueeze(2).expand(-1, -1, volume_logits.shape[2], -1)  # (B, T, N_H, 9)
    logits = volume_logits.flatten(3).gather(3, near)
    return logits.masked_fill(~on_grid.flatten(2).unsqueeze(2), float("-inf")).logsumexp(dim=-1)
