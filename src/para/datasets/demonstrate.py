"""The one loop in which a scripted expert meets a world, and the perturbations that make recovery data of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from para.geometry import Camera
from para.interfaces import Episode, Expert, ExpertAction, Observation, Scene, World

MAX_FRAMES = 400
"""An expert that is still at work after this many frames has failed."""

LOWEST_M = 0.05
"""Perturbed positions keep at least this height above the table, so that nothing is pushed into it."""


@dataclass(frozen=True)
class Perturbation:
    """Demonstrations from states that a plain one never visits; the expert is a rule that can start anywhere."""

    start_m: float = 0.0
    """Radius of the ball around its usual start in which the end effector starts."""

    mid_episode_probability: float = 0.0
    """Share of the demonstrations that begin at a random frame of the episode, after a displacement."""

    displacement_m: float = 0.03
    """Largest displacement of the end effector before such a demonstration begins."""

    seed: int = 0
    """Of all of this; each scene draws its own numbers from it."""

    def __post_init__(self):
        if not 0 <= self.mid_episode_probability <= 1:
            raise ValueError(f"mid_episode_probability is {self.mid_episode_probability}; it must be within 0 to 1")
        if self.start_m < 0 or self.displacement_m < 0:
            raise ValueError(f"start_m and displacement_m are radii; got {self.start_m}, {self.displacement_m}")


def demonstrate(
    world: World, scene: Scene, perturbation: Perturbation | None = None, rng: np.random.Generator | None = None
) -> Episode:
    """Let the world's expert act in a scene, and record it.

    Args:
        world: with an expert.
        scene: the initial condition.
        perturbation: None: a plain demonstration.
        rng: draws the perturbation; needed with one.

    Returns:
        One frame per action, each from before its action. `info` says how the recording was perturbed.

    Raises:
        ValueError: if the world has no expert, or cannot show the scene.
    """
    info: dict = {}
    start = scene
    observation = world.reset(scene)
    if perturbation is not None and rng is None:
        raise ValueError("a perturbation draws random numbers; pass rng, a numpy Generator")
    if perturbation is not None and perturbation.start_m > 0:
        home = observation.ee_position[0].double().numpy()
        start = scene.with_(ee_start=_displaced(home, _in_ball(rng, perturbation.start_m), LOWEST_M))
        info["ee_start"] = list(start.ee_start)
        observation = world.reset(start)
    expert = _expert_of(world)
    if perturbation is not None and rng.random() < perturbation.mid_episode_probability:
        skip = int(rng.integers(1, max(2, len(_run(world, expert, observation)))))
        observation = world.reset(start)
        expert = _expert_of(world)
        observation, moved = _skip_and_displace(world, expert, observation, skip, perturbation.displacement_m, rng)
        info |= {"recorded_from_frame": skip, "displacement": moved}
    return _episode(scene, _run(world, expert, observation), world, info)


def _expert_of(world: World) -> Expert:
    expert = world.expert()
    if expert is None:
        raise ValueError(f"{type(world).__name__} has no scripted expert; demonstrations there come from a person")
    return expert


def _run(world: World, expert: Expert, observation: Observation) -> list[tuple[Observation, ExpertAction]]:
    frames: list[tuple[Observation, ExpertAction]] = []
    while len(frames) < MAX_FRAMES and (action := expert.act()) is not None:
        frames.append((observation, action))
        observation = world.execute(action.position, action.gripper)
    return frames


def _skip_and_displace(
    world: World, expert: Expert, observation: Observation, skip: int, displacement_m: float, rng: np.random.Generator
) -> tuple[Observation, list[float]]:
    gripper = 1.0
    for _ in range(skip):
        action = expert.act()
        if action is None:
            break
        gripper = action.gripper
        observation = world.execute(action.position, action.gripper)
    offset = _in_ball(rng, displacement_m)
    offset[2] = abs(offset[2])  # upwards only: from anywhere near the table, downwards is into it
    before = observation.ee_position[0].double().numpy()
    if hasattr(world, "displace"):
        observation = world.displace(offset)
    else:
        observation = world.execute(before + offset, gripper)
    return observation, (observation.ee_position[0].double().numpy() - before).tolist()


def _in_ball(rng: np.random.Generator, radius: float) -> np.ndarray:
    """Uniform in the ball, (3,)."""
    direction = rng.normal(size=3)
    return direction / np.linalg.norm(direction) * radius * rng.random() ** (1 / 3)


def _displaced(position: np.ndarray, offset: np.ndarray, lowest: float) -> tuple[float, float, float]:
    x, y, z = (position + offset).tolist()
    return x, y, max(z, min(lowest, float(position[2])))


def _episode(scene: Scene, frames: list[tuple[Observation, ExpertAction]], world: World, info: dict) -> Episode:
    if not frames:
        raise ValueError(f"the expert of {type(world).__name__} does nothing in {scene}; is it solved already?")
    observations = [observation for observation, _ in frames]
    return Episode(
        scene=scene,
        image=torch.cat([o.image for o in observations]).permute(0, 2, 3, 1).contiguous().numpy(),
        camera=Camera(
            torch.cat([o.camera.K for o in observations]),
            torch.cat([o.camera.T_world_cam for o in observations]),
            observations[0].camera.image_size,
        ),
        ee_position=torch.cat([o.ee_position for o in observations]).numpy().astype(np.float32),
        gripper=torch.cat([o.gripper for o in observations]).numpy().astype(np.float32),
        action_position=np.stack([action.position for _, action in frames]).astype(np.float32),
        action_gripper=np.array([action.gripper for _, action in frames], dtype=np.float32),
        phase=np.array([action.phase for _, action in frames], dtype=np.int64),
        outcome=world.outcome(),
        info=info,
    )
