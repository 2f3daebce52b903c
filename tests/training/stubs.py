"""A tiny policy that uses every kind of randomness, and data for it: the engine is tested without other rooms."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import nn

from para.geometry import Camera, look_at, project
from para.interfaces import ActionChunk, Observation
from para.training import OptimConfig, TrainConfig, train

H, W, T = 12, 20, 3


@dataclass(frozen=True)
class InnerConfig:
    width: int = 6
    kernel: tuple[int, int] = (3, 3)


@dataclass(frozen=True)
class StubConfig:
    """Options of the stub."""

    inner: InnerConfig = field(default_factory=InnerConfig)
    ranges: tuple[tuple[float, float], ...] = ((0.0, 1.0), (-0.5, 0.5))
    dropout: float = 0.2
    limit: float | None = None
    blind: bool = False
    explode_at: int | None = None


class Stub(nn.Module):
    """A convolution and a linear read-out of positions, with dropout and channels_last weights."""

    name = "stub"

    def __init__(self, config: StubConfig):
        super().__init__()
        self.config = config
        self.backbone = nn.Conv2d(3, config.inner.width, config.inner.kernel, stride=2, padding=1)
        self.backbone.to(memory_format=torch.channels_last)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.inner.width * (H // 2) * (W // 2), T * 3)
        self.step_embedding = nn.Parameter(torch.zeros(T, 3))
        self.register_buffer("low", torch.zeros(3))
        self.n_losses = 0

    def _position(self, image: torch.Tensor) -> torch.Tensor:
        image = torch.zeros_like(image) if self.config.blind else image
        features = self.backbone((image.float() / 255).contiguous(memory_format=torch.channels_last)).relu()
        return self.head(self.dropout(features.flatten(1))).view(-1, T, 3) + self.step_embedding + self.low

    def loss(self, obs, actions, *, generator=None):
        image = obs.image.float()
        if generator is not None:
            image = image + 8 * torch.randn(image.shape, generator=generator)
        position = self._position(image)
        distance = (position - actions.position).norm(dim=-1) * ~actions.is_pad
        pixels = project(position, obs.camera.unsqueeze(1))[0] - project(actions.position, obs.camera.unsqueeze(1))[0]
        square = (distance**2).mean()
        self.n_losses += self.training
        if self.n_losses - 1 == self.config.explode_at:
            square = square * float("nan")
        error = pixels.norm(dim=-1).mean().detach()
        return {"total": square, "square": square.detach(), "pixel_error_px": error}

    def act(self, obs):
        with torch.no_grad():
            position = self._position(obs.image)
        B = len(obs)
        return ActionChunk(position, torch.ones(B, T), torch.zeros(B, T, dtype=torch.bool))

    def fit_ranges(self, actions, camera):
        self.low = actions.position.flatten(0, 1).amin(dim=0)


class Entry(NamedTuple):
    config_type: type
    build: type


REGISTRY = {"stub": Entry(StubConfig, Stub)}


class StubData:
    """Images with a bright spot at the pixel where the position to be predicted appears."""

    def __init__(self, n: int, seed: int):
        generator = torch.Generator().manual_seed(seed)
        self.position = torch.rand(n, T, 3, generator=generator) * torch.tensor([0.2, 0.2, 0.0])
        eye, target = torch.tensor([0.6, 0.2, 0.5]), torch.tensor([0.1, 0.1, 0.0])
        K = torch.tensor([[25.0, 0, 9.5], [0, 25.0, 5.5], [0, 0, 1]])
        self.camera = Camera(K, look_at(eye, target), (H, W))
        uv = project(self.position[:, 0], self.camera)[0].round().long()
        self.image = torch.randint(0, 40, (n, 3, H, W), generator=generator, dtype=torch.uint8)
        for i, (u, v) in enumerate(uv.tolist()):
            self.image[i, :, min(max(v, 0), H - 1), min(max(u, 0), W - 1)] = 255
        self.asked: list[list[int]] = []

    def __len__(self):
        return len(self.position)

    def batch(self, indices):
        self.asked.append(list(indices))
        index = torch.tensor(indices)
        B = len(index)
        camera = Camera(self.camera.K.expand(B, 3, 3), self.camera.T_world_cam.expand(B, 4, 4), (H, W))
        obs = Observation(self.image[index], camera, self.position[index, 0], torch.ones(B))
        pad = torch.zeros(B, T, dtype=torch.bool)
        pad[:, -1] = index % 3 == 0
        return obs, ActionChunk(self.position[index], torch.ones(B, T), pad)


def make_stub(**options) -> Stub:
    """The stub with weights that depend on nothing but its options."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return Stub(StubConfig(**options))


def options(**changes) -> TrainConfig:
    """Short training with everything on."""
    optim = OptimConfig(lr=3e-3, ema_decay=0.9, backbone_lr_scale=0.5)
    base = {"steps": 30, "batch_size": 4, "optim": optim, "log_every": 5, "eval_every": 10, "save_every": 7}
    return TrainConfig(**{**base, "device": "cpu", "mixed_precision": "no", **changes})


def main() -> None:
    """Train into FOLDER in a process of its own, which a SIGNAL ends at a STEP; "plain" takes all randomness out."""
    folder, step, number, plain = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:] == ["plain"]
    torch.set_num_threads(1)

    def kill(record):
        if record["step"] == step:
            os.kill(os.getpid(), signal.Signals(number))

    policy = make_stub(dropout=0.0) if plain else make_stub()
    config = options(log_every=1, augment=not plain)
    train(policy, StubData(21, 0), config, folder, heldout=StubData(5, 1), on_progress=kill, show_progress=False)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
