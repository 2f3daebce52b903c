"""What worlds with a simulated arm have in common: an action is carried out control step by control step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol

import numpy as np

from para.interfaces import Observation, Outcome

POSITION_TOLERANCE = 0.005
"""`execute` is done when the end effector is this close to its target, metres, and the fingers rest."""

MIN_CONTROL_STEPS = 3
"""Per `execute`: 0.15 s, one stored frame (the paper stores every third frame at 20 Hz)."""

MAX_CONTROL_STEPS = 25
"""Per `execute`; a target not reached by then (the other servo, a blocked arm) is given up silently, as on a robot."""

RENDER_QUALITIES = ("fast", "nice")


class ArmServo(Protocol):
    """What moves an arm and its gripper."""

    commanded_gripper: float
    """The opening last asked for, 0 to 1."""

    @property
    def ee_position(self) -> np.ndarray:
        """(3,) the point between the fingertips, world frame, metres."""
        ...

    @property
    def gripper(self) -> float:
        """Measured opening, 0 closed to 1 open."""
        ...

    @property
    def fingers_at_rest(self) -> bool:
        """Whether both fingers have stopped."""
        ...


class StageJudge(Protocol):
    """What watches an episode."""

    @property
    def outcome(self) -> Outcome:
        """How it stands."""
        ...


class ServoWorld(ABC):
    """A `para.interfaces.World`, but for the scene, the picture and one control step. Targets out of reach are clamped.

    A subclass sets `_stages` in `reset`, and counts `n_steps` from 0 there.
    """

    name: ClassVar[str]
    """As in the registry, for messages."""

    _stages: StageJudge | None = None
    n_steps: int = 0

    def execute(self, position: np.ndarray, gripper: float, rotation: np.ndarray | None = None) -> Observation:
        """Servo the end effector to a world position, and look again.

        Args:
            position: (3,) metres. Out of reach, below the table: the nearest point of `clamp_to_reach` instead.
            gripper: 0 closed to 1 open; clipped.
            rotation: must be None: the tool keeps pointing down, as in the paper ("zero rotation").

        Raises:
            ValueError: if the target is not finite or not of that shape, or a rotation is asked for.
            RuntimeError: if no scene was set up, or the physics diverged.
        """
        target = np.asarray(position, dtype=float)
        if target.shape != (3,) or not np.isfinite(target).all() or not np.isfinite(gripper):
            raise ValueError(f"a target is three finite metres and a finite opening; got {position} and {gripper}")
        if rotation is not None:
            raise ValueError(f"world '{self.name}' keeps its tool pointing down; pass rotation=None")
        self._require_scene()
        target, opening = self.clamp_to_reach(target), float(np.clip(gripper, 0.0, 1.0))
        for step in range(1, MAX_CONTROL_STEPS + 1):
            self._control_step(target, opening)
            self.n_steps += 1
            if step >= MIN_CONTROL_STEPS and self._arrived(target) and self._servo.fingers_at_rest:
                break
        return self.look()

    def displace(self, offset: np.ndarray) -> Observation:
        """Move the end effector, and what it holds, by an offset (3,) in metres, off the record: no steps are counted.

        For demonstrations of recovery. The gripper keeps its present command.

        Raises:
            ValueError: if the offset is not finite or not of that shape.
            RuntimeError: as `execute`.
        """
        offset = np.asarray(offset, dtype=float)
        if offset.shape != (3,) or not np.isfinite(offset).all():
            raise ValueError(f"an offset is three finite metres; got {offset}")
        self._require_scene()
        target = self.clamp_to_reach(self._servo.ee_position + offset)
        for _ in range(MAX_CONTROL_STEPS):
            self._control_step(target, self._servo.commanded_gripper)
            if self._arrived(target):
                break
        return self.look()

    def look(self) -> Observation:
        """What the camera sees now, as a batch of one; nothing moves."""
        return self._observe(marker=None)

    def show_marker(self, p_world: np.ndarray, radius: float = 0.01) -> Observation:
        """`look` with a self-luminous magenta sphere at a point (3,), metres: where is it rendered? For tests."""
        return self._observe(marker=(np.asarray(p_world, dtype=float), radius))

    def outcome(self) -> Outcome:
        """How the episode stands; what that means is the stages' to say."""
        return self._require_scene().outcome

    @property
    def ee_position(self) -> np.ndarray:
        """(3,) the point between the fingertips, world frame, metres."""
        return self._servo.ee_position

    @property
    def gripper(self) -> float:
        """Measured opening, 0 closed to 1 open."""
        return self._servo.gripper

    @abstractmethod
    def clamp_to_reach(self, p_world: np.ndarray) -> np.ndarray:
        """The nearest point (3,) that the arm is sent to, metres."""

    @property
    @abstractmethod
    def _servo(self) -> ArmServo: ...

    @abstractmethod
    def _control_step(self, target: np.ndarray, gripper: float) -> None:
        """One control step (0.05 s) towards a reachable target, watched by the stages. RuntimeError: it diverged."""

    @abstractmethod
    def _observe(self, marker: tuple[np.ndarray, float] | None) -> Observation:
        """What the camera sees, with a sphere of a radius at a point (3,), metres, or without."""

    def _arrived(self, target: np.ndarray) -> bool:
        return bool(np.linalg.norm(self._servo.ee_position - target) < POSITION_TOLERANCE)

    def _require_scene(self) -> Any:
        if self._stages is None:
            raise RuntimeError(f"world '{self.name}' has no scene yet; call reset(scene) first")
        return self._stages


def check_options(
    world: str, image_size: tuple[int, int], dwell_frames: int, robot_visible: bool, **choices: tuple[str, Any]
) -> None:
    """Raises ValueError for an option that no such world takes.

    Args:
        world: its name.
        image_size: (H, W), pixels.
        dwell_frames: stored frames of rest while the gripper moves.
        robot_visible: whether the arm is drawn.
        choices: further options, as (value, known values), the servo and the quality among them.
    """
    for name, (value, known) in choices.items():
        if value not in known:
            raise ValueError(f"world '{world}' knows {name} {' or '.join(known)}; got '{value}'")
    if not isinstance(robot_visible, bool):
        raise ValueError(f"world '{world}' takes robot_visible true or false; got {robot_visible!r}")
    if len(image_size) != 2 or min(image_size) < 1:
        raise ValueError(f"image_size is (H, W) in pixels, both positive; got {image_size}")
    if not isinstance(dwell_frames, int) or isinstance(dwell_frames, bool) or dwell_frames < 1:
        raise ValueError(
            f"world '{world}' needs dwell_frames of at least 1, a whole number, to grasp at all; got {dwell_frames!r}"
        )
