"""What a policy was taught: where its demonstrations were recorded and what they left out, noted beside its weights.

An evaluation takes its world from there, so that a policy that learnt in one world is not tried in another by mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from para.datasets.recording import recorded_in, recorded_with
from para.training.files import read_json, write_json

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


def note_lesson(checkpoint: Path, dataset: Path, never_told: Sequence[str]) -> Lesson:
    """Note in a checkpoint's folder what the demonstrations in a dataset's folder are."""
    lesson = Lesson(recorded_in(dataset), recorded_with(dataset), tuple(never_told))
    write_json(checkpoint / LESSON_FILE, asdict(lesson))
    return lesson


def lesson_of(checkpoint: Path) -> Lesson:
    """The note of a checkpoint; an empty one where it has none, as those have that were trained before there was one.

    Raises:
        ValueError: if the note is damaged.
    """
    path = checkpoint / LESSON_FILE
    if not path.exists():
        return Lesson()
    values = read_json(path)
    world, options, lacking = (values.get(name) for name in ("world", "world_options", "never_told"))
    whole = isinstance(world, str) and isinstance(options, dict) and isinstance(lacking, list)
    if not whole or not all(isinstance(what, str) for what in lacking):
        raise ValueError(
            f"{path} needs 'world' (a name), 'world_options' (names and values) and 'never_told' (a list of names); "
            f"got {values}; remove it, and give --world"
        )
    return Lesson(world, options, tuple(lacking))


def where_to_evaluate(lesson: Lesson, world: str | None, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The world and its options for a policy that was taught a lesson: what was asked for, then the lesson's.

    Args:
        lesson: of the policy.
        world: asked for; None: that of the lesson, or `tabletop`.
        options: asked for. Those of the lesson count too, in the lesson's world.
    """
    chosen = world or lesson.world or "tabletop"
    return chosen, {**(lesson.world_options if chosen == lesson.world else {}), **options}
