"""Video diffusion as a policy's backbone (paper, video backbone): two stages, and what each of them is good for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from para.experiments.experiment import Experiment, PaperNumber, SceneSet, TrainingSet
from para.experiments.few_shot import everywhere_on_the_grid
from para.experiments.position_sets import everywhere
from para.experiments.scale import Scale
from para.experiments.video_recipes import (
    FROZEN,
    FROZEN_DEEPER,
    FROZEN_UNTRAINED,
    JOINT,
    PROBE,
    REGRESSION,
    REGRESSION_FROZEN,
    REGRESSION_LONG,
    SIZES,
    TWO_STAGES,
    reading,
)
from para.experiments.video_samples import export_video_samples
from para.worlds.scenes import Workspace

ALL = "demonstrations"
"""A demonstration from home at every position of the grid, as many as the paper's 256."""

PARAMETERS = {"unet": 1_524_623_082, "autoencoder": 97.7e6, "image encoder": 632e6}
"""Of the published model."""

FORWARD_TFLOP = 5.7
"""Of its UNet on 7 frames of 320 x 576, counted."""

ENCODE_TFLOP, EMBED_TFLOP = 0.78, 0.32
"""Of its autoencoder's encoder on one such frame, and of CLIP's image encoder, counted."""

GPU_TFLOPS = 300.0
"""What a recent data-centre GPU makes of its bfloat16 rate in such networks, about."""


def scenes(workspace: Workspace, scale: Scale, validation: bool) -> SceneSet:
    """Training on the whole grid, evaluation anywhere off the grid: all of it in distribution, as in the paper."""
    trained = everywhere_on_the_grid(workspace, scale)
    positions = workspace.grid_positions().reshape(-1, 2)
    sets = {ALL: positions, "again": positions}  # of two sets: no scene lies outside, and there is no distance to tell
    evaluated = everywhere(workspace, scale.with_fewer_scenes(2), validation, sets)
    prefix = "validation_" if validation else ""
    anywhere = evaluated.evaluation[f"{prefix}test"]
    return SceneSet(
        train={ALL: TrainingSet(trained.scenes)}, heldout=evaluated.heldout, evaluation={f"{prefix}train": anywhere}
    )


class Trainings(NamedTuple):
    """So many trainings of one kind, at scale `paper`."""

    n: int
    steps: int
    tflop: float
    """Of one sample."""


def trainings() -> dict[str, Trainings]:
    """Every kind that an experiment here may have."""
    size, encode = SIZES["paper"], ENCODE_TFLOP + EMBED_TFLOP
    # forward, twice that backward, and forward again for what checkpointing did not keep
    video = 4 * FORWARD_TFLOP + size.backbone.n_frames * ENCODE_TFLOP + EMBED_TFLOP
    acting, frozen = 4 * FORWARD_TFLOP + encode, FORWARD_TFLOP + encode
    return {
        "first stage": Trainings(1, size.video_steps, video),
        "two-stage joint": Trainings(2, size.joint_steps, video + acting),
        "one stage": Trainings(1, size.scratch_steps, video + acting),
        "frozen": Trainings(4, size.frozen_steps, frozen),
        "probes": Trainings(len(SWEEP), size.probe_steps, frozen),
    }


def needs(kinds: Sequence[str], scale: Scale) -> str:
    """Memory of the published model and time of its trainings, not of episodes; nothing to say of the small ones."""
    if scale.name != "paper":
        return ""
    size, known = SIZES["paper"], trainings()
    states = 16 * PARAMETERS["unet"] / 1e9  # weights, gradients and Adam's two moments, in float32
    fixed = 4 * (PARAMETERS["autoencoder"] + PARAMETERS["image encoder"]) / 1e9
    seconds = {
        kind: known[kind].n * known[kind].steps * size.batch_size * known[kind].tflop / GPU_TFLOPS for kind in kinds
    }
    hours = ", ".join(f"{name} {s / 3600:.1f} h" for name, s in seconds.items())
    memory = states + fixed + 6 * size.batch_size
    return (
        f"a GPU with about {memory:.0f} GB (weights, gradients and Adam {states:.0f}, frozen networks {fixed:.0f}, "
        f"some 6 for each of {size.batch_size} samples), 9 GB of weights from the hub, 60 GB of disk while a policy "
        f"trains and 18 for each that is done; per seed about {sum(seconds.values()) / 3600:.0f} h of it for training "
        f"({hours}), one after the other; the episodes, and what the video models imagine, come on top"
    )


SOURCE = "paper and original project's page on the video model, LIBERO, clean, 600 steps"

FIVE = (TWO_STAGES, REGRESSION, JOINT, FROZEN, FROZEN_DEEPER)
"""The paper's recipes, and frozen features with a deeper head."""

CONTROLS = (FROZEN_UNTRAINED, REGRESSION_FROZEN, REGRESSION_LONG)
"""Which of the first stage, the joint training and the steps it is that makes the difference."""

VIDEO_BACKBONE = Experiment(
    name="video_backbone",
    title="Video diffusion as a backbone",
    question="Does a model that generates videos make a better policy, and must it be trained along with the heads?",
    axis="pretraining",
    scenes=scenes,
    recipes=(*FIVE, *CONTROLS),
    comparisons=(
        *((TWO_STAGES.name, other.name, "train") for other in (*FIVE[1:], REGRESSION_LONG)),
        *((FROZEN.name, other.name, "train") for other in (FROZEN_UNTRAINED, REGRESSION_FROZEN)),
    ),
    headline=(TWO_STAGES.name, REGRESSION.name, JOINT.name, FROZEN.name),
    headline_splits=("train",),
    paper={
        TWO_STAGES.name: {"train": PaperNumber(11 / 12, f"{SOURCE}: 11 of 12 (a second source: 18 of 20)")},
        REGRESSION.name: {"train": PaperNumber(0.0, f"{SOURCE}: 0 of 20, after 2K joint steps to PARA's 3K")},
        JOINT.name: {"train": PaperNumber(0.55, f"{SOURCE}: 11 of 20 after 10K joint steps")},
        FROZEN.name: {"train": PaperNumber(0.0, f"{SOURCE}: 0 of 20 after 4K + 12K steps")},
    },
    look=export_video_samples,
    needs=partial(needs, ("first stage", "two-stage joint", "one stage", "frozen")),
    figures={
        "video": True,
        "main": [recipe.name for recipe in FIVE],
    },
)

SIGMAS = (0.1, 1.0, 100.0)
"""Noise levels of the sweep, besides the recipes' own, 10."""

SWEEP = (
    PROBE,
    *(reading(PROBE, f"+sigma{s:g}", f"features at noise level {s:g}, not 10", sigma=s) for s in SIGMAS),
    *(
        reading(PROBE, f"+block{block}", f"features of decoder block {block} alone", same_cells=True, blocks=(block,))
        for block in (0, 1, 2)
    ),
)

VIDEO_FEATURES = Experiment(
    name="video_features",
    title="Where a video model is read",
    question="At which noise level, and in which decoder block, are the features that an action can be read from?",
    axis="pretraining",
    scenes=scenes,
    recipes=SWEEP,
    comparisons=tuple((PROBE.name, recipe.name, "train") for recipe in SWEEP[1:]),
    headline=(PROBE.name,),
    headline_splits=("train",),
    needs=partial(needs, ("first stage", "probes")),
)
