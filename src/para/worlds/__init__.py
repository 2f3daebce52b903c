"""Worlds: where policies act. To add one, write a module with a class after `para.interfaces.World` and add a line to
`WORLDS`; `tests/test_contracts.py` then covers it.

Importing this room imports no simulator; building a world does.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

from para.interfaces import World


def _tabletop(image_size: tuple[int, int] = (128, 128), **options) -> World:
    from para.worlds.rendering import choose_backend

    choose_backend()
    from para.worlds.tabletop import TabletopWorld

    return TabletopWorld(image_size, **options)


WORLDS: dict[str, Callable[..., World]] = {"tabletop": _tabletop}
"""name -> build(image_size=(H, W), **options)."""


def make_world(name: str, image_size: tuple[int, int] = (128, 128), **options) -> World:
    """Build a world by name.

    Args:
        name: a key of `WORLDS`.
        image_size: (H, W) of its observations, pixels.
        options: of that world; "tabletop" has `servo` and `render_quality`.

    Raises:
        ValueError: for an unknown world or option.
        ImportError: where its simulator or a renderer is missing; it says what to install.
    """
    if name not in WORLDS:
        near = difflib.get_close_matches(name, WORLDS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"no world '{name}'{hint} (known: {', '.join(sorted(WORLDS))})")
    try:
        return WORLDS[name](image_size=image_size, **options)
    except TypeError as error:
        raise ValueError(f"world '{name}' does not take those options ({error}); see its docstring") from error
