"""A plain vision transformer, from scratch: the paper's ViT-S/16 shape without pretrained weights, CLS token included.

Position embeddings tell every token where it is, so features are *not* translation-equivariant: what a shifted image
gives is measured, not promised. Pretrained weights come with the backbones that load them by name.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from para.backbones.small_conv import check_divides
from para.interfaces import FeatureMap


@dataclass(frozen=True)
class VitConfig:
    """Options of the backbone `vit`; the defaults are ViT-S/16."""

    channels: int = 384
    """Width of a token."""

    patch: int = 16
    """Side of a patch, pixels: the stride of the grid."""

    depth: int = 12
    """Transformer layers."""

    n_heads: int = 6
    """Attention heads per layer."""

    def __post_init__(self):
        if self.channels % self.n_heads or min(self.channels, self.patch, self.depth, self.n_heads) < 1:
            raise ValueError(f"channels ({self.channels}) must be a positive multiple of n_heads ({self.n_heads})")


class Vit(nn.Module):
    """The backbone `vit`; see the module's docstring."""

    def __init__(self, config: VitConfig, image_size: tuple[int, int]):
        super().__init__()
        self.config = config
        self.image_size = image_size
        self.stride = config.patch
        check_divides(image_size, self.stride)
        self.channels = self.pooled_channels = config.channels
        n_tokens = (image_size[0] // self.stride) * (image_size[1] // self.stride)
        self.embed = nn.Conv2d(3, config.channels, config.patch, stride=config.patch)
        self.cls = nn.Parameter(torch.randn(1, 1, config.channels) * 0.02)
        self.position = nn.Parameter(torch.randn(1, n_tokens, config.channels) * 0.02)
        layer = nn.TransformerEncoderLayer(
            config.channels, config.n_heads, 4 * config.channels, dropout=0.0, activation="gelu", batch_first=True,
            norm_first=True,
        )  # fmt: skip
        self.blocks = nn.TransformerEncoder(
            layer, config.depth, norm=nn.LayerNorm(config.channels), enable_nested_tensor=False
        )

    def forward(self, image: Tensor, start: Tensor | None = None) -> FeatureMap:
        """Features of images; see `para.interfaces.Backbone`.

        Raises:
            ValueError: if the images are not of the size that the position embeddings were made for.
        """
        if tuple(image.shape[-2:]) != tuple(self.image_size):
            raise ValueError(
                f"the image is {tuple(image.shape[-2:])} but this vit was built for {tuple(self.image_size)} (H, W); "
                "resize the image with its camera"
            )
        x = self.embed(image.to(self.cls.dtype) / 127.5 - 1)  # (B, C, h, w)
        grid_size = x.shape[-2:]
        x = x if start is None else x + start
        tokens = x.flatten(2).transpose(1, 2) + self.position  # (B, h * w, C)
        tokens = self.blocks(torch.cat([self.cls.expand(len(tokens), -1, -1), tokens], dim=1))
        grid = tokens[:, 1:].transpose(1, 2).unflatten(-1, tuple(grid_size))  # (B, C, h, w)
        return FeatureMap(grid, tokens[:, 0])
