"""PARA: which pixel the end effector goes to, and how high above the table (paper sec. 3).

One forward pass: the image and the end effector's own pixel go through the backbone; heads say, for each of the next T
steps, which cell and which height (one softmax over both; or a heatmap and, read at that pixel, the height: the paper's
form) and, read at that pixel, which gripper class; decoding lifts pixel and height to the world by intersecting the
camera's ray with the height plane.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from para.backbones import BackboneConfig, SmallConvConfig, make_backbone
from para.geometry import Camera, project
from para.geometry.pixels import cell_centre
from para.interfaces import ActionChunk, Observation
from para.pixel_actions.bins import Bins
from para.pixel_actions.decoding import (
    Decoder,
    Peak,
    Third,
    best_voxel_cell,
    decode_peak,
    heights_near_cell,
    lift_or_hold,
)
from para.pixel_actions.heads import Formulation, PixelHeads
from para.pixel_actions.losses import class_loss, full_resolution_spatial_loss, joint_loss, masked_mean, spatial_loss
from para.pixel_actions.rotations import RotationBins
from para.pixel_actions.start_keypoint import StartKeypoint, cell_weights
from para.pixel_actions.targets import Targets, make_targets
from para.policies.augment import AugmentConfig, augment, training_cameras


@dataclass(frozen=True)
class ParaConfig:
    """Options of the policy `para`. `paper_form` gives the paper's plain one."""

    image_size: tuple[int, int] = (128, 128)
    """(H, W) of the images, pixels."""

    horizon: int = 12
    """T, future steps predicted at once (paper N_W)."""

    third: Third = "height"
    """What is predicted of a pixel beside its place: a class of height above the table (paper), or of depth along the
    camera's optical axis, which is what heights are compared with. All else, losses and decoding, is the same."""

    n_height_bins: int = 16
    """Height classes per pixel (paper N_H); with `third="depth"` depth classes."""

    n_gripper_bins: int = 32
    """Gripper classes per pixel (paper N_G), over openings 0 to 1; 0: the gripper is not predicted, and stays as it is
    (for pretraining on point tracks)."""

    n_rotation_bins: int = 0
    """Classes per Euler angle of the tool, read at the pixel too; 0: rotation is not predicted (the paper's sim)."""

    height_margin_m: float = 0.02
    """How far the height classes reach beyond the heights of the training data."""

    depth_margin_m: float = 0.1
    """How far depth classes reach beyond the depths of the training data: more than heights, since a camera elsewhere
    sees the same places at other depths."""

    formulation: Formulation = "joint"
    """`joint`: one softmax over pixels x heights. `factorised` (the paper's text): a softmax over pixels, and one over
    heights read at the pixel."""

    heatmap_resolution: Literal["cells", "image"] = "cells"
    """Where the softmax over pixels lives: on the feature grid, or on the grid upsampled to the image (the paper)."""

    soft_targets: bool = True
    """Share each target between its nearest cells and bins, so that classes carry no rounding (paper: one class)."""

    decoder: Decoder = "centroid"
    """How a heatmap becomes a pixel (paper: argmax)."""

    use_gripper: bool = True
    """Tell the start keypoint how far the gripper is open (paper: no)."""

    snap_start: bool = False
    """Put the start keypoint on the one cell that holds it (paper), not on the four nearest by weight."""

    read_start: bool = True
    """Let the gripper head also read the feature at the end effector's own pixel (paper: no)."""

    supervise_padding: bool = True
    """Whether steps beyond a demonstration's end are targets ("stay there")."""

    backbone: BackboneConfig = field(default_factory=SmallConvConfig)
    """The backbone and its options."""

    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Variation of training images, which pixel labels follow. None by default, as in the paper; the experiments' PARA
    has `para.experiments.recipes.VIEWS`."""

    def __post_init__(self):
        if self.horizon < 1 or self.n_height_bins < 1 or (self.n_gripper_bins < 2 and self.n_gripper_bins != 0):
            raise ValueError("horizon and n_height_bins must be at least 1, n_gripper_bins at least 2, or 0 for none")
        if min(self.height_margin_m, self.depth_margin_m) <= 0:
            raise ValueError(
                "height_margin_m and depth_margin_m must be above 0, so that even one value spans bins; got "
                f"{self.height_margin_m} and {self.depth_margin_m}"
            )
        if self.formulation == "joint" and self.heatmap_resolution == "image":
            raise ValueError("the joint formulation is scored on cells: upsampled, its volume takes 308 MB an image")


def paper_form(image_size: tuple[int, int], backbone: BackboneConfig | None = None) -> ParaConfig:
    """The paper's plain form: factorised, hard targets at full resolution, argmax, no extra state, no augmentation."""
    return ParaConfig(
        image_size=image_size, n_height_bins=32, formulation="factorised", heatmap_resolution="image",
        soft_targets=False, decoder="argmax", use_gripper=False, snap_start=True, read_start=False,
        backbone=backbone or SmallConvConfig(), augment=AugmentConfig(),
    )  # fmt: skip


class Prediction(NamedTuple):
    """Everything that one forward pass says, for decoding and for figures."""

    peak: Peak
    position: Tensor
    """(B, T, 3) world frame, metres: the lifted chunk; the end effector's own position where it cannot be lifted."""
    lifted: Tensor
    """(B, T) bool; false where the ray never meets its plane."""
    height: Tensor
    """(B, T) metres above the table, of `position` where depths are predicted."""
    gripper: Tensor
    """(B, T) opening, 0 to 1."""
    heatmap_logits: Tensor
    """(B, T, h, w)."""
    height_logits: Tensor
    """(B, T, N_H) at the predicted pixels: of the classes of `ParaConfig.third`."""
    rotation: Tensor | None
    """(B, T, 3, 3) R_world_ee, or None."""


class Para(nn.Module):
    """The policy `para`; see the module's docstring and `para.interfaces.Policy`."""

    name = "para"
    learns_from_pixels = True
    """Points of which only the pixel is known teach it something (`ActionChunk.known`)."""

    def __init__(self, config: ParaConfig):
        super().__init__()
        self.backbone = make_backbone(config.backbone, config.image_size)
        self.config = replace(config, backbone=self.backbone.config)  # with what it read from its weights
        channels = self.backbone.channels
        self.start = StartKeypoint(channels, use_gripper=config.use_gripper, snap=config.snap_start)
        self.heads = PixelHeads(
            channels, config.horizon, config.n_height_bins, config.n_gripper_bins,
            formulation=config.formulation, read_start=config.read_start,
            n_rotation_bins=config.n_rotation_bins,
        )  # fmt: skip
        # Named for heights, the paper's; of depths where `third` says so. Placeholders: `fit_ranges` sets their span.
        self.height_bins = Bins(config.n_height_bins, *((0.0, 0.4) if config.third == "height" else (0.1, 3.0)))
        self.gripper_bins = Bins(config.n_gripper_bins, 0.0, 1.0) if config.n_gripper_bins else None
        self.rotation_bins = RotationBins(config.n_rotation_bins) if config.n_rotation_bins else None

    def fit_ranges(self, actions: ActionChunk, camera: Camera) -> None:
        """Classes span the training data's heights, or depths (from the cameras of `augment` too), and a margin."""
        keep = ~actions.is_pad
        if self.config.third == "height":
            self.height_bins.fit(actions.position[..., 2][keep], self.config.height_margin_m)
            return
        cameras = training_cameras(camera, self.config.augment)
        targets = [make_targets(actions, seen_from, supervise_padding=False) for seen_from in cameras]
        depths = torch.cat([target.depth[target.valid] for target in targets])
        self.height_bins.fit(depths, self.config.depth_margin_m)

    def features(self, obs: Observation) -> Tensor:
        """The backbone's grid, told where the end effector is. -> (B, C, h, w), of a video backbone (B, F, C, h, w)."""
        features = self.backbone(obs.image, self.start(obs, self.backbone.stride))
        return features.grid if features.frames is None else features.frames

    def loss(
        self, obs: Observation, actions: ActionChunk, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Plain sum of the terms (paper sec. 3.5): of pixel and height together, or in the factorised form one of each;
        of the gripper, and of the rotation where it is predicted. What is read at a pixel is read at the true one.

        Each is a mean over the steps whose pixel, height or gripper is known.
        """
        if generator is not None:
            obs = augment(obs, self.config.augment, generator)
        targets = make_targets(actions, obs.camera, supervise_padding=self.config.supervise_padding)
        grid = self.features(obs)
        losses = self._spatial_terms(grid, targets, None if actions.known is None else targets.height_valid)
        if self.gripper_bins is not None:
            start_uv, _ = project(obs.ee_position, obs.camera)
            gripper_logits = self.heads.gripper_logits(grid, targets.uv, start_uv, self.backbone.stride)
            classes = self.gripper_bins.to_index(targets.gripper)
            losses["gripper"] = class_loss(gripper_logits, classes, targets.gripper_valid)
        if self.rotation_bins is not None:
            if actions.rotation is None:
                raise ValueError("n_rotation_bins is above 0, but the demonstrations carry no rotation; set it to 0")
            logits = self.heads.rotation_logits(grid, targets.uv, self.backbone.stride)  # (B, T, 3, N_R)
            classes = self.rotation_bins.to_index(actions.rotation)
            axes = (class_loss(logits[..., axis, :], classes[..., axis], targets.height_valid) for axis in range(3))
            losses["rotation"] = sum(axes)
        losses["total"] = sum(losses.values())
        with torch.no_grad():
            losses["unseen_fraction"] = 1 - targets.valid.float().mean()
            outside = self.height_bins.outside(self._third(targets)).float()
            losses[f"{self.config.third}_outside_fraction"] = masked_mean(outside, targets.height_valid)
            if not self.training:
                error = (self._decode(grid, obs).peak.uv - targets.uv).norm(dim=-1)
                losses["pixel_error_px"] = masked_mean(error, targets.valid & ~actions.is_pad)
        return losses

    def _third(self, targets: Targets) -> Tensor:
        return targets.height if self.config.third == "height" else targets.depth

    def _spatial_terms(self, grid: Tensor, targets: Targets, height_known: Tensor | None) -> dict[str, Tensor]:
        config, stride, bins = self.config, self.backbone.stride, self.height_bins
        third = self._third(targets)
        height = bins.split(third) if config.soft_targets else bins.to_index(third)
        if config.formulation == "joint":
            if not config.soft_targets:
                height = nn.functional.one_hot(height, config.n_height_bins).to(grid.dtype)
            volume = self.heads.volume_logits(grid)
            uv = targets.uv if config.soft_targets else cell_centre(targets.uv, stride)
            at_pixel = self.heads.height_logits(grid, uv, stride)
            heat = None
            if height_known is not None:  # where the pixel alone is known, the volume is summed over heights
                share = cell_weights(uv, stride, tuple(volume.shape[-2:]))  # (B, T, h * w)
                heat = (volume.float().logsumexp(dim=2).flatten(2) * share).sum(dim=-1)
            terms = {"height_known": height_known, "heatmap_at_pixel": heat}
            return {"volume": joint_loss(volume, at_pixel, height, targets.valid, **terms)}
        logits = self.heads.heatmap_logits(grid)
        if config.heatmap_resolution == "image":
            spatial = full_resolution_spatial_loss(logits, targets.uv, targets.valid, stride)
        else:
            spatial = spatial_loss(logits, targets.uv, targets.valid, stride=stride, soft=config.soft_targets)
        height_logits = self.heads.height_logits(grid, targets.uv, stride)
        return {"spatial": spatial, config.third: class_loss(height_logits, height, targets.height_valid)}

    @torch.no_grad()
    def predict(self, obs: Observation) -> Prediction:
        """Heatmaps, pixels, heights and gripper for each observation of a batch."""
        return self._decode(self.features(obs), obs)

    def _decode(self, grid: Tensor, obs: Observation) -> Prediction:
        stride = self.backbone.stride
        if self.config.formulation == "joint":
            volume = self.heads.volume_logits(grid)
            cell = best_voxel_cell(volume)
            heatmap_logits = volume.logsumexp(dim=2)
            peak = decode_peak(heatmap_logits, stride, self.config.decoder, best=cell)
            height_logits = heights_near_cell(volume, cell)
        else:
            heatmap_logits = self.heads.heatmap_logits(grid)
            peak = decode_peak(heatmap_logits, stride, self.config.decoder)
            height_logits = self.heads.height_logits(grid, peak.uv, stride)
        gripper = obs.gripper.unsqueeze(-1).expand(-1, self.config.horizon)
        if self.gripper_bins is not None:
            start_uv, _ = project(obs.ee_position, obs.camera)
            gripper = self.gripper_bins.decode(self.heads.gripper_logits(grid, peak.uv, start_uv, stride))
        rotation = None
        if self.rotation_bins is not None:
            rotation = self.rotation_bins.decode(self.heads.rotation_logits(grid, peak.uv, stride))
        third = self.height_bins.decode(height_logits)
        position, lifted = lift_or_hold(peak.uv, third, obs, self.config.third)
        height = third if self.config.third == "height" else position[..., 2]
        return Prediction(peak, position, lifted, height, gripper, heatmap_logits, height_logits, rotation)

    @torch.no_grad()
    def act(self, obs: Observation) -> ActionChunk:
        """The lifted chunk. A step whose ray never meets its plane holds the end effector still, at probability 0."""
        prediction = self.predict(obs)
        peak, lifted = prediction.peak, prediction.lifted
        return ActionChunk(
            prediction.position, prediction.gripper, torch.zeros_like(lifted), prediction.rotation,
            peak_probability=peak.probability * lifted, entropy=peak.entropy,
        )  # fmt: skip
