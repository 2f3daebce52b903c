"""Commands that run policies: an experiment, or one checkpoint by itself."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from para.commands.backbone_options import BackboneOptions
from para.commands.defaults import DEFAULT_WORKERS
from para.commands.pretraining import (
    FINE_TUNE_FIRST,
    NEVER_SAW_THE_ROBOT,
    how_to_fine_tune,
    not_predicted,
)
from para.evaluation.summary_text import summary_text
from para.files import DISK_FULL
from para.rollout import RolloutConfig

if TYPE_CHECKING:
    from para.experiments.run import RunOptions

logger = logging.getLogger(__name__)


def print_results(folder: Path, summary: dict[str, Any]) -> None:
    """Build the page of a run, then print its table and where both are."""
    from para.reports import build_report

    page = build_report(folder)
    print(f"{summary_text(summary)}\n\npage: {page}\nrecords: {folder / 'results.jsonl'}")


def succeeds(name: str, work: Callable[[], None]) -> bool:
    """Whether a piece of work comes to its end. What it raises is logged in one line (`--debug`: and in full).

    Raises:
        OSError: where the disk is full: whatever comes next could not be written either.
    """
    try:
        work()
    except Exception as error:  # whatever it is, hours of other work do not hang on it
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        advice = "once that is mended, the same command goes on from there"
        logger.error("%s failed (%s); %s", name, reason, advice, exc_info=logger.isEnabledFor(logging.DEBUG))
        return False
    return True


def run_family(runs: list[RunOptions], folder: Path) -> None:
    """Run several experiments, one after the other, and build the page of all; one that fails does not stop the others.

    Raises:
        ValueError: if another process is doing that in the same folder.
        SystemExit: with code 1 and the names on stderr, in the end, if any of them failed.
    """
    from para.experiments.run import run_experiment
    from para.experiments.summaries import summarise_family_of
    from para.locks import only_writer
    from para.reports import build_family_report

    def build_page() -> None:
        summarise_family_of(folder)
        print(f"page of all of them: {build_family_report(folder)}")

    with only_writer(folder):
        failed = [
            run.experiment
            for run in runs
            if not succeeds(run.experiment, lambda run=run: print_results(run.out, run_experiment(run)))
        ]
        if runs[0].validation:
            logger.info("no page of all of them: validation scenes are for choosing, and are never reported")
        elif len(failed) < len(runs) and not succeeds("the page of all of them", build_page):
            failed.append("the page of all of them")
    if failed:
        print(f"para: failed: {', '.join(failed)}; the same command goes on from there", file=sys.stderr)
        sys.exit(1)


@dataclass(frozen=True)
class Experiment:
    """Run one table or figure of the paper, or a family of them: record, train, evaluate, and build the page.

    Restartable: the same command goes on from what is in --out. Of a family, one that fails does not stop the others,
    and the exit code is 1. --dry-run says what there is to do and how long it takes. Examples (two CPU cores; ten
    minutes, an hour, and fifteen hours):

        para experiment left_to_right --scale small --policies para act
        para experiment position --scale small
        para experiment all --scale small --train-seeds 3

    The paper's table on the paper's kind of backbone (a GPU; weights/dinov2-small: see docs/backbones.md):

        para experiment all --scale paper --backbone dinov2 --weights weights/dinov2-small
    """

    name: Annotated[str, tyro.conf.Positional]
    """Which one, or a family of them, one after the other.
    position: left_to_right, near_to_far, inner_square, random_10, corner_scaling.
    view: viewpoints, hemispheres, inner_outer.
    clutter: distractors, new_environment.
    control: wide_views, depth_vs_height, calibration_error, independent_objects, default_position, window, controller,
    formulation, action_heads, padding_and_position, repairs.
    all: these four families.
    pretraining, in several stages each: track_pretraining, track_pretraining_fair, track_pretraining_apart,
    cross_embodiment, heatmap_transfer, video_backbone, video_features."""

    out: Path | None = None
    """Folder for everything it leaves behind; default: runs/<name>. Of a family, a folder for each experiment in it.
    It may be a copy of another machine's records, as results/tabletop: what is recorded is not trained again."""

    shared: Path | None = None
    """Folder for demonstrations and checkpoints that several experiments share; default: each has its own in --out, but
    those of a family share <out>/shared."""

    world: str = "tabletop"
    """Name of the world."""

    scale: str = "small"
    """tiny (seconds, for tests), small (two CPU cores), paper (448 px, ViT-S; needs a GPU)."""

    train_seeds: int = 1
    """Training runs of each policy, with the seeds 0, 1, ..."""

    first_seed: int = 0
    """Train and evaluate only those from this seed on; with a copy of another machine's records in --out they are added
    to its seeds. Only seed 0 is filmed."""

    policies: tuple[str, ...] = ()
    """Only the policies of these names, as `para act para+paper_form act+train_range`; default: all but the extra
    ones, at scale small in LIBERO para and act."""

    extras: bool = False
    """Also the extra policies: checks on the others that train for two to six times as long (...+long, ...+many,
    ...+twice), those without warps (+no_warps) or any augmentation (+plain) or that look from home (+home_view),
    baselines that read their image otherwise (+points) or on axes where the paper has ACT alone, a transformer that
    learns from scratch (+vit_refined), and those that a world leaves out."""

    dry_run: bool = False
    """Say what there is to do, and about how long it takes here, and do none of it; also while it is being done."""

    workers: int = DEFAULT_WORKERS
    """Processes at a time; on a GPU one training, and as many that evaluate as its memory has room for."""

    validation: bool = False
    """Evaluate on the validation scenes: for choosing recipes, never for reporting."""

    image_size: tuple[int, int] | None = None
    """Height and width of the images in pixels, as `112 112` for patches of 14; default: the scale's own, 64, 128 or
    448 a side."""

    backbone: Annotated[BackboneOptions, tyro.conf.arg(name="")] = field(default_factory=BackboneOptions)
    """The backbone of its policies."""

    def run(self) -> None:
        from para.experiments.family import FAMILIES, family_runs
        from para.experiments.plan import describe_needs, describe_plan
        from para.experiments.run import RunOptions, check_runs, run_experiment
        from para.locks import check_free

        out = self.out or Path("runs") / self.name
        options = RunOptions(
            self.name, out, world=self.world, scale=self.scale, train_seeds=self.train_seeds, recipes=self.policies,
            workers=self.workers, validation=self.validation, shared=self.shared, backbone=self.backbone.config(),
            backbone_lr_scale=self.backbone.backbone_lr_scale, first_seed=self.first_seed, extras=self.extras,
            image_size=self.image_size,
        )  # fmt: skip
        is_family = self.name in FAMILIES
        runs = family_runs(options) if is_family else [options]
        if not self.dry_run:
            check_free(out)
        try:
            check_runs(runs, begin=not self.dry_run)
        except FileNotFoundError:  # of weights: whether the rest is at hand is worth knowing before they are fetched
            for line in describe_needs(runs):
                print(line)
            raise
        print(describe_plan(runs))
        if self.dry_run:
            print("Nothing was done: without --dry-run it is.")
        elif is_family:
            run_family(runs, out)
        else:
            print_results(out, run_experiment(options))


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

    world: str | None = None
    """Name of the world; default: the one that its demonstrations were recorded in, and tabletop where it does not
    say."""

    world_options: tuple[str, ...] = ()
    """Of that world, as `servo=controller`: joint controllers instead of the prescribed arm. In the world of its
    demonstrations, those of these count too."""

    half: Literal["all", "left", "right", "near", "far", "official"] = "all"
    """Where the object may lie (uniformly, off the training grid); official: the world's own initial states, LIBERO's
    fifty of the task that `--world-options task_index=3` names."""

    episodes: int = 32
    """How many scenes; of official ones the first."""

    seed: int = 100
    """Of the scenes."""

    videos: int = 4
    """How many of them are filmed."""

    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    """How predicted chunks are carried out."""

    workers: int = DEFAULT_WORKERS
    """Processes at a time; on a GPU as many as its memory has room for."""

    def __post_init__(self):
        for name, least in (("episodes", 1), ("videos", 0), ("workers", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"--{name} must be at least {least}; got {getattr(self, name)}")

    def run(self) -> None:
        from para.experiments.lessons import lesson_of, said_before_evaluation, where_to_evaluate
        from para.experiments.single import evaluate_checkpoint
        from para.training.checkpoint import describe
        from para.worlds import parse_options

        held, lesson, warning = describe(self.checkpoint), lesson_of(self.checkpoint), ""
        if lacking := sorted({*lesson.never_told, *not_predicted(held.config)}):
            warning = f"{self.checkpoint} was never told {' and '.join(lacking)}: {FINE_TUNE_FIRST}"
        elif lesson.only_circles:
            warning = f"{self.checkpoint} {NEVER_SAW_THE_ROBOT}"
        if warning:
            print(f"{warning} ({how_to_fine_tune(self.checkpoint, held.name)})")
        world, options = where_to_evaluate(lesson, self.world, parse_options(self.world_options))
        print(*said_before_evaluation(lesson, world, options), *self._said_of_execution(held.name), sep="\n")
        part = None if self.half == "all" else self.half
        summary = evaluate_checkpoint(
            self.checkpoint, self.out, world=world, half=part, n=self.episodes, seed=self.seed,
            rollout=self.rollout, n_videos=self.videos, workers=self.workers,
            world_options=options, warning=warning,
        )  # fmt: skip
        print_results(self.out, summary)
        if all(row["rate"] is None for row in summary["rows"]):
            print(
                "para: no episode ran to its end, for the reason above; the same command tries again", file=sys.stderr
            )
            raise SystemExit(1)

    def _said_of_execution(self, policy: str) -> list[str]:
        """That the experiments carry out the policy's chunks otherwise, where nobody said how to."""
        from para.experiments.recipes import usual_rollout

        usual, default = usual_rollout(policy), RolloutConfig()
        own, theirs, neither = ((r.execute_steps, r.ensemble_decay) for r in (self.rollout, usual or default, default))
        if own != neither or theirs == own:
            return []
        flags = f"--rollout.execute-steps {theirs[0]}"
        flags += "" if theirs[1] is None else f" --rollout.ensemble-decay {theirs[1]}"
        return [f"carried out: {own[0]} steps of each chunk; in the experiments {policy} has {flags}"]
