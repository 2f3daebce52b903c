"""Backbones: image to feature grid (and one pooled vector), behind the `Backbone` protocol of `para.interfaces`.

To add one: a file with a frozen `...Config` dataclass and a module built from it, and one line in `BACKBONES`.
`tests/test_contracts.py` then covers it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Union

from para.backbones.dino import Dino, Dinov2Config, Dinov3Config
from para.backbones.small_conv import SmallConv, SmallConvConfig
from para.backbones.svd_unet import SvdUnet, SvdUnetConfig
from para.backbones.vit import Vit, VitConfig
from para.interfaces import Backbone
from para.registry import pick


class BackboneEntry(NamedTuple):
    """A registered backbone: the type of its options, and how to build it from them and the image size (H, W)."""

    config_type: type
    build: Callable[[Any, tuple[int, int]], Backbone]


BACKBONES: dict[str, BackboneEntry] = {
    "small_conv": BackboneEntry(SmallConvConfig, SmallConv),
    "vit": BackboneEntry(VitConfig, Vit),
    "dinov2": BackboneEntry(Dinov2Config, Dino),
    "dinov3": BackboneEntry(Dinov3Config, Dino),
    "svd_unet": BackboneEntry(SvdUnetConfig, SvdUnet),
}

BackboneConfig = Union[tuple(entry.config_type for entry in BACKBONES.values())]  # noqa: UP007 a union of as many
"""Options of any registered backbone; which one they are says which backbone is meant, on the command line and in
checkpoints, so no two backbones may have options of all the same names, unless a `Literal` one of them tells which."""


def make_backbone(config: Any, image_size: tuple[int, int]) -> Backbone:
    """The backbone that `config` describes, for images of (H, W). Raises ValueError for a config of no backbone."""
    return BACKBONES[name_of(config)].build(config, image_size)


def name_of(config: Any) -> str:
    """The name of the backbone that `config` describes. Raises ValueError for a config of no backbone."""
    for name, entry in BACKBONES.items():
        if type(config) is entry.config_type:
            return name
    raise ValueError(f"no backbone takes a {type(config).__name__} (known: {', '.join(sorted(BACKBONES))})")


def default_config(name: str) -> Any:
    """The default options of a backbone by name. Raises ValueError with the nearest name for an unknown one."""
    return pick(BACKBONES, "backbone", name).config_type()


__all__ = [
    "BACKBONES",
    "BackboneConfig",
    "BackboneEntry",
    "Dino",
    "Dinov2Config",
    "Dinov3Config",
    "SmallConv",
    "SmallConvConfig",
    "SvdUnet",
    "SvdUnetConfig",
    "Vit",
    "VitConfig",
    "default_config",
    "make_backbone",
    "name_of",
]
