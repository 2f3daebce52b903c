"""Commands that record, check and train."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

import tyro

from para.commands.defaults import DEFAULT_WORKERS
from para.commands.pretraining import (
    CIRCLES,
    FINE_TUNE_FIRST,
    NEVER_SAW_THE_ROBOT,
    how_to_fine_tune,
    not_predicted,
)
from para.policies import POLICIES
from para.training.heldout import ChunkData
from para.training.options import TrainConfig

if TYPE_CHECKING:
    from para.datasets import Demonstrations
    from para.interfaces import Scene

PolicyConfig = Union[  # noqa: UP007 (made from the registry, so that what is registered is on the command line)
    tuple(Annotated[entry.config_type, tyro.conf.subcommand(name)] for name, entry in POLICIES.items())
]


@dataclass(frozen=True)
class Record:
    """Record demonstrations of the world's scripted expert as a LeRobotDataset v3 with camera geometry.

    For example:

        para record --out data/left --half left
        para record --out data/five --positions 5
    """

    out: Path
    """The dataset's folder; the same command goes on from what is there."""

    world: str = "tabletop"
    """Name of the world."""

    world_options: tuple[str, ...] = ()
    """Of that world, as `servo=controller dwell_frames=1`."""

    half: Literal["all", "left", "right", "near", "far", "official"] = "all"
    """Which part of the 16 x 16 grid of object positions; official: the world's own initial states, LIBERO's
    fifty of the task that `--world-options task_index=3` names."""

    positions: int | None = None
    """Only so many of these positions, in a random order that is always the same: five are among ten. The experiments
    with few demonstrations take the same ones. Default: all of them."""

    random_starts: int = 0
    """Further demonstrations per position, from random starts of the arm."""

    image_size: tuple[int, int] = (128, 128)
    """(H, W), pixels."""

    circles: bool = False
    """Hide the robot and draw an orange disc at its end effector: frames to pretrain on, where only a point moves."""

    lossless: bool = False
    """Store frames bit for bit (about eight times larger)."""

    workers: int = DEFAULT_WORKERS
    """Processes at a time."""

    def run(self) -> None:
        from para.backbones.small_conv import SmallConv
        from para.datasets import record
        from para.datasets.recording import refuse_other_frames
        from para.evaluation.protocol import WorldSpec
        from para.worlds import parse_options, world_entry

        options = parse_options(self.world_options)
        scenes = self.scenes(options)
        assets = world_entry(self.world).describe_assets(options)
        options |= {CIRCLES: True} if self.circles else {}
        build = WorldSpec(self.world, self.image_size).with_options(options).build
        if any(side % SmallConv.stride for side in self.image_size):
            print(f"note: the usual backbone, small_conv, needs images of sides that {SmallConv.stride} divides")
        refuse_other_frames(self.out, self.image_size, lossless=self.lossless)
        report = record(
            build, scenes, self.out, workers=self.workers, lossless=self.lossless, world=self.world, options=options,
            assets=assets,
        )  # fmt: skip
        print(f"{report.recorded} episodes recorded, {report.reused} were there already, {len(report.dropped)} dropped")
        alone = " --heldout-fraction 0" if len(scenes) == 1 else ""
        print(f"next: para train --data {shlex.quote(str(self.out))} --out checkpoints/para{alone} para")

    def scenes(self, options: Mapping[str, Any]) -> list[Scene]:
        """What is demonstrated. Raises ValueError for a choice that the world does not have."""
        from para.experiments.few_shot import few_scenes
        from para.experiments.single import OFFICIAL, own_scenes, scenes_to_try
        from para.worlds import world_entry

        if self.half == OFFICIAL:
            if self.random_starts:
                raise ValueError("official states set the arm too; leave --random-starts out")
            n = len(own_scenes(self.world, options)) if self.positions is None else self.positions
            return scenes_to_try(self.world, OFFICIAL, n, 0, options)
        half = None if self.half == "all" else self.half
        workspace = world_entry(self.world).workspace
        return few_scenes(workspace, self.positions, half, random_starts=self.random_starts)


@dataclass(frozen=True)
class Train:
    """Train a policy on demonstrations. Goes on after an interruption, bit for bit on a CPU.

    For example:

        para train --data data/left --out checkpoints/para para --augment.max-shift 0.08
    """

    data: Path
    """Folder of a LeRobotDataset v3 with camera geometry."""

    out: Path
    """The checkpoint's folder."""

    policy: PolicyConfig
    """Which policy, with its options; `image_size` is the dataset's."""

    heldout_fraction: float = 0.1
    """Share of the episodes that are measured and never trained on."""

    heldout_seed: int = 0
    """Which ones: the same for every seed of the training, so that their errors can be compared."""

    task: str | None = None
    """Train on the episodes of this task alone, in the dataset's words; default: on all. No policy reads the words, so
    that one training can learn one task."""

    camera: str | None = None
    """Name of the camera, the last part of its feature's name; default: the first that has geometry."""

    step: Literal["dense", "keypose"] = "dense"
    """What a step is: every stored frame (the paper), or the next key poses of the task."""

    pretrain: Path | None = None
    """A checkpoint to start from, of the same policy on the same backbone: what was pretrained on point tracks, say."""

    also: tuple[Path, ...] = ()
    """Further datasets to train on at the same time, which may tell less (point tracks). Ranges and held-out errors are
    those of --data."""

    also_share: tuple[float, ...] = (0.5,)
    """Share of the samples that come from --also: of all its datasets together, or a number for each of them."""

    training: TrainConfig = field(default_factory=TrainConfig)
    """How long, on what."""

    def __post_init__(self):
        shares = self.also_share
        if not self.also and shares != (0.5,):
            raise ValueError("also_share is a share of what --also names; name datasets there, or leave it out")
        if not shares or min(shares) <= 0 or not sum(shares) < 1:
            raise ValueError(f"also_share must be above 0 and below 1 in all; got {' '.join(map(str, shares))}")
        if len(shares) not in (1, len(self.also)):
            raise ValueError(
                f"also_share is one number, or one for each of --also ({len(self.also)}); got {len(shares)}"
            )

    def run(self) -> None:
        from para.datasets import Demonstrations, split_episodes
        from para.datasets.partial_supervision import never_told
        from para.experiments.fresh_policies import fresh_policy
        from para.experiments.lessons import note_lesson
        from para.experiments.training_jobs import chunks_for
        from para.training.engine import train
        from para.training.transfer import start_from

        demonstrations = self._demonstrations()
        chosen, left_out = split_episodes(len(demonstrations.scenes), self.heldout_fraction, self.heldout_seed)
        training = demonstrations.subset(chosen)
        heldout = demonstrations.subset(left_out) if len(left_out) else None
        config = replace(self.policy, image_size=self._image_size(demonstrations))
        others = [Demonstrations.open(folder) for folder in self.also]
        policy = fresh_policy(config, training, self.training.seed, also=others)
        print(*said_before_training(demonstrations, policy, self.step), sep="", end="")
        start = ""
        if self.pretrain is not None:
            done, start = start_from(policy, self.pretrain)
            print(f"starting from {self.pretrain}: {done.describe()}")
        samples, data_hash = self._samples(config, chunks_for(config, training, self.step), others)
        result = train(
            policy,
            samples,
            self.training,
            self.out,
            heldout=None if heldout is None else chunks_for(config, heldout, self.step),
            data_hash=demonstrations.data_hash + ("" if self.camera is None else f" by {self.camera}") + data_hash,
            start=start,
        )
        how = "was trained before" if result.reused else f"trained in {result.seconds:.0f} s"
        errors = ", ".join(f"{name} {value:.3g}" for name, value in sorted(result.metrics.items()))
        print(f"{policy.name} {how}; {f'held out: {errors}' if errors else 'nothing was held out to measure it on'}")
        lacking = sorted({*never_told([demonstrations, *others]), *not_predicted(vars(config))})
        lesson = note_lesson(self.out, self.data, training, lacking, self.also)
        if lacking or lesson.only_circles:
            why = f"was never told {' and '.join(lacking)}: {FINE_TUNE_FIRST}" if lacking else NEVER_SAW_THE_ROBOT
            print(f"it {why}")
            print(f"next: {how_to_fine_tune(self.out, policy.name)}")
        else:
            where = "" if lesson.world else " --world <one that looks like its demonstrations: they do not say which>"
            print(f"next: para evaluate --checkpoint {shlex.quote(str(self.out))} --out runs/{policy.name}{where}")

    def _demonstrations(self) -> Demonstrations:
        """What is trained on. Raises ValueError for a task that no episode is of."""
        from para.datasets import Demonstrations

        every = Demonstrations.open(self.data, camera=self.camera)
        if self.task is None:
            return every
        chosen = [i for i, task in enumerate(every.tasks) if task == self.task]
        if not chosen:
            raise ValueError(f"{self.data} has no episode of the task {self.task!r}; its tasks: {named(every.tasks)}")
        return every.subset(chosen)

    def _image_size(self, demonstrations: Demonstrations) -> tuple[int, int]:
        asked, own = tuple(self.policy.image_size), demonstrations.image_size
        if asked not in (type(self.policy)().image_size, own):
            (H, W), (h, w) = own, asked
            raise ValueError(
                f"{self.data} has pictures of {H} x {W} (H x W), not {h} x {w}; write them once more with "
                f"`para resample {self.data} <new folder> --image-size {h} {w}`, or leave --image-size out"
            )
        return own

    def _samples(self, config: Any, own: ChunkData, others: list[Demonstrations]) -> tuple[ChunkData, str]:
        """What is trained on, and what of it `own` does not tell."""
        if not others:
            return own, ""
        from para.datasets.mixture import Mixture
        from para.experiments.training_jobs import chunks_for

        together = len(self.also_share) == 1
        shares = [self.also_share[0] / len(others)] * len(others) if together else list(self.also_share)
        further = [chunks_for(config, other, self.step) for other in others]
        told = self.also_share[0] if together else shares
        return Mixture([own, *further], [1 - sum(shares), *shares]), f" and {told} of {[o.data_hash for o in others]}"


def said_before_training(demonstrations: Demonstrations, policy: Any, step: str) -> list[str]:
    """What a person should know of demonstrations that are unlike those which the defaults were chosen on, in lines.
    Chunks of key poses (`step`) are as long as the task, whatever the pace.
    """
    from para.datasets.lerobot_v3_layout import STEP_S

    horizon, step_s, side = policy.config.horizon, demonstrations.step_s, max(demonstrations.image_size)
    lines = []
    if (n := len(set(demonstrations.tasks))) > 1:
        lines.append(
            f"these demonstrations are of {n} tasks ({named(demonstrations.tasks)}), and no policy reads which is "
            "asked for: it learns them mixed; --task trains on one\n"
        )
    if step == "dense" and not STEP_S / 2 <= step_s <= STEP_S * 2:
        advice = "; `para resample` thins them out" if step_s < STEP_S else ""
        lines.append(
            f"a step of these demonstrations takes {step_s:.3g} s, so that a chunk of {horizon} steps is "
            f"{horizon * step_s:.2g} s long (in the experiments {horizon * STEP_S:.2g} s){advice}\n"
        )
    reach = getattr(policy.backbone, "reach_px", None)
    if reach is not None and side > 2 * reach:
        lines.append(
            f"of these pictures, {side} px long, a cell of the backbone sees {reach} px to each side; `para resample` "
            "makes them smaller, and other backbones see all of them (docs/backbones.md)\n"
        )
    return lines


def named(tasks: Sequence[str], most: int = 3) -> str:
    """Different tasks in their own words, the first few of them."""
    different = sorted(set(tasks))
    rest = len(different) - most
    return ", ".join(map(repr, different[:most])) + (f" and {rest} more" if rest > 0 else "")
