"""The whole family: every experiment one after the other, with demonstrations and checkpoints in common."""

from __future__ import annotations

from dataclasses import replace

from para.experiments import EXPERIMENTS
from para.experiments.run import RunOptions
from para.registry import pick


def family_runs(options: RunOptions) -> list[RunOptions]:
    """The run of each experiment, in the order of the registry.

    With `recipes`, only the policies of those names, and no experiment that has none of them.

    Args:
        options: of all of them; `out` gets a folder for each, and `shared` is in it unless it says otherwise.

    Raises:
        ValueError: for a name that no experiment has.
    """
    known = {recipe.name: recipe for experiment in EXPERIMENTS.values() for recipe in experiment.recipes}
    for name in options.recipes:
        pick(known, "policy of any experiment is called", name)
    shared = options.shared or options.out / "shared"
    return [
        replace(options, experiment=name, out=options.out / name, shared=shared, recipes=wanted)
        for name, experiment in EXPERIMENTS.items()
        if (wanted := tuple(r.name for r in experiment.recipes if r.name in options.recipes)) or not options.recipes
    ]
