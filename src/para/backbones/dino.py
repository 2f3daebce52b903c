"""DINOv2 and DINOv3: vision transformers pretrained without labels, through `transformers`; need the extra `dino`.

The paper's backbone. It says DINOv2 with 28 x 28 features at 448 px, but DINOv2's patches are of 14 px (32 x 32) and
DINOv3's of 16 (28 x 28); the stride is taken from the weights. The grid is the patch tokens after the last norm, the
pooled vector the CLS token; registers are dropped. Images are normalised here, by ImageNet's mean and deviation.

DINOv2 adds learned position embeddings to its tokens; DINOv3 turns queries and keys by angles that differ with the
patches' places (RoPE), and its unturned CLS token and registers attend to absolute places. So features of neither are
translation-equivariant.

The options of a policy's backbone are completed with the network's architecture and the hash of its weights, and the
weights are in the policy's own checkpoint: it loads where the pretrained weights are not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from para.backbones import pretrained
from para.backbones.dino_positions import DinoPosition, rotation, table_positions
from para.backbones.feature_cache import FeatureCache
from para.backbones.lora import add_lora, is_lora
from para.backbones.neck import Neck
from para.backbones.small_conv import check_divides
from para.interfaces import FeatureMap

Mode = Literal["finetune", "lora", "frozen"]
"""What is trained of the pretrained network: all of it; low-rank updates of its attention; nothing."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's channels, 0 to 1: what published DINO weights (of ordinary photographs) expect."""

RENAMED = (
    ("attention.attention.query.", "attention.q_proj."),
    ("attention.attention.key.", "attention.k_proj."),
    ("attention.attention.value.", "attention.v_proj."),
    ("attention.output.dense.", "attention.o_proj."),
)
"""Names of DINOv2's layers in older versions of transformers, and in newer ones and the checkpoints of para."""


@dataclass(frozen=True)
class DinoConfig:
    """Options that `dinov2` and `dinov3` share."""

    weights: str = "vits"
    """vits, vitb or vitl (dinov2: also vits_registers, ...; dinov3: also vits_plus), a folder, or an id of the hub."""

    mode: Mode = "finetune"
    """What is trained of it; `neck_channels` adds layers that always are."""

    position: DinoPosition = "interpolated"
    """What patches are told of where they are: as in pretraining, at the image's size; nothing; or their place in a
    table of positions (dinov3: a frame of coordinates) on which each training image lies somewhere else."""

    layer_decay: float = 1.0
    """With `finetune`: learning rate of each layer over that of the layer after it. 1: the same for all."""

    lora_rank: int = 8
    """With `lora`: rank of the updates."""

    lora_alpha: float = 16.0
    """With `lora`: updates are scaled by this over the rank."""

    neck_channels: int = 0
    """Width of trainable convolutions after the network; the start keypoint then enters there and not at the patches.
    0: none, the heads read the network's own features. With `frozen`, 64 or so: heads are linear in the features."""

    neck_dilations: tuple[int, ...] = (1, 2, 4, 8, 4, 2)
    """Dilation of each residual block of the neck, in cells."""

    architecture: dict[str, Any] = field(default_factory=dict, hash=False)
    """Filled in from the weights: which network they are of."""

    weights_hash: str = ""
    """Filled in from the weights: 12 hex digits of their sha256."""

    def __post_init__(self):
        for name, known in (("mode", get_args(Mode)), ("position", get_args(DinoPosition))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be {', '.join(known)}; got '{getattr(self, name)}'")
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"layer_decay must be above 0 and at most 1; got {self.layer_decay}")
        if self.lora_rank < 1 or self.lora_alpha <= 0:
            raise ValueError(
                f"lora_rank must be at least 1 and lora_alpha above 0; got {self.lora_rank}, {self.lora_alpha}"
            )
        if self.neck_channels < 0 or not self.neck_dilations or min(self.neck_dilations) < 1:
            raise ValueError("neck_channels must be at least 0, with dilations of at least 1")


@dataclass(frozen=True)
class Dinov2Config(DinoConfig):
    """Options of the backbone `dinov2`: patches of 14 px, 32 x 32 cells at 448 px. Apache-2.0."""

    family: Literal["dinov2"] = "dinov2"
    """Which backbone: the other has options of the same names."""


@dataclass(frozen=True)
class Dinov3Config(DinoConfig):
    """Options of the backbone `dinov3`: patches of 16 px, 28 x 28 cells at 448 px. Access must be asked for."""

    family: Literal["dinov3"] = "dinov3"
    """Which backbone: the other has options of the same names."""


class Dino(nn.Module):
    """The backbones `dinov2` and `dinov3`; see the module's docstring."""

    def __init__(self, config: Dinov2Config | Dinov3Config, image_size: tuple[int, int]):
        super().__init__()
        self.config, model = open_model(config)
        self.embeddings = model.embeddings
        self.embeddings.mask_token = None  # of pretraining
        self.layers = getattr(model, "encoder", getattr(model, "model", model)).layer
        self.norm = model.layernorm if hasattr(model, "layernorm") else model.norm
        rope = getattr(model, "rope_embeddings", None)
        self.register_buffer("inv_freq", None if rope is None else rope.inv_freq.clone(), persistent=False)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(3, 1, 1), persistent=False)
        self.stride = self._projection.stride[0]
        check_divides(image_size, self.stride)
        self.pooled_channels = model.config.hidden_size
        self.channels = config.neck_channels or self.pooled_channels
        if config.mode != "finetune":
            self.requires_grad_(False)
        if config.mode == "lora":
            add_lora(self.layers, config.lora_rank, config.lora_alpha)
        self.neck = None
        if config.neck_channels:
            self.neck = Neck(self.pooled_channels, config.neck_channels, config.neck_dilations)
        self.cache: FeatureCache | None = None
        self.register_state_dict_post_hook(_give_lasting_names)
        self.register_load_state_dict_pre_hook(_take_lasting_names)

    @property
    def _projection(self) -> nn.Conv2d:
        patches = self.embeddings.patch_embeddings
        return getattr(patches, "projection", patches)

    def train(self, mode: bool = True) -> Dino:
        """As of any module, but what is frozen stays as it is in evaluation."""
        super().train(mode)
        if self.config.mode == "frozen":
            for part in (self.embeddings, self.layers, self.norm):
                part.eval()
        return self

    def forward(self, image: Tensor, start: Tensor | None = None) -> FeatureMap:
        """Features of images; see `para.interfaces.Backbone`."""
        check_divides(tuple(image.shape[-2:]), self.stride)
        h, w = (side // self.stride for side in image.shape[-2:])
        if self.cache is not None:
            tokens = self.cache.tokens(image, self.tokens)
        else:
            tokens = self.tokens(image, start if self.neck is None else None)
        grid = tokens[:, 1:].transpose(1, 2).unflatten(-1, (h, w))  # (B, C, h, w)
        return FeatureMap(grid if self.neck is None else self.neck(grid, start), tokens[:, 0])

    def tokens(self, image: Tensor, start: Tensor | None = None) -> Tensor:
        """The pretrained network: (B, 3, H, W) uint8, (B, C, h, w) or None -> (B, 1 + h * w, C), CLS and patches."""
        x = (image.to(self._projection.weight.dtype) / 255 - self.mean) / self.deviation
        x = self._projection(x)  # (B, C, h, w)
        (B, _, h, w), kind = x.shape, self.config.position
        x = (x if start is None else x + start).flatten(2).transpose(1, 2)  # (B, h * w, C)
        n_drawn = B if self.training else None
        cls, options = self.embeddings.cls_token, {}
        if self.inv_freq is None:
            of_cls, of_patches = table_positions(self.embeddings, (h, w), self.stride, kind, n_drawn)
            cls, x = cls + of_cls, x + of_patches
        else:
            options["position_embeddings"] = rotation(self.inv_freq, (h, w), kind, n_drawn)
        registers = getattr(self.embeddings, "register_tokens", x[:1, :0])  # (1, R, C)
        x = torch.cat([cls.expand(B, -1, -1), registers.expand(B, -1, -1), x], dim=1)
        for layer in self.layers:
            x = layer(x, **options)
        x = self.norm(x)
        return torch.cat([x[:, :1], x[:, -h * w :]], dim=1)

    def lr_scales(self, pretrained: float) -> dict[str, float]:
        """Learning rate of each parameter over that of the heads; see `para.training.optim.named_groups`.

        Pretrained parameters have `pretrained` times `layer_decay` for every layer that comes after them; what begins
        from nothing, the neck and LoRA's matrices, learns as the heads do.
        """
        n = len(self.layers)
        scales = {}
        for name, _ in self.named_parameters():
            part, *rest = name.split(".")
            after = {"embeddings": n + 1, "layers": n - int(rest[0]) if part == "layers" else 0}.get(part, 0)
            fresh = part == "neck" or is_lora(name)
            scales[name] = 1.0 if fresh else pretrained * self.config.layer_decay**after
        return scales

    def keep_features(self, folder: Path | None) -> None:
        """From now on keep what the network makes of each image in a folder, and take it from there; None: no more.

        Raises:
            ValueError: if what it makes of an image is not always the same.
        """
        if folder is None:
            self.cache = None
            return
        if self.config.mode != "frozen" or self.neck is None or self.config.position == "random_offset":
            raise ValueError(
                "features can be kept of a backbone with mode='frozen', neck_channels above 0 (the start keypoint must "
                f"enter after it) and no random_offset; got mode='{self.config.mode}', "
                f"neck_channels={self.config.neck_channels}, position='{self.config.position}'"
            )
        self.cache = FeatureCache(folder, self.network_hash())

    def network_hash(self) -> str:
        """16 hex digits that tell the pretrained part, as it now is, from every other network."""
        digest = hashlib.sha256(f"{self.config.position} {sorted(self.config.architecture.items())}".encode())
        for name, tensor in sorted(self.state_dict().items()):
            if not name.startswith("neck."):
                digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def open_model(config: Dinov2Config | Dinov3Config) -> tuple[Dinov2Config | Dinov3Config, nn.Module]:
    """The pretrained network, and the options completed with its architecture and hash.

    Raises:
        FileNotFoundError, ValueError, ImportError: as `find_weights` and `load_model` do.
    """
    if pretrained.weights_are_to_follow():
        if not config.architecture:
            raise ValueError(
                f"these options of the backbone {config.family} do not say which network it is, for architecture "
                "is empty; restore the config that was saved with the weights"
            )
        return config, pretrained.empty_model(config.architecture)
    completed, folder = find_weights(config)
    return completed, pretrained.load_model(folder, completed.architecture)


def find_weights(config: Dinov2Config | Dinov3Config) -> tuple[Dinov2Config | Dinov3Config, Path]:
    """The options completed with the architecture and the hash of the weights that they name, and where these lie.

    Raises:
        FileNotFoundError, ValueError, ImportError: as `find_folder` and `read_architecture` do; and ValueError if the
            options are those of a checkpoint that was made from other weights.
    """
    folder = pretrained.find_folder(config.family, config.weights)
    architecture, digest = pretrained.read_architecture(folder, config.family), pretrained.hash_weights(folder)
    if config.weights_hash not in ("", digest):
        raise ValueError(
            f"the weights in {folder} have the hash {digest}, these options were made with {config.weights_hash}; "
            "name the folder of those, or leave weights_hash empty to begin from these"
        )
    return replace(config, architecture=architecture, weights_hash=digest), folder


def lasting_name(name: str) -> str:
    """A parameter's name as checkpoints have it, whatever this version of transformers calls it."""
    for old, lasting in RENAMED:
        name = name.replace(old, lasting)
    return name


def _give_lasting_names(module: Dino, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    for name in [name for name in state if name.startswith(prefix)]:
        state[lasting_name(name)] = state.pop(name)


def _take_lasting_names(module: Dino, state: dict[str, Any], prefix: str, *_: Any) -> None:
    own = {prefix + lasting_name(name): prefix + name for name, _ in module.named_parameters()}
    for name in [name for name in state if name.startswith(prefix)]:
        lasting = lasting_name(name)
        state[own.get(lasting, name)] = state.pop(name)
