"""Carries out an experiment: record, train, evaluate, look inside, summarise. Each stage goes on from what is there."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from para.datasets import Demonstrations
from para.datasets.recording import record
from para.evaluation.protocol import Run, Trial, WorldSpec, evaluate
from para.evaluation.results import read_results, summarise
from para.experiments import EXPERIMENTS, pick_experiment
from para.experiments.experiment import Experiment, Recipe, SceneSet
from para.experiments.predictions import export_predictions
from para.experiments.provenance import continued, provenance, seconds_of_training
from para.experiments.scale import Scale, pick_scale
from para.experiments.training_jobs import TrainJob, train_all
from para.files import read_json, write_json
from para.registry import pick
from para.training.checkpoint import load_policy, weights_hash
from para.training.configs import config_hash, config_to_dict
from para.worlds import make_world, world_entry
from para.worlds.stages import describe_stages

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunOptions:
    """What to run, and where."""

    experiment: str
    """Name of the experiment."""

    out: Path
    """Folder for everything that the run leaves behind. The same command goes on from what is there."""

    world: str = "tabletop"
    """Name of the world."""

    scale: str = "small"
    """tiny, small or paper."""

    train_seeds: int = 1
    """Training runs of each policy, with seeds 0, 1, ..."""

    recipes: tuple[str, ...] = ()
    """Train only the policies of these names; empty: all of the experiment."""

    workers: int = 2
    """Processes that record, train and evaluate at the same time; 0: everything in this one."""

    validation: bool = False
    """Evaluate on the validation scenes instead of the test scenes: for choosing, never for reporting."""

    def __post_init__(self):
        if self.train_seeds < 1:
            raise ValueError(f"train_seeds must be at least 1; got {self.train_seeds}")
        if self.workers < 0:
            raise ValueError(f"workers must be 0 or more; got {self.workers}")


def run_experiment(options: RunOptions) -> dict[str, Any]:
    """Run an experiment to its end and return its summary.

    Raises:
        ValueError: for an unknown experiment, world, scale or policy, or a folder that holds another run.
    """
    experiment, scale = pick_experiment(options.experiment), pick_scale(options.scale)
    recipes = pick_recipes(experiment, options.recipes)
    scenes = experiment.scenes(world_entry(options.world).workspace, scale, options.validation)
    config = claim_folder(options, experiment, scale, recipes, scenes)
    spec = WorldSpec(options.world, scale.image_size)
    record_demonstrations(options, spec, experiment, recipes, scenes, config)
    jobs = training_jobs(options, scale, recipes)
    finished = sum((job.folder / "training.json").exists() for job in jobs)
    train_all(jobs, workers=options.workers)
    logger.info("trained %d policies, %d were there already", len(jobs) - finished, finished)
    config["seconds"]["train"] = seconds_of_training(options.out)
    config["data_hash"] |= {
        name: Demonstrations.open(options.out / name).data_hash for name in data_of(experiment, recipes)
    }
    write_json(options.out / "config.json", config)
    trials = all_trials(options, experiment, recipes, scenes, scale)
    run = Run(experiment.name, spec, options.out, load_policy)
    ran, kept = evaluate(trials, run, workers=options.workers)
    logger.info("evaluated %d episodes, %d were there already", ran, kept)
    summary = summarise_run(options.out)  # before the pictures, which nothing else rests on
    export_predictions(options.out, spec, [job for job in jobs if job.train_seed == 0], scenes, scale)
    return summary


def pick_recipes(experiment: Experiment, names: tuple[str, ...]) -> list[Recipe]:
    """The experiment's recipes of those names. Raises ValueError for a name that it does not have."""
    known = {recipe.name: recipe for recipe in experiment.recipes}
    for name in names:
        pick(known, f"policy of experiment '{experiment.name}' is called", name)
    return [recipe for recipe in experiment.recipes if not names or recipe.name in names]


def claim_folder(
    options: RunOptions, experiment: Experiment, scale: Scale, recipes: list[Recipe], scenes: SceneSet
) -> dict[str, Any]:
    """Write `config.json`, or check that the one there is of the same run.

    Raises:
        ValueError: if the folder holds another run, or files that are no run at all.
    """
    identity = {
        "experiment": experiment.name,
        "world": options.world,
        "scale": config_to_dict(scale),
        "validation": options.validation,
        "policies": {recipe.name: config_to_dict(recipe.config(scale)) for recipe in experiment.recipes},
    }
    path = options.out / "config.json"
    made = provenance() | {
        "recipes": {recipe.name: recipe.why for recipe in recipes},
        "execute": {
            recipe.name + suffix: config_to_dict(how) for recipe in recipes for suffix, how in recipe.executions.items()
        },
    }
    if path.exists():
        old = read_json(path)
        if old.get("identity") != config_hash(identity):
            raise ValueError(
                f"{options.out} holds another run ({old.get('experiment')}, scale {old.get('scale', {}).get('name')}, "
                f"made by: {old.get('command')}); choose another --out, or remove the folder"
            )
        made = continued(made, old)
    elif options.out.exists() and any(options.out.iterdir()):
        raise ValueError(f"{options.out} is not empty and holds no run (no config.json); choose another --out")
    config = identity | {
        "identity": config_hash(identity),
        "title": experiment.title,
        "question": experiment.question,
        "train_seeds": max(options.train_seeds, len(list(options.out.glob("checkpoints/para/seed*")))),
        "training_xy": sorted({scene.object_xy for scene in scenes.train}),
        "thresholds": describe_stages(),
    }
    config |= made
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(path, config)
    return config


def data_of(experiment: Experiment, recipes: list[Recipe]) -> list[str]:
    """Names of the sets of demonstrations that the recipes train on, in the experiment's order."""
    return [name for name in experiment.data if any(recipe.data == name for recipe in recipes)]


def record_demonstrations(
    options: RunOptions, spec: WorldSpec, experiment: Experiment, recipes: list[Recipe], scenes: SceneSet,
    config: dict[str, Any],
) -> None:  # fmt: skip
    """Record what is missing of the training and held-out demonstrations."""
    wanted = {name: (experiment.data[name], scenes.train) for name in data_of(experiment, recipes)}
    wanted["demonstrations_heldout"] = (next(iter(experiment.data.values())), scenes.heldout)
    started = time.monotonic()
    for name, (world_options, scenes_of_set) in wanted.items():
        build = partial(make_world, spec.name, spec.image_size, **world_options)
        report = record(build, scenes_of_set, options.out / name, workers=options.workers)
        logger.info("%s: %d recorded, %d kept, %d dropped", name, report.recorded, report.reused, len(report.dropped))
        if report.recorded:
            config["seconds"]["record"] = round(config["seconds"]["record"] + time.monotonic() - started, 1)
            started = time.monotonic()
    write_json(options.out / "config.json", config)


def training_jobs(options: RunOptions, scale: Scale, recipes: list[Recipe]) -> list[TrainJob]:
    """One job per recipe and seed, the headline policies of the first seed first."""
    threads = max(1, torch.get_num_threads() // max(1, options.workers))
    return [
        TrainJob(
            recipe.name, recipe.config(scale), seed, options.out, scale, recipe.data, recipe.step,
            recipe.home_starts_only, threads,
        )
        for seed in range(options.train_seeds)
        for recipe in recipes
    ]  # fmt: skip


def all_trials(
    options: RunOptions, experiment: Experiment, recipes: list[Recipe], scenes: SceneSet, scale: Scale
) -> list[Trial]:
    """Every episode of the run: each policy, each execution of it, each training run, in the same scenes."""
    trials = []
    for seed in range(options.train_seeds):
        for recipe in recipes:
            checkpoint = options.out / "checkpoints" / recipe.name / f"seed{seed}"
            weights = weights_hash(checkpoint)
            for suffix, how in recipe.executions.items():
                for split, items in scenes.evaluation.items():
                    for index, item in enumerate(items):
                        filmed = seed == 0 and suffix == "" and index < scale.videos_per_split
                        name = recipe.name + suffix
                        video = f"videos/{name}/{split}_{index:03d}.mp4" if filmed else None
                        trials.append(
                            Trial(
                                name, str(checkpoint), weights, seed, split, index, item.scene, how,
                                item.boundary_distance_m, video,
                            )
                        )  # fmt: skip
    return trials


def summarise_run(folder: Path) -> dict[str, Any]:
    """Compute `summary.json` of a run folder from its `config.json` and `results.jsonl`, and write it.

    Raises:
        FileNotFoundError, ValueError: if one of the two is missing, damaged, or not that of a run.
    """
    config = read_json(folder / "config.json")
    missing = [name for name in ("experiment", "world", "scale", "seconds") if name not in config]
    if missing:
        raise ValueError(
            f"{folder / 'config.json'} lacks {', '.join(missing)}: it is not that of a run; choose another"
        )
    experiment = EXPERIMENTS.get(config["experiment"])  # None for an evaluation outside of any experiment
    records = read_results(folder / "results.jsonl")
    seconds = config["seconds"] | {"evaluate": round(sum(record.seconds for record in records), 1)}
    summary = summarise(
        records, experiment=config["experiment"], world=config["world"], scale=config["scale"]["name"],
        paper=experiment.paper if experiment else {}, comparisons=experiment.comparisons if experiment else (),
        seconds=seconds,
    )  # fmt: skip
    write_json(folder / "summary.json", summary)
    return summary
