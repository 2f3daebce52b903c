"""What work costs on this machine: a training step and a look of each kind of policy, and a frame of the world."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch

from para.devices import acting_device, free_unused_memory, wait_for_gpu
from para.evaluation.protocol import WorldSpec
from para.geometry import Camera
from para.interfaces import ActionChunk, Expert, Observation, Scene, World
from para.policies import make_policy
from para.rollout import predicted_chunk
from para.training.accelerators import is_fast_at_bfloat16

BUDGET_S = 15.0
"""No further kind of policy is measured after this: the others count as the mean of those that were."""

LONG_S = 2.0
"""What takes this long the first time is not done again to be measured: warming up is a small part of it."""


class Kind(NamedTuple):
    """Policies of one kind take about as long as one another."""

    policy: str
    """Type of its options."""

    backbone: str
    """Type of the backbone's."""

    n_height_bins: int
    """Height or depth classes per pixel; 0 where it has none."""

    trained: str = ""
    """What of it is trained for what, where there is a choice."""


def kind_of(config: Any) -> Kind:
    """The kind of the policy that a config describes."""
    kind = Kind(type(config).__name__, type(config.backbone).__name__, getattr(config, "n_height_bins", 0))
    video = getattr(config, "video", None)
    return kind if video is None else kind._replace(trained=f"{video.objective} {config.backbone.mode}")


@dataclass(frozen=True)
class Costs:
    """Seconds on one process of one thread, and on the GPU where there is one, as measured in a moment."""

    frame: float
    """One step of the world with its picture."""

    steps: Mapping[Kind, float] = field(default_factory=dict)
    """One training step."""

    looks: Mapping[Kind, float] = field(default_factory=dict)
    """One prediction."""

    def step(self, kind: Kind) -> float:
        """Of a training step; the mean of the others' for a kind that was not measured."""
        return self.steps.get(kind, mean(self.steps.values()))

    def look(self, kind: Kind) -> float:
        """Of a prediction, likewise."""
        return self.looks.get(kind, mean(self.looks.values()))


def mean(values: Iterable[float]) -> float:
    """0 of none."""
    values = list(values)
    return sum(values) / max(1, len(values))


def measure(spec: WorldSpec, scene: Scene, configs: Mapping[Kind, Any], batch_size: int) -> Costs:
    """Time the world, and one policy of each kind for as long as the budget lasts, on one thread.

    Args:
        spec: which world.
        scene: one of its scenes.
        configs: a policy's options of each kind that there is work for, the most important first.
        batch_size: of a training step.
    """
    with one_thread():
        frame, obs = measure_world(spec.build(), scene)
        steps, looks = {}, {}
        started = time.monotonic()
        for kind, config in configs.items():
            if not steps or time.monotonic() - started < BUDGET_S:
                steps[kind], looks[kind] = measure_policy(config, obs, batch_size)
    free_unused_memory()  # the trainings are other processes
    return Costs(frame, steps, looks)


@contextmanager
def one_thread() -> Iterator[None]:
    """As in the processes that do the work; random numbers are afterwards as they were before."""
    threads, device = torch.get_num_threads(), acting_device()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        torch.set_num_threads(threads)


def measure_world(world: World, scene: Scene) -> tuple[float, Observation]:
    """Seconds of a step of the world, which is closed then, and what it showed at first."""
    try:
        obs = world.reset(scene)
        expert = world.expert()
        return seconds_each(lambda: step_once(world, expert), 6), obs
    finally:
        world.close()


def step_once(world: World, expert: Expert) -> None:
    """One step of the demonstrator."""
    action = expert.act()
    if action is not None:
        world.execute(action.position, action.gripper)


def measure_policy(config: Any, obs: Observation, batch_size: int) -> tuple[float, float]:
    """Seconds of a training step of a policy, on a batch made of one observation, and of a prediction, where policies
    train and act.
    """
    device = acting_device()
    batch, actions = example_batch(obs, batch_size, config.horizon)
    if offsets := getattr(config, "video_offsets", ()):
        actions = replace(actions, frames=batch.image.unsqueeze(1).repeat(1, len(offsets), 1, 1, 1))
        config = replace(config, video=replace(config.video, autoencoder_steps=0))  # of the phase that takes longest
    policy = make_policy(config)
    policy.fit_ranges(actions.map(lambda tensor: tensor[:, :1]), batch.camera)
    policy, batch, actions = policy.to(device), batch.to(device), actions.to(device)
    generator = torch.Generator().manual_seed(0)
    bf16 = is_fast_at_bfloat16(on_cuda=device.type == "cuda")

    def train_step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            policy.loss(batch, actions, generator=generator)["total"].backward()

    if device.type == "cuda":
        train_step()  # a process waits seconds for its first kernels, which is no part of a step
    train = seconds_each(train_step, 1)
    return train, seconds_each(lambda: predicted_chunk(policy.eval(), obs), 2)


def example_batch(obs: Observation, B: int, horizon: int) -> tuple[Observation, ActionChunk]:
    """One observation B times, and chunks (B, T) of places near its end effector, no two alike."""
    batch = Observation(
        obs.image.repeat(B, 1, 1, 1), Camera.stack([obs.camera[0]] * B), obs.ee_position.repeat(B, 1),
        obs.gripper.repeat(B),
    )  # fmt: skip
    nearness = torch.linspace(0.8, 1.0, B).view(B, 1, 1)
    gripper = torch.ones(B, horizon)
    position = obs.ee_position.unsqueeze(1).repeat(B, horizon, 1) * nearness  # (B, T, 3)
    return batch, ActionChunk(position, gripper, torch.zeros_like(gripper, dtype=torch.bool))


def seconds_each(work: Callable[[], object], n: int) -> float:
    """Seconds that a piece of work takes, the mean of n times after one to warm up."""
    wait_for_gpu()
    started = time.perf_counter()
    work()
    wait_for_gpu()
    warm_up = time.perf_counter() - started
    if warm_up > LONG_S:
        return warm_up
    started = time.perf_counter()
    for _ in range(n):
        work()
    wait_for_gpu()
    return (time.perf_counter() - started) / n
