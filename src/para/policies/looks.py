"""Variation of how a training picture looks, while nothing in it moves: light, colours, textures, things in the way.

Every policy may use it, since no label changes. Random textures blended over the picture follow "random overlay"
(Hansen et al., SVEA, 2021), with textures drawn here rather than photographs; random patches follow "random erasing"
(Zhong et al. 2017); random colour matrices are the 1 x 1 case of random convolution (Lee et al. 2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

TEXTURE_CELLS = (3, 9, 32)
"""Sides of the random grids that a texture is the sum of, in cells: from patches of light to grain."""

PATCH_SIZE = (0.03, 0.14)
"""Half sides of patches, as shares of the picture's height."""


@dataclass(frozen=True)
class LookConfig:
    """How the look of training pictures is varied. Off by default."""

    brightness: float = 0.0
    """Gain, uniform in 1 - this .. 1 + this, and as large an offset relative to 128."""

    colour: float = 0.0
    """Gain of each colour channel by itself, uniform in 1 - this .. 1 + this."""

    colour_mix: float = 0.0
    """Standard deviation of what a random matrix adds to the identity that maps colours to colours."""

    texture: float = 0.0
    """A random texture is blended over the picture, with a weight uniform up to this."""

    patches: int = 0
    """At most so many plain ellipses and rectangles are put over the picture, each there every other time."""

    def __post_init__(self):
        if min(self.brightness, self.colour, self.colour_mix, self.texture, self.patches) < 0:
            raise ValueError(f"strengths of augmentation cannot be negative; got {self}")
        if self.texture >= 1:
            raise ValueError(f"texture is a weight below 1, so that something is left to see; got {self.texture}")

    @property
    def changes_anything(self) -> bool:
        """Whether any of it is on."""
        return max(self.brightness, self.colour, self.colour_mix, self.texture, self.patches) > 0


def vary_look(image: Tensor, config: LookConfig, generator: torch.Generator) -> Tensor:
    """Pictures of the same things in other looks, each varied by itself. (B, 3, H, W) uint8 -> the same."""
    if not config.changes_anything:
        return image
    x = image.float()
    for _ in range(config.patches):
        x = cover(x, generator)
    if config.colour_mix:
        x = mix_colours(x, config.colour_mix, generator)
    if config.texture:
        weight = config.texture * torch.rand(len(x), 1, 1, 1, generator=generator).to(x.device)
        x = x + weight * (random_texture(len(x), x.shape[-2:], generator, x.device) - x)
    if config.brightness or config.colour:
        x = relight(x, config, generator)
    return x.round_().clamp_(0, 255).to(torch.uint8)


def relight(x: Tensor, config: LookConfig, generator: torch.Generator) -> Tensor:
    """Random gain, offset and colour balance. (B, 3, H, W) grey levels -> the same."""
    B = len(x)

    def uniform(*shape: int) -> Tensor:
        return (2 * torch.rand(*shape, generator=generator) - 1).to(x.device)

    gain = (1 + config.brightness * uniform(B, 1, 1, 1)) * (1 + config.colour * uniform(B, 3, 1, 1))
    return (x - 128) * gain + (128 + 128 * config.brightness * uniform(B, 1, 1, 1))


def mix_colours(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Colours through a random matrix near the identity, about mid grey. (B, 3, H, W) -> the same."""
    noise = torch.randn(len(x), 3, 3, generator=generator).to(x.device)
    matrix = torch.eye(3, device=x.device) + strength * noise
    return torch.einsum("bij,bjhw->bihw", matrix, x - 128) + 128


def random_texture(B: int, size: tuple[int, int], generator: torch.Generator, device: torch.device) -> Tensor:
    """Random pictures: sums of smooth noise and stripes about a random colour. -> (B, 3, H, W) grey levels.

    Numbers are drawn on the CPU, so that every device gets the same; pictures are made where they are needed.
    """
    H, W = size
    base = 255 * torch.rand(B, 3, 1, 1, generator=generator)
    x = base.to(device).expand(B, 3, H, W)
    for cells in TEXTURE_CELLS:
        noise = torch.randn(B, 3, cells, cells, generator=generator)
        amplitude = 70 * torch.rand(B, 1, 1, 1, generator=generator)
        rows, columns = between(cells, H).to(device), between(cells, W).to(device)
        x = x + rows.mT @ (noise * amplitude).to(device) @ columns
    return x + stripes(B, size, generator, device)


def between(cells: int, n: int) -> Tensor:
    """What interpolates linearly between cells at n pixels, as a matrix (cells, n): two products with it are bilinear
    interpolation, at a fraction of the time that the operator takes on a CPU.
    """
    return F.interpolate(torch.eye(cells).unsqueeze(0), size=n, mode="linear", align_corners=False)[0]


def stripes(B: int, size: tuple[int, int], generator: torch.Generator, device: torch.device) -> Tensor:
    """Waves of a random direction, spacing and colour. -> (B, 3, H, W) grey levels around 0."""
    H, W = size
    draws = torch.rand(3, B, 1, 1, generator=generator).to(device)
    colour = 60 * torch.randn(B, 3, 1, 1, generator=generator).to(device)
    angle, cycles = math.pi * draws[0], 2 + 28 * draws[1] ** 2
    v, u = torch.arange(H, device=device).view(1, H, 1) / H, torch.arange(W, device=device).view(1, 1, W) / H
    wave = torch.sin(2 * math.pi * (cycles * (u * angle.cos() + v * angle.sin()) + draws[2]))  # (B, H, W)
    return colour * wave.unsqueeze(1)


def cover(x: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures with a plain ellipse or rectangle somewhere, every other one. (B, 3, H, W) -> the same."""
    B, _, H, W = x.shape
    draws = torch.rand(7, B, 1, 1, generator=generator)
    colour = 255 * torch.rand(B, 3, 1, 1, generator=generator)
    chosen = (draws[6] < 0.5).flatten().nonzero().flatten()
    draws, colour, chosen = draws[:, chosen].to(x.device), colour[chosen].to(x.device), chosen.to(x.device)
    low, high = PATCH_SIZE
    v = torch.arange(H, device=x.device).view(1, H, 1) / H - draws[0]
    u = torch.arange(W, device=x.device).view(1, 1, W) / H - draws[1] * (W / H)
    cos, sin = (math.pi * draws[2]).cos(), (math.pi * draws[2]).sin()
    across = (u * cos + v * sin) / (low + (high - low) * draws[3])
    along = (v * cos - u * sin) / (low + (high - low) * draws[4])
    is_round = draws[5] < 0.5
    inside = torch.where(is_round, across**2 + along**2, torch.maximum(across.abs(), along.abs())) < 1
    return x.index_copy(0, chosen, torch.where(inside.unsqueeze(1), colour, x[chosen]))
