"""The `libero` world: LIBERO's own simulation of putting a black bowl on a plate, through the unmodified `hf-libero`.

Frame: x and y are LIBERO's, z is 0 on its table top (LIBERO: 0.90). The camera is LIBERO's agentview; tilted views turn
it about the point where its optical axis meets the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
import torch

from para.geometry import Camera
from para.interfaces import Observation, Scene
from para.worlds import libero_arm, libero_package, libero_scenes, mujoco_camera
from para.worlds.libero_assets import find_assets
from para.worlds.libero_expert import LiberoExpert
from para.worlds.libero_model import BOWL, PLATE, LiberoModel
from para.worlds.libero_servo import TABLE_HEIGHT
from para.worlds.libero_stages import JudgedStages
from para.worlds.rendering import hide_body
from para.worlds.servo import SERVOS
from para.worlds.servo_world import RENDER_QUALITIES, ArmServo, ServoWorld, check_options
from para.worlds.stages import BowlState
from para.worlds.tabletop_expert import DWELL_FRAMES


class LiberoWorld(ServoWorld):
    """See `para.interfaces.World`. Targets out of reach are clamped (`libero_arm.clamp_to_reach`), never an error."""

    name = "libero"

    def __init__(
        self,
        image_size: tuple[int, int] = (128, 128),
        *,
        servo: str = "teleport",
        render_quality: str = "fast",
        dwell_frames: int = DWELL_FRAMES,
        robot_visible: bool = True,
        task_index: int = 0,
        assets: str = "",
    ):
        """
        Args:
            image_size: (H, W) of observations, pixels.
            servo: "teleport" (the arm is where the path says) or "controller" (robosuite's OSC_POSE tracks the target).
            render_quality: "fast" (no multisampling, no reflections) or "nice" (LIBERO's own).
            dwell_frames: stored frames for which the demonstrator rests while the gripper closes, and while it opens.
            robot_visible: false: arm, gripper and mount are not drawn; the physics is the same.
            task_index: of libero_spatial's ten tasks; the paper's is 0.
            assets: a folder, "generated", or "" (see `libero_assets.find_assets`).

        Raises:
            ValueError: for an unknown option.
            ImportError: where hf-libero is missing, mujoco is too new for it, or MuJoCo finds no way to draw.
            FileNotFoundError: where the folder of assets lacks something.
        """
        check_options(
            self.name, image_size, dwell_frames, robot_visible,
            servo=(servo, SERVOS), render_quality=(render_quality, RENDER_QUALITIES),
        )  # fmt: skip
        self.image_size = (int(image_size[0]), int(image_size[1]))
        self.dwell_frames, self._task_index = dwell_frames, task_index
        self._servo_kind, self._quality, self._robot_visible = servo, render_quality, robot_visible
        self._task = libero_package.task_text(task_index)
        self.assets = find_assets(assets)
        self._models: dict[bool, LiberoModel] = {}
        self._closed = False
        self._now = self._model_of(clean=libero_package.has_clean_scene(self._task))
        self._now.draw(self.image_size)  # where nothing can be drawn, say so now

    def reset(self, scene: Scene) -> Observation:
        """Set up a scene and show it. Nothing of the previous scene remains: equal scenes give equal frames.

        Raises:
            ValueError: for an unknown appearance, task or distractor; bowl and plate too close, or out of reach; of
                another task than 0, for a scene that is none of its own states.
        """
        if self._closed:
            raise RuntimeError("world 'libero' was closed; build it again")
        libero_scenes.check(scene)
        state = libero_scenes.official_state(scene, self._task_index)
        if state is None and self._task_index:
            raise ValueError(
                "bowl and plate alone, or with things placed by a seed, are task 0's scene; of task "
                f"{self._task_index} there are its own states (--half official)"
            )
        self._now = self._model_of(clean=state is None and not scene.distractors)
        now = self._now
        if state is None:
            goal = libero_scenes.LIBERO.goal_of(scene)
            positions = {BOWL: (*scene.object_xy, 0.0), PLATE: (*goal, 0.0)} | libero_scenes.place_distractors(scene)
            now.lay_out(positions, np.array(scene.ee_start if scene.ee_start is not None else libero_arm.HOME))
        else:
            now.restore(state)
        return self._begin(scene)

    def show_state(
        self,
        state: np.ndarray,
        scene: Scene,
        stands: Mapping[str, tuple[np.ndarray, np.ndarray]] = MappingProxyType({}),
    ) -> Observation:
        """Show a recorded simulator state of the full scene as it is; nothing moves. For other people's demonstrations.

        Args:
            state: [time, qpos, qvel].
            scene: whose view to take.
            stands: see `LiberoModel.show`.

        Raises:
            ValueError: where the state is of another scene.
        """
        self._now = self._model_of(clean=False)
        self._now.show(state, stands)
        return self._begin(scene)

    def expert(self) -> LiberoExpert:
        """The scripted demonstrator, from the present state on."""
        self._require_scene()
        return LiberoExpert(self)

    def close(self) -> None:
        """Release the renderers. May be called twice."""
        for model in self._models.values():
            model.close()
        self._models, self._stages, self._closed = {}, None, True

    def bowl_state(self) -> BowlState:
        """Where the bowl is, how it moves, and which fingers touch it; for the expert and the stages."""
        return self._now.bowl_state()

    def approved(self) -> bool:
        """What LIBERO's own `_check_success` says of the present state, whoever holds the bowl."""
        return self._now.approved()

    @property
    def goal_xy(self) -> np.ndarray:
        """(2,) the plate's centre as it lies now (it can be pushed), world frame, metres."""
        return self._now.xy_of(PLATE)

    @property
    def plate_height(self) -> float:
        """Of the origin of the plate above the table, metres."""
        return self._now.plate_height

    def clamp_to_reach(self, p_world: np.ndarray) -> np.ndarray:
        """See `para.worlds.libero_arm.clamp_to_reach`."""
        return libero_arm.clamp_to_reach(p_world)

    @property
    def _servo(self) -> ArmServo:
        return self._now.servo

    def _model_of(self, *, clean: bool) -> LiberoModel:
        """The clean or the full environment, built when first needed: the clean one is twice as fast."""
        if clean not in self._models:
            task = libero_package.clean_task(self._task) if clean else self._task
            control_env = libero_package.import_libero(self.assets.folder)  # again: other worlds may have other assets
            self._models[clean] = LiberoModel(
                control_env, task, self.assets, clean=clean, servo=self._servo_kind, quality=self._quality
            )
            if not self._robot_visible:
                hide_body(self._models[clean].model, "robot0_base")
        return self._models[clean]

    def _begin(self, scene: Scene) -> Observation:
        """What follows once everything is at its place: the view, the stages, the first look."""
        now = self._now
        T_world_cam = mujoco_camera.tilted_pose(
            now.default_eye, now.default_target, scene.view_theta_deg, scene.view_phi_deg
        )
        T_world_cam[2, 3] += TABLE_HEIGHT
        mujoco_camera.set_camera_pose(now.model, now.camera_id, T_world_cam)
        now.refresh()
        self._stages = JudgedStages(start_height=float(self.bowl_state().position[2]))
        self.n_steps = 0
        return self.look()

    def _control_step(self, target: np.ndarray, gripper: float) -> None:
        self._now.servo.control_step(target, gripper)
        if self._now.diverged():
            raise RuntimeError(f"the physics of world 'libero' diverged at step {self.n_steps} on the way to {target}")
        self._stages.update(self._now.bowl_state(), self._now.approved())

    def _observe(self, marker: tuple[np.ndarray, float] | None) -> Observation:
        self._require_scene()
        now, draw = self._now, None
        if marker is not None:
            centre = marker[0] + [0.0, 0.0, TABLE_HEIGHT]
            draw = partial(mujoco_camera.add_marker, p_world=centre, radius=marker[1], rgba=(1.0, 0.0, 1.0, 1.0))
        image = torch.from_numpy(now.draw(self.image_size, draw)).permute(2, 0, 1).unsqueeze(0)  # (1, 3, H, W)
        camera = mujoco_camera.camera_of(now.model, now.data, now.camera_id, self.image_size)
        T_world_cam = camera.T_world_cam.clone()
        T_world_cam[2, 3] -= TABLE_HEIGHT
        camera = Camera(camera.K, T_world_cam, camera.image_size)
        ee = torch.from_numpy(now.servo.ee_position).float().unsqueeze(0)
        return Observation(image.contiguous(), camera[None], ee, torch.tensor([now.servo.gripper]))
