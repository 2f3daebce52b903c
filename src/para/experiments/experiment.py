"""What an experiment is: data, recipes, scenes and the paper's numbers. Descriptions; `run.py` carries them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from para.interfaces import Scene
from para.rollout import RolloutConfig
from para.worlds.scenes import Workspace


class PaperNumber(NamedTuple):
    """A rate that the paper reports."""

    rate: float
    """Success, 0 to 1."""

    source: str
    """Which document, and how many trials."""


class EvaluationScene(NamedTuple):
    """A scene to evaluate in."""

    scene: Scene

    boundary_distance_m: float
    """How far its object lies from the region of the training positions."""


class SceneSet(NamedTuple):
    """All scenes of an experiment at one scale. Training, validation and test scenes are disjoint."""

    train: list[Scene]
    """Demonstrations are recorded in these."""

    heldout: list[Scene]
    """Demonstrations for held-out errors during training are recorded in these."""

    evaluation: dict[str, list[EvaluationScene]]
    """Scenes of each split: "train" (in distribution), "test" (out of distribution), or the like."""


@dataclass(frozen=True)
class Recipe:
    """One policy to train, and the ways in which it is executed."""

    name: str
    """As in the records: `para`, `act+train_range`."""

    config: Callable[[Any], Any]
    """The policy's options at a scale (`para.experiments.scale.Scale`)."""

    executions: Mapping[str, RolloutConfig] = field(default_factory=lambda: {"": RolloutConfig()})
    """Suffix of the name in the records, and how chunks are carried out; "" is the headline."""

    step: Literal["dense", "keypose"] = "dense"
    """What a step of the chunk is: every stored frame (the paper), or the next key poses of the task."""

    data: str = "demonstrations"
    """Which of the experiment's sets of demonstrations it trains on."""

    home_starts_only: bool = False
    """Train only on demonstrations that start at the arm's home (the paper's kind), not on those from random starts."""

    why: str = ""
    """What this recipe is there to show, for the page."""


@dataclass(frozen=True)
class Experiment:
    """One table or figure of the paper."""

    name: str
    """As on the command line."""

    title: str
    """As on the page."""

    question: str
    """What it asks, in a sentence."""

    scenes: Callable[[Workspace, Any, bool], SceneSet]
    """(workspace, scale, validation) -> its scenes; with `validation`, those for choosing in place of the test's."""

    recipes: tuple[Recipe, ...]
    """The policies, the headline ones first."""

    comparisons: tuple[tuple[str, str, str], ...]
    """(a, b, split): compare policy a with policy b on the scenes of a split."""

    data: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"demonstrations": {}})
    """Sets of demonstrations of the training scenes: the name of the folder, and the options of the world in which they
    are recorded. The held-out demonstrations are of the first kind."""

    paper: Mapping[str, Mapping[str, PaperNumber]] = field(default_factory=dict)
    """policy -> split -> what the paper reports for it."""
