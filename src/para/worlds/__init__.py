"""Worlds: where policies act. To add one, write a module with a class after `para.interfaces.World`, a function here
that imports and builds it, and a line in `WORLDS`; `tests/test_contracts.py` then covers it.

Importing this package imports no simulator; building a world does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from para.interfaces import Scene, World
from para.registry import did_you_mean, pick
from para.worlds import libero_scenes, tabletop_scenes
from para.worlds.libero_assets import describe_assets
from para.worlds.libero_scenes import LIBERO
from para.worlds.libero_stages import describe_judged_stages
from para.worlds.scenes import TABLETOP, Workspace, check_scene_numbers
from para.worlds.stages import describe_stages


def _tabletop(
    image_size: tuple[int, int] = (128, 128),
    *,
    servo: str = "teleport",
    render_quality: str = "fast",
    dwell_frames: int = 3,
    robot_visible: bool = True,
    arm: str = "seven_joint",
) -> World:
    from para.worlds.tabletop import TabletopWorld

    return TabletopWorld(
        image_size, servo=servo, render_quality=render_quality, dwell_frames=dwell_frames, robot_visible=robot_visible,
        arm=arm,
    )  # fmt: skip


def _libero(
    image_size: tuple[int, int] = (128, 128),
    *,
    servo: str = "teleport",
    render_quality: str = "fast",
    dwell_frames: int = 3,
    robot_visible: bool = True,
    task_index: int = 0,
    assets: str = "",
) -> World:
    from para.worlds.libero import LiberoWorld

    return LiberoWorld(
        image_size, servo=servo, render_quality=render_quality, dwell_frames=dwell_frames, robot_visible=robot_visible,
        task_index=task_index, assets=assets,
    )  # fmt: skip


class WorldEntry(NamedTuple):
    """A registered world: how to build it, where its object may lie, and what its outcomes mean."""

    build: Callable[..., World]
    """build(image_size=(H, W), **options)."""

    workspace: Workspace

    describe_stages: Callable[[], str]
    """What placed, grasped and missed mean in it, in words with their thresholds, for the record of a run."""

    describe_assets: Callable[[Mapping[str, Any]], str] = lambda options: ""
    """describe_assets(options): which pictures and shapes it is made of here, in words (`para.assets`), where that is a
    choice. Raises FileNotFoundError where those that were chosen are not whole."""

    check_scene: Callable[[Scene], None] = check_scene_numbers
    """Raises ValueError for a scene that it cannot show; builds nothing."""


WORLDS: dict[str, WorldEntry] = {
    "tabletop": WorldEntry(_tabletop, TABLETOP, describe_stages, check_scene=tabletop_scenes.check),
    "libero": WorldEntry(_libero, LIBERO, describe_judged_stages, describe_assets, libero_scenes.check),
}


def make_world(name: str, image_size: tuple[int, int] = (128, 128), **options: Any) -> World:
    """Build a world by name.

    Args:
        name: a key of `WORLDS`.
        image_size: (H, W) of its observations, pixels.
        options: of that world; both have `servo`, `render_quality`, `dwell_frames` and `robot_visible`; "tabletop" has
            `arm` too, "libero" `task_index` and `assets`.

    Raises:
        ValueError: for an unknown world or option, or a value that the option does not take.
        ImportError: where its simulator or a renderer is missing; it says what to install.
    """
    check_options(name, options)
    return world_entry(name).build(image_size=image_size, **options)


def check_options(name: str, options: Iterable[str]) -> None:
    """Raise ValueError for an unknown world, or the name of an option that it does not have; nothing is built."""
    known = [option for option in inspect.signature(world_entry(name).build).parameters if option != "image_size"]
    for option in options:
        if option not in known:
            raise ValueError(f"world '{name}' has no option '{option}'{did_you_mean(option, known)}")


def world_entry(name: str) -> WorldEntry:
    """A registered world by name. Raises ValueError with the nearest name for an unknown one."""
    return pick(WORLDS, "world", name)


def parse_options(texts: tuple[str, ...]) -> dict[str, Any]:
    """Options of a world as a person types them: ("servo=controller", "dwell_frames=1") -> names and values.

    Raises:
        ValueError: for a text without a name or a value; `make_world` checks what they are.
    """
    options = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not name or not value:
            raise ValueError(f"an option of a world is given as name=value; got '{text}'")
        known = {"true": True, "false": False}
        options[name] = int(value) if value.lstrip("-").isdigit() else known.get(value.lower(), value)
    return options
