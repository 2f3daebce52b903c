"""Stable Video Diffusion's UNet as a backbone, through `diffusers`; needs the extra `svd` (paper, video backbone).

One pass of the UNet at one noise level, conditioned as the video model is: the latent of what is seen stands beside
every frame's, its CLIP embedding is attended to, and frame rate, motion and noise are told as numbers. The frames to
come are guessed to be the present one, under fixed noise that is larger than what it covers (ten times, usually), much
as at the first steps of sampling. The noise is a buffer made from a seed, so that features are a function of the image
alone.

Features are the outputs of decoder blocks, normalised and read, for each frame, at the cells of one square grid of the
camera's picture (`para.geometry.fitting`), whose size follows from the model's own shapes. A neck mixes them and takes
in the start keypoint: what goes before it was trained on pictures, and stays a video model. Zero padding and
normalisation over the picture break translation equivariance.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from para.backbones import svd_model
from para.backbones.edm import noise_code, scaled_input
from para.backbones.neck import Neck
from para.backbones.pretrained import weights_are_to_follow
from para.backbones.small_conv import ChannelNorm, check_divides
from para.geometry.fitting import Fit, FitKind, square_stride
from para.interfaces import FeatureMap

POOLED_CELLS = 4
"""The pooled vector is the grid averaged to so many cells a side."""


@dataclass(frozen=True)
class SvdUnetConfig:
    """Options of the backbone `svd_unet`."""

    weights: str = "img2vid"
    """img2vid or img2vid_xt, a pipeline's folder, an id of the hub; or scratch_tiny, scratch_small: random weights."""

    mode: Literal["finetune", "frozen"] = "finetune"
    """Whether the UNet is trained; the neck always is, the published autoencoder and image encoder never are."""

    n_frames: int = 7
    """Frames with the one that is seen (paper: 7)."""

    model_size: tuple[int, int] = (320, 576)
    """(H, W) of the pictures that the video model sees."""

    fit: FitKind = "stretch"
    """How the camera's pictures become such."""

    blocks: tuple[int, ...] = (1, 2)
    """Decoder blocks whose outputs are the features, counted from the coarsest, 0 (paper: 1 and 2)."""

    grid_stride: int = 0
    """Pixels of the camera per cell. 0: as many cells as the finest of these blocks has, or a few more."""

    sigma: float = 10.0
    """Noise level of the one pass."""

    noise_seed: int = 0
    """Of the fixed noise."""

    noise_aug: float = 0.02
    """Noise added to the picture that conditions, -1 to 1 being its range."""

    fps: int = 7
    """Frame rate that the model is told; it was trained to hear one less."""

    motion_bucket: int = 127
    """Amount of motion that the model is told."""

    neck_channels: int = 64
    """Features per cell."""

    neck_dilations: tuple[int, ...] = (1, 2)
    """Dilation of each residual block of the neck, in cells; none: heads are linear in the video model's features."""

    gradient_checkpointing: bool = False
    """Compute the UNet's activations twice and keep few: about a third of the memory, a third more time."""

    architecture: dict[str, Any] = field(default_factory=dict, hash=False)
    """Filled in from the weights: which networks they are of."""

    weights_hash: str = ""
    """Filled in from the weights: 12 hex digits of their sha256."""

    def __post_init__(self):
        if self.mode not in ("finetune", "frozen"):
            raise ValueError(f"mode must be finetune or frozen; got '{self.mode}'")
        if self.n_frames < 2 or min(self.model_size) < 1 or self.neck_channels < 1 or self.grid_stride < 0:
            raise ValueError(
                "n_frames must be at least 2, model_size and neck_channels above 0 and grid_stride at least 0; got "
                f"{self.n_frames}, {self.model_size}, {self.neck_channels}, {self.grid_stride}"
            )
        if self.sigma <= 0 or self.noise_aug < 0:
            raise ValueError(f"sigma must be above 0 and noise_aug at least 0; got {self.sigma}, {self.noise_aug}")
        if not self.blocks or sorted(set(self.blocks)) != list(self.blocks) or min(self.blocks) < 0:
            raise ValueError(f"blocks must be numbers of decoder blocks that rise, as (1, 2); got {self.blocks}")


class SvdUnet(nn.Module):
    """The backbone `svd_unet`; see the module's docstring. `para.backbones.svd_video` trains it on videos."""

    def __init__(self, config: SvdUnetConfig, image_size: tuple[int, int]):
        super().__init__()
        self.config, parts = open_parts(config)
        self.unet, self.vae, self.image_encoder = parts
        self.fit = Fit(tuple(image_size), config.model_size, config.fit)
        self.from_scratch = config.weights in svd_model.SCRATCH
        latent_size = self.latent_size()
        self.stride = self._stride(latent_size)
        widths = decoder_widths(self.config.architecture["unet"], config.blocks)
        self.norms = nn.ModuleList(ChannelNorm(width) for width in widths)
        self.channels = config.neck_channels
        self.pooled_channels = config.neck_channels * POOLED_CELLS**2
        self.neck = Neck(sum(widths), config.neck_channels, config.neck_dilations)
        self._prepare(latent_size)
        if config.gradient_checkpointing:
            self.unet.enable_gradient_checkpointing()
        self.vae.requires_grad_(False)
        self.unet.requires_grad_(config.mode == "finetune")
        self.image_encoder.requires_grad_(self.from_scratch and config.mode == "finetune")

    def _prepare(self, latent_size: tuple[int, int]) -> None:
        """Buffers: the fixed noise, what the model is told in numbers, and the scale of its latents."""
        config, architecture = self.config, self.config.architecture
        generator = torch.Generator().manual_seed(config.noise_seed)
        channels = architecture["vae"]["latent_channels"]
        # Saved with the weights: the numbers that a seed stands for may change between versions of torch.
        self.register_buffer("noise", torch.randn(config.n_frames, channels, *latent_size, generator=generator))
        picture = torch.randn(3, *config.model_size, generator=generator) if config.noise_aug else torch.zeros(1)
        self.register_buffer("picture_noise", picture)
        told = torch.tensor([config.fps - 1.0, config.motion_bucket, config.noise_aug])
        self.register_buffer("told", told, persistent=False)
        self.register_buffer("latent_scale", torch.tensor(float(architecture["vae"]["scaling_factor"])))
        pixels = architecture["feature_extractor"]
        for name in ("image_mean", "image_std"):
            self.register_buffer(name, torch.tensor(pixels[name]).view(3, 1, 1), persistent=False)

    def latent_size(self) -> tuple[int, int]:
        """(h, w) of the video model's latents. Raises ValueError where `model_size` does not divide into them."""
        factor = 2 ** (len(self.config.architecture["vae"]["block_out_channels"]) - 1)
        H, W = self.config.model_size
        if H % factor or W % factor:
            fits = [max(factor, side // factor * factor) for side in (H, W)]
            raise ValueError(f"model_size {(H, W)} must divide by {factor}; choose {fits[0]} x {fits[1]}")
        return H // factor, W // factor

    def _stride(self, latent_size: tuple[int, int]) -> int:
        """`grid_stride`, or else what loses none of the finest features; refuses pictures without a fitting one."""
        image_size = self.fit.image_size
        sizes = decoder_sizes(self.config.architecture["unet"], self.config.blocks, latent_size)
        n_cells = max(h * w for h, w in sizes)
        stride = self.config.grid_stride or square_stride(image_size, n_cells)
        wanted = int((image_size[0] * image_size[1] / n_cells) ** 0.5)
        check_divides(image_size, wanted if 2 * stride < wanted and not self.config.grid_stride else stride)
        return stride

    def train(self, mode: bool = True) -> SvdUnet:
        """As of any module, but what is frozen stays as it is in evaluation."""
        super().train(mode)
        if self.config.mode == "frozen":
            for part in (self.unet, self.vae, self.image_encoder):
                part.eval()
        return self

    def forward(self, image: Tensor, start: Tensor | None = None) -> FeatureMap:
        """Features of images, frame by frame; see `para.interfaces.Backbone`."""
        if tuple(image.shape[-2:]) != self.fit.image_size:
            check_divides(tuple(image.shape[-2:]), self.stride)
        latent = self.latents(image)
        frames = self.features(latent, self.embedding(image))  # (B, F, C', h, w)
        B, n = frames.shape[:2]
        if start is not None:
            start = start.repeat_interleave(n, dim=0)
        frames = self.neck(frames.flatten(0, 1), start).unflatten(0, (B, n))
        grid = frames.mean(dim=1)
        return FeatureMap(grid, F.adaptive_avg_pool2d(grid, POOLED_CELLS).flatten(1), frames)

    @torch.no_grad()
    def latents(self, image: Tensor) -> Tensor:
        """What the autoencoder makes of pictures, as it conditions. (N, 3, H, W) uint8 -> (N, c, h, w)."""
        return self.encode(self.pictures(image) + self.config.noise_aug * self.picture_noise)

    @torch.no_grad()
    def encode(self, pictures: Tensor) -> Tensor:
        """What the autoencoder makes of pictures as they are, as videos are made of. -> (N, c, h, w)."""
        return self.vae.encode(pictures).latent_dist.mode().float()

    def pictures(self, image: Tensor) -> Tensor:
        """The camera's pictures as the autoencoder takes them: (N, 3, H, W) uint8 -> (N, 3, H', W'), -1 to 1."""
        return self.fit.image_to_model(image) / 127.5 - 1

    def embedding(self, image: Tensor) -> Tensor:
        """What CLIP's image encoder says of pictures. (N, 3, H, W) uint8 -> (N, D)."""
        side = self.image_encoder.config.image_size
        picture = F.interpolate(image.float() / 255, (side, side), mode="bilinear", antialias=True)
        return self.image_encoder((picture - self.image_mean) / self.image_std).image_embeds

    def features(self, latent: Tensor, embedding: Tensor) -> Tensor:
        """The decoder's features on the camera's grid, from one pass over the guessed frames.

        Args:
            latent: (B, c, h, w), `latents` of what is seen.
            embedding: (B, D).

        Returns:
            (B, F, C', h', w'): the blocks' channels one after the other, normalised.
        """
        B, n = len(latent), self.config.n_frames
        sigma = latent.new_full((B,), self.config.sigma)
        guess = (self.latent_scale * latent).unsqueeze(1).expand(-1, n, -1, -1, -1)
        with self.taps() as kept, torch.set_grad_enabled(torch.is_grad_enabled() and self.config.mode != "frozen"):
            self.velocity(guess + self.config.sigma * self.noise, sigma, latent, embedding)
        read = [
            self.fit.read_cells(norm(kept[block]), self.stride) for norm, block in zip(self.norms, self.config.blocks)
        ]
        return torch.cat(read, dim=1).unflatten(0, (B, n))

    def velocity(self, noisy: Tensor, sigma: Tensor, latent: Tensor, embedding: Tensor) -> Tensor:
        """What the UNet says of noisy frames (`para.backbones.edm`): (B, F, c, h, w), (B,), ... -> (B, F, c, h, w)."""
        beside = latent.unsqueeze(1).expand(-1, noisy.shape[1], -1, -1, -1)
        x = torch.cat([scaled_input(noisy, sigma), beside], dim=2)
        told = self.told.expand(len(noisy), -1)
        return self.unet(x, noise_code(sigma), embedding.unsqueeze(1), told, return_dict=False)[0].float()

    @contextmanager
    def taps(self):
        """Within, the outputs of the decoder blocks of each pass: block -> (B * F, C, h, w)."""
        kept: dict[int, Tensor] = {}

        def keep(block: int):
            return lambda module, inputs, output: kept.__setitem__(block, output)

        handles = [self.unet.up_blocks[block].register_forward_hook(keep(block)) for block in self.config.blocks]
        try:
            yield kept
        finally:
            for handle in handles:
                handle.remove()

    def lr_scales(self, pretrained: float) -> dict[str, float]:
        """Learning rate of each parameter over that of the heads: the video model's have `pretrained`, what reads its
        features learns as the heads do.
        """
        fresh = ("neck", "norms")
        return {name: 1.0 if name.startswith(fresh) else pretrained for name, _ in self.named_parameters()}


def decoder_sizes(unet: dict[str, Any], blocks: tuple[int, ...], latent_size: tuple[int, int]) -> list[tuple[int, int]]:
    """(h, w) of the outputs of decoder blocks: each halving rounds up, and the way back meets the same sizes.

    Raises:
        ValueError: for a block that the network does not have.
    """
    sizes, n = [tuple(latent_size)], len(unet["block_out_channels"])
    if max(blocks) >= n:
        raise ValueError(f"blocks {blocks} were asked for, but the network has {n} decoder blocks, 0 to {n - 1}")
    for _ in range(n - 1):
        sizes.append(tuple(-(-side // 2) for side in sizes[-1]))
    return [sizes[max(n - 2 - block, 0)] for block in blocks]


def decoder_widths(unet: dict[str, Any], blocks: tuple[int, ...]) -> list[int]:
    """Channels of the outputs of decoder blocks."""
    return [unet["block_out_channels"][::-1][block] for block in blocks]


def open_parts(config: SvdUnetConfig) -> tuple[SvdUnetConfig, svd_model.Parts]:
    """The networks, and the options completed with their architecture and the hash of their weights.

    Raises:
        FileNotFoundError, ValueError, ImportError: as `find_pipeline`, `read_architecture` and `load_parts` do; and
            ValueError if the options are those of a checkpoint that was made from other weights.
    """
    if config.weights in svd_model.SCRATCH:
        architecture = json.loads(json.dumps(svd_model.SCRATCH[config.weights]))
        config = config if config.architecture else replace(config, architecture=architecture)
        return config, svd_model.build_parts(config.architecture)
    if weights_are_to_follow():
        if not config.architecture:
            raise ValueError(
                "these options of the backbone svd_unet do not say which networks they are of, for architecture is "
                "empty; restore the config that was saved with the weights"
            )
        return config, svd_model.build_parts(config.architecture)
    folder = svd_model.find_pipeline(config.weights)
    architecture, digest = svd_model.read_architecture(folder), svd_model.hash_weights(folder)
    if config.weights_hash not in ("", digest):
        raise ValueError(
            f"the weights in {folder} have the hash {digest}, these options were made with {config.weights_hash}; "
            "name the folder of those, or leave weights_hash empty to begin from these"
        )
    return replace(config, architecture=architecture, weights_hash=digest), svd_model.load_parts(folder)
