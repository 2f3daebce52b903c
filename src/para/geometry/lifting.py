"""Lifting: a pixel and a height above the table give a point in the world (paper sec. 3.3, "3D recovery").

Or a pixel and a depth, which is what heights are compared with.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from para.geometry.camera import Camera, pixel_rays

MIN_SLOPE = math.sin(math.radians(0.1))
"""Rays flatter than 0.1 degrees never usefully meet a horizontal plane."""


def lift_to_height_masked(uv: Tensor, height: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Where the rays through pixels meet the horizontal planes at given heights, with a mask instead of an error.

    With ray origin o and direction d in the world frame, the point is o + s d with s = (height - o_z) / d_z.

    Args:
        uv: (..., 2) pixels, as (u, v); need not be integers.
        height: (...) metres above the table plane z = 0.
        camera: the camera that took the image; batched like `uv`.

    Returns:
        p_world: (..., 3) metres, world frame; their z is `height`. Finite everywhere: where `valid` is false it is the
            camera's own position.
        valid: (...) bool; false where the ray runs within 0.1 degrees of its plane or meets it behind the camera.
    """
    origin, d_world = pixel_rays(uv, camera)
    slope = d_world[..., 2]
    level = slope.abs() < MIN_SLOPE
    s = (height - origin[..., 2]) / torch.where(level, torch.ones_like(slope), slope)  # (...) metres along the ray
    valid = ~level & (s > 0) & torch.isfinite(s)
    p_world = origin + torch.where(valid, s, torch.zeros_like(s)).unsqueeze(-1) * d_world
    return torch.where(valid.unsqueeze(-1), p_world, origin), valid


def lift_to_height(uv: Tensor, height: Tensor, camera: Camera) -> Tensor:
    """Where the rays through pixels meet the horizontal planes at given heights (paper sec. 3.3).

    Args:
        uv: (..., 2) pixels, as (u, v); need not be integers.
        height: (...) metres above the table plane z = 0.
        camera: the camera that took the image; batched like `uv`.

    Returns:
        (..., 3) points in the world frame, metres; their z is `height`.

    Raises:
        ValueError: if a ray runs within 0.1 degrees of its plane, or meets it behind the camera.
    """
    p_world, valid = lift_to_height_masked(uv, height, camera)
    if not valid.all():
        _, d_world = pixel_rays(uv, camera)
        level = int((d_world[..., 2].abs() < MIN_SLOPE).sum())
        lost = int((~valid).sum())
        raise ValueError(
            f"{lost} of {valid.numel()} pixels do not meet their plane in front of the camera ({level} look along the "
            f"horizon, {lost - level} meet it behind); heights are {height.min():.3f} to {height.max():.3f} m, the "
            f"camera is at z = {camera.T_world_cam[..., 2, 3].max():.3f} m; mask them, or check T_world_cam"
        )
    return p_world


def lift_to_depth_masked(uv: Tensor, depth: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """The points that pixels show at given depths, with a mask instead of an error: the inverse of `project`.

    Args:
        uv: (..., 2) pixels, as (u, v); need not be integers.
        depth: (...) metres along the camera's optical axis.
        camera: the camera that took the image; batched like `uv`.

    Returns:
        p_world: (..., 3) metres, world frame. Finite everywhere: where `valid` is false it is the camera's position.
        valid: (...) bool; false where the depth is not finite and above 0, or a homography in K lets the pixel look
            backwards or within 0.1 degrees of sideways.
    """
    origin, d_world = pixel_rays(uv, camera)
    forward = (d_world * camera.T_world_cam[..., :3, 2]).sum(dim=-1)  # cosine of ray and optical axis
    ahead = forward > MIN_SLOPE
    s = depth / torch.where(ahead, forward, torch.ones_like(forward))  # (...) metres along the ray
    valid = ahead & (depth > 0) & torch.isfinite(s)
    p_world = origin + torch.where(valid, s, torch.zeros_like(s)).unsqueeze(-1) * d_world
    return torch.where(valid.unsqueeze(-1), p_world, origin), valid
