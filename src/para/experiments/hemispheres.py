"""Viewpoint hemispheres (paper fig. 4b): train with the camera on the left, test with it on the right."""

from __future__ import annotations

from dataclasses import replace

from para.experiments.experiment import Experiment, PaperNumber, SceneSet
from para.experiments.recipes import (
    ACT,
    LONGER_BASELINES,
    NO_WARPS,
    PARA_MANY_VIEWS,
    extra,
    headlines_compared,
    no_warps_compared,
    trained_longer,
    variant,
)
from para.experiments.scale import Scale
from para.experiments.view_sets import HELD_OUT_PHI, split_cap
from para.worlds.scenes import Workspace, viewpoint_cap


def scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Ten demonstrations at every view of phi 0, 45, 90, 270, 315; evaluation there and at phi 135, 180, 225."""
    cap = viewpoint_cap()
    held_out = [bool(theta > 0 and phi in HELD_OUT_PHI) for theta, phi in cap]
    right = cap[held_out]
    return split_cap({"train": cap[[not out for out in held_out]], "test": right}, workspace, scale, validation)


ACT_CAMERA = variant(
    ACT, "+camera", "ACT told the camera; pictures as they are, since these show many", use_camera=True
)

ACT_LONG = extra(
    trained_longer(variant(ACT, "+long", "four times the steps: in the usual ones ACT does not learn so many views"), 4)
)

ACT_CAMERA_LONG = extra(
    trained_longer(variant(ACT_CAMERA, "+long", "ACT told the camera, four times the steps, for the same reason"), 4)
)

RECIPES = (
    PARA_MANY_VIEWS,
    ACT,
    ACT_LONG,
    ACT_CAMERA,
    ACT_CAMERA_LONG,
    *map(extra, LONGER_BASELINES),
)

HEMISPHERES = Experiment(
    name="hemispheres",
    title="Viewpoint hemispheres: the camera on the other side",
    question="Trained with the camera at many places on one side, does the policy work with it on the other side?",
    axis="view",
    scenes=scenes,
    recipes=tuple(replace(recipe, data="train") for recipe in (*RECIPES, *NO_WARPS)),
    comparisons=(*headlines_compared("test", "train", recipes=RECIPES), *no_warps_compared("test", "train")),
    headline=tuple(recipe.name for recipe in (*RECIPES, *NO_WARPS)),
    paper={
        "para": {"test": PaperNumber(0.40, "paper draft, sec. 4.2, LIBERO; the split of phi is not stated there")},
        "act": {"test": PaperNumber(0.10, "paper draft, sec. 4.2, LIBERO; the split of phi is not stated there")},
    },
)
