"""Lens distortion on the way in: OpenCV's model, undone at the border so that everything inside is a plain pinhole.

A real camera's calibration has distortion coefficients; `Camera` has none. Images are undistorted once, when they enter
(`undistort_image`), and pixels that were measured in the distorted image with `undistort_points`.

The model, on normalised coordinates (x, y) = (X / Z, Y / Z) with r2 = x x + y y:

    x' = x (1 + k1 r2 + k2 r2^2 + k3 r2^3) / (1 + k4 r2 + k5 r2^2 + k6 r2^3) + 2 p1 x y + p2 (r2 + 2 x x)
    y' = y (the same ratio)                                                 + p1 (r2 + 2 y y) + 2 p2 x y
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

N_COEFFICIENTS = (4, 5, 8)
"""OpenCV's orders: k1, k2, p1, p2[, k3[, k4, k5, k6]]."""

MAX_SKEW_PX = 1e-3
"""What rounding may leave in K[0, 1]: it moves pixels by about as much."""


def _coefficients(distortion: Tensor) -> list[Tensor]:
    """k1, k2, p1, p2, k3, k4, k5, k6, each (...); absent ones are 0."""
    n = distortion.shape[-1]
    if n not in N_COEFFICIENTS:
        raise ValueError(
            f"distortion needs 4, 5 or 8 coefficients (k1, k2, p1, p2, k3, k4, k5, k6, OpenCV's order); got {n}; "
            "calibrate without thin-prism and tilt terms"
        )
    absent = torch.zeros_like(distortion[..., :1]).expand(*distortion.shape[:-1], 8 - n)
    return list(torch.cat([distortion, absent], dim=-1).unbind(dim=-1))


class _Lens(NamedTuple):
    """The model at points (x, y): where they go, and its derivatives (the mixed ones are equal)."""

    x: Tensor
    y: Tensor
    dxdx: Tensor
    dxdy: Tensor
    dydy: Tensor


def _lens(x: Tensor, y: Tensor, distortion: Tensor) -> _Lens:
    k1, k2, p1, p2, k3, k4, k5, k6 = _coefficients(distortion)
    r2 = x * x + y * y
    above, below = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)), 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    ratio = above / below
    slope = ((k1 + r2 * (2 * k2 + r2 * 3 * k3)) - ratio * (k4 + r2 * (2 * k5 + r2 * 3 * k6))) / below  # by r2
    return _Lens(
        x * ratio + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * ratio + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ratio + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x,
        2 * x * y * slope + 2 * p1 * x + 2 * p2 * y,
        ratio + 2 * y * y * slope + 6 * p1 * y + 2 * p2 * x,
    )


def _normalised(uv: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    y = (uv[..., 1] - K[..., 1, 2]) / K[..., 1, 1]
    return (uv[..., 0] - K[..., 0, 2] - K[..., 0, 1] * y) / K[..., 0, 0], y


def _pixels(x: Tensor, y: Tensor, K: Tensor) -> Tensor:
    u = K[..., 0, 0] * x + K[..., 0, 1] * y + K[..., 0, 2]
    return torch.stack([u, K[..., 1, 1] * y + K[..., 1, 2]], dim=-1)


def distort_points(uv: Tensor, K: Tensor, distortion: Tensor) -> Tensor:
    """Where the lens puts what a pinhole with the same K would see at `uv`.

    Args:
        uv: (..., 2) pixels of the pinhole.
        K: (..., 3, 3), upper triangular; batch dimensions broadcast against those of `uv`.
        distortion: (..., 4 or 5 or 8) coefficients in OpenCV's order.

    Returns:
        (..., 2) pixels of the distorted image.

    Raises:
        ValueError: for another number of coefficients.
    """
    x, y = _normalised(uv, K)
    lens = _lens(x, y, distortion)
    return _pixels(lens.x, lens.y, K)


def undistort_points(
    uv: Tensor, K: Tensor, distortion: Tensor, *, n_iterations: int = 30, tolerance_px: float = 1e-3
) -> Tensor:
    """Where a pinhole with the same K would see what the lens put at `uv`: the inverse of `distort_points`.

    Newton's method from the distorted pixel. A strong polynomial folds back at some radius, beyond which there is none.

    Args:
        uv: (..., 2) pixels of the distorted image.
        K: (..., 3, 3), upper triangular; batch dimensions broadcast against those of `uv`.
        distortion: (..., 4 or 5 or 8) coefficients in OpenCV's order.
        n_iterations: at most so many steps.
        tolerance_px: how far the solution, distorted again, may lie from `uv`.

    Returns:
        (..., 2) pixels of the pinhole.

    Raises:
        ValueError: for another number of coefficients, or where a pixel has no solution within the tolerance.
    """
    goal_x, goal_y = _normalised(uv.double(), K.double())
    distortion = distortion.double()
    x, y = goal_x.clone(), goal_y.clone()
    for _ in range(n_iterations):
        lens = _lens(x, y, distortion)
        miss_x, miss_y = lens.x - goal_x, lens.y - goal_y
        determinant = lens.dxdx * lens.dydy - lens.dxdy**2
        determinant = torch.where(determinant.abs() < 1e-12, torch.full_like(determinant, 1e-12), determinant)
        x = x - (lens.dydy * miss_x - lens.dxdy * miss_y) / determinant
        y = y - (lens.dxdx * miss_y - lens.dxdy * miss_x) / determinant
    lens, found = _lens(x, y, distortion), _pixels(x, y, K.double())
    miss_px = (_pixels(lens.x, lens.y, K.double()) - uv.double()).norm(dim=-1)
    folded = (lens.dxdx <= 0) | (lens.dxdx * lens.dydy <= lens.dxdy**2)  # beyond the fold the image is mirrored
    lost = ~(miss_px <= tolerance_px) | folded  # NaN counts as lost
    if lost.any():
        raise ValueError(
            f"{int(lost.sum())} of {lost.numel()} pixels cannot be undistorted: the lens model folds back there; crop "
            "the image to where the calibration points were, or calibrate with fewer coefficients"
        )
    return found.to(uv.dtype)


def undistort_image(image: Tensor, K: Tensor, distortion: Tensor, *, alpha: float = 0.0) -> tuple[Tensor, Tensor]:
    """Images as a pinhole would have taken them. For the border only: once, where images enter.

    Args:
        image: (B, C, H, W) uint8, all of one lens; on the CPU.
        K: (3, 3) of the distorted images, without skew, as OpenCV's calibration gives it.
        distortion: (4 or 5 or 8) coefficients in OpenCV's order.
        alpha: 0: the result shows only what the lens saw; 1: it shows all of that, with black where it saw nothing.

    Returns:
        image: (B, C, H, W) uint8, read bilinearly.
        K_new: (3, 3) of the result; a `Camera` with it needs no distortion.

    Raises:
        ValueError: for images that are not uint8 batches, a K with skew, or another number of coefficients.
    """
    import cv2

    if image.ndim != 4 or image.dtype != torch.uint8:
        raise ValueError(f"undistort_image needs (B, C, H, W) uint8; got {tuple(image.shape)} {image.dtype}")
    _coefficients(distortion)
    if abs(float(K[0, 1])) > MAX_SKEW_PX:
        raise ValueError(
            f"undistort_image needs a K without skew, OpenCV reads none; K[0, 1] is {float(K[0, 1]):g}: calibrate "
            "without skew, or undistort the pixels that you measured with undistort_points, which takes it"
        )
    H, W = image.shape[-2:]
    K_old, coefficients = K.double().cpu().numpy(), distortion.double().cpu().numpy()
    K_new, _ = cv2.getOptimalNewCameraMatrix(K_old, coefficients, (W, H), alpha)
    maps = cv2.initUndistortRectifyMap(K_old, coefficients, None, K_new, (W, H), cv2.CV_32FC1)
    frames = [cv2.remap(frame.permute(1, 2, 0).numpy(), *maps, cv2.INTER_LINEAR) for frame in image]
    undistorted = torch.stack([torch.from_numpy(frame).view(H, W, -1).permute(2, 0, 1) for frame in frames])
    return undistorted.contiguous(), torch.from_numpy(K_new).to(K.dtype)
