"""Worlds: where policies act. To add one, write a module with a class after `para.interfaces.World`, a function here
that imports and builds it, and a line in `WORLDS`; `tests/test_contracts.py` then covers it.

Importing this room imports no simulator; building a world does.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from typing import Any

from para.interfaces import World


def _tabletop(
    image_size: tuple[int, int] = (128, 128), *, servo: str = "teleport", render_quality: str = "fast"
) -> World:
    from para.worlds.tabletop import TabletopWorld

    return TabletopWorld(image_size, servo=servo, render_quality=render_quality)


WORLDS: dict[str, Callable[..., World]] = {"tabletop": _tabletop}
"""name -> build(image_size=(H, W), **options)."""


def make_world(name: str, image_size: tuple[int, int] = (128, 128), **options: Any) -> World:
    """Build a world by name.

    Args:
        name: a key of `WORLDS`.
        image_size: (H, W) of its observations, pixels.
        options: of that world; "tabletop" has `servo` and `render_quality`.

    Raises:
        ValueError: for an unknown world or option, or a value that the option does not take.
        ImportError: where its simulator or a renderer is missing; it says what to install.
    """
    if name not in WORLDS:
        raise ValueError(f"no world '{name}'{_hint(name, WORLDS)}")
    known = [option for option in inspect.signature(WORLDS[name]).parameters if option != "image_size"]
    for option in options:
        if option not in known:
            raise ValueError(f"world '{name}' has no option '{option}'{_hint(option, known)}")
    return WORLDS[name](image_size=image_size, **options)


def _hint(name: str, known) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return (f"; did you mean '{near[0]}'?" if near else "") + f" (known: {', '.join(sorted(known))})"
