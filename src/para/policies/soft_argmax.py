"""Soft-argmax: PARA's heatmaps and heights, trained by distance and not as classes; the baseline `soft_argmax`.

Backbone, start keypoint, heatmap logits, gripper head and lift are PARA's. What differs is what the numbers mean: the
pixel is the expectation of the heatmap over the whole image (Sun et al., "Integral Human Pose Regression", ECCV 2018),
the height is one number read at a pixel, and both are trained by L1. It shows how much of PARA is owed to aligning
actions with pixels, and how much to posing them as classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from para.backbones import BackboneConfig, SmallConvConfig, make_backbone
from para.geometry import Camera, project
from para.interfaces import ActionChunk, Observation
from para.pixel_actions.bins import Bins, range_of
from para.pixel_actions.decoding import expected_pixel, lift_or_hold
from para.pixel_actions.heads import PixelHeads
from para.pixel_actions.losses import class_loss, masked_mean
from para.pixel_actions.start_keypoint import StartKeypoint
from para.pixel_actions.targets import make_targets
from para.policies.augment import AugmentConfig, augment


@dataclass(frozen=True)
class SoftArgmaxConfig:
    """Options of the policy `soft_argmax`; those that `ParaConfig` has too mean the same there."""

    image_size: tuple[int, int] = (128, 128)
    """(H, W) of the images, pixels."""

    horizon: int = 12
    """T, future steps predicted at once."""

    n_gripper_bins: int = 32
    """Gripper classes, over openings 0 to 1."""

    height_margin_m: float = 0.02
    """How far heights may reach beyond those of the training data."""

    use_gripper: bool = True
    """Tell the start keypoint how far the gripper is open."""

    read_start: bool = True
    """Let the gripper head also read the feature at the end effector's own pixel."""

    supervise_padding: bool = True
    """Whether steps beyond a demonstration's end are targets ("stay there")."""

    backbone: BackboneConfig = field(default_factory=SmallConvConfig)
    """The backbone and its options."""

    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Variation of training images; pixel labels follow it."""

    def __post_init__(self):
        if self.horizon < 1 or self.n_gripper_bins < 2:
            raise ValueError("horizon must be at least 1, n_gripper_bins at least 2")
        if self.height_margin_m <= 0:
            raise ValueError(f"height_margin_m must be above 0; got {self.height_margin_m}")


class SoftPrediction(NamedTuple):
    """Everything that one forward pass says."""

    uv: Tensor
    """(B, T, 2) the expected pixel."""
    height: Tensor
    """(B, T) metres above the table."""
    gripper: Tensor
    """(B, T) opening, 0 to 1."""
    heatmap_logits: Tensor
    """(B, T, h, w)."""


class SoftArgmax(nn.Module):
    """The policy `soft_argmax`; see the module's docstring and `para.interfaces.Policy`."""

    name = "soft_argmax"

    learns_from_pixels = True
    """Points of which only the pixel is known teach it something (`ActionChunk.known`)."""

    def __init__(self, config: SoftArgmaxConfig):
        super().__init__()
        self.backbone = make_backbone(config.backbone, config.image_size)
        self.config = replace(config, backbone=self.backbone.config)  # with what it read from its weights
        channels = self.backbone.channels
        self.start = StartKeypoint(channels, use_gripper=config.use_gripper, snap=False)
        # one "height class": the one number from which the height is made
        self.heads = PixelHeads(
            channels, config.horizon, 1, config.n_gripper_bins, formulation="factorised", read_start=config.read_start
        )
        self.gripper_bins = Bins(config.n_gripper_bins, 0.0, 1.0)
        self.register_buffer("height_range", torch.tensor([0.0, 0.4]))

    def fit_ranges(self, actions: ActionChunk, camera: Camera) -> None:
        """Heights span the training data's and a margin, as the classes of `para` do."""
        heights = actions.position[..., 2][~actions.is_pad]
        self.height_range.copy_(torch.tensor(range_of(heights, self.config.height_margin_m)))

    def features(self, obs: Observation) -> Tensor:
        """The backbone's grid, told where the end effector is. -> (B, C, h, w)."""
        return self.backbone(obs.image, self.start(obs, self.backbone.stride)).grid

    def height(self, grid: Tensor, uv: Tensor) -> Tensor:
        """The height read at one pixel per step. (B, C, h, w), (B, T, 2) -> (B, T) metres above the table."""
        low, high = self.height_range
        return low + (high - low) * self.heads.height_logits(grid, uv, self.backbone.stride).squeeze(-1).sigmoid()

    def loss(
        self, obs: Observation, actions: ActionChunk, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """L1 of the pixel and of the height, and the gripper's cross-entropy; the latter two at the true pixel.

        Pixels count as shares of the image and heights as metres, both tenfold, as `act` has ten times the metres: a
        picture is about a metre wide.
        """
        if generator is not None:
            obs = augment(obs, self.config.augment, generator)
        targets = make_targets(actions, obs.camera, supervise_padding=self.config.supervise_padding)
        grid, stride = self.features(obs), self.backbone.stride
        uv = expected_pixel(self.heads.heatmap_logits(grid), stride)
        H, W = obs.camera.image_size
        shares = ((uv - targets.uv) / uv.new_tensor([W, H])).abs().sum(dim=-1)  # (B, T)
        height_error = (self.height(grid, targets.uv) - targets.height).abs()
        start_uv, _ = project(obs.ee_position, obs.camera)
        gripper_logits = self.heads.gripper_logits(grid, targets.uv, start_uv, stride)
        losses = {
            "pixel": 10 * masked_mean(shares, targets.valid),
            "height": 10 * masked_mean(height_error, targets.height_valid),
            "gripper": class_loss(gripper_logits, self.gripper_bins.to_index(targets.gripper), targets.gripper_valid),
        }
        losses["total"] = sum(losses.values())
        with torch.no_grad():
            losses["unseen_fraction"] = 1 - targets.valid.float().mean()
            losses["pixel_error_px"] = masked_mean((uv - targets.uv).norm(dim=-1), targets.valid & ~actions.is_pad)
        return losses

    @torch.no_grad()
    def predict(self, obs: Observation) -> SoftPrediction:
        """Pixels, heights and gripper for each observation of a batch, and the heatmaps that the pixels are from."""
        grid, stride = self.features(obs), self.backbone.stride
        heatmap_logits = self.heads.heatmap_logits(grid)
        uv = expected_pixel(heatmap_logits, stride)
        start_uv, _ = project(obs.ee_position, obs.camera)
        gripper = self.gripper_bins.decode(self.heads.gripper_logits(grid, uv, start_uv, stride))
        return SoftPrediction(uv, self.height(grid, uv), gripper, heatmap_logits)

    @torch.no_grad()
    def act(self, obs: Observation) -> ActionChunk:
        """The lifted chunk, held where a ray never meets its plane. An expectation says nothing of how sure it is."""
        prediction = self.predict(obs)
        position, _ = lift_or_hold(prediction.uv, prediction.height, obs)
        return ActionChunk(position, prediction.gripper, torch.zeros_like(prediction.gripper, dtype=torch.bool))
