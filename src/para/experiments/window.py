"""Window (the original project's sanity checks): how many steps T a chunk has, and how many of them are carried out.

There ACT fell from 85 to 20 % when the window went from 6 to 4 steps: a baseline gets its own window.
"""

from __future__ import annotations

from dataclasses import replace

from para.experiments.experiment import Experiment, Recipe, SceneSet
from para.experiments.halves import half_scenes
from para.experiments.recipes import EXECUTIONS, HEADLINES, PARA, executed, with_options
from para.experiments.scale import Scale
from para.worlds.scenes import Workspace

HORIZONS = (4, 6, 8, 12)
LOOKS = ("+execute1", "+execute4", "+execute_all", "+ensemble")


def scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Those of left to right, a quarter of them to evaluate in: sixteen policies are each carried out in four ways."""
    return half_scenes("left", "right", workspace, scale.with_fewer_scenes(4), validation)


def windows(base: Recipe) -> list[Recipe]:
    """A policy with each window, carried out in each way."""
    headline = next(name for name, how in EXECUTIONS.items() if how == base.executions[""])
    return [
        replace(
            base, name=f"{base.name}+t{horizon}", config=with_options(base.config, {"horizon": horizon}),
            executions=executed(headline, LOOKS), why=f"{horizon} steps predicted at once",
        )
        for horizon in HORIZONS
    ]  # fmt: skip


PARA_KEYPOSE = replace(
    PARA, name="para+keypose", config=with_options(PARA.config, {"horizon": 8}), step="keypose",
    executions=executed("+execute4", ("+execute1", "+execute_all")),
    why="a step is the next key pose of the task (hover, grasp, ...), not the next stored frame",
)  # fmt: skip

WINDOW = Experiment(
    name="window",
    title="Window: how many steps are predicted, and how many carried out",
    question="How does success depend on the length of the chunk and on how much of it is carried out before looking?",
    axis="control",
    scenes=scenes,
    recipes=(*(recipe for base in HEADLINES for recipe in windows(base)), PARA_KEYPOSE),
    comparisons=tuple((f"para+t{n}", f"act+t{n}", split) for n in HORIZONS for split in ("test", "train")),
    headline=tuple(f"{base.name}+t{horizon}" for horizon in HORIZONS for base in HEADLINES),
    figures={
        "sweep": {
            f"{base.name}+t{horizon}": {"base": base.name, "quantity": "horizon", "value": horizon}
            for base in HEADLINES
            for horizon in HORIZONS
        }
    },
)
