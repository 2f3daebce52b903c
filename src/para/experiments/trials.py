"""The episodes of a run, and which of its trainings need not be done again since theirs are recorded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from para.evaluation.kept_records import check_same_run
from para.evaluation.protocol import Trial
from para.evaluation.records import EpisodeRecord, read_results
from para.experiments.experiment import Recipe
from para.experiments.provenance import agrees
from para.experiments.run_config import describe_start
from para.experiments.scale import Scale
from para.experiments.training_jobs import train_config, train_steps
from para.files import read_json
from para.interfaces import Scene
from para.training.checkpoint import weights_hash
from para.training.configs import config_to_dict
from para.training.run_folder import is_finished
from para.worlds import world_entry

if TYPE_CHECKING:
    from para.experiments.run import Plan


def all_trials(plan: Plan, *, trained: bool = True) -> list[Trial]:
    """Every episode of the run: each policy, each execution of it, each training run, in the same scenes. Those of
    trainings that are recorded alone are left out. Without `trained` the weights need not be there, nor are named."""
    return [
        trial
        for seed in plan.options.seeds
        for recipe in plan.recipes
        if (recipe.name, seed) not in plan.recorded
        for trial in trials_of(plan, recipe, seed, weights_hash(plan.checkpoint(recipe, seed)) if trained else "")
    ]


def check_records(plan: Plan) -> None:
    """Raise ValueError where the folder holds a part of the episodes of a policy that is trained already, and they are
    of other weights (all of them: `recorded_alone`).

    After a training that is still to be done they are met again: whether its weights are theirs is not known before.
    """
    path = plan.options.out / "results.jsonl"
    if not path.exists():
        return
    trained = [
        trial
        for seed in plan.options.seeds
        for recipe in plan.recipes
        if (recipe.name, seed) not in plan.recorded and is_finished(plan.checkpoint(recipe, seed))
        for trial in trials_of(plan, recipe, seed, weights_hash(plan.checkpoint(recipe, seed)))
    ]
    # episodes that raised are run again, whatever their weights were
    check_same_run(trained, [record for record in read_results(path) if record.error is None], path)


def trials_of(plan: Plan, recipe: Recipe, seed: int, weights: str) -> list[Trial]:
    """Every episode of one trained policy."""
    checkpoint = str(plan.checkpoint(recipe, seed))
    trials = []
    for suffix, how in recipe.executions.items():
        name, world = recipe.name + suffix, plan.spec.with_options(dict(how.world))
        for split, items in plan.scenes.evaluation.items():
            for index, item in enumerate(items):
                filmed = seed == 0 and suffix == "" and index < plan.scale.videos_per_split
                video = f"videos/{name}/{split}_{index:03d}.mp4" if filmed else None
                trials.append(
                    Trial(
                        name, checkpoint, weights, seed, split, index, item.scene, world, how.rollout,
                        item.boundary_distance_m, goal_in(plan.options.world, item.scene), video,
                    )
                )  # fmt: skip
    return trials


def goal_in(world: str, scene: Scene) -> tuple[float, float]:
    """Where the goal's centre is, metres, as records have it."""
    x, y = world_entry(world).workspace.goal_of(scene)
    return round(float(x), 4), round(float(y), 4)


def recorded_alone(plan: Plan) -> frozenset[tuple[str, int]]:
    """Recipe and seed of each training all of whose episodes are recorded, and whose weights are not here.

    So it is with a copy of another machine's records, as the committed ones. To train such a policy again would take
    its time and give weights that may differ from those of its records; so an episode that raised stays as it is, too.
    Where another experiment that shares the checkpoints has trained the same policy since, its weights are others, and
    the records stay theirs. One of another recipe than today's does not count.
    """
    out = plan.options.out
    if not (out / "config.json").exists() or not (out / "results.jsonl").exists():
        return frozenset()
    config = read_json(out / "config.json")
    records = {record.key: record for record in read_results(out / "results.jsonl")}
    return frozenset(
        (recipe.name, seed)
        for recipe in plan.recipes
        if is_same_recipe(config, recipe, plan.scale)
        for seed in plan.options.seeds
        if are_of_other_weights(records, trials_of(plan, recipe, seed, ""), plan.checkpoint(recipe, seed))
    )


def are_of_other_weights(records: Mapping[tuple, EpisodeRecord], trials: list[Trial], checkpoint: Path) -> bool:
    """Whether all episodes of one training are recorded, and not of the weights in its folder: there are none, or
    others."""
    if not all(is_record_of(records.get(trial.key), trial) for trial in trials):
        return False
    made_with = {records[trial.key].checkpoint for trial in trials}
    return not is_finished(checkpoint) or (len(made_with) == 1 and made_with != {weights_hash(checkpoint)})


def is_same_recipe(config: dict[str, Any], recipe: Recipe, scale: Scale) -> bool:
    """Whether a run's `config.json` tells of that recipe as it is today, in all that it tells of it."""
    now = {
        "policies": config_to_dict(recipe.config(scale)),
        "learning_rates": train_config(scale, recipe, 0).optim.lr,
        "train_steps": train_steps(scale, recipe),
        "data": recipe.data,
    }
    if recipe.start is not None:
        now["starts"] = describe_start(recipe.start, scale)
    told = {what: config[what][recipe.name] for what in now if recipe.name in (config.get(what) or {})}
    return "policies" in told and agrees(told, now)


def is_record_of(record: EpisodeRecord | None, trial: Trial) -> bool:
    """Whether an episode is recorded, in its scene and carried out in its way."""
    if record is None:
        return False
    return Scene.from_dict(record.scene) == trial.scene and record.execution in ("", trial.execution)
