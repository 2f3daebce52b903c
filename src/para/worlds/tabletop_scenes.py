"""Which scenes the `tabletop` world can show."""

from __future__ import annotations

import numpy as np

from para.interfaces import Scene
from para.worlds import appearance, scenes, tabletop_model
from para.worlds.arm import BOX_HIGH, BOX_LOW


def check(scene: Scene) -> None:
    """Raises ValueError for an unknown appearance or task; bowl and plate too close, or out of the arm's reach."""
    scenes.check_scene_numbers(scene)
    if scene.appearance not in appearance.LOOKS:
        raise ValueError(f"no appearance '{scene.appearance}' (known: {', '.join(appearance.LOOKS)})")
    if scene.task:
        raise ValueError(f"world 'tabletop' has one task, named ''; got '{scene.task}'")
    goal = scenes.TABLETOP.goal_of(scene)
    for what, xy, radius in (
        ("bowl", scene.object_xy, tabletop_model.BOWL_RADIUS),
        ("plate", goal, tabletop_model.PLATE_RADIUS),
    ):
        low, high = np.array(BOX_LOW[:2]), np.array(BOX_HIGH[:2])
        if (np.array(xy) - radius < low).any() or (np.array(xy) + radius > high).any():
            raise ValueError(
                f"the {what} at {xy} leaves the arm's part of the table, {low.tolist()} to {high.tolist()}"
            )
    distance = float(np.hypot(goal[0] - scene.object_xy[0], goal[1] - scene.object_xy[1]))
    apart = scenes.TABLETOP.min_goal_distance
    if distance < apart:
        raise ValueError(f"bowl and plate are {distance:.3f} m apart; put them {apart} m apart or more")
