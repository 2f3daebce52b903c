"""Commands that run policies: an experiment, or one checkpoint by itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from para.commands.defaults import DEFAULT_WORKERS
from para.evaluation.summary_text import summary_text
from para.rollout import RolloutConfig


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
        from para.experiments.run import RunOptions, check_runs, run_experiment
        from para.experiments.summaries import summarise_family_of
        from para.reports import build_family_report

        out = self.out or Path("runs") / self.name
        options = RunOptions(
            self.name, out, self.world, self.scale, self.train_seeds, self.policies, self.workers, self.validation,
            self.shared,
        )  # fmt: skip
        runs = family_runs(options) if self.name == "all" else [options]
        check_runs(runs)
        print(describe_plan(runs))
        for run in runs:
            print_results(run.out, run_experiment(run))
        if self.name == "all":
            summarise_family_of(out)
            print(f"page of all of them: {build_family_report(out)}")


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
