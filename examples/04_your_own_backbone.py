"""4. A backbone of your own: one file, one line, and every policy and test has it.

    python examples/04_your_own_backbone.py

A backbone turns an image into a grid of features. The rest of the project asks its options (`config`) and three numbers
of it (`channels`, `pooled_channels`, `stride`), and calls it. This one sees an image as its colours at three
sharpnesses: no layer deep, yet complete.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from para.backbones import BACKBONES, BackboneEntry, make_backbone
from para.interfaces import FeatureMap
from para.policies import ActConfig, ParaConfig, make_policy


@dataclass(frozen=True)
class ColourPyramidConfig:
    """Options of the backbone `colour_pyramid`."""

    channels: int = 32
    """Features per cell."""

    blurs: tuple[int, ...] = (1, 3, 9)
    """Sides of the windows over which colours are averaged, in cells; odd."""


class ColourPyramid(nn.Module):
    """Colours of each 8 x 8 patch, averaged over windows of several sizes, mixed by a 1 x 1 convolution."""

    stride = 8

    def __init__(self, config: ColourPyramidConfig, image_size: tuple[int, int]):
        super().__init__()
        self.config = config
        self.channels = self.pooled_channels = config.channels
        self.embed = nn.Conv2d(3 * len(config.blurs), config.channels, 1)
        self.mix = nn.Sequential(nn.GELU(), nn.Conv2d(config.channels, config.channels, 1))

    def forward(self, image, start=None):
        """(B, 3, H, W) uint8 -> features; see `para.interfaces.Backbone`."""
        colours = F.avg_pool2d(image.float() / 127.5 - 1, self.stride)  # (B, 3, h, w)
        blurred = [
            F.avg_pool2d(F.pad(colours, [side // 2] * 4, mode="replicate"), side, stride=1)
            for side in self.config.blurs
        ]
        x = self.embed(torch.cat(blurred, dim=1))
        grid = self.mix(x if start is None else x + start)  # start: where the end effector is, see StartKeypoint
        return FeatureMap(grid, grid.mean(dim=(-2, -1)))


# The one line. In the project it stands in src/para/backbones/__init__.py, beside the import of your file.
BACKBONES["colour_pyramid"] = BackboneEntry(ColourPyramidConfig, ColourPyramid)

generator = torch.Generator().manual_seed(0)
image = torch.randint(0, 256, (1, 3, 96, 128), dtype=torch.uint8, generator=generator)
backbone = make_backbone(ColourPyramidConfig(), (96, 128))
with torch.no_grad():
    features = backbone(image)
    moved = backbone(image.roll(backbone.stride, dims=-1)).grid
print(f"image {tuple(image.shape)} -> grid {tuple(features.grid.shape)}, pooled {tuple(features.pooled.shape)}")

# A law that a policy for new positions wants: what moves by one cell moves its features by one cell.
inside = slice(5, -5)  # away from the border, where windows reach beyond the image
difference = (moved[..., 1:][..., inside] - features.grid[..., :-1][..., inside]).abs().max()
print(f"shifted by {backbone.stride} px, features shift by one cell: largest difference {float(difference):.1e}")

# Every policy takes it, by its options alone.
for config in (
    ParaConfig(image_size=(96, 128), backbone=ColourPyramidConfig()),
    ActConfig(image_size=(96, 128), backbone=ColourPyramidConfig()),
):
    policy = make_policy(config)
    n_parameters = sum(parameter.numel() for parameter in policy.parameters())
    print(f"policy '{policy.name}' on colour_pyramid: {n_parameters} parameters")
