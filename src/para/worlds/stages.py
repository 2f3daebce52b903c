"""What `placed`, `grasped` and `missed` mean in the `tabletop` world, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from para.interfaces import Outcome

LIFTED_HEIGHT = 0.04
"""The bowl is grasped once it has been this far above where it lay while both fingers touched it, metres."""

PLACED_DISTANCE = 0.04
"""It is placed when its centre is within this distance of the plate's centre (horizontally), metres, ..."""

PLACED_TILT_DEG = 10.0
"""... its axis is within this angle of the vertical, ..."""

PLACED_HEIGHT = 0.006
"""... its foot is no further than this from the plate's upper face, metres, ..."""

RESTING_SPEED = 0.03
"""... it moves more slowly than this, metres per second, and no finger touches it ..."""

PLACED_STEPS = 3
"""... for this many control steps (of 0.05 s) on end, after having been grasped. A bowl that falls past the plate meets
such conditions for a moment only."""


@dataclass(frozen=True)
class BowlState:
    """What the stages depend on."""

    position: np.ndarray
    """(3,) the middle of the bowl's foot, world frame, metres."""

    up: np.ndarray
    """(3,) the bowl's axis, world frame, unit length."""

    speed: float
    """Of the bowl's centre, metres per second."""

    touching: tuple[bool, bool]
    """Whether the left and the right finger touch it."""


def rests_on_plate(bowl: BowlState, goal_xy: np.ndarray, plate_height: float) -> bool:
    """Whether the bowl stands released, upright and still on the plate."""
    return (
        not any(bowl.touching)
        and float(np.linalg.norm(bowl.position[:2] - goal_xy)) < PLACED_DISTANCE
        and bowl.up[2] > np.cos(np.radians(PLACED_TILT_DEG))
        and abs(bowl.position[2] - plate_height) < PLACED_HEIGHT
        and bowl.speed < RESTING_SPEED
    )


class StageTracker:
    """Follows one episode; both stages are latched once reached."""

    def __init__(self, goal_xy: np.ndarray, plate_height: float, start_height: float):
        self._goal_xy, self._plate_height, self._start_height = goal_xy, plate_height, start_height
        self._grasped = self._placed = False
        self._n_resting = 0

    def update(self, bowl: BowlState) -> None:
        """Take in the state after one control step."""
        if all(bowl.touching) and bowl.position[2] - self._start_height > LIFTED_HEIGHT:
            self._grasped = True
        resting = self._grasped and rests_on_plate(bowl, self._goal_xy, self._plate_height)
        self._n_resting = self._n_resting + 1 if resting else 0
        self._placed = self._placed or self._n_resting >= PLACED_STEPS

    @property
    def outcome(self) -> Outcome:
        """How the episode stands."""
        if self._placed:
            return "placed"
        return "grasped" if self._grasped else "missed"


def describe_stages() -> str:
    """The stages in words with their thresholds, for the record of a run."""
    return (
        f"Grasped: the bowl was {100 * LIFTED_HEIGHT:g} cm above where it lay while both fingers touched it. Placed: "
        f"it was then released and rests upright (within {PLACED_TILT_DEG:g} degrees) on the plate (its foot within "
        f"{1000 * PLACED_HEIGHT:g} mm of it, slower than {100 * RESTING_SPEED:g} cm/s, untouched), its centre within "
        f"{100 * PLACED_DISTANCE:g} cm of the plate's, for {PLACED_STEPS} control steps of 0.05 s. Missed: neither."
    )
