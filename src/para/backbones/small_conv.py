"""A small, exactly translation-equivariant convolutional network: no download, 0.2 M parameters, stride 4.

Three choices make it equivariant, since a policy that must follow an object to places it has never been at should not
be able to tell places apart by anything but what is there:

- Borders are *replicated*, not filled with zeros. Zeros mark the border, and stacked layers carry that mark inwards, so
  that a zero-padded network knows where in the image it is. With replication the image behaves as though its border
  colours went on for ever: what moves on a plain background moves its features exactly, as far as they stay inside.
- Features are normalised over channels at each pixel, not over the image (as GroupNorm would), so that what appears in
  one corner does not change the features in another.
- Context comes from dilation at one stride (a cell sees 89 px to each side: most of an image of 128 px) and not from
  further down-sampling, so that a shift by one stride (4 px) is a shift by one cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from para.interfaces import FeatureMap


@dataclass(frozen=True)
class SmallConvConfig:
    """Options of the backbone `small_conv`."""

    channels: int = 48
    """Features per cell."""

    dilations: tuple[int, ...] = (1, 2, 4, 8, 4, 2)
    """Dilation of each residual block, in cells."""

    pooled_grid: int = 8
    """The pooled vector is the grid averaged to this many cells a side, flattened: what stands in for a CLS token.
    Averaging everything to one cell cannot even fit the training positions (see docs/method.md)."""

    padding: str = "replicate"
    """How borders continue: "replicate", "reflect" or "zeros" (which leaks absolute position)."""

    def __post_init__(self):
        if self.channels < 2 or self.channels % 2:
            raise ValueError(f"channels must be even and at least 2; got {self.channels}")
        if self.padding not in ("replicate", "reflect", "zeros"):
            raise ValueError(f"padding must be replicate, reflect or zeros; got '{self.padding}'")
        if self.pooled_grid < 1 or not self.dilations or min(self.dilations) < 1:
            raise ValueError("pooled_grid and every dilation must be at least 1, and there must be a dilation")


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each cell. (B, C, h, w) -> (B, C, h, w)."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class PaddedConv(nn.Conv2d):
    """A convolution that continues its borders in the precision of its input. (B, C, H, W) -> (B, C', H', W').

    On CPUs autocast pads in float32: of each layer the whole input is converted there and back, which took as long as
    all convolutions together.
    """

    def forward(self, x: Tensor) -> Tensor:
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        with torch.autocast(x.device.type, enabled=False):
            x = F.pad(x, [self.padding[1]] * 2 + [self.padding[0]] * 2, mode=mode)
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class Block(nn.Module):
    """Residual: normalise, 3 x 3 convolution with a dilation, GELU, 1 x 1 convolution."""

    def __init__(self, channels: int, dilation: int, padding: str):
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.conv = PaddedConv(channels, channels, 3, padding=dilation, dilation=dilation, padding_mode=padding)
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mix(F.gelu(self.conv(self.norm(x))))


class SmallConv(nn.Module):
    """The backbone `small_conv`; see the module's docstring."""

    stride = 4

    def __init__(self, config: SmallConvConfig, image_size: tuple[int, int]):
        super().__init__()
        self.config = config
        self.image_size = image_size
        check_divides(image_size, self.stride)
        _check_reflects(config, image_size, self.stride)
        self.channels = config.channels
        self.pooled_channels = config.channels * config.pooled_grid**2
        c, mode = config.channels, config.padding
        # Strided 4 x 4 kernels with one pixel of padding keep cell j's receptive field centred on (j + 0.5) * 4 - 0.5,
        # the pixel that `para.geometry.pixels` calls the cell's centre; 3 x 3 kernels would sit half a pixel off.
        self.embed = nn.Sequential(
            PaddedConv(3, c // 2, 4, stride=2, padding=1, padding_mode=mode),
            ChannelNorm(c // 2),
            nn.GELU(),
            PaddedConv(c // 2, c, 4, stride=2, padding=1, padding_mode=mode),
        )
        self.blocks = nn.Sequential(*(Block(c, dilation, mode) for dilation in config.dilations))
        self.norm = ChannelNorm(c)
        self.reach_px = self.stride * sum(config.dilations) + 5
        """How far to each side of its centre a cell sees."""

    def forward(self, image: Tensor, start: Tensor | None = None) -> FeatureMap:
        """Features of images; see `para.interfaces.Backbone`."""
        check_divides(tuple(image.shape[-2:]), self.stride)
        x = image.to(self.norm.norm.weight.dtype).contiguous(memory_format=torch.channels_last) / 127.5 - 1
        x = self.embed(x)  # (B, C, h, w)
        x = x if start is None else x + start
        grid = self.norm(self.blocks(x))
        pooled = F.adaptive_avg_pool2d(grid, self.config.pooled_grid).flatten(1)  # (B, C * pooled_grid^2)
        return FeatureMap(grid, pooled)


def _check_reflects(config: SmallConvConfig, image_size: tuple[int, int], stride: int) -> None:
    h, w = (side // stride for side in image_size)
    widest = max(config.dilations)
    if config.padding == "reflect" and widest >= min(h, w):
        raise ValueError(
            f"the image is {image_size[0]} x {image_size[1]}, a grid of {h} x {w} cells, which cannot be reflected by "
            f"the {widest} cells of the widest dilation; resize it to {(widest + 1) * stride} px a side at least, or "
            'choose smaller dilations, or padding "replicate"'
        )


def check_divides(image_size: tuple[int, int], stride: int) -> None:
    """Raise ValueError, naming sides that would do, unless both sides divide by the stride."""
    H, W = image_size
    if H % stride or W % stride or min(H, W) < stride:
        fits = [max(stride, side // stride * stride) for side in (H, W)]
        raise ValueError(
            f"the image is {H} x {W}, but this backbone needs sides divisible by {stride}; "
            f"resize to {fits[0]} x {fits[1]}, or crop"
        )
