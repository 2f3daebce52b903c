"""Training runs as independent jobs on a pool of processes: one per recipe and seed, each restartable by itself."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from para.datasets import ChunkDataset, Demonstrations
from para.datasets.partial_supervision import (
    NOMINAL_HEIGHT_M,
    NOT_PIXELS,
    PixelsOnly,
    heights_missing,
    known_actions,
    never_told,
    pixels_only_actions,
)
from para.datasets.video_chunks import VideoChunkDataset
from para.devices import gpus, trainings_at_a_time
from para.experiments.experiment import Recipe, Supervision
from para.experiments.lessons import note_lesson
from para.experiments.scale import Scale
from para.geometry import Camera
from para.interfaces import ActionChunk
from para.locks import turn_to_write
from para.policies import make_policy
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


def fresh_policy(
    config: Any,
    demonstrations: Demonstrations,
    seed: int,
    *,
    supervision: Supervision = "all",
    also: Sequence[Demonstrations] = (),
) -> nn.Module:
    """An untrained policy: random weights from a seed, ranges of outputs from what the demonstrations tell.

    Args:
        config: the policy's options.
        demonstrations: which give the ranges.
        seed: of the weights.
        supervision: what of them is told.
        also: further demonstrations that it is to be trained on.

    Raises:
        ValueError: if the demonstrations tell only pixels, and the policy learns nothing from those, or would learn
            from a nominal plane what its heights are; if any tell only pixels, and virtual views would leave them.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = make_policy(config)
    partial = supervision == "pixels" or tells_only_pixels(demonstrations)
    if (partial or any(map(tells_only_pixels, also))) and not getattr(policy, "learns_from_pixels", False):
        which = "the demonstrations tell" if partial else "some of the further demonstrations tell"
        raise ValueError(f"{which} only pixels, from which '{policy.name}' learns nothing: train para or act on them")
    if partial and (wrong := tied_to_heights(policy.config)):
        if not all(map(tells_only_pixels, also)):
            raise ValueError(
                "the demonstrations tell only pixels, and some of the further ones tell heights: exchange them, so "
                "that ranges come from what is told in full (--data the robot's, --also the videos)"
            )
        raise ValueError(
            f"the demonstrations tell only pixels, but {wrong}: what is fine-tuned from it would stay in their plane"
        )
    missing = supervision == "pixels" or heights_missing([demonstrations, *also])
    if missing and (wrong := off_the_nominal_plane(policy.config)):
        raise ValueError(f"demonstrations tell only pixels, but {wrong}: their labels would not follow the picture")
    actions, camera = all_actions(demonstrations)
    policy.fit_ranges(actions if supervision == "all" else pixels_only_actions(actions, camera), camera)
    return policy


def tells_only_pixels(demonstrations: Demonstrations) -> bool:
    """Whether no action of some demonstrations is told in full."""
    known = known_actions(demonstrations)
    return known is not None and not bool(known.all(dim=-1).any())


def tied_to_heights(config: Any) -> str:
    """Which options give a policy's outputs a range that comes from heights, in words; empty where none does.

    Such a range goes over to what starts from the policy, along with the head whose outputs it gives a meaning.
    """
    if (n := getattr(config, "n_height_bins", 1)) > 1:
        return f"there are {n} height classes (give --n-height-bins 1 --n-gripper-bins 0)"
    if getattr(config, "output_range", "workspace") == "training":
        return "output_range is 'training' (give --output-range workspace)"
    return ""


def off_the_nominal_plane(config: Any) -> str:
    """Which options warp pictures along another plane than that of labels without heights, in words; empty: none do."""
    augment = getattr(config, "augment", None)
    nominal = (NOMINAL_HEIGHT_M, NOMINAL_HEIGHT_M)
    if augment is None or not augment.view_tilt_deg or tuple(augment.view_plane_m) == nominal:
        return ""
    low, high = augment.view_plane_m
    return (
        f"virtual views are warped along planes {low:g} to {high:g} m high and not along theirs "
        f"(give --augment.view-plane-m {NOMINAL_HEIGHT_M:g} {NOMINAL_HEIGHT_M:g})"
    )


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


def all_actions(demonstrations: Demonstrations) -> tuple[ActionChunk, Camera]:
    """Every action of the demonstrations, (N, 1), with what is known of it, and the camera (N,) of its image."""
    position = torch.as_tensor(demonstrations.action_position).float().unsqueeze(1)  # (N, 1, 3)
    gripper = torch.as_tensor(demonstrations.action_gripper).float().unsqueeze(1)
    known = known_actions(demonstrations)
    known = None if known is None else known.unsqueeze(1)  # (N, 1, 3)
    actions = ActionChunk(position, gripper, torch.zeros_like(gripper, dtype=torch.bool), known=known)
    return actions, demonstrations.camera(slice(None))
