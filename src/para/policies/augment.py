"""Augmentation of training images that keeps the geometry true: a warp moves the image *and* its camera.

Targets are made after it, by projecting world positions into the warped camera, so pixel labels follow the warp by
construction. A policy that regresses world coordinates sees a moved image with an unmoved label: it should vary looks
only (`para.policies.looks`), unless it is told the camera.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from para.geometry import Camera, plane_homography, random_affine, tilted_camera, warp_affine
from para.geometry.pixels import compose
from para.interfaces import Observation
from para.policies.looks import LookConfig, vary_look

MIN_HEIGHTS_ABOVE = 2.0
"""A camera sees the plane of a virtual view from at least so many times the plane's height, or does not move."""


@dataclass(frozen=True)
class AugmentConfig:
    """How training images are varied. Off by default, as in the paper."""

    scale: tuple[float, float] = (1.0, 1.0)
    """Zoom about the image's middle, uniform between these factors."""

    max_rotation_deg: float = 0.0
    """Turn in the image plane, uniform up to this angle either way."""

    max_shift: float = 0.0
    """Move, uniform up to this share of the side either way."""

    view_tilt_deg: float = 0.0
    """Virtual camera moves: turn the view about the point of the table that it looks at, by an angle uniform up to this
    in a random direction; the picture is warped as what lies on one plane would be, and labels use the moved camera."""

    view_plane_m: tuple[float, float] = (0.0, 0.15)
    """Heights above the table between which that plane is drawn for each picture: no single plane is true of the arm,
    the object and the table at once. Labels without heights stand on one plane and follow that one alone, 0.02 0.02."""

    moved_share: float = 1.0
    """Share of the pictures that move at all; the others are seen as they were recorded."""

    look: LookConfig = field(default_factory=LookConfig)
    """Light, colours, textures and things in the way, while nothing moves."""

    def __post_init__(self):
        low, high = self.scale
        if not 0 < low <= high:
            raise ValueError(f"scale must be two factors that rise, above 0; got {self.scale}")
        if min(self.max_rotation_deg, self.max_shift, self.view_tilt_deg) < 0:
            raise ValueError("strengths of augmentation cannot be negative")
        if not 0 < self.moved_share <= 1:
            raise ValueError(
                f"moved_share must be above 0 and at most 1, got {self.moved_share}; for pictures that never move, "
                "leave scale, max_rotation_deg, max_shift and view_tilt_deg as they are"
            )
        if self.view_tilt_deg >= 90 or not self.view_plane_m[0] <= self.view_plane_m[1]:
            raise ValueError(
                f"view_tilt_deg must be below 90 and view_plane_m two heights that rise; got {self.view_tilt_deg} and "
                f"{self.view_plane_m}"
            )

    @property
    def moves_pixels(self) -> bool:
        """Whether the geometry changes, so that pixel labels must follow."""
        return self.scale != (1.0, 1.0) or max(self.max_rotation_deg, self.max_shift, self.view_tilt_deg) > 0


def augment(obs: Observation, config: AugmentConfig, generator: torch.Generator) -> Observation:
    """Randomly vary the look of a batch of observations and warp it, each by itself, camera included."""
    image, camera = vary_look(obs.image, config.look, generator), obs.camera
    if config.moves_pixels:
        image, camera = move_view(image, camera, config, generator)
    return replace(obs, image=image, camera=camera)


def move_view(
    image: Tensor, camera: Camera, config: AugmentConfig, generator: torch.Generator
) -> tuple[Tensor, Camera]:
    """A virtual camera move and an affine warp, as one warp of each picture, with the cameras that belong to it."""
    A, moved = draw_moves(camera, config, generator)
    image, _ = warp_affine(image, camera, A, camera.image_size)
    return image, moved


def draw_moves(camera: Camera, config: AugmentConfig, generator: torch.Generator) -> tuple[Tensor, Camera]:
    """A random pixel map for each of a batch of cameras (B,), and the cameras of the pictures that it warps.

    Returns:
        A: (B, 3, 3), for `warp_affine`.
        camera: batched (B,).
    """
    B, size, device = len(camera.K), camera.image_size, camera.K.device
    moved, A = camera, torch.eye(3, device=device).expand(B, 3, 3)
    if config.view_tilt_deg:
        draws = torch.rand(3, B, generator=generator).to(device)
        low, high = config.view_plane_m
        # the square root spreads moves evenly over the cap, not over its radius
        moved = tilted_camera(camera, config.view_tilt_deg * draws[0].sqrt(), 360 * draws[1])
        A, moved = _along_the_plane(camera, moved, low + (high - low) * draws[2])
    affine = random_affine(
        B, size, scale=config.scale, max_rotation_deg=config.max_rotation_deg, max_shift=config.max_shift,
        generator=generator,
    ).to(device)  # fmt: skip
    A, K, T = compose(affine, A), compose(affine, moved.K), moved.T_world_cam
    if config.moved_share < 1:  # no draw otherwise: what was trained before is drawn as it was
        stays = (torch.rand(B, generator=generator).to(device) >= config.moved_share).view(B, 1, 1)
        A = torch.where(stays, torch.eye(3, device=device), A)
        K, T = torch.where(stays, camera.K, K), torch.where(stays, camera.T_world_cam, T)
    return A, Camera(K, T, size)


def _along_the_plane(camera: Camera, moved: Camera, height: Tensor) -> tuple[Tensor, Camera]:
    """The pixel maps of what lies at a height, and the cameras of the pictures that they give: those that moved, but
    where the plane is as high as a camera, or nearly, and its picture from there is none or is torn apart."""
    eyes = torch.minimum(camera.T_world_cam[..., 2, 3], moved.T_world_cam[..., 2, 3])  # (B,)
    stays = eyes < MIN_HEIGHTS_ABOVE * height
    far_below = torch.where(stays, eyes - 1, height)
    stay = stays.view(-1, 1, 1)
    A = torch.where(stay, torch.eye(3, device=eyes.device), plane_homography(camera, moved, far_below))
    T = torch.where(stay, camera.T_world_cam, moved.T_world_cam)
    return A, Camera(moved.K, T, camera.image_size)


def training_cameras(camera: Camera, config: AugmentConfig) -> list[Camera]:
    """The cameras of training pictures, for ranges: as recorded, and once as augmentation moves them (a fixed draw).

    Args:
        camera: batched (N,), as recorded.

    Returns:
        One or two cameras, each batched (N,).
    """
    if not config.moves_pixels:
        return [camera]
    return [camera, draw_moves(camera, config, torch.Generator().manual_seed(0))[1]]
