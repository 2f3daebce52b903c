"""`config.json` of a run: what it is, how it came about, and whether a folder holds the same run already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from para.evaluation.protocol import WorldSpec
from para.experiments.experiment import Execution, Experiment, Recipe, SceneSet
from para.experiments.provenance import agrees, continued, provenance
from para.experiments.run_options import takes_backbone
from para.experiments.scale import Scale
from para.experiments.store import assets_of
from para.experiments.training_jobs import train_config, train_steps
from para.files import read_json
from para.locks import is_lock_file
from para.registry import pick
from para.training.configs import config_to_dict
from para.worlds import world_entry


def run_config(
    out: Path, experiment: Experiment, scale: Scale, recipes: list[Recipe], scenes: SceneSet, *, world: str,
    validation: bool, train_seeds: int,
) -> dict[str, Any]:  # fmt: skip
    """The `config.json` of a run; where the folder has one it must be of the same run, which may gain policies and
    seeds. Nothing is written.

    Raises:
        ValueError: if the folder holds another run, one with other assets, or files that are no run at all.
        FileNotFoundError: if the world's assets are not whole.
    """
    identity = {
        "experiment": experiment.name,
        "world": world,
        "scale": config_to_dict(scale),
        "validation": validation,
    }
    made = provenance() | {
        "training": describe_training(scenes),
        "policies": {recipe.name: config_to_dict(recipe.config(scale)) for recipe in recipes},
        "recipes": {recipe.name: recipe.why for recipe in recipes},
        "learning_rates": {recipe.name: train_config(scale, recipe, 0).optim.lr for recipe in recipes},
        "train_steps": {recipe.name: train_steps(scale, recipe) for recipe in recipes},
        "execute": {
            recipe.name + suffix: describe_execution(how)
            for recipe in recipes
            for suffix, how in recipe.executions.items()
        },
    }
    started = {recipe.name: describe_start(recipe.start, scale) for recipe in recipes if recipe.start is not None}
    made |= {"starts": started} if started else {}
    made |= own_trainings(recipes, scale)
    assets = assets_of(WorldSpec(world, scale.image_size))
    made |= {"assets": assets} if assets else {}
    made, train_seeds = joined_to_what_is_there(out, identity, made, train_seeds)
    config = identity | {
        "title": experiment.title,
        "question": experiment.question,
        "axis": experiment.axis,
        "headline": list(experiment.headline),
        "headline_splits": list(experiment.headline_splits),
        "train_seeds": train_seeds,
        "data": {recipe.name: recipe.data for recipe in experiment.recipes},
        "extras": [recipe.name for recipe in experiment.recipes if recipe not in pick_recipes(experiment, scale)],
        "thresholds": world_entry(world).describe_stages(),
    }
    if takes_backbone(experiment, scale):
        config["backbone"] = scale.describe_backbone()
    return config | dict(experiment.figures) | made


def pick_recipes(
    experiment: Experiment, scale: Scale, names: tuple[str, ...] = (), *, extras: bool = False
) -> list[Recipe]:
    """The experiment's recipes of those names; without names the usual ones, or with `extras` all. Raises ValueError
    for a name that it does not have.
    """
    known = {recipe.name: recipe for recipe in experiment.recipes}
    for name in names:
        pick(known, f"policy of experiment '{experiment.name}' is called", name)
    usual = [name for name in scale.usual_policies if name in known]
    usual = usual or [recipe.name for recipe in experiment.recipes if not recipe.extra]
    wanted = names or (known if extras else usual)
    return [recipe for recipe in experiment.recipes if recipe.name in wanted]


def joined_to_what_is_there(
    out: Path, identity: dict[str, Any], made: dict[str, Any], train_seeds: int
) -> tuple[dict[str, Any], int]:
    """What a command makes of the record that a folder has, and how many training seeds there are then.

    Raises:
        ValueError: as `run_config`.
    """
    path = out / "config.json"
    if not path.exists():
        if out.exists() and not all(is_lock_file(file) for file in out.iterdir()):
            raise ValueError(f"{out} is not empty and holds no run (no config.json); choose another --out")
        return made, train_seeds
    old = read_json(path)
    if different := differences(old, identity):
        raise ValueError(
            f"{out} holds another run ({old.get('experiment')}, scale {old.get('scale', {}).get('name')}, "
            f"made by: {old.get('command')}), with another {', '.join(different[:3])}; "
            "choose another --out, or remove the folder"
        )
    try:
        return continued(made, old), max(train_seeds, old["train_seeds"])
    except ValueError as error:  # of many folders, which one
        raise ValueError(f"{out}: {error}") from error


def differences(old: dict[str, Any], identity: dict[str, Any]) -> list[str]:
    """Where a record is of another run than the one that `identity` tells: names of its entries and of the scale's
    options. What a scale is said to take says nothing of that.
    """
    names = [name for name in identity if name != "scale" and not agrees(old.get(name), identity[name])]
    told = {name: value for name, value in (old.get("scale") or {}).items() if name != "note"}
    of_scale = [name for name, value in told.items() if not agrees({name: value}, identity["scale"])]
    return names + ["scale" if name == "name" else name for name in of_scale]


def own_trainings(recipes: list[Recipe], scale: Scale) -> dict[str, Any]:
    """How the recipes train that do not train as the scale does, under "trainings"; empty where all do."""
    own = [recipe for recipe in recipes if recipe.training is not None]
    told = {recipe.name: config_to_dict(train_config(scale, recipe, 0)) for recipe in own}
    return {"trainings": told} if told else {}


def describe_start(recipe: Recipe, scale: Scale) -> dict[str, Any]:
    """What a policy started from: which recipe, on what, told what, JSON-ready."""
    told = {"recipe": recipe.name, "data": recipe.data, "supervision": recipe.supervision}
    trained = {"learning_rate": train_config(scale, recipe, 0).optim.lr, "train_steps": train_steps(scale, recipe)}
    return told | {"policy": config_to_dict(recipe.config(scale))} | trained


def describe_execution(how: Execution) -> dict[str, Any]:
    """How chunks are carried out, and the options of the world that differ, JSON-ready."""
    return config_to_dict(how.rollout) | ({"world": dict(how.world)} if how.world else {})


def describe_training(scenes: SceneSet) -> dict[str, Any]:
    """Of each set of demonstrations: how many, at which positions, from which views."""
    return {
        name: {
            "n": len(data.scenes),
            "xy": [list(xy) for xy in sorted({scene.object_xy for scene in data.scenes})],
            "views": [list(v) for v in sorted({(scene.view_theta_deg, scene.view_phi_deg) for scene in data.scenes})],
        }
        for name, data in scenes.train.items()
    }
