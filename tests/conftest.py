"""Fixtures that several rooms share: an oblique camera with a non-square image, and small batches seen by it."""

from __future__ import annotations

import os

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from para.geometry import Camera, look_at
from para.interfaces import ActionChunk, Observation

torch.set_num_threads(1)


def oblique_camera(H: int = 48, W: int = 64, batch: int | None = None, dtype=torch.float32) -> Camera:
    """A camera that looks at the table from a corner, off-centre principal point, unequal focal lengths."""
    T_world_cam = look_at(
        torch.tensor([0.7, -0.35, 0.6], dtype=torch.float64), torch.tensor([0.02, 0.03, 0.05], dtype=torch.float64)
    )
    K = torch.tensor([[0.95 * W, 0.0, 0.48 * W], [0.0, 1.02 * W, 0.53 * H], [0.0, 0.0, 1.0]], dtype=torch.float64)
    camera = Camera(K.to(dtype), T_world_cam.to(dtype), (H, W))
    if batch is None:
        return camera
    return Camera(camera.K.expand(batch, 3, 3), camera.T_world_cam.expand(batch, 4, 4), (H, W))


def random_batch(B: int = 3, T: int = 4, H: int = 48, W: int = 64, seed: int = 0) -> tuple[Observation, ActionChunk]:
    """Noise images and positions on and above the table that the oblique camera sees."""
    g = torch.Generator().manual_seed(seed)
    camera = oblique_camera(H, W, B)
    obs = Observation(
        torch.randint(0, 256, (B, 3, H, W), dtype=torch.uint8, generator=g),
        camera,
        torch.rand(B, 3, generator=g) * torch.tensor([0.2, 0.2, 0.15]) - torch.tensor([0.1, 0.1, 0.0]),
        (torch.rand(B, generator=g) > 0.5).float(),
    )
    position = torch.rand(B, T, 3, generator=g) * torch.tensor([0.2, 0.2, 0.15]) - torch.tensor([0.1, 0.1, 0.0])
    gripper = (torch.rand(B, T, generator=g) > 0.5).float()
    return obs, ActionChunk(position, gripper, torch.zeros(B, T, dtype=torch.bool))


@pytest.fixture
def camera() -> Camera:
    return oblique_camera(dtype=torch.float64)
