"""Trainable layers between a pretrained network's features and the heads, where the start keypoint can enter late."""

from __future__ import annotations

from torch import Tensor, nn

from para.backbones.small_conv import Block, ChannelNorm


class Neck(nn.Module):
    """Fewer channels, the start keypoint, and the residual dilated convolutions of `small_conv`.

    What the end effector's place means for the rest of the image is worked out here, so that the network before it
    sees the image alone.
    """

    def __init__(self, in_channels: int, channels: int, dilations: tuple[int, ...]):
        super().__init__()
        self.enter = nn.Conv2d(in_channels, channels, 1)
        self.blocks = nn.Sequential(*(Block(channels, dilation, "replicate") for dilation in dilations))
        self.norm = ChannelNorm(channels)

    def forward(self, grid: Tensor, start: Tensor | None = None) -> Tensor:
        """(B, C_in, h, w) and (B, C, h, w) or None -> (B, C, h, w)."""
        x = self.enter(grid)
        return self.norm(self.blocks(x if start is None else x + start))
