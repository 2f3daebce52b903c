"""Augmentation of training images that keeps the geometry true: a warp moves the image *and* its camera.

Targets are made after it, by projecting world positions into the warped camera, so pixel labels follow the warp by
construction. A policy that regresses world coordinates sees a moved image with an unmoved label: it should use colour
only, unless it is told the camera.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from para.geometry.warps import random_affine, warp_affine
from para.interfaces import Observation


@dataclass(frozen=True)
class AugmentConfig:
    """How training images are varied. Off by default, as in the paper."""

    scale: tuple[float, float] = (1.0, 1.0)
    """Zoom about the image's middle, uniform between these factors."""

    max_rotation_deg: float = 0.0
    """Turn in the image plane, uniform up to this angle either way."""

    max_shift: float = 0.0
    """Move, uniform up to this share of the side either way."""

    brightness: float = 0.0
    """Gain, uniform in 1 - this .. 1 + this, and as large an offset relative to 128."""

    colour: float = 0.0
    """Gain of each colour channel by itself, uniform in 1 - this .. 1 + this."""

    def __post_init__(self):
        low, high = self.scale
        if not 0 < low <= high:
            raise ValueError(f"scale must be two factors that rise, above 0; got {self.scale}")
        if min(self.max_rotation_deg, self.max_shift, self.brightness, self.colour) < 0:
            raise ValueError("strengths of augmentation cannot be negative")

    @property
    def moves_pixels(self) -> bool:
        """Whether the geometry changes, so that pixel labels must follow."""
        return self.scale != (1.0, 1.0) or self.max_rotation_deg > 0 or self.max_shift > 0


def augment(obs: Observation, config: AugmentConfig, generator: torch.Generator) -> Observation:
    """Randomly warp and recolour a batch of observations, each by itself, camera included."""
    image, camera = obs.image, obs.camera
    if config.moves_pixels:
        A = random_affine(
            len(obs), camera.image_size, scale=config.scale, max_rotation_deg=config.max_rotation_deg,
            max_shift=config.max_shift, generator=generator,
        )  # fmt: skip
        image, camera = warp_affine(image, camera, A.to(image.device), camera.image_size)
    if config.brightness or config.colour:
        image = recolour(image, config, generator)
    return replace(obs, image=image, camera=camera)


def recolour(image: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Random gain, offset and colour balance. (B, 3, H, W) uint8 -> the same."""
    B = image.shape[0]

    def uniform(*shape: int) -> Tensor:
        return (2 * torch.rand(*shape, generator=generator) - 1).to(image.device)

    gain = (1 + config.brightness * uniform(B, 1, 1, 1)) * (1 + config.colour * uniform(B, 3, 1, 1))
    offset = 128 * config.brightness * uniform(B, 1, 1, 1)
    return ((image.float() - 128) * gain + 128 + offset).clamp(0, 255).to(torch.uint8)
