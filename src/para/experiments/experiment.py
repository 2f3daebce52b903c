"""What an experiment is: data, recipes, scenes and the paper's numbers. Descriptions; `run.py` carries them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from para.interfaces import Scene
from para.rollout import RolloutConfig
from para.worlds.scenes import Workspace

Axis = Literal["position", "view", "clutter", "control", "pretraining"]
"""What an experiment varies: where the object is, where the camera is, what else there is, the method itself, or what
the policy has learnt from before."""


Supervision = Literal["all", "pixels"]
"""Whether demonstrations tell all, or only what a video with a tracked point would (`PixelsOnly`)."""


class PaperNumber(NamedTuple):
    """A rate that the paper reports."""

    rate: float
    """Success, 0 to 1."""

    source: str
    """Which document, and how many trials."""


class TrainingSet(NamedTuple):
    """Scenes in which demonstrations are recorded."""

    scenes: list[Scene]

    world: Mapping[str, Any] = {}
    """Options of the world in which they are recorded; those of `WorldSpec`, so that {"circles": True} is one."""


class EvaluationScene(NamedTuple):
    """A scene to evaluate in."""

    scene: Scene
    boundary_distance_m: float | None = None
    """How far its object lies from the training positions, where an experiment varies positions."""


class SceneSet(NamedTuple):
    """All scenes of an experiment at one scale. Training, validation and test scenes are disjoint."""

    train: Mapping[str, TrainingSet]
    """The sets of demonstrations that recipes may train on, by name."""

    heldout: list[Scene]
    """Demonstrations for held-out errors during training are recorded in these."""

    evaluation: Mapping[str, list[EvaluationScene]]
    """Scenes of each split: "train" (in distribution), "test" (out of distribution), or the like."""


@dataclass(frozen=True)
class Execution:
    """How a trained policy is carried out, and where that departs from the world of its demonstrations."""

    rollout: RolloutConfig = field(default_factory=RolloutConfig)

    world: tuple[tuple[str, Any], ...] = ()
    """Options of the world, as pairs."""


@dataclass(frozen=True)
class Recipe:
    """One policy to train, and the ways in which it is executed."""

    name: str
    """As in the records: `para`, `act+train_range`."""

    config: Callable[[Any], Any]
    """The policy's options at a scale (`para.experiments.scale.Scale`)."""

    executions: Mapping[str, Execution] = field(default_factory=lambda: {"": Execution()})
    """Suffix of the name in the records, and how chunks are carried out; "" is the headline."""

    lr_scale: float = 1.0
    """Its learning rate, as a share of the scale's: a policy gets the one that is best for it on validation scenes."""

    step: Literal["dense", "keypose"] = "dense"
    """What a step of the chunk is: every stored frame (the paper), or the next key poses of the task."""

    data: str = "demonstrations"
    """Which of the experiment's sets of demonstrations it trains on."""

    why: str = ""
    """What this recipe is there to show, for the page."""

    supervision: Supervision = "all"
    """What its demonstrations tell it."""

    start: Recipe | None = None
    """The recipe whose trained weights it starts from, which is trained first; None: random ones."""

    training: Callable[[Any, Any], Any] | None = None
    """(scale, `TrainConfig` of every recipe at it) -> that of this one; None: as it is."""

    extra: bool = False
    """Whether it is run only when it is asked for: a check on the others that costs several times what they do, or a
    baseline that the paper has not on this axis."""


@dataclass(frozen=True)
class Experiment:
    """One table or figure of the paper, or a control that it lacks."""

    name: str
    """As on the command line."""

    title: str
    """As on the page."""

    question: str
    """What it asks, in a sentence."""

    axis: Axis

    scenes: Callable[[Workspace, Any, bool], SceneSet]
    """(workspace, scale, validation) -> its scenes; with `validation`, those for choosing in place of the test's."""

    recipes: tuple[Recipe, ...]
    """The policies, the headline ones first."""

    comparisons: tuple[tuple[str, str, str], ...]
    """(a, b, split): compare policy a with policy b on the scenes of a split."""

    paper: Mapping[str, Mapping[str, PaperNumber]] = field(default_factory=dict)
    """policy -> split -> what the paper reports for it."""

    headline: tuple[str, ...] = ("para", "act")
    """Policies of the table of the whole family: ours first, then those that it is compared with."""

    headline_splits: tuple[str, ...] = ("test",)
    """Splits of that table."""

    look: Callable[[Any], None] | None = None
    """A further look at what was trained, given the run's plan (`para.experiments.run.Plan`): files for the page."""

    needs: Callable[[Any], str] | None = None
    """What it needs at a scale, in a sentence, where that is more than a moment's measurement can tell; else ""."""

    figures: Mapping[str, Any] = field(default_factory=dict)
    """What the page's figures need beyond records, JSON-ready: the paper's curves, the factors of an ablation."""
