"""Initial conditions of the `tabletop` world: where the bowl may lie and where the camera may stand. Numpy only.

World frame: metres, z up, z = 0 on the table top. The camera stands in front of the table and looks back at the robot,
so image right is +y, "left" is small y; "near" is near the robot, which is small x.
"""

from __future__ import annotations

import math

import numpy as np

from para.interfaces import Scene

WORKSPACE_LOW = (-0.20, -0.38)
"""Smallest (x, y) of the bowl's centre, metres: nearest to the robot, leftmost in the image."""

WORKSPACE_HIGH = (0.19, 0.22)
"""Largest (x, y) of the bowl's centre, metres; 39 cm by 60 cm beyond `WORKSPACE_LOW`, as in the paper."""

GOAL_OFFSET = (0.0, 0.16)
"""Plate centre minus bowl centre where `Scene.goal_xy` is None, metres. The workspace is shifted to the left by half of
it, so that bowl and plate together lie symmetrically before the robot and the camera (which are at y = 0)."""

N_GRID = 16
"""Grid positions along each side of the workspace."""

HALVES = ("left", "right", "near", "far")


def grid_positions() -> np.ndarray:
    """The bowl's 16 x 16 grid, [i, j] with i along x (near to far) and j along y (left to right in the image).

    Returns:
        (16, 16, 2) metres. `[:, :8]` is the left half, `[:8]` the near half.
    """
    x = np.linspace(WORKSPACE_LOW[0], WORKSPACE_HIGH[0], N_GRID)
    y = np.linspace(WORKSPACE_LOW[1], WORKSPACE_HIGH[1], N_GRID)
    return np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)


def grid_half(half: str) -> np.ndarray:
    """The 128 grid positions of one half of the workspace, (128, 2) metres.

    Raises:
        ValueError: if `half` is none of left, right, near, far.
    """
    grid = grid_positions()
    parts = {
        "left": grid[:, : N_GRID // 2],
        "right": grid[:, N_GRID // 2 :],
        "near": grid[: N_GRID // 2],
        "far": grid[N_GRID // 2 :],
    }
    if half not in parts:
        raise ValueError(f"no half '{half}' of the workspace (known: {', '.join(HALVES)})")
    return parts[half].reshape(-1, 2)


def region(half: str | None = None) -> tuple[tuple[float, float], tuple[float, float]]:
    """Smallest and largest (x, y) of the bowl in one half of the workspace (None: in all of it), metres.

    The region of a half ends with its last row of grid positions, so that the gap between the halves, one grid spacing
    wide, belongs to neither.

    Raises:
        ValueError: if `half` is none of left, right, near, far.
    """
    if half is None:
        return WORKSPACE_LOW, WORKSPACE_HIGH
    positions = grid_half(half)
    low, high = positions.min(axis=0), positions.max(axis=0)
    return (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))


def boundary_distance(xy: np.ndarray, half: str) -> np.ndarray:
    """How far positions lie from the region of a half, 0 within it. (..., 2) -> (...) metres."""
    low, high = (np.asarray(corner) for corner in region(half))
    beyond = np.maximum(np.maximum(low - xy, np.asarray(xy) - high), 0.0)  # (..., 2)
    return np.linalg.norm(beyond, axis=-1)


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


def goal_of(scene: Scene) -> tuple[float, float]:
    """The plate's centre in a scene, metres: `Scene.goal_xy`, or the fixed offset from the bowl."""
    if scene.goal_xy is not None:
        return scene.goal_xy
    return scene.object_xy[0] + GOAL_OFFSET[0], scene.object_xy[1] + GOAL_OFFSET[1]


def check_scene_numbers(scene: Scene) -> None:
    """Raises ValueError where a position of the scene has too few or many numbers, or one that is not finite."""
    for name, size in (("object_xy", 2), ("goal_xy", 2), ("ee_start", 3)):
        value = getattr(scene, name)
        if value is not None and (len(value) != size or not all(math.isfinite(v) for v in value)):
            raise ValueError(f"{name} is {size} finite numbers in metres; got {value}")
    if not (math.isfinite(scene.view_theta_deg) and math.isfinite(scene.view_phi_deg)):
        raise ValueError(f"the view's angles must be finite; got {scene.view_theta_deg} and {scene.view_phi_deg}")
