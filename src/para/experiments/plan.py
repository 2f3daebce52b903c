"""What a run is going to do, before it does it."""

from __future__ import annotations

from para.experiments import pick_experiment
from para.experiments.run import RunOptions, pick_recipes
from para.experiments.scale import pick_scale
from para.worlds import world_entry


def describe_plan(options: RunOptions) -> str:
    """The plan as text: what is recorded, trained and evaluated, and where it goes.

    Raises:
        ValueError: for an unknown experiment, scale or policy.
    """
    experiment, scale = pick_experiment(options.experiment), pick_scale(options.scale)
    recipes = pick_recipes(experiment, options.recipes)
    scenes = experiment.scenes(world_entry(options.world).workspace, scale, options.validation)
    n_scenes = sum(len(items) for items in scenes.evaluation.values())
    n_executions = sum(len(recipe.executions) for recipe in recipes)
    splits = ", ".join(f"{len(items)} {split}" for split, items in scenes.evaluation.items())
    H, W = scale.image_size
    return "\n".join(
        [
            f"{experiment.title}. {experiment.question}",
            f"  world {options.world}, scale {scale.name} ({scale.note}), images {H} x {W}, into {options.out}",
            f"  1. record    {len(scenes.train)} demonstrations, and {len(scenes.heldout)} to measure on",
            f"  2. train     {', '.join(recipe.name for recipe in recipes)}: {scale.train_steps} steps, batch "
            f"{scale.batch_size}, {options.train_seeds} seed{'s' if options.train_seeds > 1 else ''}",
            f"  3. evaluate  {n_scenes * n_executions * options.train_seeds} closed-loop episodes ({splits} scenes, "
            f"{n_executions} policies and ways to execute them)",
            "  4. report    summary.json, report.html",
            "  What is there already is kept: the same command goes on where it stopped.",
        ]
    )
