"""How the LIBERO world's arm is moved to a target: prescribed ("teleport"), or by robosuite's OSC_POSE ("controller").

Teleport isolates the quality of predictions from the controller's dynamics, as the paper does: the joints follow a
path, while gripper and bowl stay simulated physics, with robosuite's own ramp of the gripper.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from para.worlds import libero_arm
from para.worlds.servo import CONTROL_PERIOD, SETTLED_SPEED

SPEED = 0.3
"""Of the end effector along its path, metres per second."""

ROTOR_INERTIA = 1e4
"""Of the prescribed joints: without it, gravity and contacts tug the arm inside each physics step, and the bowl creeps
out of the grip."""

GRIPPER_RATE = 0.01
"""Change of the gripper's command per physics step, of -1 (closed) to 1 (open): robosuite's."""

OSC_REACH = 0.05
"""Metres that robosuite's OSC_POSE moves its goal for a full command of one control step."""

TABLE_HEIGHT = 0.90
"""Of the table top in LIBERO's frame, metres; in ours it is 0, and x and y are the same."""


class PrescribedServo:
    """Moves the arm along joint paths, one control step at a time."""

    def __init__(self, env: Any):
        import mujoco

        self._mujoco = mujoco
        self._model, self._data = env.sim.model._model, env.sim.data._data
        joints = [self._model.joint(f"robot0_joint{i}") for i in range(1, 8)]
        fingers = [self._model.joint(f"gripper0_finger_joint{i}") for i in (1, 2)]
        self._qpos = np.array([joint.qposadr[0] for joint in joints])
        self._dof = np.array([joint.dofadr[0] for joint in joints])
        self._finger_qpos = np.array([joint.qposadr[0] for joint in fingers])
        self._finger_dof = np.array([joint.dofadr[0] for joint in fingers])
        self._finger_drive = [self._model.actuator(f"gripper0_gripper_finger_joint{i}").id for i in (1, 2)]
        self._site = self._model.site("gripper0_grip_site").id
        self._substeps = round(CONTROL_PERIOD / self._model.opt.timestep)
        self._ramp = 1.0
        self.commanded_gripper = 1.0
        self.prepare()

    def prepare(self) -> None:
        """Make the model fit this servo."""
        self._model.dof_armature[self._dof] = ROTOR_INERTIA

    def reset(self, p_world: np.ndarray) -> None:
        """Put the arm at a point, at rest, with the gripper open. Leaves the data to be brought up to date."""
        self._data.qpos[self._qpos] = libero_arm.joint_angles(libero_arm.clamp_to_reach(p_world)[None])[0]
        self._data.qpos[self._finger_qpos] = [libero_arm.FINGER_TRAVEL, -libero_arm.FINGER_TRAVEL]
        self._ramp = self.commanded_gripper = 1.0

    def take_over(self) -> None:
        """Go on from the arm's present state, whatever set it; data must be up to date."""
        self._goal = self.ee_position
        self._ramp = 2 * self.gripper - 1.0

    @property
    def ee_position(self) -> np.ndarray:
        """(3,) the point between the fingertips as simulated, world frame, metres."""
        return self._data.site_xpos[self._site] - [0.0, 0.0, TABLE_HEIGHT]

    @property
    def gripper(self) -> float:
        """Measured opening, 0 closed to 1 open."""
        opening = np.abs(self._data.qpos[self._finger_qpos]).mean()
        return float(np.clip(opening / libero_arm.FINGER_TRAVEL, 0.0, 1.0))

    @property
    def fingers_at_rest(self) -> bool:
        """Whether both fingers have stopped: at their target, at an end, or at an object."""
        return bool(np.abs(self._data.qvel[self._finger_dof]).max() < SETTLED_SPEED)

    def control_step(self, target: np.ndarray, gripper: float) -> None:
        """One control step towards a reachable target (3,), metres, at no more than `SPEED`."""
        start = libero_arm.clamp_to_reach(self._goal)
        way = target - start
        length = float(np.linalg.norm(way))
        share = min(1.0, SPEED * CONTROL_PERIOD / length) if length > 0 else 0.0
        fractions = np.arange(1, self._substeps + 1) / self._substeps
        points = libero_arm.clamp_to_reach(start + share * fractions[:, None] * way)
        self._goal, self.commanded_gripper = points[-1], gripper
        path = libero_arm.joint_angles(points)  # (substeps, 7)
        # an official initial state has the hand a little tilted: that fades out within the step
        tilt = self._data.qpos[self._qpos] - libero_arm.joint_angles(start[None])[0]
        self._follow(path + tilt * (1 - fractions[:, None]), gripper)
        self._mujoco.mj_forward(self._model, self._data)

    def _follow(self, path: np.ndarray, gripper: float) -> None:
        data, step, model = self._data, self._mujoco.mj_step, self._model
        velocity = np.diff(path, axis=0, prepend=data.qpos[self._qpos][None]) / model.opt.timestep  # (substeps, 7)
        most = GRIPPER_RATE * np.arange(1, len(path) + 1)
        ramp = self._ramp + np.clip(2 * gripper - 1 - self._ramp, -most, most)  # (substeps,)
        self._ramp = float(ramp[-1])
        opening = libero_arm.FINGER_TRAVEL * (1 + ramp) / 2
        data.ctrl[:] = 0.0
        for q, v, width in zip(path, velocity, opening):
            data.qpos[self._qpos] = q
            data.qvel[self._dof] = v
            data.ctrl[self._finger_drive] = (width, -width)
            step(model, data)
        data.qpos[self._qpos] = path[-1]
        data.qvel[self._dof] = 0.0


class OscServo(PrescribedServo):
    """Steps the whole environment, with robosuite's operational-space controller and zero rotation."""

    def __init__(self, env: Any):
        self._env = env
        super().__init__(env)

    def prepare(self) -> None:
        """The model stays as robosuite has it."""

    def reset(self, p_world: np.ndarray) -> None:
        """As for the prescribed arm; the controller begins anew."""
        self._env.robots[0].reset(deterministic=True)
        super().reset(p_world)

    def take_over(self) -> None:
        """Go on from the arm's present state, and keep its orientation."""
        super().take_over()
        robot = self._env.robots[0]
        robot.controller.update(force=True)
        robot.controller.update_initial_joints(self._data.qpos[self._qpos].copy())
        robot.controller.reset_goal()
        robot.gripper.current_action = np.array([self._ramp, -self._ramp])

    def control_step(self, target: np.ndarray, gripper: float) -> None:
        """One step of LIBERO's environment (20 Hz), towards a target."""
        self.commanded_gripper = gripper
        way = np.clip((target - self.ee_position) / OSC_REACH, -1.0, 1.0)
        # robosuite's gripper opens or closes, with a ramp; near a partial opening it is told to rest
        ahead = 2 * gripper - 1 - float(self._env.robots[0].gripper.current_action[0])
        rests = 0 < gripper < 1 and abs(ahead) < GRIPPER_RATE * self._substeps / 2
        fingers = 0.0 if rests else -np.sign(ahead)
        self._env.step(np.concatenate([way, np.zeros(3), [fingers]]))
        self._mujoco.mj_forward(self._model, self._data)
        self._goal = self.ee_position
