"""The pinhole camera: where world points appear in the image, and which rays its pixels look along."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion; OpenCV axes: x right, y down, z forward.

    Integer pixel coordinates are pixel centres (`para.geometry.pixels`). Leading dimensions of `K` and `T_world_cam`
    are batch dimensions and must be equal: (B, 3, 3) with (B, 4, 4), or (3, 3) with (4, 4).
    """

    K: Tensor
    """(..., 3, 3) intrinsics, pixels. Need not be upper triangular with zero skew: warps of the image live here."""

    T_world_cam: Tensor
    """(..., 4, 4) pose, metres: p_world = T_world_cam @ p_cam."""

    image_size: tuple[int, int]
    """(H, W), pixels."""

    def __post_init__(self):
        if self.K.shape[-2:] != (3, 3) or self.T_world_cam.shape[-2:] != (4, 4):
            raise ValueError(
                f"a camera needs K (..., 3, 3) and T_world_cam (..., 4, 4); got {tuple(self.K.shape)} and "
                f"{tuple(self.T_world_cam.shape)}"
            )
        if self.K.shape[:-2] != self.T_world_cam.shape[:-2]:
            raise ValueError(
                f"K and T_world_cam must have equal batch dimensions; got {tuple(self.K.shape[:-2])} and "
                f"{tuple(self.T_world_cam.shape[:-2])}"
            )
        H, W = self.image_size
        if H <= 0 or W <= 0:
            raise ValueError(f"image_size is (H, W) in pixels and must be positive; got {self.image_size}")

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Camera:
        """The same camera on another device, or in another precision."""
        K = self.K.to(device=device, dtype=dtype)
        return Camera(K, self.T_world_cam.to(device=device, dtype=dtype), self.image_size)

    def __getitem__(self, index) -> Camera:
        """Some of a batch of cameras."""
        return Camera(self.K[index], self.T_world_cam[index], self.image_size)

    def unsqueeze(self, dim: int) -> Camera:
        """The same cameras with one more batch dimension, so that each serves several points: (B,) -> (B, 1)."""
        if dim < 0:
            raise ValueError(f"count batch dimensions from the front; got dim {dim}")
        return Camera(self.K.unsqueeze(dim), self.T_world_cam.unsqueeze(dim), self.image_size)

    @staticmethod
    def stack(cameras: list[Camera]) -> Camera:
        """A batch of cameras of one image size. Raises ValueError where sizes differ."""
        sizes = {camera.image_size for camera in cameras}
        if len(sizes) != 1:
            raise ValueError(f"cameras of one batch need one image size; got {sorted(sizes)}; resize first")
        K = torch.stack([camera.K for camera in cameras])
        return Camera(K, torch.stack([camera.T_world_cam for camera in cameras]), cameras[0].image_size)


def apply_to_vectors(M: Tensor, vectors: Tensor) -> Tensor:
    """M v for each vector: (..., m, n), (..., n) -> (..., m), batch dimensions broadcasting.

    Written as products and sums: under `torch.autocast`, `@` would run in bfloat16 and lose whole pixels.
    """
    return (M * vectors.unsqueeze(-2)).sum(dim=-1)


def project(p_world: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """Where world points appear: uv = (K p_cam)_{xy} / (K p_cam)_z with p_cam = T_world_cam^-1 p_world.

    Args:
        p_world: (..., 3) points, metres.
        camera: batch dimensions broadcast against those of `p_world`.

    Returns:
        uv: (..., 2) pixels, as (u, v); not clipped to the image. NaN-free: where depth is 0 or less the pixel has no
            meaning, so callers mask with `depth > 0` (`para.geometry.pixels.in_image` does both).
        depth: (...) metres along the optical axis; negative behind the camera, or where a homography in K (a turned
            camera, `para.geometry.warps`) puts the point behind.
    """
    R_cam_world = camera.T_world_cam[..., :3, :3].mT
    p_cam = apply_to_vectors(R_cam_world, p_world - camera.T_world_cam[..., :3, 3])  # (..., 3)
    p_image = apply_to_vectors(camera.K, p_cam)  # (..., 3) homogeneous pixels
    scale = p_image[..., 2:]
    tiny = torch.finfo(scale.dtype).tiny ** 0.5
    safe = torch.where(scale.abs() < tiny, torch.full_like(scale, tiny), scale)
    depth = p_cam[..., 2]
    return p_image[..., :2] / safe, torch.where(scale[..., 0] > 0, depth, -depth.abs())


def pixel_rays(uv: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """The ray that each pixel looks along.

    Args:
        uv: (..., 2) pixels, as (u, v); need not be integers.
        camera: batch dimensions broadcast against those of `uv`.

    Returns:
        origin: (..., 3) the camera's centre in the world frame, metres.
        direction: (..., 3) unit vectors in the world frame, pointing away from the camera.
    """
    ones = torch.ones_like(uv[..., :1])
    d_cam = apply_to_vectors(torch.linalg.inv(camera.K), torch.cat([uv, ones], dim=-1))  # (..., 3)
    d_world = apply_to_vectors(camera.T_world_cam[..., :3, :3], d_cam)  # (..., 3)
    d_world = d_world / d_world.norm(dim=-1, keepdim=True)
    return camera.T_world_cam[..., :3, 3].expand_as(d_world), d_world


def look_at(eye: Tensor, target: Tensor, up: Tensor | None = None) -> Tensor:
    """The pose of a camera at `eye` that looks at `target`, with `up` (default: world z) upwards in its image.

    Args:
        eye, target: (..., 3) world frame, metres.
        up: (..., 3) direction; must not be parallel to the line of sight.

    Returns:
        (..., 4, 4) T_world_cam.

    Raises:
        ValueError: if eye and target coincide, or `up` runs along the line of sight.
    """
    up = eye.new_tensor([0.0, 0.0, 1.0]).expand_as(eye) if up is None else up
    z = target - eye
    distance = z.norm(dim=-1, keepdim=True)
    if (distance < 1e-9).any():
        raise ValueError("look_at needs an eye and a target that differ")
    z = z / distance
    x = torch.linalg.cross(z, up, dim=-1)
    sine = x.norm(dim=-1, keepdim=True)
    if (sine < 1e-6).any():
        raise ValueError("look_at: the line of sight runs along `up`; pass another up direction")
    x = x / sine
    y = torch.linalg.cross(z, x, dim=-1)
    T = torch.zeros(*eye.shape[:-1], 4, 4, dtype=eye.dtype, device=eye.device)
    T[..., :3, 0], T[..., :3, 1], T[..., :3, 2], T[..., :3, 3] = x, y, z, eye
    T[..., 3, 3] = 1
    return T
