"""Training runs as independent jobs on a pool of processes: one per recipe and seed, each restartable by itself."""

from __future__ import annotations

import logging
import os
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from para.datasets import ChunkDataset, Demonstrations
from para.datasets.partial_supervision import NOT_PIXELS, PixelsOnly, never_told
from para.datasets.video_chunks import VideoChunkDataset
from para.devices import gpus, trainings_at_a_time
from para.experiments.experiment import Recipe, Supervision
from para.experiments.fresh_policies import fresh_policy
from para.experiments.lessons import note_lesson
from para.experiments.scale import Scale
from para.locks import turn_to_write
from para.processes import worker_pool
from para.training.engine import train
from para.training.heldout import ChunkData
from para.training.optim import OptimConfig
from para.training.options import TrainConfig
from para.training.run_folder import is_finished
from para.training.transfer import start_from

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainJob:
    """One training run."""

    name: str
    """Of the recipe."""

    config: Any
    """The policy's options."""

    training: TrainConfig
    """How long, with which seed."""

    demonstrations: Path
    """What it trains on."""

    heldout: Path
    """What its errors are measured on meanwhile."""

    folder: Path
    """Where its checkpoint goes."""

    step: Literal["dense", "keypose"]
    """What a step of the chunk is."""

    n_threads: int
    """Threads of this job, where it has a process of its own."""

    supervision: Supervision = "all"
    """What its demonstrations tell it."""

    start: Path | None = None
    """The checkpoint that it starts from; None: random weights."""

    @property
    def seed(self) -> int:
        """Of the initial weights, the order of samples and the augmentation."""
        return self.training.seed

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train."""
        return is_finished(self.folder)


def train_all(jobs: list[TrainJob], *, workers: int) -> None:
    """Train every job that is not finished, as many at a time as `workers`, or as there are GPUs.

    Args:
        jobs: none of which starts from another.
        workers: processes; 0 trains in this one.
    """
    if workers == 0 or len(jobs) == 1:
        for job in jobs:
            train_one(job)
        return
    with worker_pool(min(trainings_at_a_time(workers), len(jobs)), gpus=gpus()) as pool:
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
    """Train one policy, or go on with it, or find it finished; waits for another process that is training it."""
    demonstrations = Demonstrations.open(job.demonstrations)
    heldout = Demonstrations.open(job.heldout)
    policy, start = fresh_policy(job.config, demonstrations, job.seed, supervision=job.supervision), ""
    if job.start is not None:
        done, start = start_from(policy, job.start)
        logger.info("%s seed %d starts from %s: %s", job.name, job.seed, job.start, done.describe())
    with turn_to_write(job.folder):
        result = train(
            policy,
            samples_of(job, demonstrations),
            job.training,
            job.folder,
            heldout=samples_of(job, heldout),
            data_hash=demonstrations.data_hash,
            start=start,
        )
        note_lesson(job.folder, job.demonstrations, demonstrations, told_nothing_of(job, demonstrations))
    if result.reused:
        logger.info("%s seed %d: already trained", job.name, job.seed)


def told_nothing_of(job: TrainJob, demonstrations: Demonstrations) -> tuple[str, ...]:
    """What the samples of some demonstrations, as a job sees them, never tell."""
    return NOT_PIXELS if job.supervision == "pixels" else never_told([demonstrations])


def samples_of(job: TrainJob, demonstrations: Demonstrations) -> ChunkData:
    """The samples of some demonstrations as a job sees them."""
    samples = chunks_for(job.config, demonstrations, job.step)
    return samples if job.supervision == "all" else PixelsOnly(samples)


def chunks_for(config: Any, demonstrations: Demonstrations, step: Literal["dense", "keypose"]) -> ChunkDataset:
    """The samples that a policy's training needs: with the frames to come, where it learns from those."""
    offsets = getattr(config, "video_offsets", ())
    if not offsets:
        return ChunkDataset(demonstrations, config.horizon, step)
    return VideoChunkDataset(demonstrations, config.horizon, step, offsets=offsets)


def train_config(scale: Scale, recipe: Recipe, seed: int) -> TrainConfig:
    """How a policy trains at a scale: the same for every one, but for what the recipe says."""
    optim = OptimConfig(lr=scale.lr * recipe.lr_scale, backbone_lr_scale=scale.backbone_lr_scale)
    usual = TrainConfig(
        steps=scale.train_steps,
        batch_size=scale.batch_size,
        seed=seed,
        optim=optim,
        eval_every=scale.eval_every,
        snapshot_steps=(scale.early_snapshot,),
    )
    return usual if recipe.training is None else recipe.training(scale, usual)


def train_steps(scale: Scale, recipe: Recipe) -> int:
    """How many steps a policy trains for at a scale."""
    return train_config(scale, recipe, 0).steps
