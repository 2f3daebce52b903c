"""A world without physics: the end effector is a white dot on noise, and the expert moves it in straight lines."""

from __future__ import annotations

import numpy as np
import torch

from para.geometry import project
from para.interfaces import Episode, ExpertAction, Observation, Outcome, Scene
from tests.conftest import oblique_camera

STEP_M = 0.04
HOME = np.array([0.0, 0.0, 0.15])
IMAGE_SIZE = (32, 48)


class FakeWorld:
    """Fails (`missed`) in scenes whose task is "fail", raises in those whose task is "raise"."""

    n_steps = 0

    def reset(self, scene: Scene) -> Observation:
        if scene.task == "raise":
            raise ValueError("this scene cannot be shown")
        self.scene, self.n_steps = scene, 0
        self.ee = np.array(scene.ee_start) if scene.ee_start else HOME.copy()
        self.gripper = 1.0
        return self._look()

    def execute(self, position, gripper, rotation=None) -> Observation:
        self.ee, self.gripper = np.asarray(position, dtype=np.float64), float(gripper)
        self.n_steps += 3
        return self._look()

    def outcome(self) -> Outcome:
        return "missed" if self.scene.task == "fail" else "placed"

    def expert(self) -> FakeExpert:
        return FakeExpert(self)

    def close(self) -> None:
        pass

    def _look(self) -> Observation:
        H, W = IMAGE_SIZE
        camera = oblique_camera(H, W, batch=1)
        image = np.random.default_rng(self.scene.seed).integers(0, 128, (H, W, 3), dtype=np.uint8)
        uv, _ = project(torch.tensor(self.ee, dtype=torch.float32), camera)
        u, v = (int(round(value)) for value in uv[0].tolist())
        image[max(0, v - 1) : v + 2, max(0, u - 1) : u + 2] = 255
        pixels = torch.from_numpy(image).permute(2, 0, 1).unsqueeze(0).contiguous()
        return Observation(
            pixels, camera, torch.tensor(self.ee, dtype=torch.float32)[None], torch.tensor([self.gripper])
        )


class FakeExpert:
    """Down to the object, close, to the goal, open: phases 0 to 3."""

    def __init__(self, world: FakeWorld):
        self.world = world
        x, y = world.scene.object_xy
        gx, gy = world.scene.goal_xy or (x, y + 0.1)
        self.plan = [((x, y, 0.02), 1.0), ((x, y, 0.02), 0.0), ((gx, gy, 0.05), 0.0), ((gx, gy, 0.05), 1.0)]
        self.phase, self.waited = 0, 0

    def act(self) -> ExpertAction | None:
        while self.phase < 4:
            target, gripper = np.array(self.plan[self.phase][0]), self.plan[self.phase][1]
            offset = target - self.world.ee
            distance = np.linalg.norm(offset)
            dwell = 2 if self.phase in (1, 3) else 0
            if distance > 1e-6:
                return ExpertAction(self.world.ee + offset * min(1.0, STEP_M / distance), gripper, self.phase)
            if self.waited < dwell:
                self.waited += 1
                return ExpertAction(target, gripper, self.phase)
            self.phase, self.waited = self.phase + 1, 0
        return None


def make_fake_world() -> FakeWorld:
    return FakeWorld()


def fake_scenes(n: int) -> list[Scene]:
    rng = np.random.default_rng(5)
    return [Scene(object_xy=tuple(rng.uniform(-0.1, 0.1, 2).tolist()), seed=i) for i in range(n)]


def random_episode(seed: int = 0, N: int = 5, image_size=IMAGE_SIZE, *, moving: bool = False) -> Episode:
    """Noise frames and positions that the oblique camera sees."""
    rng = np.random.default_rng(seed)
    H, W = image_size
    camera = oblique_camera(H, W, batch=N)
    if moving:
        T = camera.T_world_cam.clone()
        T[:, :3, 3] += torch.from_numpy(rng.normal(size=(N, 3)) * 0.01).float()
        camera = type(camera)(camera.K, T, camera.image_size)
    scene = Scene(object_xy=(float(rng.normal()), 0.1), distractors=("mug", "box"), ee_start=(0.0, 0.1, 0.2), seed=seed)
    return Episode(
        scene=scene,
        image=rng.integers(0, 256, (N, H, W, 3), dtype=np.uint8),
        camera=camera,
        ee_position=rng.uniform(-0.1, 0.1, (N, 3)).astype(np.float32),
        gripper=rng.random(N).astype(np.float32),
        action_position=rng.uniform(-0.1, 0.1, (N, 3)).astype(np.float32),
        action_gripper=rng.random(N).astype(np.float32),
        phase=np.sort(rng.integers(0, 3, N)),
        outcome="placed",
        info={"seed": seed, "note": "synthetic"},
    )
