"""The fake world of the datasets' tests at any image size, as a world of the registry: commands without physics."""

from __future__ import annotations

import numpy as np
import torch

from para.geometry import project
from para.interfaces import Observation
from para.worlds import WORLDS, WorldEntry
from para.worlds.scenes import Workspace
from tests.conftest import oblique_camera
from tests.datasets.fake_world import FakeWorld

SMALL_TABLE = Workspace(low=(-0.08, -0.08), high=(0.08, 0.08), goal_offset=(0.0, 0.1), n_grid=4, distractors=("mug",))
"""All of it is seen by the oblique camera."""

STEPS_PER_EXECUTE = 30
"""Control steps: ten times those of a real world, so that episodes are short."""


class SizedFakeWorld(FakeWorld):
    """Shows the object too; an episode is placed once the arm has been low at the object and then at the goal."""

    def __init__(self, image_size: tuple[int, int] = (128, 128), *, dwell_frames: int = 3):
        if min(image_size) < 1:
            raise ValueError(f"image_size is (H, W) in pixels, both positive; got {image_size}")
        self.image_size = tuple(image_size)
        self.camera = oblique_camera(*self.image_size, batch=1)

    def reset(self, scene) -> Observation:
        self.was_low, self.was_placed = False, False
        return super().reset(scene)

    def execute(self, position, gripper, rotation=None) -> Observation:
        if np.shape(position) != (3,) or not np.isfinite(position).all():
            raise ValueError(f"a target is three finite metres; got {position}")
        obs = super().execute(position, gripper, rotation)
        self.n_steps += STEPS_PER_EXECUTE - 3
        x, y = self.scene.object_xy
        self.was_low |= bool(np.linalg.norm(self.ee - (x, y, 0.02)) < 0.02 and gripper < 0.5)
        self.was_placed |= self.was_low and bool(np.linalg.norm(self.ee - (x, y + 0.1, 0.05)) < 0.02 and gripper > 0.5)
        return obs

    def outcome(self):
        if self.was_placed:
            return "placed"
        return "grasped" if self.was_low else "missed"

    def _look(self) -> Observation:
        H, W = self.image_size
        image = np.full((H, W, 3), 90, dtype=np.uint8)
        x, y = self.scene.object_xy
        for point, colour in (((x, y, 0.0), (220, 40, 40)), (self.ee, (255, 255, 255))):
            uv, _ = project(torch.tensor(point, dtype=torch.float32), self.camera)
            u, v = (int(round(value)) for value in uv[0].tolist())
            if 0 <= u < W and 0 <= v < H:
                image[max(0, v - 2) : v + 3, max(0, u - 2) : u + 3] = colour
        pixels = torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0).contiguous()
        ee = torch.tensor(self.ee, dtype=torch.float32)[None]
        return Observation(pixels, self.camera, ee, torch.tensor([self.gripper]))


def register(monkeypatch) -> None:
    """Let `--world fake` mean this one, in this process."""
    monkeypatch.setitem(WORLDS, "fake", WorldEntry(SizedFakeWorld, SMALL_TABLE, lambda: "placed: at the goal"))
