"""What runs are going to do, and about how long it takes, before they do it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from para.evaluation.results import read_results
from para.experiments.run import Plan, RunOptions, plan_run
from para.geometry import Camera
from para.interfaces import ActionChunk, Expert, Observation, World
from para.policies import make_policy
from para.training.accelerators import is_fast_at_bfloat16
from para.worlds import make_world

EPISODE_LOOKS = 45
"""Frames of an episode, about: one that succeeds takes 35, one that fails up to 200, but most stall before."""

DEMONSTRATION_FRAMES = 36


@dataclass(frozen=True)
class Costs:
    """Seconds on one process, as measured in a moment before the run."""

    train_step: float
    frame: float
    """One step of the world with its picture."""

    look: float
    """One prediction."""


@dataclass(frozen=True)
class Work:
    """What is left to do."""

    demonstrations: int
    trainings: int
    steps: int
    episodes: int


def describe_plan(runs: Sequence[RunOptions], *, estimate: bool = True) -> str:
    """The plan as text: what is recorded, trained and evaluated, where it goes, and how long that takes here.

    Args:
        runs: in the order in which they go; what several of them share is counted once.
        estimate: measure this machine for a second or two, and say how long it will take.

    Raises:
        ValueError: for an unknown experiment, scale or policy.
    """
    plans = [plan_run(options) for options in runs]
    known: set = set()
    work = [work_left(plan, known) for plan in plans]
    costs = measure(plans[0]) if estimate else None
    lines = [line for plan, left in zip(plans, work) for line in describe_one(plan, left, costs)]
    if len(plans) > 1:
        lines += [total_line(plans, work, costs)]
    first = plans[0]
    seeds = f"{first.options.train_seeds} seed{'s' if first.options.train_seeds > 1 else ''}"
    size = "{} x {}".format(*first.scale.image_size)
    return "\n".join(
        [
            f"World {first.options.world}, scale {first.scale.name} ({first.scale.note}), images {size}, "
            f"{first.scale.train_steps} steps of batch {first.scale.batch_size}, {seeds}.",
            *lines,
            "What is there already is kept: the same command goes on where it stopped.",
        ]
    )


def describe_one(plan: Plan, left: Work, costs: Costs | None) -> list[str]:
    """The lines of one experiment."""
    splits = ", ".join(f"{len(items)} {split}" for split, items in plan.scenes.evaluation.items())
    policies = ", ".join(recipe.name for recipe in plan.recipes)
    minutes = "" if costs is None else f"; about {time_text(seconds_of(left, costs, plan.options.workers))}"
    return [
        f"{plan.experiment.name}: {plan.experiment.question}",
        f"  policies {policies}; scenes {splits}; into {plan.options.out}",
        f"  left to do: {left.demonstrations} demonstrations, {left.trainings} trainings, {left.episodes} episodes"
        + minutes,
    ]


def total_line(plans: list[Plan], work: list[Work], costs: Costs | None) -> str:
    """All runs together."""
    trainings, episodes = sum(left.trainings for left in work), sum(left.episodes for left in work)
    text = f"{len(plans)} experiments: {trainings} trainings and {episodes} episodes are left"
    if costs is None:
        return text
    seconds = sum(seconds_of(left, costs, plan.options.workers) for plan, left in zip(plans, work))
    return f"{text}; about {time_text(seconds)} on {max(1, plans[0].options.workers)} processes"


def work_left(plan: Plan, known: set) -> Work:
    """What no earlier run does, and no folder holds yet. `known` gains what this run does."""
    demonstrations = 0
    for name, data in plan.sets.items():
        folder = plan.folder_of(name)
        if folder not in known and not (folder / "meta" / "info.json").exists():
            demonstrations += len(data.scenes)
        known.add(folder)
    jobs = [job for job in plan.jobs if job.folder not in known and not job.finished]
    fresh = {job.folder: job for job in jobs}
    known.update(job.folder for job in plan.jobs)
    results = plan.options.out / "results.jsonl"
    names = {recipe.name + suffix for recipe in plan.recipes for suffix in recipe.executions}
    done = [r for r in (read_results(results) if results.exists() else []) if r.policy in names and r.error is None]
    n_done = sum(record.train_seed < plan.options.train_seeds for record in done)
    steps = sum(job.training.steps for job in fresh.values())
    return Work(demonstrations, len(fresh), steps, max(0, plan.n_episodes - n_done))


def seconds_of(left: Work, costs: Costs, workers: int) -> float:
    """Wall-clock time, all processes busy."""
    record = left.demonstrations * DEMONSTRATION_FRAMES * costs.frame
    evaluate = left.episodes * EPISODE_LOOKS * (costs.frame + costs.look / 2)
    return (record + left.steps * costs.train_step + evaluate) / max(1, workers)


def measure(plan: Plan) -> Costs:
    """Time a few steps of training, of the world, and of prediction, for the first policy, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        world = make_world(plan.spec.name, plan.spec.image_size)
        try:
            obs = world.reset(plan.scenes.heldout[0])
            expert = world.expert()
            frame = seconds_each(lambda: step_once(world, expert), 6)
        finally:
            world.close()
        train_step, look = measure_policy(plan, obs)
        return Costs(train_step, frame, look)
    finally:
        torch.set_num_threads(threads)


def step_once(world: World, expert: Expert) -> None:
    """One step of the demonstrator."""
    action = expert.act()
    if action is not None:
        world.execute(action.position, action.gripper)


def measure_policy(plan: Plan, obs: Observation) -> tuple[float, float]:
    """Seconds of a training step and of a prediction of the run's first policy, as it trains here."""
    config, B = plan.recipes[0].config(plan.scale), plan.scale.batch_size
    position = obs.ee_position.unsqueeze(1).repeat(B, config.horizon, 1) * 0.9
    gripper = torch.ones(B, config.horizon)
    actions = ActionChunk(position, gripper, torch.zeros_like(gripper, dtype=torch.bool))
    batch = Observation(
        obs.image.repeat(B, 1, 1, 1), Camera.stack([obs.camera[0]] * B), obs.ee_position.repeat(B, 1),
        obs.gripper.repeat(B),
    )  # fmt: skip
    policy = make_policy(config)
    policy.fit_ranges(actions.map(lambda tensor: tensor[:, :1]), batch.camera)
    generator = torch.Generator().manual_seed(0)
    bf16 = is_fast_at_bfloat16(on_cuda=False)

    def train_step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            policy.loss(batch, actions, generator=generator)["total"].backward()

    train = seconds_each(train_step, 3)
    return train, seconds_each(lambda: policy.eval().act(obs), 3)


def seconds_each(work: Callable[[], object], n: int) -> float:
    """Seconds that a piece of work takes, after one time to warm up."""
    work()
    started = time.perf_counter()
    for _ in range(n):
        work()
    return (time.perf_counter() - started) / n


def time_text(seconds: float) -> str:
    """A time in words: 40 s, 12 min, 3.4 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
