"""Coordinate regression: a pooled image vector to world positions, the baselines `act` and `global_regression`.

`act` is what the paper calls ACT: the CLS token (here the backbone's `pooled` vector) through an MLP to (x, y, z) and
gripper of the whole chunk; not the CVAE encoder-decoder of that name. `global_regression` pools the feature grid by its
mean; other ways to read a vector from an image are the option `readout`. Both see the same images through the same
backbone as `para`.

Two options make them fair opponents of a policy that uses the camera: to be told the camera (`use_camera`), or to
answer in the camera's frame (`frame="camera"`), which is that of `para.geometry.picture_frame`, so that labels follow a
warp of the picture. Either accepts augmentation that moves pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from para.backbones import BackboneConfig, SmallConvConfig, make_backbone
from para.geometry import Camera, from_picture_frame, project, to_picture_frame
from para.geometry.picture_frame import picture_from_camera, without_scale
from para.geometry.pixels import compose
from para.interfaces import ActionChunk, Observation
from para.pixel_actions.losses import masked_mean
from para.pixel_actions.targets import finite_steps
from para.policies.augment import AugmentConfig, augment, training_cameras
from para.policies.full_precision import FullPrecisionLinear
from para.policies.ranges import OUTPUT_MARGIN_M, check_in_workspace, spread_of
from para.policies.readout import Readout, ReadoutKind

OutputRange = Literal["workspace", "training"]
"""Which box the sigmoid of the output spans: the whole workspace, so that no position is ruled out; or the training
data's (the paper's normalisation), outside of which nothing can be predicted."""

Frame = Literal["world", "camera"]
"""Whose coordinates are regressed: the world's; or the camera's, turned and zoomed with the picture."""

N_CAMERA_NUMBERS = 21
"""What `camera_numbers` tells of a camera."""

MIN_DEPTH_M = 0.05
"""Predicted points nearer to the camera than this, or behind it, are taken to be this far away, to have a pixel."""

MIN_CAMERA_STD = 0.1
"""Numbers of the camera are divided by their deviation in training, but by no less than this (a tenth of the image or
of a metre, about 6 degrees): of a camera that never varied, a small change must not look like a huge one."""


@dataclass(frozen=True)
class ActConfig:
    """Options of the policy `act`."""

    image_size: tuple[int, int] = (128, 128)
    """(H, W) of the images, pixels."""

    horizon: int = 12
    """T, future steps predicted at once."""

    output_range: OutputRange = "workspace"
    """The box that outputs span."""

    workspace_low_m: tuple[float, float, float] = (-0.5, -0.6, -0.02)
    """Lowest corner of the workspace, world frame."""

    workspace_high_m: tuple[float, float, float] = (0.5, 0.6, 0.5)
    """Highest corner of the workspace, world frame."""

    use_state: bool = True
    """Take the end effector's position, in `frame`, and opening as input (the paper's ACT sees only the image)."""

    use_camera: bool = False
    """Take the camera as input: its intrinsics as shares of the image, and its pose."""

    frame: Frame = "world"
    """Whose coordinates are regressed; `act` turns them into the world's by the observation's camera."""

    readout: ReadoutKind = "pooled"
    """The one vector of each image that is regressed from."""

    hidden: int = 256
    """Width of the MLP."""

    supervise_padding: bool = True
    """Whether steps beyond a demonstration's end are targets ("stay there")."""

    backbone: BackboneConfig = field(default_factory=SmallConvConfig)
    """The backbone and its options."""

    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Variation of training images. World labels do not follow a warp, so one that moves pixels is only accepted where
    the policy is told the camera or answers in its frame."""

    def __post_init__(self):
        if self.horizon < 1 or self.hidden < 1:
            raise ValueError("horizon and hidden must be at least 1")
        if self.augment.moves_pixels and not self.use_camera and self.frame == "world":
            raise ValueError(
                "world coordinates do not follow a warp of the image; use colour augmentation only, or use_camera=True "
                "or frame='camera'"
            )
        if not all(low < high for low, high in zip(self.workspace_low_m, self.workspace_high_m)):
            raise ValueError("workspace_low_m must lie below workspace_high_m on every axis")


@dataclass(frozen=True)
class GlobalRegressionConfig(ActConfig):
    """Options of the policy `global_regression`."""

    readout: ReadoutKind = "mean"
    """The one vector of each image that is regressed from."""


def camera_numbers(camera: Camera) -> Tensor:
    """A camera as numbers of the order of 1: K in shares of the image, R_world_cam, centre in metres. -> (..., 21)."""
    H, W = camera.image_size
    to_shares = camera.K.new_tensor([[1 / W, 0, 0.5 / W], [0, 1 / H, 0.5 / H], [0, 0, 1]])  # 0 to 1 spans the image
    K = compose(to_shares, without_scale(camera.K))
    pose = camera.T_world_cam
    return torch.cat([K.flatten(-2), pose[..., :3, :3].flatten(-2), pose[..., :3, 3]], dim=-1)


def beside_the_ray(position: Tensor, label: Tensor, camera: Camera) -> Tensor:
    """How far predicted points are from the rays through labels of which only the pixel is known, in metres.

    Each point is moved along its own ray to the depth of its label, and compared there: what is left is the error of
    its pixel. So a point tracked in a video teaches where to go across the line of sight, and nothing along it.

    Args:
        position, label: (B, T, 3) world frame, metres.
        camera: batched (B).

    Returns:
        (B, T) sum of the errors along the world's axes, metres.
    """
    camera = camera.unsqueeze(1)
    _, depth = project(position, camera)
    _, label_depth = project(label, camera)
    eye = camera.T_world_cam[..., :3, 3]
    share = (label_depth / depth.clamp(min=MIN_DEPTH_M)).unsqueeze(-1)
    return (eye + share * (position - eye) - label).abs().sum(dim=-1)


class Regression(nn.Module):
    """The policies `act` and `global_regression`; see the module's docstring and `para.interfaces.Policy`."""

    learns_from_pixels = True
    """Points of which only the pixel is known teach it something (`ActionChunk.known`)."""

    def __init__(self, config: ActConfig):
        super().__init__()
        self.name = "global_regression" if isinstance(config, GlobalRegressionConfig) else "act"
        self.backbone = make_backbone(config.backbone, config.image_size)
        self.config = replace(config, backbone=self.backbone.config)  # with what it read from its weights
        self.readout = Readout(config.readout, self.backbone)
        n_inputs = self.readout.channels + 4 * config.use_state + N_CAMERA_NUMBERS * config.use_camera
        self.mlp = nn.Sequential(
            FullPrecisionLinear(n_inputs, config.hidden), nn.GELU(),
            nn.Linear(config.hidden, config.hidden), nn.GELU(),
            FullPrecisionLinear(config.hidden, config.horizon * 4),
        )  # fmt: skip
        self.register_buffer("low", torch.tensor(config.workspace_low_m))
        self.register_buffer("high", torch.tensor(config.workspace_high_m))
        self.register_buffer("state_mean", torch.zeros(4))
        self.register_buffer("state_std", torch.ones(4))
        if config.use_camera:
            self.register_buffer("camera_mean", torch.zeros(N_CAMERA_NUMBERS))
            self.register_buffer("camera_std", torch.ones(N_CAMERA_NUMBERS))
        if config.frame == "camera":
            H, W = config.image_size
            K = torch.tensor([[W, 0.0, (W - 1) / 2], [0.0, W, (H - 1) / 2], [0.0, 0.0, 1.0]])
            self.register_buffer("reference_K", K)
            self.low.copy_(torch.tensor([-1.0, -1.0, 0.0]))
            self.high.copy_(torch.tensor([1.0, 1.0, 2.0]))

    def fit_ranges(self, actions: ActionChunk, camera: Camera) -> None:
        """Statistics of the inputs, the box of the outputs, and the reference camera of `frame="camera"`.

        With augmentation that moves pixels they are those of the moved cameras too. The box is that of the training
        positions and a margin of 1 cm, or contains the workspace (`output_range`): in the world's frame it is the
        workspace; in the camera's it holds the ball around it, so that the workspace remains inside for a camera that
        looks at the same place from elsewhere.

        Raises:
            ValueError: if there are no actions, or some lie outside of a box that is the workspace.
        """
        keep = ~actions.is_pad
        if not keep.any():
            raise ValueError("there are no training actions to set ranges from; is the dataset empty?")
        if self.config.frame == "camera":
            self.reference_K.copy_(without_scale(camera.K).mean(dim=0))
        cameras = training_cameras(camera, self.config.augment)
        position = torch.cat([self.to_frame(actions.position, c.unsqueeze(1))[keep] for c in cameras])  # (N, 3)
        if self.config.output_range == "training":
            self.low.copy_(position.amin(dim=0) - OUTPUT_MARGIN_M)
            self.high.copy_(position.amax(dim=0) + OUTPUT_MARGIN_M)
        elif self.config.frame == "camera":
            self._span_workspace(cameras)
        else:
            told = keep & actions.height_known  # others stand on a nominal plane
            check_in_workspace(actions.position[told], self.config.workspace_low_m, self.config.workspace_high_m)
        self.state_mean.copy_(torch.cat([position.mean(dim=0), torch.tensor([0.5])]))
        self.state_std.copy_(torch.cat([spread_of(position), torch.tensor([0.5])]))
        if self.config.use_camera:
            numbers = torch.cat([camera_numbers(c) for c in cameras])
            self.camera_mean.copy_(numbers.mean(dim=0))
            self.camera_std.copy_(numbers.std(dim=0, correction=0).clamp(min=MIN_CAMERA_STD))

    def _span_workspace(self, cameras: list[Camera]) -> None:
        corners = torch.tensor([self.config.workspace_low_m, self.config.workspace_high_m])
        radius = (corners[1] - corners[0]).norm() / 2
        lows, highs = [], []
        for camera in cameras:
            centre = self.to_frame(corners.mean(dim=0), camera)  # (N, 3)
            reach = radius * picture_from_camera(camera, self.reference_K).norm(dim=-1)  # of the ball, along each axis
            lows.append((centre - reach).amin(dim=0))
            highs.append((centre + reach).amax(dim=0))
        self.low.copy_(torch.stack(lows).amin(dim=0))
        self.high.copy_(torch.stack(highs).amax(dim=0))

    def to_frame(self, p_world: Tensor, camera: Camera) -> Tensor:
        """World points in the frame that is regressed. (..., 3) -> (..., 3) metres."""
        return p_world if self.config.frame == "world" else to_picture_frame(p_world, camera, self.reference_K)

    def to_world(self, p: Tensor, camera: Camera) -> Tensor:
        """The inverse of `to_frame`."""
        return p if self.config.frame == "world" else from_picture_frame(p, camera, self.reference_K)

    def outputs(self, obs: Observation) -> tuple[Tensor, Tensor]:
        """Positions in the regressed frame, metres, and gripper logits. -> (B, T, 3), (B, T)."""
        x = self.readout(self.backbone(obs.image))  # (B, D)
        if self.config.use_state:
            here = self.to_frame(obs.ee_position, obs.camera)
            state = torch.cat([here, obs.gripper.unsqueeze(-1)], dim=-1)  # (B, 4)
            x = torch.cat([x, (state - self.state_mean) / self.state_std], dim=-1)
        if self.config.use_camera:
            x = torch.cat([x, (camera_numbers(obs.camera) - self.camera_mean) / self.camera_std], dim=-1)
        out = self.mlp(x).unflatten(-1, (self.config.horizon, 4))
        return self.low + (self.high - self.low) * out[..., :3].sigmoid(), out[..., 3]

    def loss(
        self, obs: Observation, actions: ActionChunk, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """L1 of the position in decimetres (as ACT trains) and binary cross-entropy of the gripper.

        Where only the pixel of a position is known, its error is `beside_the_ray`.
        """
        if generator is not None:
            obs = augment(obs, self.config.augment, generator)
        position, gripper_logits = self.outputs(obs)
        valid = finite_steps(actions) & actions.pixel_known
        valid = valid if self.config.supervise_padding else valid & ~actions.is_pad
        demonstrated = torch.nan_to_num(actions.position)
        error = (position - self.to_frame(demonstrated, obs.camera.unsqueeze(1))).abs().sum(dim=-1)  # (B, T) metres
        if actions.known is not None:
            across = beside_the_ray(self.to_world(position, obs.camera.unsqueeze(1)), demonstrated, obs.camera)
            error = torch.where(actions.height_known, error, across)
        target = torch.nan_to_num(actions.gripper).clamp(0, 1)  # what is masked must still be finite, for the gradient
        gripper = F.binary_cross_entropy_with_logits(gripper_logits, target, reduction="none")
        losses = {
            "position": 10 * masked_mean(error, valid),
            "gripper": masked_mean(gripper, valid & actions.gripper_known),
        }
        return losses | {"total": losses["position"] + losses["gripper"]}

    @torch.no_grad()
    def act(self, obs: Observation) -> ActionChunk:
        """The regressed chunk. A regressor has no confidence to offer."""
        position, gripper_logits = self.outputs(obs)
        position = self.to_world(position, obs.camera.unsqueeze(1))
        return ActionChunk(position, gripper_logits.sigmoid(), torch.zeros_like(gripper_logits, dtype=torch.bool))
