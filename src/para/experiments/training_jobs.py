"""Training runs as independent jobs on a pool of processes: one per recipe and seed, each restartable by itself."""

from __future__ import annotations

import logging
import os
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from para.datasets import ChunkDataset, Demonstrations
from para.experiments.scale import Scale
from para.interfaces import ActionChunk
from para.policies import make_policy
from para.processes import worker_pool
from para.training.engine import train
from para.training.optim import OptimConfig
from para.training.options import TrainConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainJob:
    """One training run."""

    name: str
    """Of the recipe."""

    config: Any
    """The policy's options."""

    train_seed: int
    """Of the initial weights, the order of samples and the augmentation."""

    run_folder: Path
    """Where `demonstrations` are and `checkpoints` go."""

    scale: Scale
    """Steps, batch and learning rate."""

    data: str
    """Folder of its demonstrations in the run folder."""

    step: Literal["dense", "keypose"]
    """What a step of the chunk is."""

    home_starts_only: bool
    """Leave out demonstrations from random starts."""

    n_threads: int
    """Threads of this job, where it has a process of its own."""

    @property
    def folder(self) -> Path:
        """Where its checkpoint goes."""
        return self.run_folder / "checkpoints" / self.name / f"seed{self.train_seed}"


def train_all(jobs: list[TrainJob], *, workers: int) -> None:
    """Train every job that is not finished."""
    if workers == 0 or len(jobs) == 1:
        for job in jobs:
            train_one(job)
        return
    with worker_pool(min(workers, len(jobs))) as pool:
        for future in as_completed([pool.submit(train_in_worker, job) for job in jobs]):
            future.result()


def train_in_worker(job: TrainJob) -> None:
    """`train_one`; once it was told to stop, and saved what it had, the process ends without beginning another job."""
    torch.set_num_threads(job.n_threads)
    try:
        train_one(job)
    except SystemExit:
        os._exit(1)


def train_one(job: TrainJob) -> None:
    """Train one policy, or go on with it, or find it finished."""
    demonstrations = Demonstrations.open(job.run_folder / job.data)
    if job.home_starts_only:
        from_home = [i for i, scene in enumerate(demonstrations.scenes) if scene.ee_start is None]
        demonstrations = demonstrations.subset(from_home)
    heldout = Demonstrations.open(job.run_folder / "demonstrations_heldout")
    policy = fresh_policy(job.config, demonstrations, job.train_seed)
    horizon = job.config.horizon
    result = train(
        policy,
        ChunkDataset(demonstrations, horizon, job.step),
        train_config(job),
        job.folder,
        heldout=ChunkDataset(heldout, horizon, job.step),
        data_hash=demonstrations.data_hash,
    )
    if result.reused:
        logger.info("%s seed %d: already trained", job.name, job.train_seed)


def fresh_policy(config: Any, demonstrations: Demonstrations, seed: int) -> nn.Module:
    """An untrained policy: random weights from a seed, ranges of outputs from the demonstrations."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = make_policy(config)
    policy.fit_ranges(all_actions(demonstrations))
    return policy


def train_config(job: TrainJob) -> TrainConfig:
    """How the job trains: the same for every policy of a scale."""
    scale = job.scale
    optim = OptimConfig(lr=scale.lr, backbone_lr_scale=scale.backbone_lr_scale)
    return TrainConfig(
        steps=scale.train_steps,
        batch_size=scale.batch_size,
        seed=job.train_seed,
        optim=optim,
        eval_every=scale.eval_every,
        snapshot_steps=(scale.early_snapshot,),
    )


def all_actions(demonstrations: Demonstrations) -> ActionChunk:
    """Every action of the demonstrations as one long chunk, for the ranges of a policy's outputs."""
    position = torch.as_tensor(demonstrations.action_position).float().unsqueeze(0)  # (1, N, 3)
    gripper = torch.as_tensor(demonstrations.action_gripper).float().unsqueeze(0)
    return ActionChunk(position, gripper, torch.zeros_like(gripper, dtype=torch.bool))
