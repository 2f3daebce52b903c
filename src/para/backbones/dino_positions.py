"""What the patches of a DINO network are told of where they are: entries of a learned table, or rotations (RoPE)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from para.backbones.vit import TABLE_SIDES, table_entries

DinoPosition = Literal["interpolated", "none", "random_offset"]
"""As in pretraining, brought to the size of the image; nothing; or from a place of the image that is drawn anew for
each training sample, as of the backbone `vit`."""


def table_positions(
    embeddings: nn.Module, grid_size: tuple[int, int], stride: int, kind: DinoPosition, batch: int | None
) -> tuple[Tensor, Tensor | float]:
    """Entries of DINOv2's table of positions, which `transformers` interpolates to the size of the image (bicubic).

    With `random_offset` it is interpolated to twice the sides, closed to a torus, and the image lies on it somewhere.

    Args:
        embeddings: of the network.
        grid_size: (h, w).
        stride: pixels per patch.
        kind: which positions.
        batch: draw for so many images; None: the table's middle.

    Returns:
        What is added to the CLS token, (1, 1, C); and to the patches, (1 or batch, h * w, C), or 0.
    """
    of_cls = embeddings.position_embeddings[:, :1]
    if kind == "none":
        return of_cls, 0.0
    sides = TABLE_SIDES if kind == "random_offset" else 1
    rows, columns = (sides * side for side in grid_size)
    tokens = of_cls.new_empty(1, 1 + rows * columns, of_cls.shape[-1])  # asked for nothing but its shape
    table = embeddings.interpolate_pos_encoding(tokens, rows * stride, columns * stride)[:, 1:]
    if kind == "interpolated":
        return of_cls, table
    return of_cls, table[0, table_entries((rows, columns), grid_size, batch).to(table.device)]


def rotation(
    inv_freq: Tensor, grid_size: tuple[int, int], kind: DinoPosition, batch: int | None
) -> tuple[Tensor, Tensor]:
    """Cosines and sines by which DINOv3 turns the queries and keys of its patches (its axial RoPE).

    A patch whose centre is at (y, x), each from -1 to 1 across the image whatever its size, is turned by 2 pi y f and
    2 pi x f for every frequency f. With `random_offset` all centres of an image are moved together by up to half the
    image either way, which leaves what patches see of each other as it is and changes what CLS and registers see.

    Args:
        inv_freq: (D / 4,) frequencies, with D the width of an attention head.
        grid_size: (h, w).
        kind: which positions; `none`: no turn at all.
        batch: draw for so many images; None: as in pretraining.

    Returns:
        Two of (h * w, D), or (batch, 1, h * w, D) where they were drawn.
    """
    axes = [(torch.arange(side, device=inv_freq.device) + 0.5) / side * 2 - 1 for side in grid_size]
    centres = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, 1)  # (h * w, 2) as (y, x)
    if kind == "none":
        centres = torch.zeros_like(centres)
    if kind == "random_offset" and batch is not None:
        centres = centres + (2 * torch.rand(batch, 1, 1, 2) - 1).to(centres.device)
    angles = (2 * math.pi * centres.unsqueeze(-1) * inv_freq).flatten(-2)  # (..., h * w, D / 2)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()
