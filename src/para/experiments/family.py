"""A family: several experiments one after the other, with demonstrations and checkpoints in common."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

from para.experiments import EXPERIMENTS
from para.experiments.experiment import Axis
from para.experiments.run import check_shown, plan_run
from para.experiments.run_options import RunOptions, takes_backbone
from para.experiments.scale import pick_scale
from para.registry import pick

logger = logging.getLogger(__name__)

FAMILIES: Mapping[str, tuple[Axis, ...]] = {
    "all": ("position", "view", "clutter", "control"),
    **{axis: (axis,) for axis in get_args(Axis)},
}
"""Name -> axes of its experiments. `all` leaves out what is trained in several stages: as many hours once more."""


def can_be_shown(options: RunOptions) -> bool:
    """Whether the world can show an experiment's scenes; logs why not."""
    plan = plan_run(replace(options, backbone=None, backbone_lr_scale=None, image_size=None))
    try:
        check_shown(plan)
    except ValueError as error:
        logger.warning("left out: %s", error)
        return False
    return True


def family_runs(options: RunOptions) -> list[RunOptions]:
    """The run of each experiment of a family, in the order of the registry.

    With `recipes`, only the policies of those names, and no experiment that has none of them. A choice of the backbone
    is for those experiments that take one; others are as ever. Experiments that the world cannot show are left out, and
    a warning says so.

    Args:
        options: of all of them, `experiment` the family's name; `out` gets a folder for each, and `shared` is in it
            unless it says otherwise.

    Raises:
        ValueError: for a name that no family has, or that no policy of its experiments has; for an unknown scale; if
            the world can show none of them.
    """
    axes = pick(FAMILIES, "family of experiments", options.experiment)
    members = {name: experiment for name, experiment in EXPERIMENTS.items() if experiment.axis in axes}
    known = {recipe.name: recipe for experiment in members.values() for recipe in experiment.recipes}
    for name in options.recipes:
        pick(known, f"policy of the experiments of {options.experiment!r} is called", name)
    shared = options.shared or options.out / "shared"
    wanted_runs = [
        replace(options, experiment=name, out=options.out / name, shared=shared, recipes=wanted)
        for name, experiment in members.items()
        if (wanted := tuple(r.name for r in experiment.recipes if r.name in options.recipes)) or not options.recipes
    ]
    runs = [run for run in wanted_runs if can_be_shown(run)]
    if not runs:
        raise ValueError(
            f"world '{options.world}' can show no experiment of '{options.experiment}' with these policies"
        )
    if not options.chooses_backbone:
        return runs
    scale = pick_scale(options.scale, options.world)
    own = {name for name, experiment in members.items() if not takes_backbone(experiment, scale)}
    return [replace(run, backbone=None, backbone_lr_scale=None) if run.experiment in own else run for run in runs]
