"""Coordinate regression: a pooled image vector to world positions, the baselines `act` and `global_regression`.

`act` is what the paper calls ACT: the CLS token (here the backbone's `pooled` vector) through an MLP to (x, y, z) and
gripper of the whole chunk; not the CVAE encoder-decoder of that name. `global_regression` pools the feature grid by its
mean. Both see the same images through the same backbone as `para`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from para.backbones import BackboneConfig, SmallConvConfig, make_backbone
from para.geometry import Camera
from para.interfaces import ActionChunk, Observation
from para.pixel_actions.losses import masked_mean
from para.pixel_actions.targets import finite_steps
from para.policies.augment import AugmentConfig, augment

OutputRange = Literal["workspace", "training"]
"""Which box the sigmoid of the output spans: the whole workspace, so that no position is ruled out; or the training
data's (the paper's normalisation), outside of which nothing can be predicted."""


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
    """Take the end effector's position and opening as input (the paper's ACT sees only the image)."""

    hidden: int = 256
    """Width of the MLP."""

    supervise_padding: bool = True
    """Whether steps beyond a demonstration's end are targets ("stay there")."""

    backbone: BackboneConfig = field(default_factory=SmallConvConfig)
    """The backbone and its options."""

    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Variation of training images. World labels cannot follow a warp, so none that moves pixels is accepted."""

    def __post_init__(self):
        if self.horizon < 1 or self.hidden < 1:
            raise ValueError("horizon and hidden must be at least 1")
        if self.augment.moves_pixels:
            raise ValueError("world coordinates do not follow a warp of the image; use colour augmentation only")
        if not all(low < high for low, high in zip(self.workspace_low_m, self.workspace_high_m)):
            raise ValueError("workspace_low_m must lie below workspace_high_m on every axis")


@dataclass(frozen=True)
class GlobalRegressionConfig(ActConfig):
    """Options of the policy `global_regression`."""


class Regression(nn.Module):
    """The policies `act` and `global_regression`; see the module's docstring and `para.interfaces.Policy`."""

    def __init__(self, config: ActConfig):
        super().__init__()
        self.config = config
        self.global_mean = isinstance(config, GlobalRegressionConfig)
        self.name = "global_regression" if self.global_mean else "act"
        self.backbone = make_backbone(config.backbone, config.image_size)
        image_channels = self.backbone.channels if self.global_mean else self.backbone.pooled_channels
        self.mlp = nn.Sequential(
            nn.Linear(image_channels + (4 if config.use_state else 0), config.hidden), nn.GELU(),
            nn.Linear(config.hidden, config.hidden), nn.GELU(),
            nn.Linear(config.hidden, config.horizon * 4),
        )  # fmt: skip
        self.register_buffer("low", torch.tensor(config.workspace_low_m))
        self.register_buffer("high", torch.tensor(config.workspace_high_m))
        self.register_buffer("state_mean", torch.zeros(4))
        self.register_buffer("state_std", torch.ones(4))

    def fit_ranges(self, actions: ActionChunk, camera: Camera) -> None:
        """Statistics of the input state, and with `output_range="training"` the box of the outputs (1 cm margin)."""
        position = actions.position[~actions.is_pad]  # (N, 3)
        if not len(position):
            raise ValueError("there are no training actions to set ranges from; is the dataset empty?")
        if self.config.output_range == "training":
            self.low.copy_(position.amin(dim=0) - 0.01)
            self.high.copy_(position.amax(dim=0) + 0.01)
        self.state_mean.copy_(torch.cat([position.mean(dim=0), torch.tensor([0.5])]))
        self.state_std.copy_(torch.cat([position.std(dim=0).clamp(min=1e-3), torch.tensor([0.5])]))

    def outputs(self, obs: Observation) -> tuple[Tensor, Tensor]:
        """Positions in world metres and gripper logits. -> (B, T, 3), (B, T)."""
        features = self.backbone(obs.image)
        x = features.grid.mean(dim=(-2, -1)) if self.global_mean else features.pooled
        if self.config.use_state:
            state = torch.cat([obs.ee_position, obs.gripper.unsqueeze(-1)], dim=-1)  # (B, 4)
            x = torch.cat([x, (state - self.state_mean) / self.state_std], dim=-1)
        out = self.mlp(x).unflatten(-1, (self.config.horizon, 4))
        return self.low + (self.high - self.low) * out[..., :3].sigmoid(), out[..., 3]

    def loss(
        self, obs: Observation, actions: ActionChunk, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """L1 of the position in decimetres (as ACT trains) and binary cross-entropy of the gripper."""
        if generator is not None:
            obs = augment(obs, self.config.augment, generator)
        position, gripper_logits = self.outputs(obs)
        valid = finite_steps(actions)
        valid = valid if self.config.supervise_padding else valid & ~actions.is_pad
        error = (position - torch.nan_to_num(actions.position)).abs().sum(dim=-1)  # (B, T) metres
        target = torch.nan_to_num(actions.gripper).clamp(0, 1)  # what is masked must still be finite, for the gradient
        gripper = F.binary_cross_entropy_with_logits(gripper_logits, target, reduction="none")
        losses = {"position": 10 * masked_mean(error, valid), "gripper": masked_mean(gripper, valid)}
        return losses | {"total": losses["position"] + losses["gripper"]}

    @torch.no_grad()
    def act(self, obs: Observation) -> ActionChunk:
        """The regressed chunk. A regressor has no confidence to offer."""
        position, gripper_logits = self.outputs(obs)
        return ActionChunk(position, gripper_logits.sigmoid(), torch.zeros_like(gripper_logits, dtype=torch.bool))
