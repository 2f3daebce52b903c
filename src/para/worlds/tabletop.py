"""The `tabletop` world: a seven-joint arm puts a black bowl on a plate, by friction, in MuJoCo; nothing to download."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch

from para.interfaces import Observation, Scene
from para.worlds import appearance, distractors, mujoco_camera, scenes, tabletop_model, tabletop_scenes
from para.worlds.arms import ARMS
from para.worlds.rendering import hide_body, import_mujoco, open_renderer
from para.worlds.servo import SERVOS, Servo
from para.worlds.servo_world import RENDER_QUALITIES, ServoWorld, check_options
from para.worlds.stages import BowlState, StageTracker
from para.worlds.tabletop_expert import DWELL_FRAMES, TabletopExpert

logger = logging.getLogger(__name__)

HIDDEN = (0.0, 0.0, -50.0)
"""Where distractors wait that are not in the scene: beyond the camera's view, below the floor."""


class TabletopWorld(ServoWorld):
    """See `para.interfaces.World`. Targets out of reach are clamped (`Arm.clamp_to_reach`), never an error."""

    name = "tabletop"

    def __init__(
        self,
        image_size: tuple[int, int] = (128, 128),
        *,
        servo: str = "teleport",
        render_quality: str = "fast",
        dwell_frames: int = DWELL_FRAMES,
        robot_visible: bool = True,
        arm: str = "seven_joint",
    ):
        """
        Args:
            image_size: (H, W) of observations, pixels.
            servo: "teleport" (the arm is where the path says) or "controller" (joint controllers track the path).
            render_quality: "fast" (2 ms a frame at 128 x 128 in software) or "nice" (shadows, multisampling).
            dwell_frames: stored frames for which the demonstrator rests while the gripper closes, and while it opens.
            robot_visible: false: the arm is not drawn, shadow included; the physics is the same.
            arm: which arm, a key of `para.worlds.arms.ARMS`.

        Raises:
            ValueError: for an unknown option.
            ImportError: where MuJoCo finds no way to draw; it names the system package to install.
        """
        check_options(
            self.name, image_size, dwell_frames, robot_visible,
            servo=(servo, SERVOS), render_quality=(render_quality, RENDER_QUALITIES), arm=(arm, ARMS),
        )  # fmt: skip
        mujoco = import_mujoco()
        self._mujoco = mujoco
        self.dwell_frames = dwell_frames
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self._arm = ARMS[arm]
        xml, assets = tabletop_model.tabletop_mjcf(self.image_size, servo, render_quality, arm)
        self._model = mujoco.MjModel.from_xml_string(xml, assets)
        if not robot_visible:
            hide_body(self._model, "base")
        self._data = mujoco.MjData(self._model)
        self._arm_servo = Servo(self._model, self._data, servo, self._arm)
        self._renderer: Any = open_renderer(self._model, self.image_size, shadows=render_quality == "nice")
        self._camera_id = self._model.camera("agentview").id
        self._bowl = self._model.body("bowl").id
        self._bowl_qpos = self._model.joint("bowl").qposadr[0]
        self._bowl_dof = self._model.joint("bowl").dofadr[0]
        self._fingers = [self._model.body(f"finger_{side}").id for side in ("left", "right")]
        self._goal_xy = np.zeros(2)

    def reset(self, scene: Scene) -> Observation:
        """Set up a scene and show it. Nothing of the previous scene remains: equal scenes give equal frames.

        Raises:
            ValueError: for an unknown appearance, task or distractor; bowl and plate too close, or out of reach.
        """
        tabletop_scenes.check(scene)
        self._mujoco.mj_resetData(self._model, self._data)
        bowl_xy, self._goal_xy = np.array(scene.object_xy), np.array(scenes.TABLETOP.goal_of(scene))
        self._data.qpos[self._bowl_qpos : self._bowl_qpos + 7] = [*bowl_xy, 0.0, 1.0, 0.0, 0.0, 0.0]
        self._place_mocap("plate", (*self._goal_xy, 0.0))
        poses = distractors.place(
            scene.distractors, bowl_xy, self._goal_xy, generator=np.random.default_rng(scene.seed)
        )
        for name in distractors.DISTRACTORS:
            x, y, yaw = poses.get(name, (0.0, 0.0, 0.0))
            self._place_mocap(name, (x, y, 0.0) if name in poses else HIDDEN, yaw)
        self._dress(appearance.LOOKS[scene.appearance])
        T_world_cam = mujoco_camera.tilted_pose(
            tabletop_model.default_eye(),
            np.array(tabletop_model.CAMERA_TARGET),
            scene.view_theta_deg,
            scene.view_phi_deg,
        )
        mujoco_camera.set_camera_pose(self._model, self._camera_id, T_world_cam)
        self._servo.reset(np.array(scene.ee_start if scene.ee_start is not None else self._arm.habits.home))
        self._mujoco.mj_forward(self._model, self._data)
        self._stages = StageTracker(self._goal_xy, tabletop_model.PLATE_THICKNESS, start_height=0.0)
        self.n_steps = 0
        return self.look()

    def expert(self) -> TabletopExpert:
        """The scripted demonstrator, from the present state on."""
        self._require_scene()
        return TabletopExpert(self, self._arm.habits)

    def close(self) -> None:
        """Release the renderer. May be called twice."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def bowl_state(self) -> BowlState:
        """Where the bowl is, how it moves, and which fingers touch it; for the expert and the stages."""
        data = self._data
        return BowlState(
            position=data.xpos[self._bowl].copy(),
            up=data.xmat[self._bowl].reshape(3, 3)[:, 2].copy(),
            speed=float(np.linalg.norm(data.qvel[self._bowl_dof : self._bowl_dof + 3])),
            touching=self._touching(),
        )

    @property
    def goal_xy(self) -> np.ndarray:
        """(2,) the plate's centre, world frame, metres."""
        return self._goal_xy.copy()

    def clamp_to_reach(self, p_world: np.ndarray) -> np.ndarray:
        """See `para.worlds.arm.clamp_to_reach`, or the other arm's own."""
        return self._arm.clamp_to_reach(p_world)

    @property
    def _servo(self) -> Servo:
        return self._arm_servo

    def _place_mocap(self, name: str, position: tuple[float, float, float], yaw: float = 0.0) -> None:
        index = self._model.body(name).mocapid[0]
        self._data.mocap_pos[index] = position
        self._data.mocap_quat[index] = [np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]

    def _dress(self, look: appearance.Look) -> None:
        model = self._model
        model.geom_matid[model.geom("table_top").id] = model.material(look.table).id
        model.mat_rgba[model.material("wall").id, :3] = look.wall
        model.mat_rgba[model.material("floor").id, :3] = look.floor
        model.light_diffuse[model.light("key").id] = look.light
        direction = np.array(look.light_direction)
        model.light_dir[model.light("key").id] = direction / np.linalg.norm(direction)
        model.vis.headlight.ambient[:] = look.ambient

    def _control_step(self, target: np.ndarray, gripper: float) -> None:
        self._servo.control_step(target, gripper)
        # MuJoCo resets itself after a divergence and goes on; that must not pass for an episode.
        bad = self._mujoco.mjtWarning
        warnings = [self._data.warning[w].number for w in (bad.mjWARN_BADQPOS, bad.mjWARN_BADQVEL, bad.mjWARN_BADQACC)]
        if any(warnings) or not np.isfinite(self._data.qpos).all():
            raise RuntimeError(
                f"the physics of world 'tabletop' diverged at step {self.n_steps} on the way to {target}"
            )
        self._stages.update(self.bowl_state())

    def _touching(self) -> tuple[bool, bool]:
        contacts = self._data.contact.geom[: self._data.ncon]  # (n, 2)
        bodies = self._model.geom_bodyid[contacts]
        with_bowl = bodies[(bodies == self._bowl).any(axis=1)]
        left, right = (bool((with_bowl == finger).any()) for finger in self._fingers)
        return left, right

    def _observe(self, marker: tuple[np.ndarray, float] | None) -> Observation:
        if self._renderer is None:
            raise RuntimeError("world 'tabletop' was closed; build it again")
        self._renderer.update_scene(self._data, self._camera_id)
        if marker is not None:
            mujoco_camera.add_marker(self._renderer.scene, *marker, rgba=(1.0, 0.0, 1.0, 1.0))
        image = torch.from_numpy(self._renderer.render().copy()).permute(2, 0, 1).unsqueeze(0)  # (1, 3, H, W)
        camera = mujoco_camera.camera_of(self._model, self._data, self._camera_id, self.image_size)
        ee = torch.from_numpy(self._servo.ee_position).float().unsqueeze(0)
        return Observation(image.contiguous(), camera[None], ee, torch.tensor([self._servo.gripper]))
