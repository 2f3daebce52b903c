"""How the `tabletop` world's arm is moved to a target: prescribed ("teleport"), or tracked by joint controllers.

Both follow one path of joint angles. Teleport isolates the quality of predictions from the controller's dynamics, as
the paper does: the arm is where the path says, while gripper and bowl stay simulated physics.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from para.worlds import arm, arm_model
from para.worlds.arms import ARMS, Arm

SERVOS = ("teleport", "controller")

CONTROL_PERIOD = 0.05
"""Seconds per control step."""

SPEED = 0.3
"""Of the end effector along its path, metres per second."""

SQUEEZE = 0.01
"""How far a closed finger's target lies beyond the middle, metres: enough to press with all its force on what it holds.
It fades out up to a quarter open, so that wider openings are met."""

SETTLED_SPEED = 0.01
"""A finger slower than this is at rest, metres per second."""


class Servo:
    """Moves the arm and the gripper of one simulation, one control step at a time."""

    def __init__(self, model: Any, data: Any, kind: str, of: Arm = ARMS["seven_joint"]):
        import mujoco

        self._mujoco, self._model, self._data = mujoco, model, data
        self._prescribed, self._arm, self._n = kind == "teleport", of, len(of.joints)
        joints = [model.joint(name) for name in of.joints]
        fingers = [model.joint(name) for name in arm_model.FINGER_JOINTS]
        self._qpos = np.array([joint.qposadr[0] for joint in joints])
        self._dof = np.array([joint.dofadr[0] for joint in joints])
        self._finger_qpos = np.array([joint.qposadr[0] for joint in fingers])
        self._finger_dof = np.array([joint.dofadr[0] for joint in fingers])
        self._site = model.site(arm_model.EE_SITE).id
        self._substeps = round(CONTROL_PERIOD / model.opt.timestep)
        self._goal = np.array(arm.HOME)
        self.commanded_gripper = 1.0

    def reset(self, p_world: np.ndarray) -> None:
        """Put the arm at a point, at rest, with the gripper open. Leaves the data to be brought up to date."""
        self._goal = self._arm.clamp_to_reach(p_world)
        q = self._arm.joint_angles(self._goal[None])[0]
        self._data.qpos[self._qpos] = q
        self._data.ctrl[: self._n] = q
        self._data.qpos[self._finger_qpos] = arm.FINGER_TRAVEL
        self._data.ctrl[self._n :] = arm.FINGER_TRAVEL
        self.commanded_gripper = 1.0

    @property
    def ee_position(self) -> np.ndarray:
        """(3,) the point between the fingertips as simulated, world frame, metres."""
        return self._data.site_xpos[self._site].copy()

    @property
    def gripper(self) -> float:
        """Measured opening, 0 closed to 1 open."""
        return float(np.clip(self._data.qpos[self._finger_qpos].mean() / arm.FINGER_TRAVEL, 0.0, 1.0))

    @property
    def fingers_at_rest(self) -> bool:
        """Whether both fingers have stopped: at their target, at an end, or at an object."""
        return bool(np.abs(self._data.qvel[self._finger_dof]).max() < SETTLED_SPEED)

    def control_step(self, target: np.ndarray, gripper: float) -> None:
        """One control step towards a reachable target (3,), metres, at no more than `SPEED`."""
        start = self._goal
        way = target - start
        length = float(np.linalg.norm(way))
        share = min(1.0, SPEED * CONTROL_PERIOD / length) if length > 0 else 0.0
        fractions = share * np.arange(1, self._substeps + 1) / self._substeps
        points = np.array([self._arm.clamp_to_reach(start + f * way) for f in fractions])
        self._goal, self.commanded_gripper = points[-1], gripper
        path = self._arm.joint_angles(np.vstack([start, points]))  # (substeps + 1, J)
        self._data.ctrl[self._n :] = arm.FINGER_TRAVEL * gripper - SQUEEZE * max(0.0, 1.0 - gripper / 0.25)
        if self._prescribed:
            self._follow(path)
        else:
            for q in path[1:]:
                self._data.ctrl[: self._n] = q
                self._mujoco.mj_step(self._model, self._data)
        self._mujoco.mj_forward(self._model, self._data)

    def _follow(self, path: np.ndarray) -> None:
        velocity = np.diff(path, axis=0) / self._model.opt.timestep  # (substeps, J)
        for q, v in zip(path, velocity):
            self._data.qpos[self._qpos] = q
            self._data.qvel[self._dof] = v
            self._mujoco.mj_step(self._model, self._data)
        self._data.qpos[self._qpos] = path[-1]
        self._data.qvel[self._dof] = 0.0
