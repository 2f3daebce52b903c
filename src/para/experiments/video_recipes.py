"""The recipes on a video model: trained for videos first and then for both, from the start, frozen, or regressing.

At `small` the networks are small ones of the published classes and begin from random weights: the first steps train
their autoencoder, so that what the paper gets from public weights is learnt from our demonstrations alone. At `paper`
they are the published ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from para.backbones import SvdUnetConfig
from para.experiments.experiment import Recipe
from para.experiments.recipes import executed
from para.experiments.scale import Scale
from para.policies import VideoParaConfig, VideoRegressionConfig
from para.policies.video_training import Objective, VideoTraining
from para.training.options import TrainConfig

FROZEN_DEEP = (1, 2, 4, 8, 4, 2)
"""Dilations of the deeper head on frozen features."""


@dataclass(frozen=True)
class VideoSize:
    """What a scale is for recipes on a video model."""

    backbone: SvdUnetConfig

    horizon: int
    """Steps of a chunk."""

    n_height_bins: int

    batch_size: int
    video_samples: int
    """How many of the batch the diffusion loss takes beside the action losses; 0: all."""

    autoencoder_steps: int
    """Where the autoencoder begins from random weights."""

    video_steps: int
    joint_steps: int
    scratch_steps: int
    """Joint steps of the recipe without a first stage."""
    frozen_steps: int
    probe_steps: int
    """Of the sweep over what is read."""
    untrained_steps: int
    """Of the video model in the control that has none: one, which finds the deviation of the latents."""
    long_steps: int
    """Joint steps of the check on regression."""

    lr: float
    """Of the heads."""

    backbone_lr_scale: float
    """Of the video model over that, in joint training."""

    video_lr: float
    """Of the video model, in the first stage."""

    cell: int
    """Pixels a side of a cell, where the backbone reads its usual blocks."""


SIZES: dict[str, VideoSize] = {
    "tiny": VideoSize(
        SvdUnetConfig(weights="scratch_tiny", n_frames=3, model_size=(16, 16), noise_aug=0.0, neck_channels=8,
                      neck_dilations=(1,)),
        horizon=12, n_height_bins=8, batch_size=2, video_samples=1, autoencoder_steps=2, video_steps=3, joint_steps=4,
        scratch_steps=5, frozen_steps=4, probe_steps=3,
        untrained_steps=1, long_steps=6, lr=1e-3,
        backbone_lr_scale=0.25, video_lr=1e-3, cell=8,
    ),
    "small": VideoSize(
        SvdUnetConfig(weights="scratch_small", n_frames=4, model_size=(64, 64), noise_aug=0.0, neck_channels=48),
        horizon=12, n_height_bins=16, batch_size=8, video_samples=2, autoencoder_steps=450, video_steps=400,
        joint_steps=450, scratch_steps=1000, frozen_steps=1200, probe_steps=400, untrained_steps=1,
        long_steps=1350, lr=2e-3, backbone_lr_scale=0.5, video_lr=1e-3, cell=8,
    ),
    "paper": VideoSize(
        SvdUnetConfig(grid_stride=7, neck_channels=256, gradient_checkpointing=True),
        horizon=6, n_height_bins=32, batch_size=4, video_samples=0, autoencoder_steps=0, video_steps=4000,
        joint_steps=3000, scratch_steps=10_000, frozen_steps=12_000, probe_steps=4000, untrained_steps=1,
        long_steps=9000, lr=1e-4, backbone_lr_scale=0.01, video_lr=1e-6, cell=7,
    ),
}  # fmt: skip
"""Scale -> sizes. At `small` steps keep the paper's proportions, 4 : 3 : 10 : 12 (thousands), but for the joint ones of
two stages: heads that begin at random would see a third of the samples once."""


def video_para(scale: Scale, objective: Objective = "joint", autoencoder: bool = False) -> VideoParaConfig:
    """PARA's heads on the video model's features; no augmentation, as in the paper."""
    size = SIZES[scale.name]
    return VideoParaConfig(
        image_size=scale.image_size, horizon=size.horizon, n_height_bins=size.n_height_bins, backbone=size.backbone,
        video=video_training(size, objective, autoencoder),
    )  # fmt: skip


def video_regression(scale: Scale) -> VideoRegressionConfig:
    """The mean over the image of each frame's features, and an MLP."""
    size = SIZES[scale.name]
    return VideoRegressionConfig(
        image_size=scale.image_size, horizon=size.horizon, backbone=size.backbone,
        video=video_training(size, "joint", False),
    )  # fmt: skip


def video_training(size: VideoSize, objective: Objective, autoencoder: bool) -> VideoTraining:
    """What is minimised; the autoencoder is trained by whatever comes first."""
    return VideoTraining(
        objective=objective,
        video_samples=size.video_samples if objective == "joint" else 0,
        autoencoder_steps=size.autoencoder_steps if autoencoder else 0,
    )


def video_only(scale: Scale) -> VideoParaConfig:
    """The first stage: a video model, and heads that are not trained."""
    return video_para(scale, "video", autoencoder=True)


def from_the_start(scale: Scale) -> VideoParaConfig:
    """Joint training without a first stage."""
    return video_para(scale, "joint", autoencoder=True)


def frozen(scale: Scale) -> VideoParaConfig:
    """Heads on a video model that stays as it is."""
    config = video_para(scale, "actions")
    return replace(config, backbone=replace(config.backbone, mode="frozen"))


def regression_on_frozen(scale: Scale) -> VideoRegressionConfig:
    """Regression on a video model that stays as it is."""
    size, config = SIZES[scale.name], video_regression(scale)
    return replace(
        config, backbone=replace(config.backbone, mode="frozen"), video=video_training(size, "actions", False)
    )


def frozen_deep(scale: Scale) -> VideoParaConfig:
    """The same with more layers between features and heads."""
    config = frozen(scale)
    return replace(config, backbone=replace(config.backbone, neck_dilations=FROZEN_DEEP))


def steps_of(attribute: str, *, autoencoder: bool = False, video: bool = False) -> Any:
    """How a recipe trains: `VideoSize`'s steps of that name, its batch and its learning rates."""

    def training(scale: Scale, usual: TrainConfig) -> TrainConfig:
        size = SIZES[scale.name]
        own, before = getattr(size, attribute), size.autoencoder_steps if autoencoder else 0
        lr, backbone = (size.video_lr, 1.0) if video else (size.lr, size.backbone_lr_scale)
        return replace(
            usual, steps=before + own, batch_size=size.batch_size, snapshot_steps=(before + max(1, own // 10),),
            optim=replace(usual.optim, lr=lr, backbone_lr_scale=backbone), eval_every=own // 3 or before + own,
            save_every=max(100, (before + own) // 4),  # a state of the published model takes 21 GB
            heldout_samples=16 if scale.name == "tiny" else 64,
        )  # fmt: skip

    return training


VIDEO_ONLY = Recipe(
    "video_para+video_only", video_only, training=steps_of("video_steps", autoencoder=True, video=True),
    why="the first stage: the video model alone",
)  # fmt: skip

TWO_STAGES = Recipe(
    "video_para", video_para, executed("+execute4"), start=VIDEO_ONLY, training=steps_of("joint_steps"),
    why="the video model first, then both jointly: diffusion, pixels and heights, gripper, each by its magnitude",
)  # fmt: skip
REGRESSION = Recipe(
    "video_regression", video_regression, executed("+execute4"), start=VIDEO_ONLY, training=steps_of("joint_steps"),
    why="the same features, mean-pooled, and an MLP to coordinates; as many joint steps as PARA (the paper: fewer)",
)  # fmt: skip
JOINT = Recipe(
    "video_para+one_stage", from_the_start, executed("+execute4"),
    training=steps_of("scratch_steps", autoencoder=True),
    why="both jointly from the start (the paper from public weights; at small from random ones, autoencoder first)",
)  # fmt: skip
FROZEN = Recipe(
    "video_para+frozen", frozen, executed("+execute4"), start=VIDEO_ONLY, training=steps_of("frozen_steps"),
    why="the video model first, then heads on its features, which stay as they are",
)  # fmt: skip
PROBE = Recipe(
    "video_para+probe", frozen, executed("+execute4"), start=VIDEO_ONLY, training=steps_of("probe_steps"),
    why="the first stage's features as they are, and few steps of the heads: how well an action can be read from them",
)  # fmt: skip
FROZEN_DEEPER = Recipe(
    "video_para+frozen_deep", frozen_deep, executed("+execute4"), start=VIDEO_ONLY, training=steps_of("frozen_steps"),
    why="the same with six residual blocks before the heads, where the others have two",
)  # fmt: skip
UNTRAINED = Recipe(
    "video_para+untrained", video_only, training=steps_of("untrained_steps", autoencoder=True, video=True),
    why="an autoencoder, and a video model that has not learnt (at paper: the published one, as it is)",
)  # fmt: skip
FROZEN_UNTRAINED = replace(
    FROZEN, name="video_para+frozen_untrained", start=UNTRAINED,
    why="the same heads on a video model that never saw a video of ours: what the first stage is worth to them",
)  # fmt: skip
REGRESSION_FROZEN = replace(
    FROZEN, name="video_regression+frozen", config=regression_on_frozen,
    why="the same frozen features and steps, mean-pooled, and an MLP to coordinates",
)  # fmt: skip
REGRESSION_LONG = replace(
    REGRESSION, name="video_regression+long", training=steps_of("long_steps"), extra=True,
    why="regression with three times PARA's joint steps: whether it is time that it lacks",
)  # fmt: skip


def reading(base: Recipe, suffix: str, why: str, *, same_cells: bool = False, **changes: Any) -> Recipe:
    """A recipe whose features are read elsewhere in the video model, or at another noise level.

    With `same_cells` they are interpolated at the base's cells: a block whose own grid is coarser would else have a
    coarser heatmap, too.
    """

    def config(scale: Scale) -> Any:
        made = base.config(scale)
        cells = {"grid_stride": SIZES[scale.name].cell} if same_cells else {}
        return replace(made, backbone=replace(made.backbone, **changes, **cells))

    return replace(base, name=base.name + suffix, config=config, why=why)
