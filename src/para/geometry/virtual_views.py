"""Virtual views: the picture that a camera elsewhere would have taken of what lies on a plane above the table.

Between two pinhole cameras, what lies on one plane is related by a homography. So one picture of a table gives pictures
of it from other directions, exact on that plane and off by parallax above and below it (Hartley and Zisserman, Multiple
View Geometry, 2nd ed., sec. 13.1).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from para.geometry.camera import Camera, apply_to_vectors, look_at
from para.geometry.pixels import compose
from para.geometry.warps import warp_affine

NO_ANGLE = 1e-4
"""Radians: cameras that are turned by less are turned the same way."""

MIN_DESCENT = 0.05
"""A line of sight that falls by less than this per metre meets the table nowhere near."""

MIN_SINE_TO_VERTICAL = 0.05
"""Nearer to the vertical than this (3 degrees) a line of sight does not say which way is up in its picture."""


def tilted_camera(camera: Camera, theta_deg: Tensor, phi_deg: Tensor) -> Camera:
    """Cameras moved about the point of the table that each looks at, still looking at it, and rolled as before.

    Args:
        camera: batched (B,).
        theta_deg: (B,) angle between the old and the new line of sight, degrees.
        phi_deg: (B,) direction of the move in the old picture: 0 to the right, 90 upwards; as `Scene.view_phi_deg`.

    Returns:
        Cameras with the same K, batched (B,). One whose line of sight does not come down to the table, or would not
        after the move, stays where it is.
    """
    T = camera.T_world_cam
    R, eye = T[..., :3, :3], T[..., :3, 3]
    sight = R[..., 2]  # (B, 3)
    pivot, distance = _looked_at(camera)
    theta, phi = torch.deg2rad(theta_deg).unsqueeze(-1), torch.deg2rad(phi_deg).unsqueeze(-1)
    away = phi.cos() * R[..., 0] - phi.sin() * R[..., 1]
    moved_eye = pivot + distance * (theta.sin() * away - theta.cos() * sight)
    moved_sight = (pivot - moved_eye) / distance
    usable = (eye[..., 2] > 0) & (-sight[..., 2] > MIN_DESCENT) & (-moved_sight[..., 2] > MIN_DESCENT)
    usable = usable & _tells_up(sight) & _tells_up(moved_sight)
    safe_eye = torch.where(usable.unsqueeze(-1), moved_eye, pivot + pivot.new_tensor([1.0, 0.0, 1.0]))
    safe_old = torch.where(usable.unsqueeze(-1), eye, safe_eye)
    upright_old = look_at(safe_old, pivot)[..., :3, :3]
    new = look_at(safe_eye, pivot).clone()
    new[..., :3, :3] = compose(new[..., :3, :3], compose(upright_old.mT, R))
    return Camera(camera.K, torch.where(usable.view(-1, 1, 1), new, T), camera.image_size)


def _tells_up(sight: Tensor) -> Tensor:
    return sight[..., :2].norm(dim=-1) > MIN_SINE_TO_VERTICAL


def camera_towards(home: Camera, camera: Camera, max_deg: float) -> Camera:
    """The camera nearest to another one that is turned from `home` by no more than an angle.

    It lies on the way between both: rotation, distance and the point of the table that it looks at change evenly.

    Args:
        home, camera: batched (B,).
        max_deg: the angle; 0: `home` itself.

    Returns:
        (B,) cameras; `camera` itself where it is near enough, or either does not look down on the table.

    Raises:
        ValueError: if their pictures are not of one size: between their pixels there is no way.
    """
    if home.image_size != camera.image_size:
        raise ValueError(
            f"the cameras take pictures of {home.image_size} and {camera.image_size} (H, W), needed is one"
        )
    R_home, R = home.T_world_cam[..., :3, :3], camera.T_world_cam[..., :3, :3]
    relative = compose(R_home.mT, R)
    cosine = ((relative.diagonal(dim1=-2, dim2=-1).sum(dim=-1) - 1) / 2).clamp(-1, 1)
    angle = torch.acos(cosine)  # (B,)
    sights = [-frame[..., 2, 2] for frame in (R_home, R)]  # how far each line of sight falls per metre
    on_the_table = (sights[0] > MIN_DESCENT) & (sights[1] > MIN_DESCENT)
    stays = (angle <= math.radians(max_deg) + NO_ANGLE) | ~on_the_table | (angle > math.pi - NO_ANGLE)
    share = torch.where(stays, torch.ones_like(angle), math.radians(max_deg) / angle.clamp(min=NO_ANGLE)).view(-1, 1, 1)
    log = (relative - relative.mT) * (angle / (2 * torch.sin(angle)).clamp(min=NO_ANGLE)).view(-1, 1, 1)
    T = camera.T_world_cam.clone()
    T[..., :3, :3] = compose(R_home, torch.linalg.matrix_exp(share * log))
    pivots, distances = zip(*(_looked_at(c) for c in (home, camera)))
    weight = share.squeeze(-1)
    pivot, distance = ((1 - weight) * a + weight * b for a, b in (pivots, distances))
    T[..., :3, 3] = pivot - distance * T[..., :3, 2]
    stay = stays.view(-1, 1, 1)
    K = torch.where(stay, camera.K, (1 - share) * home.K + share * camera.K)
    return Camera(K, torch.where(stay, camera.T_world_cam, T), camera.image_size)


def _looked_at(camera: Camera) -> tuple[Tensor, Tensor]:
    """The point of the table that each of (B,) cameras looks at, (B, 3), and how far it is, (B, 1), metres."""
    eye, sight = camera.T_world_cam[..., :3, 3], camera.T_world_cam[..., :3, 2]
    distance = (eye[..., 2] / (-sight[..., 2]).clamp(min=MIN_DESCENT)).unsqueeze(-1)
    return eye + distance * sight, distance


def plane_homography(camera: Camera, other: Camera, height: Tensor) -> Tensor:
    """Pixel maps from one camera's picture to another's, true of what lies at a height above the table.

    Args:
        camera, other: batched (B,).
        height: (B,) of the plane, metres.

    Returns:
        (B, 3, 3): u_other ~ H u_camera in homogeneous pixels, for `warp_affine`.
    """
    return compose(_plane_to_pixels(other, height), torch.linalg.inv(_plane_to_pixels(camera, height)))


def seen_from(image: Tensor, camera: Camera, other: Camera, height: Tensor) -> Tensor:
    """Pictures as another camera would have taken them of what lies at a height above the table.

    Args:
        image: (B, C, H, W) uint8 or float.
        camera: that took them, batched (B,).
        other: batched (B,).
        height: (B,) of the plane, metres.

    Returns:
        (B, C, H', W') of the other camera's size, of the same type; what it sees and they did not is what was at the
        edge. Where both cameras are one, the picture itself.

    Raises:
        ValueError: if the plane is seen edge on or from below by either camera, or what is in the picture's middle is
            at infinity for the other.
    """
    if bool((torch.minimum(camera.T_world_cam[..., 2, 3], other.T_world_cam[..., 2, 3]) <= height).any()):
        raise ValueError("one of the cameras is not above the plane whose picture is asked for")
    if camera.image_size == other.image_size and torch.equal(camera.K, other.K):
        if torch.equal(camera.T_world_cam, other.T_world_cam):
            return image
    return warp_affine(image, camera, plane_homography(camera, other, height), other.image_size)[0]


def _plane_to_pixels(camera: Camera, height: Tensor) -> Tensor:
    """(X, Y, 1) of a point of the plane -> homogeneous pixel. (B, 3, 3)."""
    R_cam_world = camera.T_world_cam[..., :3, :3].mT
    origin = torch.zeros_like(camera.T_world_cam[..., :3, 3])
    origin[..., 2] = height
    shift = apply_to_vectors(R_cam_world, origin - camera.T_world_cam[..., :3, 3])  # (B, 3)
    plane = torch.stack([R_cam_world[..., 0], R_cam_world[..., 1], shift], dim=-1)
    return compose(camera.K, plane)
