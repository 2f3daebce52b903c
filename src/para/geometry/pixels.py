"""The pixel convention, in code and only here: integer coordinates are pixel centres, uv is (column, row).

The top-left pixel is uv = (0, 0); an image of H x W spans [-0.5, W - 0.5) x [-0.5, H - 0.5). Tensors are indexed
[..., v, u]. Feature cell j of stride p has its centre at u = (j + 0.5) p - 0.5, which is what
`interpolate(..., align_corners=False)` assumes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def in_image(uv: Tensor, image_size: tuple[int, int], depth: Tensor | None = None) -> Tensor:
    """Which pixels lie inside the image (and, given depths, in front of the camera). (..., 2) -> (...) bool."""
    H, W = image_size
    u, v = uv.unbind(dim=-1)
    inside = (u >= -0.5) & (u < W - 0.5) & (v >= -0.5) & (v < H - 0.5)
    return inside if depth is None else inside & (depth > 0)


def pixel_to_cell(uv: Tensor, stride: float) -> Tensor:
    """Continuous cell coordinates of pixels; integers are cell centres. (..., 2) -> (..., 2)."""
    return (uv + 0.5) / stride - 0.5


def cell_to_pixel(cell: Tensor, stride: float) -> Tensor:
    """The pixel of continuous cell coordinates: the inverse of `pixel_to_cell`. (..., 2) -> (..., 2)."""
    return (cell + 0.5) * stride - 0.5


def cell_centre(uv: Tensor, stride: float) -> Tensor:
    """The centre of the cell that holds each pixel. (..., 2) -> (..., 2)."""
    return cell_to_pixel(pixel_to_cell(uv, stride).round(), stride)


def resize_intrinsics(K: Tensor, scale_u: float, scale_v: float) -> Tensor:
    """Intrinsics of the same camera after its image is resized: u' = (u + 0.5) s - 0.5. (..., 3, 3) -> (..., 3, 3)."""
    A = K.new_tensor([[scale_u, 0, (scale_u - 1) / 2], [0, scale_v, (scale_v - 1) / 2], [0, 0, 1]])
    return compose(A, K)


def crop_intrinsics(K: Tensor, left: float, top: float) -> Tensor:
    """Intrinsics after `left` columns and `top` rows are cut away. (..., 3, 3) -> (..., 3, 3)."""
    A = K.new_tensor([[1, 0, -left], [0, 1, -top], [0, 0, 1]])
    return compose(A, K)


def compose(A: Tensor, K: Tensor) -> Tensor:
    """A K, by products and sums: under `torch.autocast`, `@` would round to bfloat16. (..., 3, 3) each."""
    return (A.unsqueeze(-1) * K.unsqueeze(-3)).sum(dim=-2)


def sample_at_pixels(grid: Tensor, uv: Tensor, stride: float) -> Tensor:
    """A feature grid read at pixels, bilinearly; beyond the outermost cell centres the border value continues.

    Equal to upsampling the grid by `stride` with `interpolate(mode="bilinear", align_corners=False)` and indexing the
    result at integer pixels, without ever holding the upsampled grid.

    Args:
        grid: (B, C, h, w).
        uv: (B, N, 2) pixels, as (u, v).
        stride: pixels per cell.

    Returns:
        (B, N, C).
    """
    h, w = grid.shape[-2:]
    size = uv.new_tensor([w * stride, h * stride])
    # Both in float32 at least: in bfloat16 the coordinates alone would be off by up to half a pixel at 448 px.
    grid = grid.to(torch.promote_types(grid.dtype, torch.float32))
    normalised = (2 * (uv + 0.5) / size - 1).to(grid.dtype)  # (B, N, 2) in [-1, 1], as grid_sample wants (x, y)
    read = F.grid_sample(
        grid, normalised.unsqueeze(1), mode="bilinear", padding_mode="border", align_corners=False
    )  # (B, C, 1, N)
    return read.squeeze(2).transpose(1, 2)


def argmax_pixel(heatmap: Tensor) -> Tensor:
    """The brightest pixel of each map. (..., H, W) -> (..., 2) long, as (u, v)."""
    W = heatmap.shape[-1]
    flat = heatmap.flatten(-2).argmax(dim=-1)  # (...)
    return torch.stack([flat % W, flat // W], dim=-1)
