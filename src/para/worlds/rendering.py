"""Opening MuJoCo's offscreen renderer, and what to do where a machine cannot draw."""

from __future__ import annotations

import os
from typing import Any

REMEDY = (
    "install a software renderer (apt-get install libegl1 libgles2, then MUJOCO_GL=egl; or apt-get install libosmesa6, "
    "then MUJOCO_GL=osmesa)"
)


def choose_backend() -> None:
    """Draw without a screen: MUJOCO_GL=egl unless it is set. Has an effect only before mujoco is first imported."""
    os.environ.setdefault("MUJOCO_GL", "egl")


def open_renderer(model: Any, image_size: tuple[int, int], *, shadows: bool) -> Any:
    """A `mujoco.Renderer` of exactly the image's size.

    Raises:
        ImportError: where no OpenGL context can be made; it names the packages to install.
    """
    try:
        import mujoco

        renderer = mujoco.Renderer(model, *image_size)
    except Exception as error:  # each backend fails with types of its own: AttributeError, RuntimeError, FatalError ...
        backend = os.environ.get("MUJOCO_GL", "glfw")
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImportError(f"MuJoCo cannot draw with MUJOCO_GL={backend} ({reason}); {REMEDY}") from error
    renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = int(shadows)
    renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
    renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SKYBOX] = 0
    return renderer
