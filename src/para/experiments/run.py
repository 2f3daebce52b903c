"""Carries out an experiment: record, train, evaluate, look inside, summarise. Each stage goes on from what is there."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from para.datasets import Demonstrations
from para.datasets.recording import record
from para.devices import trainings_at_a_time
from para.evaluation.protocol import Run, WorldSpec, evaluate
from para.evaluation.results import read_results
from para.experiments import pick_experiment
from para.experiments.acting import load_to_act, processes_to_act
from para.experiments.experiment import Experiment, Recipe, SceneSet, TrainingSet
from para.experiments.pixel_errors import export_pixel_errors
from para.experiments.predictions import export_predictions
from para.experiments.run_config import pick_recipes, run_config
from para.experiments.run_options import RunOptions, scale_of
from para.experiments.same_demonstrations import told_with
from para.experiments.scale import Scale
from para.experiments.store import HELDOUT, Store, assets_of, demonstrations_key
from para.experiments.summaries import summarise_run
from para.experiments.training_jobs import TrainJob, train_all, train_config
from para.experiments.trainings import export_trainings
from para.experiments.trials import all_trials, check_records, recorded_alone
from para.experiments.unfinished import unfinished
from para.files import read_json, write_json
from para.locks import check_free, only_writer, turn_to_write
from para.policies import make_policy
from para.worlds import check_options, world_entry

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """Everything that a run is going to do: which demonstrations, trainings and episodes, and where they go."""

    options: RunOptions
    experiment: Experiment
    scale: Scale
    recipes: list[Recipe]
    scenes: SceneSet
    spec: WorldSpec
    store: Store

    recorded: frozenset[tuple[str, int]] = frozenset()
    """Recipe and seed of the trainings that are not to be done again (`para.experiments.trials.recorded_alone`)."""

    @property
    def sets(self) -> dict[str, TrainingSet]:
        """The sets of demonstrations that its recipes train on, and the held-out one."""
        used = {recipe.data for recipe in [*self.recipes, *self.starts]}
        first = next(iter(self.scenes.train.values()))
        sets = {name: data for name, data in self.scenes.train.items() if name in used}
        return sets | {HELDOUT: TrainingSet(self.scenes.heldout, first.world)}

    @property
    def trained_sets(self) -> dict[str, TrainingSet]:
        """Those that trainings of this run need."""
        folders = {folder for wave in self.waves for job in wave for folder in (job.demonstrations, job.heldout)}
        return {name: data for name, data in self.sets.items() if self.folder_of(name) in folders}

    def folder_of(self, name: str) -> Path:
        """Where a set of demonstrations lies."""
        return self.store.demonstrations(name, self.spec, self.sets[name])

    @property
    def starts(self) -> list[Recipe]:
        """Recipes from whose weights others start, and which are not its own: trained first, not evaluated."""
        found = {recipe.start.name: recipe.start for recipe in self.recipes if recipe.start is not None}
        return [recipe for name, recipe in found.items() if name not in {recipe.name for recipe in self.recipes}]

    @property
    def jobs(self) -> list[TrainJob]:
        """One per recipe and seed to be trained, the headline policies of the first seed first."""
        return [
            self.job(recipe, seed)
            for seed in self.options.seeds
            for recipe in self.recipes
            if (recipe.name, seed) not in self.recorded or self.is_start(recipe, seed)
        ]

    def is_start(self, recipe: Recipe, seed: int) -> bool:
        """Whether a training of this run starts from that one."""
        return any(
            other.start is not None and other.start.name == recipe.name and (other.name, seed) not in self.recorded
            for other in self.recipes
        )

    @property
    def waves(self) -> list[list[TrainJob]]:
        """Everything to train, in the order in which it must be: what others start from comes before them."""
        extra = [
            self.job(recipe, seed)
            for seed in self.options.seeds
            for recipe in self.starts
            if self.is_start(recipe, seed)
        ]
        first = [job for job in self.jobs if job.start is None]
        return [wave for wave in (extra + first, [job for job in self.jobs if job.start is not None]) if wave]

    def job(self, recipe: Recipe, seed: int) -> TrainJob:
        """One training run."""
        threads = max(1, torch.get_num_threads() // max(1, trainings_at_a_time(self.options.workers)))
        return TrainJob(
            recipe.name, recipe.config(self.scale), train_config(self.scale, recipe, seed),
            self.folder_of(recipe.data), self.folder_of(HELDOUT), self.checkpoint(recipe, seed), recipe.step,
            threads, recipe.supervision, None if recipe.start is None else self.checkpoint(recipe.start, seed),
        )  # fmt: skip

    def checkpoint(self, recipe: Recipe, seed: int) -> Path:
        """Where a trained policy lies."""
        data = demonstrations_key(self.spec, self.sets[recipe.data])
        training = train_config(self.scale, recipe, seed)
        start = None if recipe.start is None else self.checkpoint(recipe.start, seed)
        return self.store.checkpoint(recipe, recipe.config(self.scale), training, data, seed, start)

    @property
    def n_scenes(self) -> int:
        """In how many scenes each policy is evaluated."""
        return sum(len(items) for items in self.scenes.evaluation.values())


def plan_run(options: RunOptions) -> Plan:
    """What a run is going to do. Raises ValueError for an unknown experiment, world, scale or policy, or one whose
    backbone is not to be chosen.
    """
    experiment = pick_experiment(options.experiment)
    scale = scale_of(options, experiment)
    recipes = pick_recipes(experiment, scale, options.recipes, extras=options.extras)
    scenes = experiment.scenes(world_entry(options.world).workspace, scale, options.validation)
    spec = WorldSpec(options.world, scale.image_size)
    plan = Plan(options, experiment, scale, recipes, scenes, spec, Store(options.out, options.shared))
    return replace(plan, recorded=recorded_alone(plan))


def config_of(plan: Plan) -> dict[str, Any]:
    """The `config.json` that the run is going to leave. Raises ValueError if its folder holds something else."""
    options = plan.options
    return run_config(
        options.out, plan.experiment, plan.scale, plan.recipes, plan.scenes,
        world=options.world, validation=options.validation, train_seeds=options.train_seeds,
    )  # fmt: skip


def check_runs(runs: Sequence[RunOptions], begin: bool = True) -> None:
    """Find now, not in some hours, what would keep one of these runs from beginning at its turn. Writes nothing. Where
    they are not to begin, another process may be at work in their folders.

    Raises:
        ValueError: for an unknown experiment, world, scale or policy, a world that cannot show its scenes, images that
            a backbone's patches do not divide, or a folder that holds something else, episodes of other weights, or
            that another process is writing into.
        FileNotFoundError: if pretrained weights are not there.
        ImportError: if a policy needs a package that is not there; it names the extra to install.
    """
    plans = [plan_run(options) for options in runs]
    for plan in plans:
        config_of(plan)
        if begin:
            check_free(plan.options.out)
        check_records(plan)
        check_shown(plan)
    configs = [recipe.config(plan.scale) for plan in plans for recipe in [*plan.recipes, *plan.starts]]
    for config in {(type(config), config.backbone, config.image_size): config for config in configs}.values():
        make_policy(config)


def check_shown(plan: Plan) -> None:
    """Raise ValueError where the run's world cannot show a scene, or what demonstrations are to be recorded in."""
    world, sets = world_entry(plan.spec.name), plan.sets.values()
    for data in sets:
        # what circles are made of is a robot that can be hidden
        check_options(plan.spec.name, sorted("robot_visible" if name == "circles" else name for name in data.world))
    evaluated = [item.scene for items in plan.scenes.evaluation.values() for item in items]
    for scene in [*evaluated, *(scene for data in sets for scene in data.scenes)]:
        try:
            world.check_scene(scene)
        except ValueError as error:
            raise ValueError(
                f"experiment '{plan.experiment.name}' has scenes that world '{plan.spec.name}' cannot show: {error}"
            ) from error


def run_experiment(options: RunOptions) -> dict[str, Any]:
    """Run an experiment to its end and return its summary.

    Raises:
        ValueError: for an unknown experiment, world, scale or policy, or a folder that holds another run or that
            another process is writing into.
    """
    plan = plan_run(options)
    config_of(plan)  # before the lock is put there, so that a folder of something else stays as it is
    with only_writer(options.out):
        return carry_out(plan)


def carry_out(plan: Plan) -> dict[str, Any]:
    """All stages of a run, in a folder that is its own. Returns the summary."""
    options, config = plan.options, config_of(plan)
    write_json(options.out / "config.json", config)
    record_demonstrations(plan, config)
    opened = {name: Demonstrations.open(plan.folder_of(name)) for name in plan.trained_sets if name != HELDOUT}
    config |= told_with(config, opened, joins=joins_others(plan))
    write_json(options.out / "config.json", config)
    with unfinished(options.out, all_trials(plan, trained=False)):
        train_and_evaluate(plan)
    summary = summarise_run(options.out)  # before the pictures, which nothing else rests on
    look_inside(plan)
    if plan.recorded:
        logger.info(
            "%d trainings are recorded, the weights of these records are not here: no pictures of them",
            len(plan.recorded),
        )
    elif plan.experiment.look is not None:
        plan.experiment.look(plan)
    return summary


def train_and_evaluate(plan: Plan) -> None:
    """The stages that take long, once the demonstrations are there."""
    options, config = plan.options, read_json(plan.options.out / "config.json")
    for jobs in plan.waves:
        finished = sum(job.finished for job in jobs)
        train_all(jobs, workers=options.workers)
        logger.info("trained %d policies, %d were there already", len(jobs) - finished, finished)
    config["seconds"]["train"] = export_trainings(options.out, everything_trained(plan))
    write_json(options.out / "config.json", config)
    run = Run(plan.experiment.name, options.out, load_to_act)
    workers = processes_to_act([job.folder for job in plan.jobs], options.workers)
    ran, kept = evaluate(all_trials(plan), run, workers=workers)
    logger.info("evaluated %d episodes, %d were there already", ran, kept)


def joins_others(plan: Plan) -> bool:
    """Whether the folder holds records of policies, or seeds, that this command does not train."""
    path = plan.options.out / "results.jsonl"
    trained = {
        (recipe.name + suffix, seed)
        for recipe in plan.recipes
        for suffix in recipe.executions
        for seed in plan.options.seeds
        if (recipe.name, seed) not in plan.recorded
    }
    return path.exists() and any((r.policy, r.train_seed) not in trained for r in read_results(path))


def look_inside(plan: Plan) -> None:
    """What the first training run's policies predict; and where some are executed among circles, there too, with the
    pixel errors of every run in both.
    """
    out, circles = plan.options.out, plan.spec.with_options({"circles": True})
    export_predictions(out, plan.spec, [job for job in plan.jobs if job.seed == 0], plan.scenes)
    suffixes = {
        recipe.name: suffix
        for recipe in plan.recipes
        for suffix, how in recipe.executions.items()
        if dict(how.world).get("circles")
    }
    chosen = [job for job in plan.jobs if job.name in suffixes]
    for job in chosen:
        if job.seed == 0:
            export_predictions(out, circles, [job], plan.scenes, suffixes[job.name])
    if chosen and not plan.recorded:  # else its table would lose what the others were measured at
        scenes = [item.scene for item in list(plan.scenes.evaluation.values())[-1]]
        worlds = {"circles": circles, "robot": plan.spec}
        export_pixel_errors(out, worlds, [(job.name, job.seed, job.folder) for job in chosen], scenes)


def everything_trained(plan: Plan) -> list[tuple[str, int, Path]]:
    """Recipe, seed and folder of every training of the experiment that may be there, whichever command did it."""
    widest = Plan(**{**vars(plan), "recipes": list(plan.experiment.recipes)})
    seeds = range(max(plan.options.train_seeds, read_json(plan.options.out / "config.json")["train_seeds"]))
    recipes = [*widest.recipes, *widest.starts]
    return [(recipe.name, seed, widest.checkpoint(recipe, seed)) for recipe in recipes for seed in seeds]


def record_demonstrations(plan: Plan, config: dict[str, Any]) -> None:
    """Record what is missing of the training and held-out demonstrations."""
    started = time.monotonic()
    for name, data in plan.trained_sets.items():
        spec, folder = plan.spec.with_options(data.world), plan.folder_of(name)
        with turn_to_write(folder):
            report = record(
                spec.build, data.scenes, folder, workers=plan.options.workers, world=spec.name,
                options=dict(spec.options), assets=assets_of(spec),
            )  # fmt: skip
        logger.info("%s: %d recorded, %d kept, %d dropped", name, report.recorded, report.reused, len(report.dropped))
        if report.recorded:
            config["seconds"]["record"] = round(config["seconds"]["record"] + time.monotonic() - started, 1)
        started = time.monotonic()
    write_json(plan.options.out / "config.json", config)
