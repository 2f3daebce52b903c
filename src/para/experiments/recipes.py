"""The recipes that experiments compare: PARA, its baselines, and the variants that show what makes a difference.

Every policy trains on the same demonstrations, with the same backbone, for the same steps; only baselines that do not
learn in those are given more, and their names or reasons say so. The learning rate of each headline policy was
chosen on validation scenes, the augmentation for PARA alone (docs/method.md); variants have their base's rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from para.experiments.experiment import Execution, Recipe
from para.experiments.scale import Scale
from para.policies import ActConfig, ParaConfig
from para.policies.augment import AugmentConfig
from para.policies.diffusion import DiffusionConfig
from para.policies.looks import LookConfig
from para.policies.motion_tracks import MotionTracksConfig
from para.policies.para import paper_form
from para.policies.soft_argmax import SoftArgmaxConfig
from para.rollout import RolloutConfig
from para.training.options import TrainConfig

ENSEMBLE = RolloutConfig(execute_steps=1, ensemble_decay=0.1)
"""Look at every step and follow the average of all chunks that reach it (temporal ensembling). ACT was published with
it, though with weights that favour the oldest chunk."""

EXECUTIONS: dict[str, Execution] = {
    "+execute1": Execution(RolloutConfig(execute_steps=1)),
    "+execute2": Execution(RolloutConfig(execute_steps=2)),
    "+execute4": Execution(RolloutConfig(execute_steps=4)),
    "+execute_all": Execution(RolloutConfig(execute_steps=0)),
    "+ensemble": Execution(ENSEMBLE),
}
"""The table of executed steps: suffix of the policy's name in the records, and how its chunks are carried out."""


def executed(headline: str, others: tuple[str, ...] = ()) -> dict[str, Execution]:
    """The ways of executing a policy: its headline, under its bare name, and others, under names of their own."""
    return {"": EXECUTIONS[headline]} | {suffix: EXECUTIONS[suffix] for suffix in others if suffix != headline}


HOME_VIEW_M = 0.02
"""Of the plane along which a picture is warped to the camera of the demonstrations: that of PARA's virtual views."""

HOME_VIEW_WITHIN_DEG = 10.0
"""How near to that camera. Exactly there (0) PARA fails more often in views that are near anyway: of those it has seen
real pictures, in which nothing is off by parallax (LIBERO's validation scenes; what was tried: docs/method.md)."""

COLOUR = AugmentConfig(look=LookConfig(brightness=0.15, colour=0.1, colour_mix=0.1, texture=0.4, patches=5))
"""Other light, colours and textures, and things in the way: nothing moves, so every policy may train on it."""

AFFINE = replace(COLOUR, scale=(0.8, 1.1), max_rotation_deg=8.0, max_shift=0.08)
"""Zooms, turns and shifts of the picture, whose pixel labels follow."""

VIEWS = replace(AFFINE, view_tilt_deg=35.0, view_plane_m=(0.02, 0.02))
"""Those, and virtual moves of the camera: pictures as they would be of what lies on the table, seen from elsewhere."""

STRONG_LOOK = LookConfig(brightness=0.35, colour=0.2, colour_mix=0.25, texture=0.6, patches=5)
"""Looks varied about twice as much as in `COLOUR`, for tests in which looks are what changes."""

NEARBY_VIEWS = replace(VIEWS, view_tilt_deg=10.0)
"""The same for demonstrations in many views: moves from one to the next, and no farther. Moves as large as `VIEWS`,
on top of those that the demonstrations have, ask for cameras 60 degrees away, at the cost of all others."""


def para(scale: Scale) -> ParaConfig:
    """PARA as we run it."""
    augment = replace(VIEWS, moved_share=scale.moved_share)
    return ParaConfig(image_size=scale.image_size, backbone=scale.backbone, augment=augment)


def para_paper_form(scale: Scale) -> ParaConfig:
    """PARA as the paper writes it."""
    return paper_form(scale.image_size, scale.backbone)


def act(scale: Scale) -> ActConfig:
    """ACT at its best in distribution: told the arm's state, any output in the workspace possible."""
    return ActConfig(image_size=scale.image_size, backbone=scale.backbone, augment=COLOUR)


def motion_tracks(scale: Scale) -> MotionTracksConfig:
    """Point tracks of the gripper; its labels are pixels, so its pictures may be warped."""
    return MotionTracksConfig(image_size=scale.image_size, backbone=scale.backbone, augment=COLOUR)


def diffusion(scale: Scale) -> DiffusionConfig:
    """Diffusion Policy on the same features; noise is cheap beside images, so each is used with many draws of it."""
    return DiffusionConfig(image_size=scale.image_size, backbone=scale.backbone, augment=COLOUR, n_noise_draws=64)


def soft_argmax(scale: Scale) -> SoftArgmaxConfig:
    """Coordinates as the expected pixel of a heatmap, trained by distance."""
    return SoftArgmaxConfig(image_size=scale.image_size, backbone=scale.backbone, augment=VIEWS)


# Each headline is the policy's best execution on validation scenes.
PARA = Recipe(
    "para", para, executed("+execute4"),
    why="PARA as we run it: it predicts again after every four steps",
)  # fmt: skip
ACT = Recipe(
    "act", act, executed("+ensemble"),
    why="coordinate regression at its best in distribution: outputs over the whole workspace, temporal ensembling",
)  # fmt: skip
MOTION_TRACKS = Recipe(
    "motion_tracks", motion_tracks, executed("+ensemble"), lr_scale=2 / 3,
    why="2D tracks of five points of the gripper, and coordinates from the tracks (single-view Motion Tracks)",
)  # fmt: skip
DIFFUSION = Recipe(
    "diffusion",
    diffusion,
    executed("+ensemble"),
    lr_scale=1 / 3,
    why="Diffusion Policy: the chunk is denoised from the image's vector",
)
HEADLINES = (PARA, ACT, MOTION_TRACKS, DIFFUSION)
"""PARA and its baselines."""
SOFT_ARGMAX = Recipe(
    "soft_argmax", soft_argmax, executed("+execute4"),
    why="the expected pixel of a heatmap, trained by distance: pixel-aligned, but regressed",
)  # fmt: skip


def usual_rollout(policy: str) -> RolloutConfig | None:
    """How the experiments carry a policy's chunks out, by its registry name; None: they say nothing of it."""
    return next((recipe.executions[""].rollout for recipe in HEADLINES if recipe.name == policy), None)


def variant(base: Recipe, suffix: str, why: str, *, data: str | None = None, **options: Any) -> Recipe:
    """A recipe with other options of its policy, or other demonstrations, in its base's headline execution."""
    return replace(
        base,
        name=base.name + suffix,
        config=with_options(base.config, options) if options else base.config,
        executions={"": base.executions[""]},
        data=base.data if data is None else data,
        why=why,
    )


def with_options(config: Callable[[Any], Any], options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """The same policy but for some options, at every scale."""
    return lambda scale: replace(config(scale), **options)


def in_strong_looks(base: Recipe) -> Recipe:
    """The recipe, under its own name, on pictures whose looks are varied more. Nothing moves: any policy may."""

    def config(scale: Scale) -> Any:
        usual = base.config(scale)
        return replace(usual, augment=replace(usual.augment, look=STRONG_LOOK))

    return replace(base, config=config, why=base.why + "; looks varied more, as they do in the test")


def trained_longer(recipe: Recipe, times: int) -> Recipe:
    """The same policy after so many times the scale's steps, measured on held-out demonstrations as often in all, and
    without the early snapshot, which is for pictures of the usual training."""

    def longer(scale: Scale, usual: TrainConfig) -> TrainConfig:
        return replace(usual, steps=times * usual.steps, eval_every=times * usual.eval_every, snapshot_steps=())

    return replace(recipe, training=longer)


def extra(recipe: Recipe) -> Recipe:
    """The recipe, run only when it is asked for."""
    return replace(recipe, extra=True)


def at_home(recipe: Recipe) -> Recipe:
    """The recipe, under its name and "+home_view", with pictures warped towards the camera of its demonstrations."""
    how = recipe.executions[""]
    near = {"home_view_m": HOME_VIEW_M, "home_view_within_deg": HOME_VIEW_WITHIN_DEG}
    looking = replace(how, rollout=replace(how.rollout, **near))
    why = f"pictures warped to within {HOME_VIEW_WITHIN_DEG:g} degrees of the demonstrations' camera, along the table"
    return extra(replace(recipe, name=f"{recipe.name}+home_view", executions={"": looking}, why=why))


LONGER_BASELINES = tuple(
    replace(trained_longer(base, 4), why=base.why + "; for four times the steps") for base in (MOTION_TRACKS, DIFFUSION)
)
"""Those two on demonstrations over the whole table or in many views, of which they learn little in the usual steps."""

WHOLE_TABLE = (
    PARA,
    ACT,
    *LONGER_BASELINES,
    extra(trained_longer(variant(ACT, "+long", "four times the steps, which the two others need: for equal terms"), 4)),
    extra(trained_longer(variant(PARA, "+long", "four times the steps, like all the others"), 4)),
)
"""The same on demonstrations over the whole table. Motion Tracks and Diffusion Policy are far from done there after the
usual steps, in which they placed 8 and 18 of 32 in distribution; PARA and ACT are shown in both budgets."""


FURTHER_BASELINES = (extra(MOTION_TRACKS), extra(DIFFUSION))
"""Where PARA and ACT alone are run as a rule, as in the paper."""


def headlines_compared(*splits: str, recipes: tuple[Recipe, ...] = HEADLINES) -> tuple[tuple[str, str, str], ...]:
    """PARA against each of its baselines, on each of the splits."""
    ours, *others = recipes
    return tuple((ours.name, other.name, split) for split in splits for other in others)


def whole_table_compared(*splits: str, recipes: tuple[Recipe, ...] = WHOLE_TABLE) -> tuple[tuple[str, str, str], ...]:
    """PARA against each of the others on each of the splits, but `act+long` against PARA trained for as long."""
    usual = [c for c in headlines_compared(*splits, recipes=recipes) if c[1] != "act+long"]
    return (*usual, *(("para+long", "act+long", split) for split in splits))


PARA_MANY_VIEWS = variant(
    PARA, "", "PARA on demonstrations in many views: virtual moves from one view to the next, no farther",
    augment=NEARBY_VIEWS,
)  # fmt: skip
PARA_NO_WARPS = variant(
    PARA, "+no_warps", "PARA on pictures that are never moved: all that new positions ask for is in the head",
    augment=COLOUR,
)  # fmt: skip
NO_WARPS = (extra(PARA_NO_WARPS),)
"""PARA on what ACT is trained on, pictures and all: whether virtual views and warps are what new places ask for."""


def no_warps_compared(
    *splits: str, others: tuple[str, ...] = ("act",), suffix: str = ""
) -> tuple[tuple[str, str, str], ...]:
    """PARA without warps against the others and against itself, on each of the splits; all names end in `suffix`."""
    ours = f"para{suffix}+no_warps"
    return tuple(
        pair
        for split in splits
        for pair in (*((ours, other + suffix, split) for other in others), (f"para{suffix}", ours, split))
    )


PARA_PLAIN, ACT_PLAIN = (
    variant(base, "+plain", "pictures as they are, without any augmentation", augment=AugmentConfig())
    for base in (PARA, ACT)
)
PLAIN = (extra(PARA_PLAIN), extra(ACT_PLAIN))
"""The identical recipe of both: what is left of the difference where neither sees a picture varied."""


def plain_compared(*splits: str) -> tuple[tuple[str, str, str], ...]:
    """Those two against each other, and PARA against itself without augmentation, on each of the splits."""
    return tuple(
        pair for split in splits for pair in (("para+plain", "act+plain", split), ("para", "para+plain", split))
    )


PARA_PAPER_FORM = Recipe(
    "para+paper_form", para_paper_form, executed("+execute4"), data="home",
    why="the paper's plain form: factorised, hard targets at full resolution, argmax, no augmentation, no state but "
    "the start pixel, demonstrations from home only",
)  # fmt: skip
ACT_TRAIN_RANGE = variant(
    ACT, "+train_range", "ACT with the paper's normalisation, which cannot leave the training range",
    output_range="training",
)  # fmt: skip
ACT_CAMERA = variant(
    ACT, "+camera", "ACT told the camera, on warped pictures: its labels stay, and its input says where the view went",
    use_camera=True, augment=VIEWS,
)  # fmt: skip
ACT_CAMERA_FRAME = variant(
    ACT, "+camera_frame", "regression in the camera's frame, virtual views", frame="camera", augment=VIEWS
)


def given_time_for_warps(base: Recipe, what: str) -> Recipe:
    """A policy that learns nothing from warped pictures in PARA's steps, in six times as many at half its rate."""
    why = f"{what}, six times the steps at half the rate: in PARA's steps it learns nothing from warped pictures"
    return trained_longer(replace(variant(base, "+long", why), lr_scale=base.lr_scale / 2), 6)


ACT_CAMERA_LONG = given_time_for_warps(ACT_CAMERA, "regression told the camera, virtual views")
ACT_CAMERA_FRAME_LONG = given_time_for_warps(ACT_CAMERA_FRAME, "regression in the camera's frame, virtual views")
MOTION_TRACKS_VIEWS = variant(
    MOTION_TRACKS,
    "+views",
    "its labels are pixels and follow warps, so it may train on virtual views too",
    augment=VIEWS,
)
MOTION_TRACKS_VIEWS_LONG = given_time_for_warps(MOTION_TRACKS_VIEWS, "tracks on virtual views")
FAIR_IN_NEW_VIEWS = (extra(ACT_CAMERA_FRAME_LONG), extra(MOTION_TRACKS_VIEWS_LONG), extra(ACT_CAMERA_LONG))
"""The fair opponents in new views: a pooled vector, but outputs that follow every warp, or an input that tells of it,
and the time that they take."""
ACT_NO_STATE = variant(ACT, "+no_state", "ACT told nothing but the image, as in the paper", use_state=False)
