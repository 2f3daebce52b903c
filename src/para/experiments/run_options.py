"""What is asked of a run, and what that makes of its scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from para.backbones import BackboneConfig
from para.experiments.experiment import Experiment
from para.experiments.scale import Scale, pick_scale


@dataclass(frozen=True)
class RunOptions:
    """What to run, and where."""

    experiment: str
    """Name of the experiment."""

    out: Path
    """Folder for everything that the run leaves behind. The same command goes on from what is there."""

    world: str = "tabletop"
    """Name of the world."""

    scale: str = "small"
    """tiny, small or paper."""

    train_seeds: int = 1
    """Training runs of each policy, with seeds 0, 1, ..."""

    recipes: tuple[str, ...] = ()
    """Train only the policies of these names; empty: all of the experiment, the extra ones only with `extras`."""

    workers: int = 2
    """Processes that record, train and evaluate at the same time; 0: everything in this one. On a GPU one training at a
    time, and as many that evaluate as its memory has room for."""

    validation: bool = False
    """Evaluate on the validation scenes instead of the test scenes: for choosing, never for reporting."""

    shared: Path | None = None
    """Folder for demonstrations and checkpoints that several experiments share; None: each has its own."""

    backbone: BackboneConfig | None = None
    """Of every policy; None: the scale's own. See `Scale.with_backbone`."""

    backbone_lr_scale: float | None = None
    """Learning rate of the backbone relative to the heads'; None: the one that suits it."""

    first_seed: int = 0
    """Train and evaluate those from this seed on alone, as where another machine does the others. Only seed 0 is filmed
    and looked into."""

    extras: bool = False
    """Also the policies that are extra."""

    image_size: tuple[int, int] | None = None
    """(H, W) of the images, pixels; None: the scale's own."""

    def __post_init__(self):
        if self.train_seeds < 1:
            raise ValueError(f"train_seeds must be at least 1; got {self.train_seeds}")
        if not 0 <= self.first_seed < self.train_seeds:
            raise ValueError(
                f"first_seed must be one of the seeds 0 to {self.train_seeds - 1} of train_seeds {self.train_seeds}; "
                f"got {self.first_seed}"
            )
        if self.workers < 0:
            raise ValueError(f"workers must be 0 or more; got {self.workers}")
        if self.extras and self.recipes:
            raise ValueError("policies are named, so extras says nothing: name the extra ones too, or leave names out")
        if self.image_size is not None and min(self.image_size) < 1:
            raise ValueError(f"image_size must be at least 1 pixel a side; got {self.image_size}")

    @property
    def seeds(self) -> range:
        """Of the training runs to do."""
        return range(self.first_seed, self.train_seeds)

    @property
    def chooses_backbone(self) -> bool:
        """Whether backbones are other than the scale's own, or trained otherwise."""
        return self.backbone is not None or self.backbone_lr_scale is not None


def scale_of(options: RunOptions, experiment: Experiment) -> Scale:
    """The scale of a run, with the images and the backbone that are asked for.

    Raises:
        ValueError: for an unknown world or scale, or an experiment that takes no backbone.
    """
    scale = pick_scale(options.scale, options.world)
    scale = scale if options.image_size is None else replace(scale, image_size=options.image_size)
    if not options.chooses_backbone:
        return scale
    if not takes_backbone(experiment, scale):
        raise ValueError(
            f"experiment '{experiment.name}' brings its own backbones, which are what it compares; "
            "leave the choice of one out, or run another experiment"
        )
    return scale.with_backbone(options.backbone, options.backbone_lr_scale)


def takes_backbone(experiment: Experiment, scale: Scale) -> bool:
    """Whether all policies of an experiment are on the scale's backbone: where one brings its own, all is as it is."""
    return all(recipe.config(scale).backbone == scale.backbone for recipe in experiment.recipes)
