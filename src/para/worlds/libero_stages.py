"""What `placed`, `grasped` and `missed` mean in the LIBERO world: LIBERO's own judge, asked once the bowl is let go."""

from __future__ import annotations

from para.interfaces import Outcome
from para.worlds.stages import LIFTED_HEIGHT, PLACED_STEPS, BowlState


class JudgedStages:
    """Follows one episode; both stages are latched once reached."""

    def __init__(self, start_height: float):
        self._start_height = start_height
        self._grasped = self._placed = False
        self._n_approved = 0

    def update(self, bowl: BowlState, approved: bool) -> None:
        """Take in the state after one control step, and what LIBERO's `_check_success` says of it."""
        if all(bowl.touching) and bowl.position[2] - self._start_height > LIFTED_HEIGHT:
            self._grasped = True
        # While the gripper still holds the bowl against the plate, the judge already approves.
        released = approved and not any(bowl.touching)
        self._n_approved = self._n_approved + 1 if released else 0
        self._placed = self._placed or self._n_approved >= PLACED_STEPS

    @property
    def outcome(self) -> Outcome:
        """How the episode stands."""
        if self._placed:
            return "placed"
        return "grasped" if self._grasped else "missed"


def describe_judged_stages() -> str:
    """The stages in words with their thresholds, for the record of a run."""
    return (
        f"Grasped: the bowl was {100 * LIFTED_HEIGHT:g} cm above where it lay while both fingers touched it. Placed: "
        "LIBERO's own `_check_success` holds (bowl and plate in contact, the bowl not lower than the plate, centres "
        f"within 3 cm horizontally) while no finger touches the bowl, for {PLACED_STEPS} control steps of 0.05 s. "
        "Missed: neither."
    )
