"""The protocol: every policy in the same scenes, one record per episode, on a pool of processes, restartable."""

from __future__ import annotations

import hashlib
import json
import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from para.datasets.circle_overlay import circle_world
from para.datasets.video import write_video
from para.devices import gpus
from para.evaluation.kept_records import check_same_run, forget_errors
from para.evaluation.results import EpisodeRecord, append_records
from para.files import DISK_FULL
from para.interfaces import Episode, Policy, Scene, World
from para.processes import worker_pool
from para.progress import progress_bar
from para.rollout import RolloutConfig, rollout
from para.worlds import make_world

logger = logging.getLogger(__name__)

EPISODE_TIMEOUT_S = 180.0
"""An episode that takes longer is recorded as an error: the original project's evaluation hung in some cells."""

PATH_POINTS = 40
"""A record keeps so many points of the end effector's path: enough to tell failures apart, and small."""

MAX_GRIPPER_EVENTS = 20
"""So many changes of the gripper are kept: a policy that flutters would fill the record."""

VIDEO_FPS = 10
"""Frames per second of rollout videos; one frame is 0.15 s of the episode, so they play at 1.5 times the speed."""

LoadPolicy = Callable[[str], Policy]
"""Loads a policy from its folder; handed in, since evaluation knows nothing of training and its checkpoints."""


@dataclass(frozen=True)
class WorldSpec:
    """Which world to build in each process."""

    name: str
    """Of the registry `para.worlds.WORLDS`."""

    image_size: tuple[int, int]
    """(H, W), pixels."""

    options: tuple[tuple[str, Any], ...] = ()
    """Further options of the world, as pairs. ("circles", True) is one that every world has which can hide its robot: a
    disc in its place (`para.datasets.circle_overlay`)."""

    def build(self) -> World:
        """A world of this kind."""
        options = dict(self.options)
        if not options.pop("circles", False):
            return make_world(self.name, self.image_size, **options)
        if options.pop("robot_visible", False):
            raise ValueError("circles stand for a robot that is hidden: leave robot_visible out, or circles")
        return circle_world(partial(make_world, self.name, self.image_size, **options, robot_visible=False))

    def with_options(self, options: Mapping[str, Any]) -> WorldSpec:
        """The same world with further options."""
        return replace(self, options=tuple(sorted((dict(self.options) | dict(options)).items())))


@dataclass(frozen=True)
class Trial:
    """One episode to run, and what its record says of it."""

    policy: str
    """Name in the records; a variant has a name of its own."""

    checkpoint: str
    """Folder of the trained policy."""

    weights: str
    """Hash of its weights: first 12 hex digits of the SHA-256 of the file."""

    train_seed: int
    """Which training run it is."""

    split: str
    """"train" (in distribution), "test" (out of distribution) or a named subset."""

    scene_index: int
    """Position of the scene in its split: equal for every policy, so that episodes pair up."""

    scene: Scene

    world: WorldSpec
    """Where it takes place."""

    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    """How chunks are carried out."""

    boundary_distance_m: float | None = None
    """How far the object lies from the region of the training positions."""

    goal_xy: tuple[float, float] | None = None
    """Centre of the goal, metres."""

    video: str | None = None
    """Where to write a video of it, relative to the run folder; None: nowhere."""

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What makes it one of a kind in a run: that of its record."""
        return self.policy, self.split, self.train_seed, self.scene_index

    @property
    def execution(self) -> str:
        """8 hex digits of how chunks are carried out, and where. Options at their defaults do not count, so that
        records outlive a new option."""
        options = {f.name: (getattr(self.rollout, f.name), f.default) for f in fields(RolloutConfig)}
        changed = {name: value for name, (value, default) in options.items() if value != default}
        how = {"rollout": changed, "world": asdict(self.world)}
        return hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest()[:8]


@lru_cache(maxsize=2)
def cached_world(spec: WorldSpec) -> World:
    """A world of this process."""
    return spec.build()


@lru_cache(maxsize=8)
def cached_policy(load: LoadPolicy, checkpoint: str, weights: str) -> Policy:
    """A policy of this process; the hash is part of the key, so that new weights are never mistaken for old ones."""
    return load(checkpoint).eval()


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in this process after so many seconds (where the system has alarms)."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum, frame):
        raise TimeoutError(f"the episode took more than {seconds:g} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@dataclass(frozen=True)
class Run:
    """What all trials of a run share."""

    experiment: str
    folder: Path
    load_policy: LoadPolicy


def run_trial(trial: Trial, run: Run) -> EpisodeRecord:
    """Run one episode. One that raises is recorded as an error, with its reason; never as a miss, never dropped.

    Raises:
        ValueError, FileNotFoundError, ImportError: if the world or the policy cannot be had at all: then no episode can
            run, and a record of each would keep them from being run once that is mended.
        OSError: where the disk is full.
    """
    base = {
        "experiment": run.experiment, "world": trial.world.name, "policy": trial.policy, "train_seed": trial.train_seed,
        "split": trial.split, "scene": trial.scene.to_dict(), "scene_index": trial.scene_index,
        "checkpoint": trial.weights, "boundary_distance_m": trial.boundary_distance_m,
        "goal_xy": None if trial.goal_xy is None else list(trial.goal_xy), "execution": trial.execution,
    }  # fmt: skip
    policy = cached_policy(run.load_policy, trial.checkpoint, trial.weights)
    world = cached_world(trial.world)
    started = time.perf_counter()
    try:
        with time_limit(EPISODE_TIMEOUT_S):
            episode = rollout(policy, world, trial.scene, trial.rollout, keep_frames=trial.video is not None)
            if trial.video is not None:
                write_video(run.folder / trial.video, episode.image, fps=VIDEO_FPS)
    except Exception as error:  # whatever it was, the record says so and the run goes on
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise  # no fault of the episode's
        logger.warning("%s, %s scene %d: %s", trial.policy, trial.split, trial.scene_index, error)
        cached_world.cache_clear()  # whatever broke in it, the next episode gets a new one
        with suppress(Exception):
            world.close()
        seconds = round(time.perf_counter() - started, 3)
        reason = f"{type(error).__name__}: {error}"
        return EpisodeRecord(**base, outcome=None, steps=0, seconds=seconds, error=reason)
    return EpisodeRecord(
        **base, outcome=episode.outcome, steps=episode.info["n_control_steps"],
        seconds=round(time.perf_counter() - started, 3), error=None,
        ee_path=thin_path(episode.ee_position), gripper_events=gripper_events(episode), video=trial.video,
    )  # fmt: skip


def thin_path(ee_position: np.ndarray) -> list[list[float]]:
    """At most `PATH_POINTS` points of a path (N, 3), evenly spaced in time, ends included, rounded to millimetres."""
    chosen = np.unique(np.linspace(0, len(ee_position) - 1, PATH_POINTS).round().astype(int))
    return [[round(float(x), 3) for x in point] for point in ee_position[chosen]]


def gripper_events(episode: Episode) -> list[list[float]]:
    """Changes of the commanded gripper, each with its step, the opening, and where the end effector was (metres)."""
    wanted = (episode.action_gripper[:-1] > 0.5).astype(int)  # the last frame's action is to stay, which nobody asked
    before = np.concatenate([[int(episode.gripper[0] > 0.5)], wanted[:-1]])
    steps = np.flatnonzero(wanted != before)[:MAX_GRIPPER_EVENTS]
    return [[int(i), int(wanted[i]), *(round(float(x), 3) for x in episode.ee_position[i])] for i in steps]


def start_worker() -> None:
    """Each process computes on one core; two processes of two threads each would fight over two cores."""
    torch.set_num_threads(1)


def evaluate(trials: list[Trial], run: Run, *, workers: int = 2) -> tuple[int, int]:
    """Run the trials that `results.jsonl` does not hold yet, and append a record for each as it ends.

    Episodes that raised are run once more: what broke them (memory, a driver, a bug since mended) may be gone.

    Args:
        trials: every episode of the run; those already recorded are not run again.
        run: where, in which world, with whose policies.
        workers: processes; 0 runs in this one.

    Returns:
        How many were run, and how many were there already.

    Raises:
        ValueError: if the records there were made with other weights or scenes than these trials have.
    """
    path = run.folder / "results.jsonl"
    records = forget_errors(path, {trial.key for trial in trials}) if path.exists() else []
    done = {record.key: record for record in records}
    check_same_run(trials, records, path)
    missing = [trial for trial in trials if trial.key not in done]
    if missing:
        ran = run_all(missing, run, workers)
        with closing(ran), progress_bar(len(missing), "evaluate", unit="episode") as bar:
            for record in ran:
                append_records(path, [record])
                bar.update(1)
    return len(missing), len(trials) - len(missing)


def run_all(trials: list[Trial], run: Run, workers: int) -> Iterator[EpisodeRecord]:
    """Records in the order of the trials; episodes run ahead of it on the pool."""
    if workers == 0:
        yield from (run_trial(trial, run) for trial in trials)
        return
    with worker_pool(workers, start_worker, gpus=gpus()) as pool:
        ahead: deque[Future] = deque()
        for trial in trials:
            ahead.append(pool.submit(run_trial, trial, run))
            if len(ahead) >= 4 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
