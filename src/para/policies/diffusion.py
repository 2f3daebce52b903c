"""Diffusion Policy: the chunk is drawn by removing noise from it, told what is seen; the baseline `diffusion`.

After Chi et al., "Diffusion Policy" (RSS 2023): training adds noise of a random level to the demonstrated chunk and a
network learns to undo it; acting starts from noise alone and removes it in a few DDIM steps. What it is told of the
world is what `act` sees: one vector of the image (`readout`) and the arm's state. Here the denoiser is a residual MLP
over the whole chunk and not a temporal U-Net, and there is one image and no history. Needs the extra `diffusion`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn

from para.backbones import BackboneConfig, SmallConvConfig, make_backbone
from para.geometry import Camera
from para.interfaces import ActionChunk, Observation
from para.pixel_actions.losses import masked_mean
from para.pixel_actions.targets import complete_steps
from para.policies.augment import AugmentConfig, augment
from para.policies.full_precision import FullPrecisionLinear
from para.policies.ranges import OUTPUT_MARGIN_M, check_in_workspace, spread_of
from para.policies.readout import Readout, ReadoutKind
from para.policies.regression import OutputRange


@dataclass(frozen=True)
class DiffusionConfig:
    """Options of the policy `diffusion`."""

    image_size: tuple[int, int] = (128, 128)
    """(H, W) of the images, pixels."""

    horizon: int = 12
    """T, future steps predicted at once."""

    output_range: OutputRange = "workspace"
    """The box that -1 to 1 spans, outside of which nothing can be predicted."""

    workspace_low_m: tuple[float, float, float] = (-0.5, -0.6, -0.02)
    """Lowest corner of the workspace, world frame."""

    workspace_high_m: tuple[float, float, float] = (0.5, 0.6, 0.5)
    """Highest corner of the workspace, world frame."""

    use_state: bool = True
    """Take the end effector's position and opening as input."""

    prediction: Literal["sample", "epsilon"] = "sample"
    """What the network says of a noisy chunk: the chunk without the noise, or the noise (the published choice)."""

    error: Literal["absolute", "squared"] = "absolute"
    """How far off it is: L1, as `act` trains, or mean square (the published choice)."""

    n_noise_levels: int = 100
    """Levels of noise in training."""

    n_denoising_steps: int = 10
    """DDIM steps when acting."""

    n_noise_draws: int = 8
    """Noisy versions of each chunk in a training step: the image is understood once for all of them."""

    noise_seed: int = 0
    """Of the noise that acting starts from: always the same, so that acting is a function of what is seen."""

    readout: ReadoutKind = "pooled"
    """The one vector of each image that the denoiser is told (published: "spatial_softmax")."""

    hidden: int = 256
    """Width of the denoiser."""

    n_blocks: int = 3
    """Residual blocks of the denoiser."""

    supervise_padding: bool = True
    """Whether steps beyond a demonstration's end are targets ("stay there")."""

    backbone: BackboneConfig = field(default_factory=SmallConvConfig)
    """The backbone and its options."""

    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Variation of training images. World labels cannot follow a warp, so none that moves pixels is accepted."""

    def __post_init__(self):
        if min(self.horizon, self.n_noise_draws, self.n_blocks) < 1 or self.hidden < 4 or self.hidden % 2:
            raise ValueError("horizon, n_noise_draws and n_blocks must be at least 1, hidden even and at least 4")
        if not 1 <= self.n_denoising_steps <= self.n_noise_levels:
            raise ValueError(
                f"n_denoising_steps must be 1 to n_noise_levels; got {self.n_denoising_steps} of {self.n_noise_levels}"
            )
        if self.augment.moves_pixels:
            raise ValueError("world coordinates do not follow a warp of the image; use colour augmentation only")
        if not all(low < high for low, high in zip(self.workspace_low_m, self.workspace_high_m)):
            raise ValueError("workspace_low_m must lie below workspace_high_m on every axis")


def make_schedulers(config: DiffusionConfig):
    """How noise is added in training, and removed when acting: (DDPMScheduler, DDIMScheduler).

    Raises:
        ImportError: where diffusers is not installed; it names the extra.
    """
    try:
        from diffusers.schedulers.scheduling_ddim import DDIMScheduler
        from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
    except ImportError as error:
        raise ImportError(
            "policy 'diffusion' needs diffusers: in para's folder, pip install -e '.[diffusion]'"
        ) from error
    options = {
        "num_train_timesteps": config.n_noise_levels,
        "beta_schedule": "squaredcos_cap_v2",
        "prediction_type": config.prediction,
        "clip_sample": True,
    }
    # "trailing": the first step is at the highest level, which is the noise alone that acting starts from.
    ddim = DDIMScheduler(**options, timestep_spacing="trailing", set_alpha_to_one=True)
    ddim.set_timesteps(config.n_denoising_steps)
    return DDPMScheduler(**options), ddim


class Denoiser(nn.Module):
    """Noisy chunks, their noise level and what is seen, to chunks: a residual MLP, each block modulated (FiLM)."""

    def __init__(self, n_values: int, n_seen: int, hidden: int, n_blocks: int):
        super().__init__()
        self.hidden = hidden
        self.seen = nn.Sequential(FullPrecisionLinear(n_seen, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        self.level = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        self.enter = FullPrecisionLinear(n_values, hidden)
        self.blocks = nn.ModuleList(ModulatedBlock(hidden) for _ in range(n_blocks))
        self.leave = nn.Sequential(nn.LayerNorm(hidden), FullPrecisionLinear(hidden, n_values))

    def forward(self, noisy: Tensor, level: Tensor, seen: Tensor) -> Tensor:
        """(..., N) values in -1 to 1, (...) levels, (..., D) vectors -> (..., N), leading dimensions broadcasting."""
        return self.denoised(noisy, self.modulations(level, seen))

    def modulations(self, level: Tensor, seen: Tensor) -> list[Tensor]:
        """What each block is told, which the noisy chunk has no part in. (...), (..., D) -> (..., 2 * hidden) each."""
        condition = self.seen(seen) + self.level(sinusoid(level, self.hidden))
        return [block.modulation(condition) for block in self.blocks]

    def denoised(self, noisy: Tensor, modulations: list[Tensor]) -> Tensor:
        """The same as calling it, with what the blocks are told at hand."""
        x = self.enter(noisy)
        for block, modulation in zip(self.blocks, modulations):
            x = block(x, modulation)
        return self.leave(x)


class ModulatedBlock(nn.Module):
    """Residual: normalise, scale and shift by what `modulation` makes of the condition, two linear layers."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Sequential(nn.GELU(), nn.Linear(width, 2 * width))
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        scale, shift = modulation.chunk(2, dim=-1)
        return x + self.mlp(self.norm(x) * (1 + scale) + shift)


def sinusoid(level: Tensor, width: int) -> Tensor:
    """Noise levels as sines and cosines of `width` / 2 frequencies. (...) -> (..., width)."""
    frequency = torch.exp(torch.arange(width // 2, device=level.device) * (-math.log(1e4) / (width // 2)))
    angle = level.float().unsqueeze(-1) * frequency
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


class Diffusion(nn.Module):
    """The policy `diffusion`; see the module's docstring and `para.interfaces.Policy`."""

    name = "diffusion"

    def __init__(self, config: DiffusionConfig):
        super().__init__()
        self.backbone = make_backbone(config.backbone, config.image_size)
        self.config = replace(config, backbone=self.backbone.config)  # with what it read from its weights
        self.readout = Readout(config.readout, self.backbone)
        n_seen = self.readout.channels + (4 if config.use_state else 0)
        self.denoiser = Denoiser(config.horizon * 4, n_seen, config.hidden, config.n_blocks)
        self.noising, self.denoising = make_schedulers(config)
        self.register_buffer("low", torch.tensor(config.workspace_low_m))
        self.register_buffer("high", torch.tensor(config.workspace_high_m))
        self.register_buffer("state_mean", torch.zeros(4))
        self.register_buffer("state_std", torch.ones(4))
        generator = torch.Generator().manual_seed(config.noise_seed)
        # Saved with the weights: the numbers that a seed stands for may change between versions of torch.
        self.register_buffer("first_noise", torch.randn(config.horizon * 4, generator=generator))

    def fit_ranges(self, actions: ActionChunk, camera: Camera) -> None:
        """Statistics of the input state, and with `output_range="training"` the box of the outputs (1 cm margin)."""
        position = actions.position[~actions.is_pad]  # (N, 3)
        if not len(position):
            raise ValueError("there are no training actions to set ranges from; is the dataset empty?")
        if self.config.output_range == "training":
            self.low.copy_(position.amin(dim=0) - OUTPUT_MARGIN_M)
            self.high.copy_(position.amax(dim=0) + OUTPUT_MARGIN_M)
        else:
            told = ~actions.is_pad & actions.height_known  # others stand on a nominal plane
            check_in_workspace(actions.position[told], self.config.workspace_low_m, self.config.workspace_high_m)
        self.state_mean.copy_(torch.cat([position.mean(dim=0), torch.tensor([0.5])]))
        self.state_std.copy_(torch.cat([spread_of(position), torch.tensor([0.5])]))

    def seen(self, obs: Observation) -> Tensor:
        """What the denoiser is told: the image's vector, and the state where it is used. -> (B, D)."""
        vector = self.readout(self.backbone(obs.image))
        if not self.config.use_state:
            return vector
        state = torch.cat([obs.ee_position, obs.gripper.unsqueeze(-1)], dim=-1)  # (B, 4)
        return torch.cat([vector, (state - self.state_mean) / self.state_std], dim=-1)

    def to_values(self, actions: ActionChunk) -> Tensor:
        """Positions and gripper as numbers of which -1 to 1 spans the range. -> (B, T, 4)."""
        position = 2 * (actions.position - self.low) / (self.high - self.low) - 1
        return torch.cat([position, 2 * actions.gripper.unsqueeze(-1) - 1], dim=-1)

    def loss(
        self, obs: Observation, actions: ActionChunk, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """How far the denoiser is off, over random levels of noise.

        The noise comes from torch's global generator, which the training loop seeds at every step; `generator` feeds
        the augmentation alone.
        """
        if generator is not None:
            obs = augment(obs, self.config.augment, generator)
        valid = complete_steps(actions)
        valid = valid if self.config.supervise_padding else valid & ~actions.is_pad
        clean = hold_last_valid(self.to_values(actions), valid).flatten(1)  # (B, T * 4)
        n, B = self.config.n_noise_draws, len(obs)
        noise = torch.randn(n * B, clean.shape[1]).to(clean)
        level = torch.randint(self.config.n_noise_levels, (n * B,)).to(clean.device)
        noisy = self.noising.add_noise(clean.repeat(n, 1), noise, level).unflatten(0, (n, B))
        said = self.denoiser(noisy, level.unflatten(0, (n, B)), self.seen(obs))  # (n, B, T * 4)
        target = clean if self.config.prediction == "sample" else noise.unflatten(0, (n, B))
        off = said - target
        off = off.abs() if self.config.error == "absolute" else off.square()
        error = off.mean(dim=0).unflatten(-1, (self.config.horizon, 4))  # (B, T, 4)
        losses = {
            "position": masked_mean(error[..., :3].sum(dim=-1), valid),
            "gripper": masked_mean(error[..., 3], valid),
        }
        return losses | {"total": losses["position"] + losses["gripper"]}

    @torch.no_grad()
    def act(self, obs: Observation) -> ActionChunk:
        """The chunk that the fixed noise becomes. Deterministic: DDIM without added noise draws nothing."""
        values = self.first_noise.expand(len(obs), -1)  # (B, T * 4)
        levels = self.denoising.timesteps
        told = self.denoiser.modulations(levels.unsqueeze(-1).to(values.device), self.seen(obs))  # (L, B, 2 * hidden)
        for i, level in enumerate(levels):
            said = self.denoiser.denoised(values, [modulation[i] for modulation in told])
            values = self.denoising.step(said, level, values, eta=0.0).prev_sample
        values = values.unflatten(-1, (self.config.horizon, 4)).clamp(-1, 1)  # (B, T, 4)
        position = self.low + (self.high - self.low) * (values[..., :3] + 1) / 2
        gripper = (values[..., 3] + 1) / 2
        return ActionChunk(position, gripper, torch.zeros_like(gripper, dtype=torch.bool))


def hold_last_valid(values: Tensor, valid: Tensor) -> Tensor:
    """Steps that are not valid say what the last valid one before them does, or 0 where there is none: all steps of a
    noisy chunk are read together, so what is masked in the loss must not leak through its neighbours.

    (B, T, C), (B, T) bool -> (B, T, C).
    """
    step = torch.arange(values.shape[1], device=values.device)
    last = torch.where(valid, step, -1).cummax(dim=1).values  # (B, T)
    held = values.gather(1, last.clamp(min=0).unsqueeze(-1).expand_as(values))
    return torch.where((last >= 0).unsqueeze(-1), held, torch.zeros_like(held))
