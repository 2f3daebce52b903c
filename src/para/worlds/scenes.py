"""Initial conditions: where a world's object may lie and where its camera may stand. Numpy only.

World frame: metres, z up, z = 0 on the table top. The camera stands in front of the table and looks back at the robot,
so image right is +y, "left" is small y; "near" is near the robot, which is small x.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from para.interfaces import Scene

HALVES = ("left", "right", "near", "far")


@dataclass(frozen=True)
class Workspace:
    """Where the object of a world may lie: a box on the table with a grid of positions, which experiments split."""

    low: tuple[float, float]
    """Smallest (x, y) of the object's centre, metres: nearest to the robot, leftmost in the image."""

    high: tuple[float, float]
    """Largest (x, y), metres."""

    goal_offset: tuple[float, float]
    """Goal centre minus object centre where `Scene.goal_xy` is None, metres."""

    n_grid: int = 16
    """Grid positions along each side."""

    min_goal_distance: float = 0.0
    """Between the centres of object and goal at the start, metres: nearer, they would stand in each other."""

    usual_xy: tuple[float, float] | None = None
    """Where the world's own task has the object, (x, y) metres; None: it has no such place."""

    distractors: tuple[str, ...] = ()
    """What else can stand about, by the names that `Scene.distractors` takes; a seed places them in this order."""

    own_scenes: Callable[[Mapping[str, Any]], list[Scene]] | None = None
    """own_scenes(options of the world): the initial conditions that its makers test in; None: there are none."""

    @property
    def default_xy(self) -> tuple[float, float]:
        """Where the object lies while an experiment varies only what stands around it: its usual place, or the middle,
        (x, y) metres.
        """
        if self.usual_xy is not None:
            return self.usual_xy
        return (self.low[0] + self.high[0]) / 2, (self.low[1] + self.high[1]) / 2

    def grid_positions(self) -> np.ndarray:
        """The training positions. (n_grid, n_grid, 2) metres; [i, j] with i along x (near to far), j along y (left to
        right in the image). `[:, : n_grid // 2]` is the left half, `[: n_grid // 2]` the near half.
        """
        x = np.linspace(self.low[0], self.high[0], self.n_grid)
        y = np.linspace(self.low[1], self.high[1], self.n_grid)
        return np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)

    def grid_half(self, half: str) -> np.ndarray:
        """The grid positions of one half of the workspace, (n_grid^2 / 2, 2) metres.

        Raises:
            ValueError: if `half` is none of left, right, near, far.
        """
        grid, middle = self.grid_positions(), self.n_grid // 2
        parts = {"left": grid[:, :middle], "right": grid[:, middle:], "near": grid[:middle], "far": grid[middle:]}
        self._check_half(half)
        return parts[half].reshape(-1, 2)

    def region(self, half: str | None = None) -> tuple[tuple[float, float], tuple[float, float]]:
        """Smallest and largest (x, y) of the object in one half of the workspace (None: in all of it), metres.

        The region of a half ends with its last row of grid positions, so that the gap between the halves, one grid
        spacing wide, belongs to neither.

        Raises:
            ValueError: if `half` is none of left, right, near, far.
        """
        if half is None:
            return self.low, self.high
        positions = self.grid_half(half)
        low, high = positions.min(axis=0), positions.max(axis=0)
        return (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))

    def boundary_distance(self, xy: np.ndarray, half: str) -> np.ndarray:
        """How far positions lie from the region of a half, 0 within it. (..., 2) -> (...) metres."""
        low, high = (np.asarray(corner) for corner in self.region(half))
        beyond = np.maximum(np.maximum(low - xy, np.asarray(xy) - high), 0.0)  # (..., 2)
        return np.linalg.norm(beyond, axis=-1)

    def independent_region(self, half: str | None = None) -> tuple[tuple[float, float], tuple[float, float]]:
        """Smallest and largest (x, y) of object and goal where each lies on its own, metres.

        That is the box around all places of the object and all places of the goal, or one half of that box; the gap
        between two halves is as wide as a grid spacing of the object.

        Raises:
            ValueError: if `half` is none of left, right, near, far.
        """
        offset, half_gap = np.array(self.goal_offset), np.subtract(self.high, self.low) / (self.n_grid - 1) / 2
        low, high = np.minimum(self.low, self.low + offset), np.maximum(self.high, self.high + offset)
        if half is not None:
            self._check_half(half)
            axis = 1 if half in ("left", "right") else 0
            middle = (low[axis] + high[axis]) / 2
            if half in ("left", "near"):
                high[axis] = middle - half_gap[axis]
            else:
                low[axis] = middle + half_gap[axis]
        return (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))

    def goal_of(self, scene: Scene) -> tuple[float, float]:
        """The goal's centre in a scene, metres: `Scene.goal_xy`, or the fixed offset from the object."""
        if scene.goal_xy is not None:
            return scene.goal_xy
        return scene.object_xy[0] + self.goal_offset[0], scene.object_xy[1] + self.goal_offset[1]

    @staticmethod
    def _check_half(half: str) -> None:
        if half not in HALVES:
            raise ValueError(f"no half '{half}' of the workspace (known: {', '.join(HALVES)})")


TABLETOP = Workspace(
    low=(-0.20, -0.38),
    high=(0.19, 0.22),
    goal_offset=(0.0, 0.16),
    min_goal_distance=0.14,
    distractors=("cookie_box", "ramekin", "second_bowl", "mug", "cabinet", "stove"),
)
"""39 cm by 60 cm, as in the paper. It is shifted to the left by half of the goal's offset, so that bowl and plate
together lie symmetrically before the robot and the camera (which are at y = 0)."""


def sample_object_xy(
    low: tuple[float, float], high: tuple[float, float], n: int, *, generator: np.random.Generator
) -> np.ndarray:
    """Uniform positions in the box [low, high], off the grid. Returns (n, 2), world metres.

    Raises:
        ValueError: if a side of the box is negative.
    """
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    if (low > high).any():
        raise ValueError(f"the region must have low <= high; got low {low.tolist()} and high {high.tolist()}")
    return low + (high - low) * generator.random((n, 2))


def sample_object_and_goal_xy(
    workspace: Workspace, half: str | None, n: int, *, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Uniform, independent places of object and goal in `Workspace.independent_region(half)`, not too near each other.

    Pairs that stand nearer than `Workspace.min_goal_distance` are drawn again. The first pairs do not depend on `n`.

    Returns:
        object_xy (n, 2) and goal_xy (n, 2), world frame, metres, rounded to 0.1 mm, for `Scene`.

    Raises:
        ValueError: for an unknown half, or one that has no room for both.
    """
    low, high = (np.asarray(corner) for corner in workspace.independent_region(half))
    apart = workspace.min_goal_distance
    if np.linalg.norm(high - low) <= apart:
        raise ValueError(f"object and goal need {apart} m between them; there is no room from {low} to {high}")
    pairs: list[np.ndarray] = []
    while len(pairs) < n:
        pair = (low + (high - low) * generator.random((2, 2))).round(4)
        if np.linalg.norm(pair[1] - pair[0]) >= apart:
            pairs.append(pair)
    object_xy, goal_xy = np.array(pairs).reshape(n, 2, 2).transpose(1, 0, 2)
    return object_xy, goal_xy


def viewpoint_cap(max_theta_deg: float = 25.0, n_theta: int = 8, n_phi: int = 8) -> np.ndarray:
    """Views on a cap of tilts about the default line of sight: `n_theta` angles from 0, `n_phi` directions each.

    All directions of tilt 0 are one view, so 8 x 8 gives 57 distinct ones.

    Returns:
        (1 + (n_theta - 1) n_phi, 2) of (theta, phi) in degrees, rising in theta; see `Scene.view_theta_deg`.

    Raises:
        ValueError: for fewer than one angle or direction, or a cap of 90 degrees or more.
    """
    if n_theta < 1 or n_phi < 1 or not 0 <= max_theta_deg < 90:
        raise ValueError(
            f"a cap needs n_theta, n_phi >= 1 and 0 <= max_theta_deg < 90; got {n_theta}, {n_phi}, {max_theta_deg}"
        )
    thetas = np.linspace(0.0, max_theta_deg, n_theta)
    phis = np.arange(n_phi) * (360.0 / n_phi)
    rings = [(theta, phi) for theta in thetas[1:] for phi in phis]
    return np.array([(0.0, 0.0), *rings])


def check_scene_numbers(scene: Scene) -> None:
    """Raises ValueError where a position of the scene has too few or many numbers, or one that is not finite."""
    for name, size in (("object_xy", 2), ("goal_xy", 2), ("ee_start", 3)):
        value = getattr(scene, name)
        if value is not None and (len(value) != size or not all(math.isfinite(v) for v in value)):
            raise ValueError(f"{name} is {size} finite numbers in metres; got {value}")
    if not (math.isfinite(scene.view_theta_deg) and math.isfinite(scene.view_phi_deg)):
        raise ValueError(f"the view's angles must be finite; got {scene.view_theta_deg} and {scene.view_phi_deg}")
