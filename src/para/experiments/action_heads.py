"""Action heads: where does PARA's advantage come from? Head x augmentation x what is known of the camera.

All train on the left half in the default view. They are tested at new positions ("test"), in new views of the positions
trained on ("view"), and in both at once ("both"). Warped pictures can only teach a policy whose labels or inputs tell
where the camera is: regression told the camera, or in the camera's frame, is PARA's fair opponent there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from para.experiments.experiment import Experiment, Recipe, SceneSet
from para.experiments.halves import half_scenes
from para.experiments.recipes import (
    ACT,
    ACT_CAMERA,
    ACT_CAMERA_FRAME,
    ACT_CAMERA_FRAME_LONG,
    ACT_CAMERA_LONG,
    AFFINE,
    COLOUR,
    DIFFUSION,
    MOTION_TRACKS,
    MOTION_TRACKS_VIEWS,
    PARA,
    SOFT_ARGMAX,
    VIEWS,
    extra,
    trained_longer,
    variant,
)
from para.experiments.scale import Scale
from para.worlds.scenes import Workspace, viewpoint_cap

AUGMENTATION = {"": "virtual views", "+affine": "affine warps", "+no_warps": "colour only"}
PICTURES = {"": VIEWS, "+affine": AFFINE, "+no_warps": COLOUR}


def scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Those of left to right, half as many to evaluate in, since many policies meet them. Then the positions
    in distribution and the new ones, each in other views of the cap."""
    halves = half_scenes("left", "right", workspace, scale.with_fewer_scenes(2), validation)
    prefix = "validation_" if validation else ""
    views = viewpoint_cap()[1:]
    moved = {}
    for split, source, start in (("view", "train", 0), ("both", "test", 5)):
        items = halves.evaluation[f"{prefix}{source}"]
        # a step prime to 56 goes through all views, near and far ones in turn
        chosen = views[(start + 23 * np.arange(len(items))) % len(views)]
        moved[f"{prefix}{split}"] = [
            item._replace(scene=item.scene.with_(view_theta_deg=round(float(theta), 4), view_phi_deg=float(phi)))
            for item, (theta, phi) in zip(items, chosen)
        ]
    return halves._replace(evaluation=dict(halves.evaluation) | moved)


def through_points(base: Recipe) -> Recipe:
    """The recipe with its image read as where some learnt points are (spatial softmax)."""
    why = base.why + "; its image read through a spatial softmax, as published Diffusion Policy does"
    return extra(variant(base, "+points", why, readout="spatial_softmax"))


def for_longer(recipe: Recipe) -> Recipe:
    """The recipe in four times the steps."""
    return extra(trained_longer(variant(recipe, "+long", recipe.why + "; for four times the steps"), 4))


def pictures(base: Recipe, *suffixes: str) -> list[Recipe]:
    """A recipe with each of these augmentations, which its name in the records tells."""
    return [variant(base, suffix, AUGMENTATION[suffix], augment=PICTURES[suffix]) for suffix in suffixes]


POINTS = tuple(through_points(base) for base in (ACT, MOTION_TRACKS, MOTION_TRACKS_VIEWS, DIFFUSION))

RECIPES = (
    PARA,
    *pictures(PARA, "+affine", "+no_warps"),
    SOFT_ARGMAX,
    *pictures(SOFT_ARGMAX, "+no_warps"),
    replace(ACT, executions={"": ACT.executions[""]}),
    variant(ACT, "+camera+no_warps", "regression told the camera", use_camera=True),
    ACT_CAMERA,
    variant(ACT, "+camera_frame+no_warps", "regression in the camera's frame", frame="camera"),
    ACT_CAMERA_FRAME,
    extra(ACT_CAMERA_LONG),
    extra(ACT_CAMERA_FRAME_LONG),
    MOTION_TRACKS,
    MOTION_TRACKS_VIEWS,
    extra(replace(DIFFUSION, executions={"": DIFFUSION.executions[""]})),
    *POINTS,
    *map(for_longer, POINTS),
)


SPLITS = ("test", "view", "both")

OPPONENTS = {
    "para": (
        "soft_argmax",
        "act",
        "act+camera",
        "act+camera+long",
        "act+camera_frame",
        "act+camera_frame+long",
        "motion_tracks+views",
        "motion_tracks+views+points",
        "motion_tracks+views+points+long",
        "para+no_warps",
    ),
    "para+no_warps": (
        "soft_argmax+no_warps",
        "act",
        "motion_tracks",
        "diffusion",
        "act+points",
        "motion_tracks+points",
        "diffusion+points",
        "act+points+long",
        "motion_tracks+points+long",
        "diffusion+points+long",
    ),
}
"""Each of ours against others: every head at its best, and all on the same pictures, of which none is warped."""


def factors(name: str) -> dict[str, Any]:
    """The factors of a recipe, for the page's table."""
    head = {"para": "heatmap and heights", "soft_argmax": "expected pixel", "act": "pooled regression"}
    head |= {"motion_tracks": "regressed tracks", "diffusion": "denoised chunk"}
    kind, *options = name.split("+")
    warped = kind in ("para", "soft_argmax") or {"camera", "camera_frame", "views"} & set(options)
    warps = "virtual views" if warped else "colour only"
    for suffix, text in AUGMENTATION.items():
        warps = text if suffix and suffix[1:] in options else warps
    known = "none" if kind in ("act", "diffusion") else "lifts with it"
    known = "input" if "camera" in options else "frame of the output" if "camera_frame" in options else known
    told = head[kind].replace("pooled ", "") + ", spatial softmax" if "points" in options else head[kind]
    return {"head": told, "augmentation": warps, "camera": known}


ACTION_HEADS = Experiment(
    name="action_heads",
    title="Action heads: head, augmentation and camera, one by one",
    question="Where does the advantage come from: from the head, from warped pictures, or from knowing the camera?",
    axis="control",
    scenes=scenes,
    recipes=RECIPES,
    comparisons=tuple(
        (ours, other, split) for split in SPLITS for ours, others in OPPONENTS.items() for other in others
    ),
    headline=tuple(recipe.name for recipe in RECIPES),
    headline_splits=SPLITS,
    figures={"factors": {recipe.name: factors(recipe.name) for recipe in RECIPES}},
)
