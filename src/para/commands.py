"""The commands of `para`, each a frozen dataclass of its options with a `run()`; `para.cli` makes the command line."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Union

import tyro

from para.evaluation.summary_text import summary_text
from para.policies import POLICIES
from para.rollout import RolloutConfig
from para.training.options import TrainConfig

DEFAULT_WORKERS = max(1, min(8, os.cpu_count() or 1))

PolicyConfig = Union[  # noqa: UP007 (made from the registry, so that what is registered is on the command line)
    tuple(Annotated[entry.config_type, tyro.conf.subcommand(name)] for name, entry in POLICIES.items())
]


def print_results(folder: Path, summary: dict[str, Any]) -> None:
    """Build the page of a run, then print its table and where both are."""
    from para.reports import build_report

    page = build_report(folder)
    print(f"{summary_text(summary)}\n\npage: {page}\nrecords: {folder / 'results.jsonl'}")


@dataclass(frozen=True)
class Experiment:
    """Run one table or figure of the paper, or all of them: record, train, evaluate, and build the page.

    Restartable: the same command goes on from what is in --out. Examples (two CPU cores; ten minutes, and hours):

        para experiment left_to_right --scale small --policies para act
        para experiment all --scale small --train-seeds 3
    """

    name: Annotated[str, tyro.conf.Positional]
    """Which one, as left_to_right or viewpoints (a wrong name lists them); or `all`, one after the other."""

    out: Path | None = None
    """Folder for everything it leaves behind; default: runs/<name>. With `all`, a folder for each experiment in it."""

    shared: Path | None = None
    """Folder for demonstrations and checkpoints that several experiments share; default: each has its own in --out, but
    with `all` they share <out>/shared."""

    world: str = "tabletop"
    """Name of the world."""

    scale: str = "small"
    """tiny (seconds, for tests), small (two CPU cores), paper (448 px, ViT-S; needs a GPU)."""

    train_seeds: int = 1
    """Training runs of each policy."""

    policies: tuple[str, ...] = ()
    """Only the policies of these names, as `para act para+paper_form act+train_range`; default: all of them."""

    workers: int = DEFAULT_WORKERS
    """Processes at a time."""

    validation: bool = False
    """Evaluate on the validation scenes: for choosing recipes, never for reporting."""

    def run(self) -> None:
        from para.experiments.family import family_runs
        from para.experiments.plan import describe_plan
        from para.experiments.run import RunOptions, run_experiment

        out = self.out or Path("runs") / self.name
        options = RunOptions(
            self.name, out, self.world, self.scale, self.train_seeds, self.policies, self.workers, self.validation,
            self.shared,
        )  # fmt: skip
        runs = family_runs(options) if self.name == "all" else [options]
        print(describe_plan(runs))
        for run in runs:
            print_results(run.out, run_experiment(run))


@dataclass(frozen=True)
class Record:
    """Record demonstrations of the world's scripted expert as a LeRobotDataset v3 with camera geometry.

    For example:

        para record --out data/left --half left
    """

    out: Path
    """The dataset's folder; the same command goes on from what is there."""

    world: str = "tabletop"
    """Name of the world."""

    world_options: tuple[str, ...] = ()
    """Of that world, as `servo=controller dwell_frames=1`."""

    half: Literal["all", "left", "right", "near", "far"] = "all"
    """Which part of the 16 x 16 grid of object positions."""

    random_starts: int = 0
    """Further demonstrations per position, from random starts of the arm."""

    image_size: tuple[int, int] = (128, 128)
    """(H, W), pixels."""

    lossless: bool = False
    """Store frames bit for bit (about eight times larger)."""

    workers: int = DEFAULT_WORKERS
    """Processes at a time."""

    def run(self) -> None:
        from functools import partial

        from para.datasets import record
        from para.experiments.halves import grid_scenes
        from para.worlds import make_world, parse_options, world_entry

        half = None if self.half == "all" else self.half
        scenes = grid_scenes(world_entry(self.world).workspace, half, random_starts=self.random_starts)
        build = partial(make_world, self.world, self.image_size, **parse_options(self.world_options))
        report = record(build, scenes, self.out, workers=self.workers, lossless=self.lossless)
        print(f"{report.recorded} episodes recorded, {report.reused} were there already, {len(report.dropped)} dropped")
        print(f"next: para train --data {self.out} --out checkpoints/para para")


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

    step: Literal["dense", "keypose"] = "dense"
    """What a step is: every stored frame (the paper), or the next key poses of the task."""

    training: TrainConfig = field(default_factory=TrainConfig)
    """How long, on what."""

    def run(self) -> None:
        from para.datasets import ChunkDataset, Demonstrations, split_episodes
        from para.experiments.training_jobs import fresh_policy
        from para.training.engine import train

        demonstrations = Demonstrations.open(self.data)
        chosen, left_out = split_episodes(len(demonstrations.scenes), self.heldout_fraction, self.training.seed)
        training = demonstrations.subset(chosen)
        heldout = demonstrations.subset(left_out) if len(left_out) else None
        config = replace(self.policy, image_size=demonstrations.image_size)
        policy = fresh_policy(config, training, self.training.seed)
        result = train(
            policy,
            ChunkDataset(training, config.horizon, self.step),
            self.training,
            self.out,
            heldout=None if heldout is None else ChunkDataset(heldout, config.horizon, self.step),
            data_hash=demonstrations.data_hash,
        )
        how = "was trained before" if result.reused else f"trained in {result.seconds:.0f} s"
        errors = ", ".join(f"{name} {value:.3g}" for name, value in sorted(result.metrics.items()))
        print(f"{policy.name} {how}; held out: {errors}")
        print(f"next: para evaluate --checkpoint {self.out} --out runs/{policy.name}")


@dataclass(frozen=True)
class Evaluate:
    """Run a trained policy in closed loop and count: placed, grasped, missed, with 95 % intervals.

    For example:

        para evaluate --checkpoint checkpoints/para --out runs/para --half right --episodes 64
    """

    checkpoint: Path
    """Folder of the trained policy."""

    out: Path
    """Folder for results.jsonl, summary.json and videos; the same command goes on from what is there."""

    world: str = "tabletop"
    """Name of the world."""

    world_options: tuple[str, ...] = ()
    """Of that world, as `servo=controller`: joint controllers instead of the prescribed arm."""

    half: Literal["all", "left", "right", "near", "far"] = "all"
    """Where the object may lie (uniformly, off the training grid)."""

    episodes: int = 32
    """How many scenes."""

    seed: int = 100
    """Of the scenes."""

    videos: int = 4
    """How many of them are filmed."""

    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    """How predicted chunks are carried out."""

    workers: int = DEFAULT_WORKERS
    """Processes at a time."""

    def run(self) -> None:
        from para.experiments.single import evaluate_checkpoint
        from para.worlds import parse_options

        part = None if self.half == "all" else self.half
        summary = evaluate_checkpoint(
            self.checkpoint, self.out, world=self.world, half=part, n=self.episodes, seed=self.seed,
            rollout=self.rollout, n_videos=self.videos, workers=self.workers,
            world_options=parse_options(self.world_options),
        )  # fmt: skip
        print_results(self.out, summary)


@dataclass(frozen=True)
class Report:
    """Rebuild summary.json and report.html of a run from its records alone; no policy is run.

    With --readme, write the tables of that file anew from the records under results/ instead.

    For example:

        para report results/tabletop/left_to_right
    """

    run_folder: Annotated[Path, tyro.conf.Positional]
    """A folder with config.json and results.jsonl; with --readme, the folder of all committed records."""

    out: Path | None = None
    """Where the page goes; default: report.html in the run folder."""

    readme: Path | None = None
    """A Markdown file whose result tables are to be written anew."""

    def run(self) -> None:
        if self.readme is not None:
            from para.reports.readme import update_readme

            update_readme(self.readme, self.run_folder)
            print(f"tables of {self.readme} written from {self.run_folder}")
            return
        from para.experiments.run import summarise_run
        from para.reports import build_report

        print(summary_text(summarise_run(self.run_folder)))
        print(f"\npage: {build_report(self.run_folder, self.out)}")


@dataclass(frozen=True)
class Dataset:
    """Look into a dataset, check it, or mend what a crash left behind.

    For example:

        para dataset check data/left
    """

    action: Annotated[Literal["info", "check", "repair"], tyro.conf.Positional]
    """info: what is in it; check: list every problem; repair: drop unfinished episodes, rebuild the index."""

    root: Annotated[Path, tyro.conf.Positional]
    """The dataset's folder."""

    def run(self) -> None:
        from para.datasets import check_dataset, describe_dataset, repair_dataset

        if self.action == "info":
            print("\n".join(f"{name}: {value}" for name, value in describe_dataset(self.root).items()))
            return
        if self.action == "repair":
            print("\n".join(repair_dataset(self.root)))
        problems = check_dataset(self.root)
        print(*problems, sep="\n", end="\n" if problems else "")
        if problems:
            raise ValueError(f"{self.root} has {len(problems)} problems, listed above")
        print(f"{self.root}: no problems found")


@dataclass(frozen=True)
class Doctor:
    """Say what this machine can do (renderer, accelerator, extras, weights) and how to mend what is missing."""

    def run(self) -> None:
        from para.doctor import examine

        print(*examine(), sep="\n")
