"""Heads: features to heatmap logits; height, gripper and rotation logits read at a pixel (paper sec. 3.2).

The paper's heads are 1 x 1 convolutions, bilinearly upsampled to the image. A 1 x 1 convolution commutes with bilinear
interpolation, so logits *at a pixel* are the head applied to the features interpolated there: the same numbers, losses
and gradients as from the upsampled volume of 12 x 32 x 448 x 448 logits (308 MB an image), which is never held.
`materialised_logits` builds that volume for the test and the benchmark that show it.

Where the grid has a time axis, (B, F, C, h, w), each step reads the features of its own frame (`frames.py`).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from para.geometry.pixels import sample_at_pixels
from para.pixel_actions.frames import first_frame, sample_at_steps, steps_of_frames

Formulation = Literal["factorised", "joint"]
"""`factorised`: a softmax over pixels, then heights at the pixel (the paper's text). `joint`: one softmax over pixels x
heights (the paper's figure and the code of its later generations)."""


class StepLinear(nn.Module):
    """One linear map per step of the chunk: features to logits. A 1 x 1 convolution with T x N outputs, as a tensor."""

    def __init__(self, horizon: int, channels: int, n_out: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(horizon, n_out, channels) / math.sqrt(channels))
        self.bias = nn.Parameter(torch.zeros(horizon, n_out))

    def at_steps(self, features: Tensor) -> Tensor:
        """Each step's map applied to its own feature, under autocast too in full precision. (B, T, C) -> (B, T, N)."""
        with torch.autocast(features.device.type, enabled=False):
            return torch.einsum("btc,tnc->btn", features.to(self.weight.dtype), self.weight) + self.bias

    def everywhere(self, grid: Tensor) -> Tensor:
        """Each step's map applied in every cell. (B, C, h, w) or (B, F, C, h, w) -> (B, T, N, h, w)."""
        T, N, C = self.weight.shape
        if grid.ndim == 5:
            return torch.cat([self._of_steps(grid[:, f], s) for f, s in steps_of_frames(T, grid.shape[1])], dim=1)
        logits = F.conv2d(grid, self.weight.reshape(T * N, C, 1, 1), self.bias.flatten())
        return logits.unflatten(1, (T, N))

    def _of_steps(self, grid: Tensor, steps: list[int]) -> Tensor:
        weight, bias = self.weight[steps], self.bias[steps]  # (S, N, C), (S, N)
        logits = F.conv2d(grid, weight.flatten(0, 1)[..., None, None], bias.flatten())
        return logits.unflatten(1, tuple(bias.shape))


class PixelHeads(nn.Module):
    """Everything that is predicted per pixel.

    Args:
        channels: C of the feature grid.
        horizon: T.
        n_height_bins, n_gripper_bins: N_H, N_G; without gripper classes (0) there is no gripper head.
        formulation: see `Formulation`.
        read_start: add a linear reading of the feature at the end effector's own pixel to the gripper logits, which
            then depend on the way that is still to go (an addition to the paper; docs/method.md).
        n_rotation_bins: classes per Euler angle; 0: no rotation is predicted (the paper's simulation).
    """

    def __init__(
        self,
        channels: int,
        horizon: int,
        n_height_bins: int,
        n_gripper_bins: int,
        *,
        formulation: Formulation,
        read_start: bool,
        n_rotation_bins: int = 0,
    ):
        super().__init__()
        self.horizon, self.n_height_bins, self.formulation = horizon, n_height_bins, formulation
        joint = formulation == "joint"
        self.heatmap = None if joint else StepLinear(horizon, channels, 1)
        self.height = StepLinear(horizon, channels, n_height_bins)
        self.gripper = StepLinear(horizon, channels, n_gripper_bins) if n_gripper_bins else None
        reads_start = read_start and n_gripper_bins > 0
        self.gripper_start = nn.Linear(channels, horizon * n_gripper_bins, bias=False) if reads_start else None
        self.rotation = StepLinear(horizon, channels, 3 * n_rotation_bins) if n_rotation_bins else None

    def heatmap_logits(self, grid: Tensor) -> Tensor:
        """Logits over cells; in the joint form those over cells x heights, summed over heights. -> (B, T, h, w)."""
        if self.formulation == "joint":
            return self.volume_logits(grid).logsumexp(dim=2)
        return self.heatmap.everywhere(grid).squeeze(2)

    def volume_logits(self, grid: Tensor) -> Tensor:
        """The joint form's logits over cells x heights. (B, C, h, w) -> (B, T, N_H, h, w)."""
        return self.height.everywhere(grid)

    def height_logits(self, grid: Tensor, uv: Tensor, stride: float) -> Tensor:
        """Height logits read at one pixel per step. (B, C, h, w), (B, T, 2) -> (B, T, N_H)."""
        return self.height.at_steps(sample_at_steps(grid, uv, stride))

    def gripper_logits(self, grid: Tensor, uv: Tensor, start_uv: Tensor, stride: float) -> Tensor:
        """Gripper logits read at one pixel per step, and at the end effector's (B, 2). -> (B, T, N_G)."""
        logits = self.gripper.at_steps(sample_at_steps(grid, uv, stride))
        if self.gripper_start is None:
            return logits
        start = sample_at_pixels(first_frame(grid), start_uv.unsqueeze(1), stride).squeeze(1)  # (B, C)
        return logits + self.gripper_start(start).unflatten(-1, (self.horizon, -1))

    def rotation_logits(self, grid: Tensor, uv: Tensor, stride: float) -> Tensor:
        """Logits of the three Euler angles read at one pixel per step. -> (B, T, 3, N_R)."""
        return self.rotation.at_steps(sample_at_steps(grid, uv, stride)).unflatten(-1, (3, -1))


def materialised_logits(head: StepLinear, grid: Tensor, stride: int) -> Tensor:
    """The paper's literal volume: logits in every cell, upsampled to the image. -> (B, T, N, H, W).

    For the test and the benchmark of `PixelHeads.height_logits` only: 308 MB for one image at the paper's size.
    """
    logits = head.everywhere(grid)  # (B, T, N, h, w)
    up = F.interpolate(logits.flatten(1, 2), scale_factor=stride, mode="bilinear", align_corners=False)
    return up.unflatten(1, logits.shape[1:3])
