"""The scripted demonstrator of the `tabletop` world: a closed-loop rule over eight key poses."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from para.interfaces import ExpertAction
from para.worlds import stages, tabletop_model
from para.worlds.arm import HABITS, Habits

if TYPE_CHECKING:
    from para.worlds.tabletop import TabletopWorld


class Phase(IntEnum):
    """Which key pose an action is on the way to."""

    HOVER = 0
    GRASP = 1
    CLOSE = 2
    LIFT = 3
    OVER = 4
    LOWER = 5
    OPEN = 6
    RETREAT = 7


MIN_STEP = 0.012
"""The slowest part of an approach, metres per stored frame."""

DWELL_FRAMES = 3
"""Stored frames at rest while the gripper closes, and while it opens. A policy that learns from frames needs to see the
gripper act; where it acts between two frames, it is learnt to act too early. The default of a world's option."""

GRASP_OFFSET = np.array([0.0, -(tabletop_model.BOWL_RADIUS - tabletop_model.BOWL_WALL / 2), 0.040])
"""From the bowl's foot to the point between the fingertips in a grasp: the rim's far side from the plate, the wall
between the fingers, metres."""

RELEASE_GAP = 0.003
"""Between the bowl's foot and the plate when the gripper opens, metres: pressing the bowl onto the plate tips it."""

REACHED = 0.008
"""A key pose counts as reached within this distance, metres; the servo's tolerance is 5 mm."""


class TabletopExpert:
    """Acts on the simulator's state. Asked twice in one state, it answers the same. Worlds with another bowl, plate or
    judge override what stands first."""

    grasp_offset: np.ndarray = GRASP_OFFSET
    release_height: float = tabletop_model.PLATE_THICKNESS + RELEASE_GAP
    """Of the bowl's foot above the table when the gripper opens over the plate, metres."""

    def hover_height(self) -> float:
        """Of the end effector above the table before it descends to the bowl, metres."""
        return self._habits.hover_height

    def rests(self) -> bool:
        """Whether the bowl stands on the plate, let go."""
        return stages.rests_on_plate(self._world.bowl_state(), self._world.goal_xy, tabletop_model.PLATE_THICKNESS)

    def __init__(self, world: TabletopWorld, habits: Habits = HABITS):
        self._world, self._habits = world, habits
        self.enter(self._phase_of_state())

    def act(self) -> ExpertAction | None:
        """The next step from the world's present state; None when the bowl is placed and the arm has left it."""
        self._set_back()
        while self._reached():
            if self.phase is Phase.RETREAT:
                return None
            self.enter(Phase(self.phase + 1))
        self._asked_at.add(self._world.n_steps)
        target = self._target()
        gripper = 0.0 if Phase.CLOSE <= self.phase <= Phase.LOWER else 1.0
        return ExpertAction(self._step_towards(target), gripper, int(self.phase))

    def enter(self, phase: Phase) -> None:
        """Go on, or back, to a key pose."""
        self.phase = phase
        self._asked_at: set[int] = set()  # the control steps at which this phase was acted on, each one frame

    def _held(self) -> bool:
        return all(self._world.bowl_state().touching) and self._world.gripper < 0.5

    def _phase_of_state(self) -> Phase:
        """Where in the task a state is, without a history."""
        bowl = self._world.bowl_state()
        if self._held():
            if np.linalg.norm(bowl.position[:2] - self._world.goal_xy) > REACHED:
                return Phase.OVER if bowl.position[2] > 0.5 * self._habits.carry_height else Phase.LIFT
            return Phase.LOWER
        if self.rests():
            return Phase.RETREAT
        return Phase.GRASP if self._in_funnel() else Phase.HOVER

    def _in_funnel(self) -> bool:
        """Whether the rim can be reached by descending: the nearer to it, the better the fingers must be aligned."""
        way = self._world.bowl_state().position + self.grasp_offset - self._world.ee_position
        return float(np.linalg.norm(way[:2])) < 0.012 + 0.3 * max(0.0, -way[2]) and -way[2] < self._habits.hover_height

    def _set_back(self) -> None:
        """Return to an earlier key pose where the state no longer fits the present one."""
        bowl = self._world.bowl_state()
        if self.phase in (Phase.GRASP, Phase.CLOSE):
            if not self._in_funnel():
                self.enter(Phase.HOVER)
        elif Phase.LIFT <= self.phase <= Phase.LOWER:
            if not self._held():
                self.enter(Phase.HOVER)
            elif self.phase is Phase.LOWER and np.linalg.norm(bowl.position[:2] - self._world.goal_xy) > 0.02:
                self.enter(Phase.OVER if bowl.position[2] > 0.5 * self._habits.carry_height else Phase.LIFT)
        elif self.phase is Phase.RETREAT:
            if not self.rests():
                self.enter(Phase.HOVER)

    def _reached(self) -> bool:
        if self.phase in (Phase.CLOSE, Phase.OPEN):
            return len(self._asked_at - {self._world.n_steps}) >= self._world.dwell_frames
        return float(np.linalg.norm(self._target() - self._world.ee_position)) < REACHED

    def _target(self) -> np.ndarray:
        """(3,) the key pose of the present phase for the present state, metres."""
        ee, bowl, goal = self._world.ee_position, self._world.bowl_state().position, self._world.goal_xy
        grasp = bowl + self.grasp_offset
        if self.phase is Phase.HOVER:
            return np.array([grasp[0], grasp[1], self.hover_height()])
        if self.phase is Phase.GRASP:
            return grasp
        if self.phase in (Phase.CLOSE, Phase.OPEN):
            return ee
        if self.phase is Phase.RETREAT:
            return np.array([ee[0], ee[1], self._habits.retreat_height])
        held_at = ee - bowl  # the grasp as it turned out
        if self.phase is Phase.LIFT:
            return np.array([ee[0], ee[1], self._habits.carry_height + held_at[2]])
        height = self._habits.carry_height if self.phase is Phase.OVER else self.release_height
        return np.array([goal[0], goal[1], height]) + held_at

    def _step_towards(self, target: np.ndarray) -> np.ndarray:
        """At most one stored frame's travel towards a key pose; approaches to bowl and plate end slowly."""
        ee = self._world.ee_position
        way = target - ee
        distance = float(np.linalg.norm(way))
        if distance < 1e-9:
            return target
        step = min(self._habits.max_step, distance)
        if self.phase in (Phase.GRASP, Phase.LOWER):
            step = min(step, max(0.5 * distance, MIN_STEP))
        return ee + way * (step / distance)
