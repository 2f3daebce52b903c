"""The options of `para experiment` that choose its policies' backbone, by the names that the backbone's own have."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from para.backbones import BACKBONES, default_config
from para.backbones.dino import DinoConfig, Mode, find_weights

OF_VIDEOS = "svd_unet"
"""The backbone that only the experiments on video models bring."""


def those_with(option: str) -> list[str]:
    """The backbones that can be asked for and have an option of that name."""
    return [
        name
        for name, entry in BACKBONES.items()
        if name != OF_VIDEOS and option in {f.name for f in fields(entry.config_type)}
    ]


@dataclass(frozen=True)
class BackboneOptions:
    """The backbone of every policy (docs/backbones.md). What is left out is as in `para train`."""

    backbone: str | None = None
    """small_conv, vit, dinov2 or dinov3; default: the scale's own. Not for padding_and_position and the experiments on
    video models, which bring theirs."""

    weights: str | None = None
    """Of dinov2 and dinov3: vits, vitb, vitl, ..., a folder, or an id of the hub; default: vits."""

    position: Literal["interpolated", "learned", "none", "random_offset"] | None = None
    """What tokens are told of where they are: of dinov2 and dinov3 interpolated (the default), of vit learned (the
    default); of all three none, or random_offset: each training image lies somewhere else on the table of them."""

    stem: Literal["patches", "convolutions"] | None = None
    """Of vit: each patch by one matrix (the default), or strided convolutions, with which it learns from scratch."""

    cells_per_patch: int | None = None
    """Of vit: cells of the heatmap along a side of a patch, refined by convolutions where more than one. Default: 1."""

    channels: int | None = None
    """Of small_conv and vit: width; default: 48, and 384 of vit, which is that of ViT-S."""

    patch: int | None = None
    """Of vit: side of a patch in pixels; default: 16."""

    depth: int | None = None
    """Of vit: layers; default: 12."""

    n_heads: int | None = None
    """Of vit: attention heads, which must divide its channels; default: 6."""

    mode: Mode | None = None
    """Of dinov2 and dinov3, what is trained: all of it (the default), low-rank updates, or nothing."""

    neck_channels: int | None = None
    """Of dinov2 and dinov3: width of trainable convolutions after it; with `frozen`, 64 or so. Default: none."""

    layer_decay: float | None = None
    """Of dinov2 and dinov3, with `finetune`: learning rate of each layer over that of the layer after it."""

    lora_rank: int | None = None
    """Of dinov2 and dinov3, with `lora`: rank of the updates."""

    backbone_lr_scale: float | None = None
    """Learning rate of the backbone relative to the heads'; default: of a pretrained one that is trained on, what makes
    it 3e-5 (at the scale paper 0.1); of others the scale's own."""

    def config(self) -> Any:
        """The backbone's options, with the hash of its weights where it has such; None for the scale's own backbone.

        Raises:
            ValueError: for a name that no backbone has, an option that it does not have, or a value that means nothing.
            FileNotFoundError: if its weights are not there and cannot be fetched.
            ImportError: if a package that it needs is not installed.
        """
        chosen = [f.name for f in fields(self) if f.name not in ("backbone", "backbone_lr_scale")]
        given = {name: getattr(self, name) for name in chosen if getattr(self, name) is not None}
        if self.backbone is None:
            if given:
                raise ValueError(f"{', '.join(given)}: of which backbone? Name it too, as --backbone dinov2")
            return None
        config = default_config(self.backbone)
        if self.backbone == OF_VIDEOS:
            raise ValueError(
                "svd_unet is the backbone of policies that foresee a video; run the experiments that bring it: "
                "video_backbone, video_features"
            )
        known = {f.name for f in fields(config)}
        for name in given:
            if name not in known:
                raise ValueError(
                    f"the backbone {self.backbone} has no {name}; it is an option of {', '.join(those_with(name))}"
                )
        config = type(config)(**given)
        return find_weights(config)[0] if isinstance(config, DinoConfig) else config
