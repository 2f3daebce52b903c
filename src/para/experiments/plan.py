"""What a run is going to do, before it does it."""

from __future__ import annotations

from para.backbones import VitConfig
from para.experiments import pick_experiment
from para.experiments.run import RunOptions, pick_recipes
from para.experiments.scale import Scale, pick_scale
from para.worlds import world_entry

VIT_S_CPU_SECONDS = 0.84
"""Forward and backward of one 448 px image through a ViT-S/16 on two CPU cores, as measured: for the warning below."""


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
            *needs_gpu(scale),
        ]
    )


def needs_gpu(scale: Scale) -> list[str]:
    """A warning where a scale is meant for an accelerator and there is none."""
    import torch

    if not isinstance(scale.backbone, VitConfig) or torch.cuda.is_available():
        return []
    hours = VIT_S_CPU_SECONDS * scale.batch_size * scale.train_steps / 3600
    return [
        f"  There is no GPU here: training takes about {hours:.0f} hours for each policy and seed on two CPU cores."
    ]
