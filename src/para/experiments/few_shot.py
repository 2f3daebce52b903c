"""What experiments with few demonstrations have in common: sets of N of them, and policies with and without a past.

A policy is pretrained once, and then fine-tuned on N demonstrations of the robot; each is compared with the same policy
trained from scratch on the same N, for the same steps at the same rate. The sets are nested.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from para.experiments.experiment import Recipe, SceneSet, Supervision, TrainingSet
from para.experiments.halves import grid_scenes, home_scenes, with_random_starts
from para.experiments.position_sets import everywhere
from para.experiments.recipes import ACT, PARA, variant, with_options
from para.experiments.scale import Scale
from para.interfaces import Scene
from para.training.options import TrainConfig
from para.worlds.scenes import Workspace

CIRCLES = "circles"
"""The set of demonstrations in which an orange disc stands in the robot's place."""

NEAR = "near_ten"
"""The split near the ten positions of the set that the paper compares at."""

SEED = 31
"""Of the order in which positions are taken."""

PIXELS_ONLY = {"n_height_bins": 1, "n_gripper_bins": 0}
"""Heads of a PARA that is pretrained on pixels: the heatmap, and no more."""


def few(workspace: Workspace, counts: Sequence[int], headline: int, half: str | None = None) -> dict[str, np.ndarray]:
    """Nested sets of N positions of the grid, or of one half, the headline's N first: "few<N>" -> (N, 2) metres."""
    positions = workspace.grid_positions().reshape(-1, 2) if half is None else workspace.grid_half(half)
    order = np.random.default_rng(SEED).permutation(len(positions))
    return {f"few{n}": positions[order[:n]] for n in sorted(counts, key=lambda n: n != headline)}


def few_scenes(workspace: Workspace, n: int | None, half: str | None, *, random_starts: int = 0) -> list[Scene]:
    """A scene at N positions of the grid, or of one half, and as many from random starts, so many times over.

    Args:
        n: how many positions, those of `few`; None: every one, in the grid's order.

    Raises:
        ValueError: if there are not so many.
    """
    if n is None:
        return grid_scenes(workspace, half, random_starts=random_starts)
    there = workspace.n_grid**2 if half is None else len(workspace.grid_half(half))
    if not 1 <= n <= there:
        raise ValueError(f"there are 1 to {there} positions to take; got {n}")
    return with_random_starts(home_scenes(few(workspace, (n,), n, half)[f"few{n}"]), random_starts)


def few_anywhere(
    workspace: Workspace, scale: Scale, validation: bool, sets: Mapping[str, np.ndarray],
    further: Mapping[str, TrainingSet],
) -> SceneSet:  # fmt: skip
    """Scenes with few demonstrations: evaluation near those of the first set (`NEAR`) and anywhere ("test"). The others
    have more demonstrations or fewer, so that no one split is in distribution for all.

    Args:
        sets: positions of the robot's demonstrations, of `few`.
        further: the demonstrations that policies are pretrained on.
    """
    drawn = everywhere(workspace, scale.with_fewer_scenes(2), validation, sets)
    evaluation = {name.replace("train", NEAR): items for name, items in drawn.evaluation.items()}
    return drawn._replace(train=dict(drawn.train) | dict(further), evaluation=evaluation)


def everywhere_on_the_grid(workspace: Workspace, scale: Scale, half: str | None = None, **world: Any) -> TrainingSet:
    """A demonstration from home at every position of the grid, or of one half, as many as the scale takes.

    Args:
        world: options of the world in which they are recorded.
    """
    return TrainingSet(grid_scenes(workspace, half, random_starts=0, stride=scale.grid_stride), world)


def pretrained(base: Recipe, name: str, data: str, supervision: Supervision, why: str) -> Recipe:
    """A policy as it is before it sees the robot: on all its heads, or, where only pixels are told, PARA's heatmap."""
    recipe = variant(base, f"+{name}", why, data=data)
    bare = supervision == "pixels" and base.name.split("+")[0] == "para"
    config = with_options(recipe.config, PIXELS_ONLY) if bare else recipe.config
    return replace(recipe, config=config, supervision=supervision)


def fine_tuned(base: Recipe, starts: Mapping[str, Recipe | None], counts: Sequence[int]) -> tuple[Recipe, ...]:
    """The policy on each number of demonstrations from each start: `<base><suffix>+n<N>`.

    Args:
        base: the recipe.
        starts: suffix of the name -> the pretrained recipe; None: from scratch.
        counts: N.
    """
    return tuple(
        replace(
            variant(base, f"{suffix}+n{n}", describe(n, start), data=f"few{n}"),
            start=start,
        )
        for n in counts
        for suffix, start in starts.items()
    )


def trained_shorter(recipe: Recipe, part: int) -> Recipe:
    """The recipe, under its name and "+short<part>", after one in `part` of the steps: what a start saves."""

    def shorter(scale: Scale, usual: TrainConfig) -> TrainConfig:
        steps = -(-usual.steps // part)
        return replace(usual, steps=steps, eval_every=max(1, steps // 4), snapshot_steps=())

    why = f"{recipe.why}; 1/{part} of the steps"
    return replace(recipe, name=f"{recipe.name}+short{part}", training=shorter, why=why)


def fine_tuned_shorter(
    base: Recipe, starts: Mapping[str, Recipe | None], parts: Mapping[int, Sequence[int]]
) -> tuple[Recipe, ...]:
    """`fine_tuned` on each number of demonstrations, after one in each of its `parts` of the steps."""
    return tuple(
        trained_shorter(recipe, part)
        for n, among in parts.items()
        for part in among
        for recipe in fine_tuned(base, starts, (n,))
    )


def describe(n: int, start: Recipe | None) -> str:
    """A recipe in words."""
    plural = "demonstration" if n == 1 else "demonstrations"
    return f"{n} {plural}, " + ("from scratch" if start is None else f"after pretraining: {start.why}")


def against_scratch(
    bases: Sequence[str], suffixes: Sequence[str], counts: Sequence[int], split: str = "test", after: str = ""
) -> tuple[tuple[str, str, str], ...]:
    """Each pretrained policy against the same one from scratch: comparisons of an `Experiment`. `after` ends names."""
    return tuple(
        (f"{base}{suffix}+n{n}{after}", f"{base}+n{n}{after}", split)
        for base in bases
        for n in counts
        for suffix in suffixes
    )


def shorter_against_scratch(
    base: str, suffixes: Sequence[str], parts: Mapping[int, Sequence[int]]
) -> tuple[tuple[str, str, str], ...]:
    """The same of `fine_tuned_shorter`: each start against none, in as few steps."""
    return tuple(
        comparison
        for n, among in parts.items()
        for part in among
        for comparison in against_scratch((base,), suffixes, (n,), after=f"+short{part}")
    )


def figure_of(
    counts: Sequence[int], kinds: Mapping[str, str], paper_stages: Mapping[str, Sequence[float]] | None = None,
    *, shorter: Mapping[str, int] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What the page needs for its curves and table: `few_shot` of an experiment's `figures`.

    Args:
        counts: N.
        kinds: how a policy started, in words -> suffix of its name, "" from scratch.
        paper_stages: policy -> the paper's placed, grasped only and weighted score.
        shorter: base of `fine_tuned_shorter` -> the part of the steps of which there is a curve, too; 1: all.
    """
    usual = [{"policy": policy, "after": ""} for policy in (PARA.name, ACT.name)]
    fewer = [
        {"policy": policy, "after": f"+short{part}" if part > 1 else ""} for policy, part in (shorter or {}).items()
    ]
    return {
        "few_shot": {
            "counts": list(counts),
            "kinds": dict(kinds),
            "curves": usual + fewer,
            "paper_stages": {name: list(values) for name, values in (paper_stages or {}).items()},
        }
    }
