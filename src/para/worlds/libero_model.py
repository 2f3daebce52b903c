"""One of hf-libero's environments, and how the LIBERO world sets it up, draws it and asks its judge."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from para.worlds import libero_arm
from para.worlds.libero_assets import FULL_FILES, GENERATED, Assets, missing
from para.worlds.libero_servo import TABLE_HEIGHT, OscServo, PrescribedServo
from para.worlds.rendering import open_renderer
from para.worlds.stages import BowlState

DISTRACTORS = {
    "cookie_box": "cookies_1",
    "ramekin": "glazed_rim_porcelain_ramekin_1",
    "second_bowl": "akita_black_bowl_2",
    "cabinet": "wooden_cabinet_1",
    "stove": "flat_stove_1",
}
"""Our names of what LIBERO's full scene adds, and LIBERO's."""

FURNITURE = ("cabinet", "stove")
"""Those that stand fast."""

BOWL, PLATE = "akita_black_bowl_1", "plate_1"

PARKED = (8.0, 8.0)
"""Where objects wait that are not in the scene, (x, y) metres: on the floor behind the walls."""

DROP_STEPS = 500
"""Physics steps, 1 s, in which an object that is dropped onto the table comes to rest."""

SETTLE_STEPS = 5
"""Control steps after a scene is set up and before it is shown, as in LIBERO's own evaluation."""

Pose = tuple[np.ndarray, np.ndarray]
"""Of furniture: (3,) position in LIBERO's frame, metres, and (4,) quaternion (w, x, y, z)."""


class LiberoModel:
    """A built environment: `clean` (bowl and plate alone), or with everything of its task file."""

    def __init__(self, control_env: type, task: str, assets: Assets, *, clean: bool, servo: str, quality: str):
        """Raises FileNotFoundError where the assets lack something of the scene."""
        import mujoco

        self._mujoco = mujoco
        self.clean = clean
        lacking = [] if clean else missing(assets.folder, FULL_FILES)
        if lacking:
            raise FileNotFoundError(
                f"the LIBERO assets lack {lacking[0]}, which this scene needs; complete them, or use assets={GENERATED}"
            )
        self.env = _build(control_env, task)
        self.model, self.data = self.env.sim.model._model, self.env.sim.data._data
        self.servo = (PrescribedServo if servo == "teleport" else OscServo)(self.env)
        self.camera_id = self.model.camera("agentview").id
        T = np.eye(4)
        self._mujoco.mju_quat2Mat(quat := np.empty(9), self.model.cam_quat[self.camera_id])
        T[:3, :3], T[:3, 3] = quat.reshape(3, 3), self.model.cam_pos[self.camera_id] - [0, 0, TABLE_HEIGHT]
        self.default_eye = T[:3, 3]
        sight = -T[:3, 2]
        self.default_target = self.default_eye - sight * self.default_eye[2] / sight[2]
        self._quality = quality
        self._renderer: Any = None
        self._bowl = self.model.body(f"{BOWL}_main").id
        self._bowl_dof = self._joint(BOWL).dofadr[0]
        self._fingers = [
            [self.model.body(f"gripper0_{name}").id for name in names]
            for names in (("leftfinger", "finger_joint1_tip"), ("rightfinger", "finger_joint2_tip"))
        ]
        self._stands = {name: self._fixture_pose(name) for name in FURNITURE} if not clean else {}
        self._rest = {name: self._resting_pose(name) for name in self._free_objects}

    @property
    def plate_height(self) -> float:
        """Of the origin of the plate where it lies on the table, metres."""
        return float(self._rest[PLATE][2])

    def lay_out(self, positions: dict[str, tuple[float, float, float]], ee_start: np.ndarray) -> None:
        """Everything at rest and at its place, the arm at a point; what has no place is parked out of sight.

        Args:
            positions: LIBERO's name of an object -> (x, y, yaw in addition to LIBERO's own), metres and radians.
            ee_start: (3,) metres.
        """
        self._mujoco.mj_resetData(self.model, self.data)
        for i, name in enumerate(self._free_objects):
            x, y, yaw = positions.get(name, (PARKED[0] + i, PARKED[1], 0.0))
            address = self._joint(name).qposadr[0]
            height, quat = self._rest[name][2], self._rest[name][3:]
            floor = 0.0 if name in positions else -TABLE_HEIGHT
            self.data.qpos[address : address + 7] = [x, y, TABLE_HEIGHT + floor + height, *_turned(quat, yaw)]
        for name, (position, quat) in self._stands.items():
            body = self.model.body(f"{DISTRACTORS[name]}_main").id
            x, y, yaw = positions.get(DISTRACTORS[name], (*PARKED, 0.0))
            self.model.body_pos[body] = [x, y, position[2]]
            self.model.body_quat[body] = _turned(quat, yaw)
            self._touchable(name, False)
        self.servo.reset(ee_start)
        self._settle()

    def restore(self, state: np.ndarray) -> None:
        """One of LIBERO's own simulator states, [time, qpos, qvel]; the furniture where its task file has it.

        Raises:
            ValueError: where the state is of another scene.
        """
        self._mujoco.mj_resetData(self.model, self.data)
        self.servo.reset(np.array(libero_arm.HOME))  # the controller begins anew; the state then overrides the pose
        self.show(state)
        self._settle()

    def show(self, state: np.ndarray, stands: Mapping[str, Pose] = MappingProxyType({})) -> None:
        """A simulator state as it is. Leaves the data to be brought up to date (`refresh`).

        Args:
            state: [time, qpos, qvel].
            stands: our name of furniture -> where it stands (3,) in LIBERO's frame, and its quaternion (w, x, y, z);
                what is not named stands where LIBERO put it when the environment was built, whatever was shown before.

        Raises:
            ValueError: where the state is of another scene.
        """
        n = 1 + self.model.nq + self.model.nv
        if state.shape != (n,):
            raise ValueError(
                f"this state of LIBERO has {state.shape[0]} numbers and the scene {n}: it is of another one"
            )
        for name, (position, quat) in {**self._stands, **stands}.items():
            body = self.model.body(f"{DISTRACTORS[name]}_main").id
            self.model.body_pos[body], self.model.body_quat[body] = position, quat
            self._touchable(name, True)
        self.data.qpos[:], self.data.qvel[:] = state[1 : 1 + self.model.nq], state[1 + self.model.nq :]

    def draw(self, image_size: tuple[int, int], marker: Any = None) -> np.ndarray:
        """What the camera sees. (H, W, 3) uint8, upright; `marker(scene)` may add to the drawing."""
        if self._renderer is None:
            view, nice = self.model.vis, self._quality == "nice"
            view.quality.offsamples = 4 if nice else 0
            view.global_.offheight, view.global_.offwidth = image_size
            self._renderer = open_renderer(self.model, image_size, shadows=False)
            flags, flag = self._renderer.scene.flags, self._mujoco.mjtRndFlag
            flags[flag.mjRND_SKYBOX], flags[flag.mjRND_REFLECTION] = 1, int(nice)
            self._options = self._mujoco.MjvOption()
            self._options.geomgroup[:] = [0, 1, 0, 0, 0, 0]  # robosuite keeps what is seen in group 1
        self._renderer.update_scene(self.data, self.camera_id, self._options)
        if marker is not None:
            marker(self._renderer.scene)
        return self._renderer.render().copy()

    def refresh(self) -> None:
        """Bring everything that follows from the state up to date."""
        self._mujoco.mj_forward(self.model, self.data)

    def diverged(self) -> bool:
        """Whether the physics broke down; MuJoCo resets itself then and goes on."""
        bad = self._mujoco.mjtWarning
        kinds = (bad.mjWARN_BADQPOS, bad.mjWARN_BADQVEL, bad.mjWARN_BADQACC)
        return any(self.data.warning[kind].number for kind in kinds) or not np.isfinite(self.data.qpos).all()

    def bowl_state(self) -> BowlState:
        """Where the bowl is, how it moves, and which fingers touch it."""
        contacts = self.model.geom_bodyid[self.data.contact.geom[: self.data.ncon]]  # (n, 2)
        with_bowl = contacts[(contacts == self._bowl).any(axis=1)]
        left, right = (bool(np.isin(with_bowl, bodies).any()) for bodies in self._fingers)
        return BowlState(
            position=self.data.xpos[self._bowl] - [0.0, 0.0, TABLE_HEIGHT],
            up=self.data.xmat[self._bowl].reshape(3, 3)[:, 2].copy(),
            speed=float(np.linalg.norm(self.data.qvel[self._bowl_dof : self._bowl_dof + 3])),
            touching=(left, right),
        )

    def xy_of(self, name: str) -> np.ndarray:
        """(2,) where one of LIBERO's objects is, world frame, metres."""
        return self.data.xpos[self.model.body(f"{name}_main").id][:2].copy()

    def approved(self) -> bool:
        """What LIBERO's own judge says of the present state."""
        return bool(self.env._check_success())

    def close(self) -> None:
        """Release the renderer and the environment. May be called twice."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
        if self.env is not None:
            self.env.close()
            self.env = None

    @property
    def _free_objects(self) -> list[str]:
        return list(self.env.objects_dict)

    def _joint(self, name: str) -> Any:
        return self.model.joint(self.env.objects_dict[name].joints[-1])

    def _fixture_pose(self, name: str) -> Pose:
        """Of furniture: where LIBERO drew it, within its region of 2 cm, when the environment was built."""
        body = self.model.body(f"{DISTRACTORS[name]}_main").id
        return self.model.body_pos[body].copy(), self.model.body_quat[body].copy()

    def _touchable(self, name: str, yes: bool) -> None:
        """Furniture that a seed puts somewhere is seen, not touched; at LIBERO's place it is solid."""
        bodies = [b for b in range(self.model.nbody) if self.model.body(b).name.startswith(DISTRACTORS[name])]
        solid = np.isin(self.model.geom_bodyid, bodies) & (self.model.geom_group == 0)
        self.model.geom_contype[solid] = self.model.geom_conaffinity[solid] = int(yes)

    def _resting_pose(self, name: str) -> np.ndarray:
        """(7,) how an object lies alone on the table, z from the table top: dropped from 6 cm, as LIBERO drops it."""
        data = self._mujoco.MjData(self.model)
        data.qpos[:] = self.data.qpos
        for i, other in enumerate(self._free_objects):
            address = self._joint(other).qposadr[0]
            data.qpos[address : address + 2] = (PARKED[0] + i, PARKED[1])
        address = self._joint(name).qposadr[0]
        data.qpos[address : address + 3] = [-0.05, 0.2, TABLE_HEIGHT + 0.07]
        for _ in range(DROP_STEPS):
            self._mujoco.mj_step(self.model, data)
        pose = data.qpos[address : address + 7].copy()
        pose[2] -= TABLE_HEIGHT
        return pose

    def _settle(self) -> None:
        self._mujoco.mj_forward(self.model, self.data)
        self.servo.take_over()
        here = self.servo.ee_position
        opening = self.servo.commanded_gripper
        for _ in range(SETTLE_STEPS):
            self.servo.control_step(libero_arm.clamp_to_reach(here), opening)


def _build(control_env: type, task: str) -> Any:
    """hf-libero's environment of a task file, with nothing drawn, and set up once."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "task.bddl")
        with open(path, "w") as file:
            file.write(task)
        state = np.random.get_state()
        np.random.seed(0)  # where LIBERO puts the furniture; everything else is set by the scene
        try:
            control = control_env(
                bddl_file_name=path, has_offscreen_renderer=False, has_renderer=False, use_camera_obs=False,
                hard_reset=False, ignore_done=True, horizon=10**9,
            )  # fmt: skip
            control.env.reset()
        finally:
            np.random.set_state(state)
    return control.env


def _turned(quat: np.ndarray, yaw: float) -> np.ndarray:
    """A quaternion (w, x, y, z) turned about the vertical."""
    w, x, y, z = quat
    c, s = np.cos(yaw / 2), np.sin(yaw / 2)
    return np.array([c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w])
