"""Circle overlays: pictures in which a disc stands where the robot would be, so that only a point is seen to move.

The pretraining frames of the original project: the robot is hidden, and an orange disc is drawn at the projected end
effector. `circle_world` makes them from any world that can hide its robot, `overlay_episode` from recorded frames in
which the robot was masked out; either gives episodes like any others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from para.geometry import project
from para.interfaces import Episode, Expert, Observation, Outcome, Scene, World

DISC_RADIUS = 0.018
"""Of the disc, as a share of the picture's height: 8 px at 448, 2.3 px at 128. The original gives no number."""

ORANGE = (255, 127, 14)
"""RGB. The original says orange, no more."""


def draw_disc(
    image: Tensor, uv: Tensor, radius_px: float, *, colour: tuple[int, int, int] = ORANGE, visible: Tensor | None = None
) -> Tensor:
    """Draw a filled disc on each picture, with smooth edges and its centre between pixels where `uv` is.

    A pixel takes the colour in the share in which the disc covers it: all of it from half a pixel inside the circle,
    none from half a pixel outside, linear between. What lies off the image is cut away.

    Args:
        image: (B, 3, H, W) uint8.
        uv: (B, 2) pixels, as (u, v): integers are pixel centres.
        radius_px: of the disc, above 0.
        colour: RGB, 0 to 255.
        visible: (B,) bool; false: no disc (behind the camera, or not known). None: on every picture.

    Returns:
        (B, 3, H, W) uint8, new.

    Raises:
        ValueError: if the radius is not above 0, or a centre that is to be drawn is not finite.
    """
    B, _, H, W = image.shape
    visible = torch.ones(B, dtype=torch.bool) if visible is None else visible
    if not radius_px > 0:
        raise ValueError(f"a disc needs a radius above 0 pixels; got {radius_px}")
    if not torch.isfinite(uv[visible]).all():
        raise ValueError("a disc's centre is not finite; pass visible=False for pictures whose point is not known")
    v = torch.arange(H, dtype=torch.float64).view(1, H, 1)
    u = torch.arange(W, dtype=torch.float64).view(1, 1, W)
    centre = torch.nan_to_num(uv.double()).view(B, 2, 1, 1)
    distance = torch.hypot(u - centre[:, 0], v - centre[:, 1])  # (B, H, W) pixels
    cover = (radius_px + 0.5 - distance).clamp(0, 1) * visible.view(B, 1, 1)
    paint = torch.tensor(colour, dtype=torch.float64).view(1, 3, 1, 1)
    drawn = image + cover.unsqueeze(1) * (paint - image)
    return drawn.round().to(torch.uint8)


def overlay(obs: Observation, radius: float = DISC_RADIUS) -> Observation:
    """The observation with a disc at its end effector; none where that lies behind the camera.

    Args:
        radius: of the disc, as a share of the picture's height.
    """
    uv, depth = project(obs.ee_position.double(), obs.camera.to(dtype=torch.float64))
    return replace(obs, image=draw_disc(obs.image, uv, radius * obs.camera.image_size[0], visible=depth > 0))


def overlay_episode(episode: Episode, radius: float = DISC_RADIUS) -> Episode:
    """A recorded episode with a disc at the end effector in each of its frames.

    Its frames should show no robot: masked out and painted over, or never there. Raises ValueError where it has none.
    """
    if len(episode.image) != len(episode):
        raise ValueError(f"the episode has {len(episode.image)} of {len(episode)} frames; keep frames to draw on them")
    obs = Observation(
        torch.from_numpy(episode.image).permute(0, 3, 1, 2), episode.camera, torch.from_numpy(episode.ee_position),
        torch.from_numpy(episode.gripper),
    )  # fmt: skip
    return replace(episode, image=overlay(obs, radius).image.permute(0, 2, 3, 1).contiguous().numpy())


def circle_world(make_world: Callable[[], World], radius: float = DISC_RADIUS) -> CircleWorld:
    """A world whose observations bear the disc; picklable as a `partial`, for `para.datasets.record`.

    Args:
        make_world: builds the world, with its robot hidden (`robot_visible=False`).
        radius: of the disc, as a share of the picture's height.
    """
    return CircleWorld(make_world(), radius)


class CircleWorld:
    """A world seen with a disc at its end effector; all else is that world's. See `para.interfaces.World`."""

    def __init__(self, world: World, radius: float = DISC_RADIUS):
        self._world, self._radius = world, radius

    @property
    def n_steps(self) -> int:
        """Control steps since `reset`."""
        return self._world.n_steps

    def reset(self, scene: Scene) -> Observation:
        """Set up a scene and show it."""
        return overlay(self._world.reset(scene), self._radius)

    def execute(self, position: np.ndarray, gripper: float, rotation: np.ndarray | None = None) -> Observation:
        """Servo the end effector to a world position (3,), metres, and look again."""
        return overlay(self._world.execute(position, gripper, rotation), self._radius)

    def outcome(self) -> Outcome:
        """How the episode stands."""
        return self._world.outcome()

    def expert(self) -> Expert | None:
        """The scripted demonstrator of that world."""
        return self._world.expert()

    def close(self) -> None:
        """Release that world."""
        self._world.close()
