"""Warps of an image together with its camera, so that every pixel goes on looking along its ray.

A warp moves what is at pixel u of the image to pixel u' = A u (homogeneous, integer coordinates are pixel centres); the
camera that would have taken the warped image has K' = A K and the same pose. Since the camera moves with the pixels,
`project` and `lift_to_height` stay true of the warped image, and labels made by projecting follow without more work.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from para.geometry.camera import Camera
from para.geometry.pixels import compose, crop_intrinsics, resize_intrinsics

Padding = Literal["border", "zeros"]
"""What is seen beyond the edge of the source: its outermost pixels continued, or black."""


def _check(image: Tensor, camera: Camera) -> None:
    if image.ndim != 4 or tuple(image.shape[-2:]) != tuple(camera.image_size):
        raise ValueError(
            f"a warp needs images (B, C, H, W) of their camera's {camera.image_size} (H, W); got {tuple(image.shape)}"
        )
    if camera.K.shape[:-2] not in ((image.shape[0],), ()):
        raise ValueError(
            f"a warp of {image.shape[0]} images needs as many cameras, or one without a batch dimension; "
            f"got K {tuple(camera.K.shape)}"
        )


def _like(values: Tensor, image: Tensor) -> Tensor:
    """Float pixels in the type of `image`; rounded and clipped where that is uint8."""
    if image.dtype == torch.uint8:
        return values.round_().clamp_(0, 255).to(torch.uint8)
    return values.to(image.dtype)


def resize(image: Tensor, camera: Camera, size: tuple[int, int]) -> tuple[Tensor, Camera]:
    """The image at another size, with the camera that would have taken it. Averages where it shrinks (no aliasing).

    Args:
        image: (B, C, H, W) uint8 or float.
        camera: of that image; batched (B,) or without batch dimension.
        size: (H', W') of the result, pixels.

    Returns:
        image: (B, C, H', W'), of the same type.
        camera: with u' = (u + 0.5) W' / W - 0.5, and likewise v.

    Raises:
        ValueError: if image and camera do not belong together, or `size` is not positive.
    """
    _check(image, camera)
    H, W = camera.image_size
    if min(size) <= 0:
        raise ValueError(f"an image can only be resized to a positive (H, W); got {tuple(size)}")
    K = resize_intrinsics(camera.K, size[1] / W, size[0] / H)
    values = F.interpolate(image.float(), size=tuple(size), mode="bilinear", align_corners=False, antialias=True)
    return _like(values, image), Camera(K, camera.T_world_cam, tuple(size))


def crop(image: Tensor, camera: Camera, left: int, top: int, H: int, W: int) -> tuple[Tensor, Camera]:
    """The part of H rows and W columns whose top-left pixel is (u, v) = (left, top), with its camera.

    Args:
        image: (B, C, H0, W0).
        camera: of that image; batched (B,) or without batch dimension.

    Returns:
        image: (B, C, H, W), a view of the input.
        camera: with u' = u - left, v' = v - top.

    Raises:
        ValueError: if the part reaches beyond the image.
    """
    _check(image, camera)
    H0, W0 = camera.image_size
    if left < 0 or top < 0 or H <= 0 or W <= 0 or left + W > W0 or top + H > H0:
        raise ValueError(
            f"a crop of {H} x {W} at (u, v) = ({left}, {top}) does not fit into the {H0} x {W0} image; "
            f"it needs left + W <= {W0} and top + H <= {H0}"
        )
    part = image[..., top : top + H, left : left + W]
    return part, Camera(crop_intrinsics(camera.K, left, top), camera.T_world_cam, (H, W))


def warp_affine(
    image: Tensor, camera: Camera, A: Tensor, out_size: tuple[int, int], padding: Padding = "border"
) -> tuple[Tensor, Camera]:
    """Images moved by pixel maps u' = A u, each by its own, with the cameras K' = A K that would have taken them.

    Args:
        image: (B, C, H, W) uint8 or float.
        camera: of that image; batched (B,) or without batch dimension.
        A: (B, 2, 3) affine maps, or (B, 3, 3) affine maps or homographies, pixels; on the image's device.
        out_size: (H', W') of the result, pixels.
        padding: what is seen beyond the edge of the source.

    Returns:
        image: (B, C, H', W'), of the same type, read bilinearly.
        camera: batched (B,), of size `out_size`. Where A is a homography K is not upper triangular any more; `project`,
            `pixel_rays` and lifting take it all the same.

    Raises:
        ValueError: if shapes do not fit, A is not invertible, or A sends the image's middle to infinity.
    """
    _check(image, camera)
    A = _as_homography(A, image.shape[0], camera.image_size)
    grid = _source_grid(torch.linalg.inv(A.double()), camera.image_size, out_size)
    values = F.grid_sample(image.float(), grid, mode="bilinear", padding_mode=padding, align_corners=False)
    K = compose(A.to(camera.K), camera.K)  # (B, 3, 3)
    T_world_cam = camera.T_world_cam.expand(*K.shape[:-2], 4, 4)
    return _like(values, image), Camera(K, T_world_cam, tuple(out_size))


def _as_homography(A: Tensor, B: int, image_size: tuple[int, int]) -> Tensor:
    """(B, 3, 3), scaled so that the third coordinate of the image's middle is 1, after the checks.

    A homography's scale has no meaning, but `_source_grid` compares depths with a number.
    """
    if tuple(A.shape) not in ((B, 2, 3), (B, 3, 3)):
        raise ValueError(f"pixel maps of {B} images must be ({B}, 2, 3) or ({B}, 3, 3); got {tuple(A.shape)}")
    if A.shape[-2] == 2:
        last = A.new_tensor([0.0, 0.0, 1.0]).expand(B, 1, 3)
        A = torch.cat([A, last], dim=-2)  # (B, 3, 3)
    H, W = image_size
    middle = A.new_tensor([(W - 1) / 2, (H - 1) / 2, 1.0])
    scale = (A[:, 2] * middle).sum(dim=-1)  # (B,)
    size = A.abs().amax(dim=(-2, -1))
    det = torch.linalg.det(A.double())
    if not torch.isfinite(A).all() or (det.abs() <= 1e-12 * size.double() ** 3).any() or (scale == 0).any():
        raise ValueError("pixel maps must be finite, invertible and not send the image's middle to infinity")
    return A / scale.view(B, 1, 1)


def _source_grid(A_inverse: Tensor, source_size: tuple[int, int], out_size: tuple[int, int]) -> Tensor:
    """Where each output pixel is read from, as `grid_sample` (align_corners=False) wants it: (B, H', W', 2) float32."""
    H, W = source_size
    # pixel u to normalised x = (2 u + 1) / W - 1, folded into the inverse map so that it costs nothing per pixel
    to_normalised = A_inverse.new_tensor([[2 / W, 0, 1 / W - 1], [0, 2 / H, 1 / H - 1], [0, 0, 1]])
    M = compose(to_normalised, A_inverse).float()  # (B, 3, 3)
    u = torch.arange(out_size[1], device=M.device, dtype=torch.float32).view(1, 1, -1, 1)
    v = torch.arange(out_size[0], device=M.device, dtype=torch.float32).view(1, -1, 1, 1)
    columns = M.mT.unsqueeze(-3).unsqueeze(-3)  # (B, 1, 1, 3, 3): row k is what coordinate k adds
    points = u * columns[..., 0, :] + (v * columns[..., 1, :] + columns[..., 2, :])  # (B, H', W', 3)
    depth = points[..., 2:]
    # Pixels that look behind the source camera saw nothing: read them from far outside.
    return torch.where(depth > 1e-6, points[..., :2] / depth.clamp(min=1e-6), points.new_tensor(4.0)).clamp(-4, 4)


def random_affine(
    B: int,
    image_size: tuple[int, int],
    *,
    scale: tuple[float, float] = (0.7, 1.0),
    max_rotation_deg: float = 0.0,
    max_shift: float = 0.0,
    generator: torch.Generator,
) -> Tensor:
    """Pixel maps that zoom and turn about the image's middle and then shift, each drawn uniformly.

    Args:
        B: how many.
        image_size: (H, W), pixels.
        scale: lowest and highest zoom; below 1 the scene shrinks and the border comes into view.
        max_rotation_deg: turns lie within plus and minus this.
        max_shift: shifts lie within plus and minus this share of each side.
        generator: on the CPU, so that every device draws the same numbers.

    Returns:
        (B, 3, 3) float32 on the CPU, for `warp_affine`.
    """
    H, W = image_size
    draws = torch.rand(4, B, generator=generator)
    s = scale[0] + (scale[1] - scale[0]) * draws[0]  # (B,)
    angle = (2 * draws[1] - 1) * math.radians(max_rotation_deg)
    shift_u, shift_v = (2 * draws[2] - 1) * max_shift * W, (2 * draws[3] - 1) * max_shift * H
    cos, sin = s * angle.cos(), s * angle.sin()
    middle_u, middle_v = (W - 1) / 2, (H - 1) / 2
    A = torch.zeros(B, 3, 3)
    A[:, 0, 0], A[:, 0, 1], A[:, 0, 2] = cos, -sin, middle_u - cos * middle_u + sin * middle_v + shift_u
    A[:, 1, 0], A[:, 1, 1], A[:, 1, 2] = sin, cos, middle_v - sin * middle_u - cos * middle_v + shift_v
    A[:, 2, 2] = 1
    return A
