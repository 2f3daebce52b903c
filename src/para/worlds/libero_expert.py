"""The scripted demonstrator of the LIBERO world: the tabletop's rule with LIBERO's bowl, plate and judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from para.worlds.tabletop_expert import TabletopExpert

if TYPE_CHECKING:
    from para.worlds.libero import LiberoWorld

RELEASE_GAP = 0.005
"""Between where the bowl's foot comes to rest on the plate and where the gripper opens, metres."""

ON_PLATE = 0.0055
"""Of the resting bowl's foot above the plate's origin, metres."""


class LiberoExpert(TabletopExpert):
    """Grasps the rim on the side of small y with fingers that open along y, and lets go just above the plate."""

    grasp_offset = np.array([0.0, -0.050, 0.022])
    """From the bowl's foot: its rim is 5 cm from the axis and 5.2 cm high. An approach ends up to 8 mm higher, and 8 mm
    above 3 cm LIBERO's own bowl already turns in the grip."""

    def __init__(self, world: LiberoWorld):
        self.release_height = world.plate_height + ON_PLATE + RELEASE_GAP
        self._start_height = float(world.bowl_state().position[2])
        super().__init__(world)

    def hover_height(self) -> float:
        """Above the bowl's support, which in some tasks is a box, a stove or a cabinet."""
        return super().hover_height() + max(0.0, self._start_height)

    def _held(self) -> bool:
        """One finger is enough: where the hand sets off or stops along y, the other one leaves the rim for a moment."""
        return any(self._world.bowl_state().touching) and self._world.gripper < 0.5

    def rests(self) -> bool:
        """Whether LIBERO's judge approves and the fingers have let go; one of them may still brush the rim."""
        return self._world.approved() and not all(self._world.bowl_state().touching)
