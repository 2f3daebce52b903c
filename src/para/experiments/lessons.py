"""What a policy was taught: where its demonstrations were recorded and what they left out, noted beside its weights.

An evaluation takes its world from there, so that a policy that learnt in one world is not tried in another by mistake.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from para.datasets import Demonstrations
from para.datasets.recording import recorded_assets, recorded_in, recorded_with
from para.evaluation.protocol import WorldSpec
from para.experiments.store import assets_of
from para.files import read_json, write_json
from para.geometry import Camera

LESSON_FILE = "demonstrations.json"
"""In a checkpoint's folder. Not of its identity: the weights are the same without it."""


@dataclass(frozen=True)
class Lesson:
    """What the demonstrations of a checkpoint were."""

    world: str = ""
    """Name of the world that they were recorded in; "" where they do not say."""

    world_options: Mapping[str, Any] = field(default_factory=dict)
    """Of that world."""

    never_told: tuple[str, ...] = ()
    """What no action of theirs tells, in the words of `partial_supervision.never_told`."""

    tasks: tuple[str, ...] = ()
    """What they show, in words."""

    assets: str = ""
    """What their world was made of, in words (`para.assets`); "" where it had no choice, or they do not say."""

    also: tuple[Mapping[str, Any], ...] = ()
    """Of each further dataset that it was trained on at the same time: "world" and "world_options", as above."""

    camera: Mapping[str, Any] | None = None
    """K (3, 3), T_world_cam (4, 4) and image_size (H, W) of the one camera that took all of them; None: of several."""

    @property
    def only_circles(self) -> bool:
        """Whether all of them, and of the further ones, show a disc in the robot's place."""
        shown = (self.world_options, *(other["world_options"] for other in self.also))
        return all(options.get("circles") for options in shown)

    def home_camera(self) -> Camera | None:
        """That camera, float32, batched (1,)."""
        if self.camera is None:
            return None
        K, T = (torch.tensor(self.camera[name], dtype=torch.float32)[None] for name in ("K", "T_world_cam"))
        H, W = self.camera["image_size"]
        return Camera(K, T, (H, W))


def note_lesson(
    checkpoint: Path,
    dataset: Path,
    demonstrations: Demonstrations,
    never_told: Sequence[str],
    also: Sequence[Path] = (),
) -> Lesson:
    """Note in a checkpoint's folder what it was trained on.

    Args:
        checkpoint: its folder.
        dataset: the folder of the demonstrations.
        demonstrations: those of them that it was trained on.
        never_told: what neither they nor the further ones tell.
        also: folders of further datasets that it was trained on at the same time.
    """
    lesson = Lesson(
        recorded_in(dataset), recorded_with(dataset), tuple(never_told), tuple(sorted(set(demonstrations.tasks))),
        recorded_assets(dataset), tuple({"world": recorded_in(d), "world_options": recorded_with(d)} for d in also),
        one_camera(demonstrations),
    )  # fmt: skip
    with suppress(ValueError):  # of a damaged one, which is written again
        if lesson_of(checkpoint) == lesson and (checkpoint / LESSON_FILE).exists():
            return lesson  # a run that finds everything done changes no file
    if int(os.environ.get("RANK", "0")) == 0:  # of several processes (`accelerate launch`) one writes
        write_json(checkpoint / LESSON_FILE, asdict(lesson))
    return lesson


def lesson_of(checkpoint: Path) -> Lesson:
    """The note of a checkpoint, a snapshot's of the training that it is from; an empty one where there is none, as of
    what was trained before there were notes.

    Raises:
        ValueError: if the note is damaged.
    """
    path = checkpoint.absolute() / LESSON_FILE
    if checkpoint.absolute().parent.name == "snapshots":
        path = checkpoint.absolute().parents[1] / LESSON_FILE
    if not path.exists():
        return Lesson()
    values = read_json(path)
    try:
        lesson = Lesson(**values | {name: tuple(values.get(name, ())) for name in ("never_told", "tasks", "also")})
        worlds = (other["world"] for other in lesson.also)
        words = (lesson.world, lesson.assets, *lesson.never_told, *lesson.tasks, *worlds)
        options = (lesson.world_options, *(other["world_options"] for other in lesson.also))
        if not all(isinstance(word, str) for word in words) or not all(isinstance(o, dict) for o in options):
            raise TypeError
        lesson.home_camera()
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path} is no note on demonstrations as `para train` writes it; got {values}; remove it, and give --world"
        ) from error
    return lesson


def one_camera(demonstrations: Demonstrations) -> dict[str, Any] | None:
    """The camera of all frames, JSON-ready; None where they are of several, or it moved."""
    K, T = demonstrations.K, demonstrations.T_world_cam
    if not (np.allclose(K, K[0], atol=1e-6) and np.allclose(T, T[0], atol=1e-6)):
        return None
    return {"K": K[0].tolist(), "T_world_cam": T[0].tolist(), "image_size": list(demonstrations.image_size)}


def where_to_evaluate(lesson: Lesson, world: str | None, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The world and its options for a policy that was taught a lesson: what was asked for, then the lesson's.

    Args:
        lesson: of the policy.
        world: asked for; None: that of the lesson, or `tabletop`.
        options: asked for. Those of the lesson count too, in the lesson's world; but what was taught on discs and on
            robots is to do without discs.
    """
    chosen = world or lesson.world or "tabletop"
    taught = dict(lesson.world_options) if chosen == lesson.world else {}
    if not lesson.only_circles:
        taught.pop("circles", None)
    return chosen, taught | dict(options)


def said_before_evaluation(lesson: Lesson, world: str, options: Mapping[str, Any]) -> list[str]:
    """What a person should know who evaluates a policy there, in lines: where it was taught, and what differs.

    Raises:
        FileNotFoundError: if the world's assets are not whole.
    """
    if not lesson.world:
        return [f"it does not say where its demonstrations were recorded; evaluated in {world} (--world names another)"]
    taught, tried = place(lesson.world, lesson.world_options), place(world, options)
    tasks = "".join(f", '{task}'" for task in lesson.tasks[:2]) + (", ..." if len(lesson.tasks) > 2 else "")
    lines = [f"demonstrations: {taught}{tasks}; evaluated in {tried}"]
    assets = assets_of(WorldSpec(world, (1, 1)).with_options(options)) if world == lesson.world else ""
    if lesson.assets and assets and assets != lesson.assets:
        lines.append(f"its demonstrations showed {lesson.assets}, this world shows {assets}")
    return lines


def place(world: str, options: Mapping[str, Any]) -> str:
    """A world and its options in words, as `tabletop (arm=printed)`."""
    return world + (f" ({', '.join(f'{name}={value}' for name, value in options.items())})" if options else "")
