"""A plain vision transformer, from scratch: the paper's ViT-S/16 shape without pretrained weights, CLS token included.

Learned position embeddings tell every token where it is, so features are *not* translation-equivariant: what a shifted
image gives is measured, not promised. Without any, a token knows what it shows and what else is in the image, but not
even what lies beside it. With a random offset it learns where it lies relative to others, and nothing of where it lies
in the image. Pretrained weights come with the backbones that load them by name.

Trained from nothing on a few hundred demonstrations, a transformer learns little of patches that are each cut out and
multiplied by one matrix. Convolutions before it, which know that pixels lie beside each other, are the usual remedy
(Xiao et al. 2021, "Early Convolutions Help Transformers See Better"). And patches are coarse cells to point at: their
features may be interpolated to a finer grid and refined there, as in the code that the paper's authors ran.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from para.backbones.neck import Neck
from para.backbones.small_conv import ChannelNorm, PaddedConv, check_divides
from para.interfaces import FeatureMap

Position = Literal["learned", "none", "random_offset"]
"""What tokens are told of where they are: their cell (ViT); nothing; or their place in a table of positions that the
image lies on somewhere else in each training sample."""

Stem = Literal["patches", "convolutions"]
"""How the image becomes tokens: each patch by one matrix (ViT), or strided convolutions (Xiao et al.)."""

TABLE_SIDES = 2
"""A side of the table of `random_offset`, in sides of the image: enough to tell any two displacements apart."""


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

    position: Position = "learned"
    """What tokens are told of where they are."""

    stem: Stem = "patches"
    """How the image becomes tokens."""

    cells_per_patch: int = 1
    """Cells of the grid along a side of a patch; where more than one, three 3 x 3 convolutions refine them."""

    def __post_init__(self):
        if self.position not in get_args(Position):
            raise ValueError(f"position must be {', '.join(get_args(Position))}; got '{self.position}'")
        if min(self.channels, self.patch, self.depth, self.n_heads) < 1 or self.channels % self.n_heads:
            raise ValueError(f"channels ({self.channels}) must be a positive multiple of n_heads ({self.n_heads})")
        if self.cells_per_patch < 1 or self.patch % self.cells_per_patch:
            raise ValueError(f"cells_per_patch must divide patch ({self.patch}); got {self.cells_per_patch}")
        if self.stem not in get_args(Stem):
            raise ValueError(f"stem must be {' or '.join(get_args(Stem))}; got '{self.stem}'")
        is_power_of_two = self.patch > 1 and self.patch & (self.patch - 1) == 0
        if self.stem == "convolutions" and not (is_power_of_two and self.channels % self.patch == 0):
            raise ValueError(
                "a stem of convolutions halves the image until a patch is a cell, and doubles its channels each time: "
                f"patch ({self.patch}) must be a power of two, from 2, that channels ({self.channels}) divide by"
            )


class Vit(nn.Module):
    """The backbone `vit`; see the module's docstring."""

    def __init__(self, config: VitConfig, image_size: tuple[int, int]):
        super().__init__()
        self.config = config
        self.image_size = image_size
        self.stride = config.patch // config.cells_per_patch
        check_divides(image_size, config.patch)
        self.channels = self.pooled_channels = config.channels
        h, w = self.n_patches = image_size[0] // config.patch, image_size[1] // config.patch
        self.embed = _stem(config)
        self.cls = nn.Parameter(torch.randn(1, 1, config.channels) * 0.02)
        n_rows, n_columns = (TABLE_SIDES * h, TABLE_SIDES * w) if config.position == "random_offset" else (h, w)
        table = torch.randn(1, n_rows * n_columns, config.channels) * 0.02
        self.position = None if config.position == "none" else nn.Parameter(table)
        layer = nn.TransformerEncoderLayer(
            config.channels, config.n_heads, 4 * config.channels, dropout=0.0, activation="gelu", batch_first=True,
            norm_first=True,
        )  # fmt: skip
        self.blocks = nn.TransformerEncoder(
            layer, config.depth, norm=nn.LayerNorm(config.channels), enable_nested_tensor=False
        )
        self.refine = None if config.cells_per_patch == 1 else Neck(config.channels, config.channels, (1, 1, 1))

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
        x, k = self.embed(image.to(self.cls.dtype) / 127.5 - 1), self.config.cells_per_patch
        # a patch is told of the end effector what all its cells are: averaging undone, k * k cells add up
        x = x if start is None else x + k * k * F.avg_pool2d(start, k)  # (B, C, rows, columns of patches)
        tokens = x.flatten(2).transpose(1, 2) + self.positions(len(x))  # (B, h * w, C)
        tokens = self.blocks(torch.cat([self.cls.expand(len(tokens), -1, -1), tokens], dim=1))
        grid = tokens[:, 1:].transpose(1, 2).unflatten(-1, self.n_patches)
        if self.refine is not None:
            fine = F.interpolate(grid, scale_factor=k, mode="bilinear", align_corners=False)
            grid = self.refine(fine, start)  # (B, C, h, w)
        return FeatureMap(grid, tokens[:, 0])

    def positions(self, batch: int) -> Tensor | float:
        """What each token is told of where it is: (1 or B, patches, C), or 0 for nothing.

        With `random_offset` the table is closed to a torus, and in training each image lies on it at an offset drawn
        uniformly from torch's global generator. Every cell meets every entry equally often, so an entry says nothing of
        the cell, while differences of entries still say where tokens lie relative to each other. In evaluation all
        images lie on its middle.
        """
        if self.config.position != "random_offset":
            return 0.0 if self.position is None else self.position
        h, w = self.n_patches
        entries = table_entries((TABLE_SIDES * h, TABLE_SIDES * w), (h, w), batch if self.training else None)
        return self.position[0, entries.to(self.position.device)]


def _stem(config: VitConfig) -> nn.Module:
    """(B, 3, H, W) in [-1, 1] -> (B, C, h, w). Cells of either kind are centred on their patch (see `small_conv`)."""
    if config.stem == "patches":
        return nn.Conv2d(3, config.channels, config.patch, stride=config.patch)
    layers: list[nn.Module] = []
    n_in, width = 3, 2 * config.channels // config.patch
    while width <= config.channels:
        layers += [
            PaddedConv(n_in, width, 4, stride=2, padding=1, padding_mode="replicate"),
            ChannelNorm(width),
            nn.GELU(),
        ]
        n_in, width = width, 2 * width
    return nn.Sequential(*layers, nn.Conv2d(config.channels, config.channels, 1))


def table_entries(table_size: tuple[int, int], grid_size: tuple[int, int], batch: int | None) -> Tensor:
    """Which entries of a table of positions the cells of a grid that lies on it are told.

    Args:
        table_size: rows and columns of the table, which is closed to a torus.
        grid_size: (h, w).
        batch: draw an offset for each of so many images from torch's global generator; None: the table's middle.

    Returns:
        (batch or 1, h * w) long, into the flattened table.
    """
    (n_rows, n_columns), (h, w) = table_size, grid_size
    top, left = torch.tensor([[(n_rows - h) // 2]]), torch.tensor([[(n_columns - w) // 2]])
    if batch is not None:
        top, left = torch.randint(n_rows, (batch, 1)), torch.randint(n_columns, (batch, 1))
    rows, columns = (top + torch.arange(h)) % n_rows, (left + torch.arange(w)) % n_columns  # (B or 1, h), (.., w)
    return (rows.unsqueeze(-1) * n_columns + columns.unsqueeze(-2)).flatten(1)
