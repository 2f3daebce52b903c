"""Importing MuJoCo and opening its offscreen renderer, and what to do where a machine cannot draw."""

from __future__ import annotations

import os
import sys
from typing import Any

UNDRAWN_GROUP = 4
"""Geoms of this group take part in the physics and are not drawn (MuJoCo draws groups 0 to 2 by default)."""

REMEDY = (
    "install a software renderer (apt-get install libegl1 libgles2 and MUJOCO_GL=egl, or apt-get install libosmesa6 "
    "and MUJOCO_GL=osmesa); MUJOCO_GL must be set before mujoco is first imported"
)


def import_mujoco() -> Any:
    """The module, set to draw without a screen: on Linux with EGL, unless MUJOCO_GL says otherwise.

    Raises:
        ImportError: where mujoco or its OpenGL backend cannot be loaded; it names the packages to install.
    """
    if sys.platform.startswith("linux") and "mujoco" not in sys.modules:
        os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        import mujoco
    except ModuleNotFoundError as error:
        raise ImportError("simulated worlds need mujoco: pip install mujoco") from error
    except Exception as error:  # an OpenGL library that is missing shows as AttributeError, OSError or RuntimeError
        raise ImportError(_cannot_draw(error)) from error
    return mujoco


def open_renderer(model: Any, image_size: tuple[int, int], *, shadows: bool) -> Any:
    """A `mujoco.Renderer` of exactly the image's size.

    Raises:
        ImportError: where no OpenGL context can be made; it names the packages to install.
    """
    mujoco = import_mujoco()
    try:
        renderer = mujoco.Renderer(model, *image_size)
    except Exception as error:  # each backend fails with types of its own
        raise ImportError(_cannot_draw(error)) from error
    renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = int(shadows)
    renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
    renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SKYBOX] = 0
    return renderer


def hide_body(model: Any, name: str) -> None:
    """Draw neither a body nor what hangs on it, shadows included. The physics stays as it is."""
    first = model.body(name).id
    hidden = {first}
    for body in range(first + 1, model.nbody):  # a body comes after its parent
        if model.body_parentid[body] in hidden:
            hidden.add(body)
    for geom in range(model.ngeom):
        if model.geom_bodyid[geom] in hidden:
            model.geom_group[geom] = UNDRAWN_GROUP


def _cannot_draw(error: Exception) -> str:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return f"MuJoCo cannot draw with MUJOCO_GL={os.environ.get('MUJOCO_GL', '(unset)')} ({reason}); {REMEDY}"
