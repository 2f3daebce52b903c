"""Calibration errors: the camera that someone believes in who calibrated it badly.

An error is drawn once, as directions and sizes, and then applied to as many cameras as needed: a fixed camera, or one
on a wrist at every frame, is wrong in the same way throughout an episode.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from para.geometry.camera import Camera, apply_to_vectors
from para.geometry.pixels import compose


@dataclass(frozen=True)
class CameraError:
    """What is wrong with a calibration, in the camera's own axes. Its batch dimensions are those of the cameras."""

    R_cam_wrong: Tensor
    """(..., 3, 3) float64, the wrong camera's axes in the true one's: a rotation about the camera's centre."""

    offset_cam: Tensor
    """(..., 3) float64, metres from the true to the wrong camera's centre."""

    focal_factor: Tensor
    """(...) float64, wrong focal length over true one; both axes share it, the principal point stays."""


def draw_camera_error(
    *, rotation_deg: float, translation_m: float, focal_percent: float, generator: np.random.Generator,
    batch_shape: tuple[int, ...] = (),
) -> CameraError:  # fmt: skip
    """An error of given sizes in random directions: uniform axis, uniform direction, focal length longer or shorter.

    The generator draws the directions alone, and always all of them: with the same seed, errors of other sizes, or of
    one kind only, point the same way.

    Args:
        rotation_deg: angle between true and wrong orientation, 0 to 180 degrees.
        translation_m: distance between true and wrong centre, metres.
        focal_percent: by how much the focal length is off, 0 to less than 100 per cent.
        generator: of the directions.
        batch_shape: one error for each camera of such a batch; (): one for all.

    Raises:
        ValueError: if a size is outside its range or not finite.
    """
    check_error_sizes(rotation_deg, translation_m, focal_percent)
    axis = _unit_vectors(generator.standard_normal((*batch_shape, 3)))
    direction = _unit_vectors(generator.standard_normal((*batch_shape, 3)))
    sign = torch.from_numpy(np.asarray(np.where(generator.random(batch_shape) < 0.5, -1.0, 1.0)))
    return CameraError(
        _rotation_about(axis, math.radians(rotation_deg)), translation_m * direction, 1 + sign * focal_percent / 100
    )


def check_error_sizes(rotation_deg: float, translation_m: float, focal_percent: float) -> None:
    """Raise ValueError unless the sizes of a calibration error are within the ranges of `draw_camera_error`."""
    if not (0 <= rotation_deg <= 180 and 0 <= translation_m < math.inf and 0 <= focal_percent < 100):
        raise ValueError(
            "a camera error needs a rotation of 0 to 180 degrees, a translation of 0 or more and a focal error of 0 to "
            f"less than 100 per cent; got {rotation_deg} degrees, {translation_m} m and {focal_percent} %"
        )


def perturb_camera(camera: Camera, error: CameraError) -> Camera:
    """The wrong camera: same pictures, another belief of where they were taken from, and how wide.

    R_world_wrong = R_world_cam R_cam_wrong, the centre moves by R_world_cam offset, K_wrong = K diag(f, f, 1), which
    leaves the principal point alone and acts before a homography in K. An error of sizes 0 changes no bit.

    Args:
        camera: batched (...); in its precision.
        error: batched alike, or for all (no batch dimensions).
    """
    like = camera.T_world_cam
    R_cam_wrong, offset = error.R_cam_wrong.to(like), error.offset_cam.to(like)
    T = like.clone()
    T[..., :3, :3] = compose(like[..., :3, :3], R_cam_wrong)
    T[..., :3, 3] = like[..., :3, 3] + apply_to_vectors(like[..., :3, :3], offset)
    factor = error.focal_factor.to(camera.K)
    scale = torch.stack([factor, factor, torch.ones_like(factor)], dim=-1).unsqueeze(-2)  # (..., 1, 3)
    return Camera(camera.K * scale, T, camera.image_size)


def _unit_vectors(normal: np.ndarray) -> Tensor:
    return torch.from_numpy(normal / np.linalg.norm(normal, axis=-1, keepdims=True))


def _rotation_about(axis: Tensor, angle: float) -> Tensor:
    """I + sin(angle) [a]x + (1 - cos(angle)) [a]x^2 (Rodrigues). (..., 3) unit -> (..., 3, 3)."""
    x, y, z = axis.unbind(dim=-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    return torch.eye(3, dtype=axis.dtype) + math.sin(angle) * cross + (1 - math.cos(angle)) * compose(cross, cross)
