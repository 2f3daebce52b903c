"""The picture's frame: coordinates of a camera's frame that follow a warp of its picture.

A point keeps its coordinates in a camera's frame when the picture is warped; here they move with the picture. Let
K = a K_v R (RQ decomposition: R a rotation, K_v upper triangular with last row 0, 0, 1): the warped picture is that of
a virtual camera, turned by R and with the intrinsics K_v. With p the point in the real camera's frame, its coordinates
in the picture's frame are

    K_c^-1 K_v R p / z,    z^2 = det K_v / det K_c,

where K_c are the intrinsics of a reference camera, one for all pictures, which would see it there at the same pixel and
in the same size. For K_v = K_c these are the coordinates in the virtual camera's frame; zooming in by z brings a point
nearer, from depth Z to Z / z, and leaves its metres across (the canonical camera, with transformed labels, of Yin et
al., "Metric3D", ICCV 2023).
"""

from __future__ import annotations

import torch
from torch import Tensor

from para.geometry.camera import Camera, apply_to_vectors
from para.geometry.pixels import compose


def without_scale(K: Tensor) -> Tensor:
    """K with a third row of unit length, as K_v R has it: intrinsics are homogeneous. (..., 3, 3) -> (..., 3, 3)."""
    return K / K[..., 2:, :].norm(dim=-1, keepdim=True)


def picture_from_camera(camera: Camera, reference_K: Tensor) -> Tensor:
    """The linear map from a camera's frame to its picture's frame; see the module's docstring.

    Args:
        camera: its K may hold any invertible map of the pixels.
        reference_K: (3, 3) K_c, with last row 0, 0, 1.

    Returns:
        (..., 3, 3), metres to metres; the camera's batch dimensions.
    """
    K = without_scale(camera.K)
    zoom = (torch.linalg.det(K) / torch.linalg.det(reference_K)).abs().sqrt()
    return compose(torch.linalg.inv(reference_K), K) / zoom.unsqueeze(-1).unsqueeze(-1)


def to_picture_frame(p_world: Tensor, camera: Camera, reference_K: Tensor) -> Tensor:
    """World points in the frame of a camera's picture. (..., 3) -> (..., 3) metres, batch dimensions broadcasting."""
    pose = camera.T_world_cam
    p_cam = apply_to_vectors(pose[..., :3, :3].mT, p_world - pose[..., :3, 3])
    return apply_to_vectors(picture_from_camera(camera, reference_K), p_cam)


def from_picture_frame(p_picture: Tensor, camera: Camera, reference_K: Tensor) -> Tensor:
    """The inverse of `to_picture_frame`. (..., 3) -> (..., 3) metres, world frame."""
    p_cam = apply_to_vectors(torch.linalg.inv(picture_from_camera(camera, reference_K)), p_picture)
    pose = camera.T_world_cam
    return apply_to_vectors(pose[..., :3, :3], p_cam) + pose[..., :3, 3]
