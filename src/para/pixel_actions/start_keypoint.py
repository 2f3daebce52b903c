"""Start-keypoint conditioning: a learned embedding at the end effector's own cell (paper sec. 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from para.geometry import project
from para.geometry.pixels import in_image, pixel_to_cell
from para.interfaces import Observation


class StartKeypoint(nn.Module):
    """Tells the backbone where the end effector is now, by adding a learned vector to the patch it is in.

    The paper adds the vector to the one patch that holds the pixel. Here it is shared between the four nearest cells by
    bilinear weights, so that it says *where in the patch* too and moves smoothly with the arm; `snap=True` is the
    paper's form. With `use_gripper` a second vector, scaled by the opening (-1 closed .. 1 open), is added in the same
    place: the paper's policy cannot see whether it holds something except in the image (docs/method.md).
    An end effector off the image adds nothing.
    """

    def __init__(self, channels: int, *, use_gripper: bool, snap: bool):
        super().__init__()
        self.use_gripper = use_gripper
        self.snap = snap
        self.here = nn.Parameter(torch.randn(channels) * 0.5)
        self.opening = nn.Parameter(torch.randn(channels) * 0.5) if use_gripper else None

    def forward(self, obs: Observation, stride: int) -> Tensor:
        """The grid to add to the patch embedding. -> (B, C, H / stride, W / stride)."""
        H, W = obs.camera.image_size
        h, w = H // stride, W // stride
        uv, depth = project(obs.ee_position, obs.camera)  # (B, 2), (B,)
        weight = cell_weights(uv, stride, (h, w), snap=self.snap)  # (B, h * w)
        weight = weight * in_image(uv, obs.camera.image_size, depth).unsqueeze(-1)
        vector = self.here.expand(len(obs), -1)
        if self.opening is not None:
            vector = vector + (2 * obs.gripper - 1).unsqueeze(-1) * self.opening  # (B, C)
        return (vector.unsqueeze(-1) * weight.unsqueeze(1)).unflatten(-1, (h, w))


def cell_weights(uv: Tensor, stride: float, grid_size: tuple[int, int], *, snap: bool = False) -> Tensor:
    """Each pixel as a distribution over the cells of a grid: bilinear over the four nearest, or all on one.

    Its expectation over the cells' centres is the pixel itself, wherever the pixel lies between the outermost centres.

    Args:
        uv: (..., 2) pixels, as (u, v).
        stride: pixels per cell.
        grid_size: (h, w).
        snap: put everything on the cell that holds the pixel.

    Returns:
        (..., h * w), row-major, sums to 1.
    """
    h, w = grid_size
    cell = pixel_to_cell(uv, stride)
    if snap:
        cell = cell.round()
    u = axis_weights(cell[..., 0], w)  # (..., w)
    v = axis_weights(cell[..., 1], h)  # (..., h)
    return (v.unsqueeze(-1) * u.unsqueeze(-2)).flatten(-2)


def cell_index(uv: Tensor, stride: float, grid_size: tuple[int, int]) -> Tensor:
    """The one cell that holds each pixel, as an index into the flattened grid: where snapped `cell_weights` are 1.

    (..., 2) as (u, v) -> (...) long; pixels off the grid belong to its outermost cells.
    """
    h, w = grid_size
    u, v = pixel_to_cell(uv, stride).round().unbind(dim=-1)
    return v.clamp(0, h - 1).long() * w + u.clamp(0, w - 1).long()


def axis_weights(position: Tensor, n: int) -> Tensor:
    """Linear weights of the two nodes 0..n-1 around each position, clamped to the outermost ones. (...) -> (..., n)."""
    position = position.clamp(0, n - 1)
    index = torch.arange(n, device=position.device, dtype=position.dtype)
    return (1 - (index - position.unsqueeze(-1)).abs()).clamp(min=0)
