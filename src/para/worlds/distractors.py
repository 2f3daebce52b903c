"""Further objects of the `tabletop` world: what they look like, and where a seed puts them.

They are seen, not touched: they stand clear of the task's path, and the arm and the bowl pass through them. To add one,
add an entry to `DISTRACTORS`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from para.worlds.meshes import mesh_asset


@dataclass(frozen=True)
class Distractor:
    """One kind of further object."""

    radius: float
    """Of the circle on the table that holds it, metres."""

    geoms: str
    """MJCF geoms of class "visual", standing on z = 0."""

    furniture: bool = False
    """Large things stand at the back corners of the table, small ones anywhere clear of the task."""


_SECOND_BOWL = [
    (0.0, 0.001), (0.028, 0.0), (0.042, 0.010), (0.051, 0.026), (0.055, 0.050),
    (0.051, 0.050), (0.046, 0.027), (0.036, 0.013), (0.0, 0.006),
]  # fmt: skip
_RAMEKIN = [
    (0.0, 0.001), (0.034, 0.0), (0.036, 0.004), (0.040, 0.038),
    (0.036, 0.038), (0.033, 0.008), (0.0, 0.006),
]  # fmt: skip


def _box(size: str, pos: str, rgba: str) -> str:
    return f'<geom class="visual" type="box" size="{size}" pos="{pos}" rgba="{rgba}"/>'


def _cylinder(size: str, pos: str, rgba: str, extra: str = "") -> str:
    return f'<geom class="visual" type="cylinder" size="{size}" pos="{pos}" rgba="{rgba}" {extra}/>'


_WOOD, _DARK_WOOD, _METAL = "0.55 0.36 0.22 1", "0.40 0.25 0.15 1", "0.75 0.75 0.76 1"

DISTRACTORS: dict[str, Distractor] = {
    "cookie_box": Distractor(
        0.075,
        _box("0.045 0.06 0.03", "0 0 0.03", "0.16 0.30 0.62 1")
        + _box("0.0455 0.035 0.012", "0 0 0.036", "0.95 0.80 0.30 1")
        + _box("0.030 0.042 0.0006", "0 0 0.0604", "0.95 0.80 0.30 1")
        + _cylinder("0.016 0.0012", "0 0 0.061", "0.62 0.38 0.18 1"),
    ),
    "ramekin": Distractor(0.045, '<geom class="visual" type="mesh" mesh="ramekin" rgba="0.93 0.90 0.84 1"/>'),
    "second_bowl": Distractor(0.058, '<geom class="visual" type="mesh" mesh="second_bowl" rgba="0.20 0.42 0.60 1"/>'),
    "mug": Distractor(
        0.055,
        _cylinder("0.033 0.042", "0 0 0.042", "0.20 0.52 0.36 1")
        + _cylinder("0.028 0.001", "0 0 0.0842", "0.10 0.07 0.05 1")
        + _box("0.012 0.005 0.024", "0.043 0 0.043", "0.20 0.52 0.36 1"),
    ),
    "cabinet": Distractor(
        0.16,
        _box("0.09 0.13 0.10", "0 0 0.10", _WOOD)
        + _box("0.003 0.115 0.042", "0.092 0 0.148", _DARK_WOOD)
        + _box("0.003 0.115 0.042", "0.092 0 0.052", _DARK_WOOD)
        + _box("0.006 0.03 0.006", "0.098 0 0.148", _METAL)
        + _box("0.006 0.03 0.006", "0.098 0 0.052", _METAL)
        + _box("0.095 0.135 0.006", "0 0 0.205", _DARK_WOOD),
        furniture=True,
    ),
    "stove": Distractor(
        0.15,
        _box("0.10 0.11 0.022", "0 0 0.022", "0.28 0.28 0.30 1")
        + _cylinder("0.070 0.003", "-0.015 0 0.046", "0.12 0.12 0.12 1")
        + _cylinder("0.048 0.003", "-0.015 0 0.048", "0.55 0.16 0.10 1")
        + _cylinder("0.026 0.003", "-0.015 0 0.050", "0.12 0.12 0.12 1")
        + _cylinder("0.014 0.008", "0.082 0.05 0.050", _METAL),
        furniture=True,
    ),
}


CLEARANCE = 0.13
"""The bowl's and the hand's half width, metres."""


@dataclass(frozen=True)
class Layout:
    """Where the further objects of a world may stand."""

    radius: Mapping[str, float]
    """Name -> of the circle on the table that holds it, metres."""

    furniture: Collection[str]
    """Those that stand on one of `spots`; the others stand anywhere clear of the task."""

    low: tuple[float, float]
    high: tuple[float, float]
    """Where small ones may stand, (x, y) metres: on the table and in the default view."""

    spots: tuple[tuple[float, float], ...]
    """For furniture, (x, y) metres."""

    clearance: float = CLEARANCE
    """Metres between a small one's edge and the line from bowl to plate."""

    furniture_clearance: float = 0.0
    """The same for furniture."""


TABLETOP = Layout(
    radius={name: kind.radius for name, kind in DISTRACTORS.items()},
    furniture=[name for name, kind in DISTRACTORS.items() if kind.furniture],
    low=(-0.30, -0.46),
    high=(0.26, 0.46),
    spots=((-0.52, -0.42), (-0.52, 0.42)),
)
"""Furniture stands at the back corners of the table, beside the arm and outside the workspace."""


def assets(n_slices: int) -> str:
    """The meshes that `bodies` names."""
    return mesh_asset("ramekin", _RAMEKIN, n_slices) + mesh_asset("second_bowl", _SECOND_BOWL, n_slices)


def bodies() -> str:
    """One mocap <body> per distractor; the world moves those in a scene onto the table and hides the others."""
    return "".join(f'<body name="{name}" mocap="true">{d.geoms}</body>' for name, d in DISTRACTORS.items())


def place(
    names: tuple[str, ...],
    bowl_xy: np.ndarray,
    goal_xy: np.ndarray,
    *,
    generator: np.random.Generator,
    layout: Layout = TABLETOP,
) -> dict[str, tuple[float, float, float]]:
    """Where the distractors of a scene stand: clear of bowl, plate, the path between them, and each other.

    Returns:
        name -> (x, y, yaw), world frame, metres and radians.

    Raises:
        ValueError: for an unknown or repeated name, or where there is no room.
    """
    unknown = [name for name in names if name not in layout.radius]
    if unknown or len(set(names)) != len(names):
        raise ValueError(f"distractors must be distinct names among {', '.join(layout.radius)}; got {', '.join(names)}")
    poses: dict[str, tuple[float, float, float]] = {}
    spots = [layout.spots[i] for i in generator.permutation(len(layout.spots))]
    for name in sorted(names, key=lambda n: (n not in layout.furniture, n)):
        if name in layout.furniture:
            free = [spot for spot in spots if _is_free(name, spot, poses, bowl_xy, goal_xy, layout)]
            if not free:
                raise ValueError(f"the table has no room for {name}; leave it out")
            poses[name] = (*free[-1], 0.0)
            continue
        poses[name] = _free_pose(name, poses, bowl_xy, goal_xy, generator, layout)
    return poses


def _free_pose(name, poses, bowl_xy, goal_xy, generator, layout) -> tuple[float, float, float]:
    low, high = np.array(layout.low), np.array(layout.high)
    for _ in range(2000):
        xy = low + (high - low) * generator.random(2)
        yaw = float(generator.uniform(-np.pi, np.pi))
        if _is_free(name, xy, poses, bowl_xy, goal_xy, layout):
            return float(xy[0]), float(xy[1]), yaw
    raise ValueError(f"no room on the table for distractor '{name}'; leave some out, or move bowl and plate together")


def _is_free(name, xy, poses, bowl_xy, goal_xy, layout) -> bool:
    radius = layout.radius[name]
    clearance = layout.furniture_clearance if name in layout.furniture else layout.clearance
    clear_of_task = _distance_to_segment(np.asarray(xy), bowl_xy, goal_xy) > radius + clearance
    return clear_of_task and all(
        np.hypot(xy[0] - x, xy[1] - y) > radius + layout.radius[other] + 0.01 for other, (x, y, _) in poses.items()
    )


def _distance_to_segment(xy: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    along = b - a
    t = np.clip(np.dot(xy - a, along) / max(np.dot(along, along), 1e-12), 0.0, 1.0)
    return float(np.linalg.norm(xy - (a + t * along)))
