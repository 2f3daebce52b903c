"""The one loop in which a policy meets a world: look, predict, servo to the first targets, look again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from para.devices import device_of
from para.geometry import Camera, CameraError, camera_towards, draw_camera_error, perturb_camera, seen_from
from para.geometry.perturb import check_error_sizes
from para.interfaces import ActionChunk, Episode, Observation, Policy, Scene, World

STALL_M = 0.002
"""An end effector that stays within this of where it is, on every axis, does not move."""


STALL_GREY_LEVELS = 0.5
"""Pictures that differ by less than this on average show the same."""


@dataclass(frozen=True)
class RolloutConfig:
    """How predicted chunks are carried out."""

    execute_steps: int = 4
    """Steps of a chunk that are carried out before the policy predicts again; 0: all of them."""

    ensemble_decay: float | None = None
    """If set, every step predicts again, and the action is the average in 3D of what all earlier chunks that reach this
    far said of it, weighted exp(-decay * age) (temporal ensembling). `execute_steps` must be 1. The youngest chunk
    weighs most; ACT as published lets the oldest weigh most, with 0.01. For dense steps only: step k of a chunk of key
    poses is not step k - 1 of the next."""

    gripper_gate_m: float | None = None
    """If set, a change of the gripper waits until the end effector is within this distance of the place at which the
    change was predicted: repairs policies that close early because the demonstrations' gripper moves between frames."""

    partly_open: bool = False
    """Carry out predicted openings of the gripper as they are, for things that want it half open. Otherwise the gripper
    is opened or closed, whichever is nearer: two predictions that differ, averaged, are not half of each."""

    home_view_m: float | None = None
    """If set, the policy looks through the camera of its demonstrations, wherever the real one stands: each picture is
    warped as what lies in a plane at this height above the table would be seen from there, metres. For policies whose
    demonstrations were all taken by one camera, by which their checkpoint says where that was."""

    home_view_within_deg: float = 0.0
    """With `home_view_m`: no nearer to that camera than this angle, and not at all where the real one is as near."""

    max_control_steps: int = 600
    """Control steps (0.05 s) after which an episode that is not placed ends (paper: 600)."""

    stall_steps: int = 30
    """Steps of chunks without any motion after which the episode ends: a stateless policy that goes on seeing the same
    picture goes on predicting the same, so the rest of the budget would change nothing. 0: spend it all."""

    camera_rotation_error_deg: float = 0.0
    """The policy is told a camera turned by this about its centre, around a random axis (a calibration error). The
    world, its images and the episode's stored camera stay true. Directions belong to the scene: every policy, and every
    size of error, meets the same ones in it."""

    camera_translation_error_mm: float = 0.0
    """The policy is told a camera that stands this far off, in a random direction."""

    camera_focal_error_percent: float = 0.0
    """The policy is told a focal length that is too long or too short by this share."""

    def __post_init__(self):
        if self.execute_steps < 0 or self.max_control_steps < 1 or self.stall_steps < 0:
            raise ValueError("execute_steps and stall_steps must be 0 or more, max_control_steps 1 or more")
        if self.home_view_m is not None and not abs(self.home_view_m) < 1:
            raise ValueError(f"home_view_m is a height above the table in metres; got {self.home_view_m}")
        if not 0 <= self.home_view_within_deg < 180:
            raise ValueError(f"home_view_within_deg is an angle from 0 to 180; got {self.home_view_within_deg}")
        if self.home_view_within_deg and self.home_view_m is None:
            raise ValueError("home_view_within_deg says how near to go: set home_view_m, along which plane, too")
        if self.partly_open and self.gripper_gate_m is not None:
            raise ValueError("gripper_gate_m holds back a change between open and closed: leave partly_open out")
        if self.ensemble_decay is not None and self.execute_steps != 1:
            raise ValueError("temporal ensembling looks at every step: set execute_steps to 1")
        check_error_sizes(
            self.camera_rotation_error_deg, self.camera_translation_error_mm / 1000, self.camera_focal_error_percent
        )

    @property
    def miscalibrated(self) -> bool:
        """Whether the policy is told a wrong camera."""
        errors = (self.camera_rotation_error_deg, self.camera_translation_error_mm, self.camera_focal_error_percent)
        return any(errors)


def rollout(
    policy: Policy, world: World, scene: Scene, config: RolloutConfig = RolloutConfig(), *, keep_frames: bool = False
) -> Episode:
    """Run a policy in a scene until the object is placed, nothing moves any more, or the budget is spent.

    Args:
        policy: in eval mode, on any device.
        world: any simulated or real one.
        scene: the initial condition.
        config: how chunks are carried out.
        keep_frames: keep every image (for a video); otherwise the episode holds none.

    Raises:
        ValueError: if the policy predicts something that is not finite (a missing target is an error, never a miss),
            the world shows it such a thing, or it is to look from where its demonstrations were filmed and does not say
            where that was.
    """
    obs = world.reset(scene)
    error = calibration_error(scene, config)
    trace: list[tuple[Observation, np.ndarray, float]] = []
    plans: list[tuple[int, ActionChunk]] = []  # (step at which it was made, chunk), youngest last
    step = 0
    while world.outcome() != "placed" and world.n_steps < config.max_control_steps:
        if not plans or step - plans[-1][0] >= steps_before_looking(config, plans[-1][1].horizon):
            believed = obs if error is None else replace(obs, camera=perturb_camera(obs.camera, error))
            if config.home_view_m is not None:
                believed = from_home(policy, believed, config.home_view_m, config.home_view_within_deg)
            plans = remember(plans, step, finite_chunk(policy, believed))
        position, gripper, rotation = next_action(plans, step, config)
        if config.gripper_gate_m is not None:
            gripper = gate_gripper(position, gripper, obs, trace, config.gripper_gate_m)
        trace.append((obs, position, gripper))
        obs = world.execute(position, gripper, rotation)
        step += 1
        if has_stalled(trace, obs, config.stall_steps):
            break
    return as_episode(scene, trace, obs, world, keep_frames)


def calibration_error(scene: Scene, config: RolloutConfig) -> CameraError | None:
    """What is wrong with the camera that the policy is told throughout an episode; None: nothing.

    Its directions follow from the scene's seed and the object's position, so that policies are compared under the same
    error, and sizes of it along the same directions.
    """
    if not config.miscalibrated:
        return None
    position = np.array(scene.object_xy, np.float64).view(np.uint64).tolist()
    return draw_camera_error(
        rotation_deg=config.camera_rotation_error_deg,
        translation_m=config.camera_translation_error_mm / 1000,
        focal_percent=config.camera_focal_error_percent,
        generator=np.random.default_rng([scene.seed, *position]),
    )


def from_home(policy: Policy, obs: Observation, height_m: float, within_deg: float = 0.0) -> Observation:
    """What the camera of a policy's demonstrations would see, or one turned from it by that angle at most, of a plane
    at that height: picture and camera.

    Where the arm and other things stand out of the plane they are drawn elsewhere, as in virtual views. From below the
    plane, or edge on, a picture of it is none of its upper side: then the policy sees what the real camera sees.

    Raises:
        ValueError: if the policy has no such camera as its `home_camera`, or that took pictures of another size.
    """
    home = home_camera_of(policy)
    B = len(obs)
    there = Camera(home.K.expand(B, 3, 3), home.T_world_cam.expand(B, 4, 4), home.image_size)
    other = camera_towards(there, obs.camera, within_deg)
    try:
        image = seen_from(obs.image, obs.camera, other, torch.full((B,), height_m))
    except ValueError:
        return obs
    return replace(obs, image=image, camera=other)


def home_camera_of(policy: Policy) -> Camera:
    """The one camera that filmed a policy's demonstrations. Raises ValueError if it does not say."""
    home = getattr(policy, "home_camera", None)
    if home is None:
        raise ValueError(
            "home_view_m needs a policy that says from where its demonstrations were filmed, by one camera "
            "(`home_camera`): `para.experiments.acting.load_to_act` takes it from the demonstrations.json that "
            "`para train` leaves beside the weights; or leave the option out"
        )
    return home


def steps_before_looking(config: RolloutConfig, horizon: int) -> int:
    """How many steps of a chunk of that horizon are carried out."""
    return min(config.execute_steps, horizon) if config.execute_steps else horizon


def predicted_chunk(policy: Policy, obs: Observation) -> ActionChunk:
    """What a policy predicts, on the CPU, on whatever device the policy and the observation are."""
    return policy.act(obs.to(device_of(policy))).to("cpu")


def finite_chunk(policy: Policy, obs: Observation) -> ActionChunk:
    """`predicted_chunk`. Raises ValueError where it, or the observation that it was made of, is not finite."""
    shown = {
        "position of the end effector": obs.ee_position,
        "gripper": obs.gripper,
        "camera's K": obs.camera.K,
        "camera's pose": obs.camera.T_world_cam,
    }
    for name, values in shown.items():
        if not torch.isfinite(values).all():
            raise ValueError(f"the world showed a {name} that is not finite; mend the driver or calibration it is from")
    chunk = predicted_chunk(policy, obs)
    parts = {"position": chunk.position, "gripper": chunk.gripper, "rotation": chunk.rotation}
    for name, values in parts.items():
        if values is not None and not torch.isfinite(values).all():
            raise ValueError(f"the policy predicted a {name} that is not finite; its weights may be damaged")
    return chunk


def remember(plans: list[tuple[int, ActionChunk]], step: int, chunk: ActionChunk) -> list[tuple[int, ActionChunk]]:
    """The plans that still say something of this step or later ones, with the newest last."""
    return [(made, plan) for made, plan in plans if step - made < plan.horizon] + [(step, chunk)]


def next_action(
    plans: list[tuple[int, ActionChunk]], step: int, config: RolloutConfig
) -> tuple[np.ndarray, float, np.ndarray | None]:
    """Position (3,) in metres, gripper and rotation (3, 3) of this step: the youngest plan's, or all plans' average."""
    made, chunk = plans[-1]
    if config.ensemble_decay is None:
        rotation = None if chunk.rotation is None else chunk.rotation[0, step - made].numpy()
        return chunk.position[0, step - made].numpy(), opening(float(chunk.gripper[0, step - made]), config), rotation
    if chunk.rotation is not None:
        raise ValueError("temporal ensembling averages positions, not rotations; set ensemble_decay to None")
    live = [(step - made, chunk) for made, chunk in plans if step - made < chunk.horizon]
    weights = np.exp([-config.ensemble_decay * age for age, _ in live])
    weights = weights / weights.sum()
    position = sum(w * chunk.position[0, age].numpy() for w, (age, chunk) in zip(weights, live))
    gripper = sum(w * float(chunk.gripper[0, age]) for w, (age, chunk) in zip(weights, live))
    return position, opening(gripper, config), None


def opening(predicted: float, config: RolloutConfig) -> float:
    """How far to open the gripper, 0 to 1."""
    return predicted if config.partly_open else float(predicted > 0.5)


def gate_gripper(position: np.ndarray, gripper: float, obs: Observation, trace: list, gate_m: float) -> float:
    """The gripper command, or the previous one while a change is predicted for a place that is still too far away."""
    previous = trace[-1][2] if trace else float(obs.gripper[0] > 0.5)
    away = float(np.linalg.norm(position - obs.ee_position[0].numpy()))
    return previous if gripper != previous and away > gate_m else gripper


def has_stalled(trace: list, obs: Observation, stall_steps: int) -> bool:
    """Whether nothing has moved for so many executed steps: not the end effector (by more than `STALL_M`), not the
    gripper, and nothing in the picture.
    """
    if not stall_steps or len(trace) < stall_steps:
        return False
    recent = trace[-stall_steps:]
    now = obs.ee_position[0]
    if any(float((seen.ee_position[0] - now).abs().max()) > STALL_M for seen, _, _ in recent):
        return False
    if len({gripper for _, _, gripper in recent}) > 1 or float((recent[0][0].gripper - obs.gripper).abs()) > 0.02:
        return False
    return float((recent[0][0].image.float() - obs.image.float()).abs().mean()) < STALL_GREY_LEVELS


def as_episode(scene: Scene, trace: list, last: Observation, world: World, keep_frames: bool) -> Episode:
    """The trace and the last observation as arrays; the last frame's action is to stay. Images only on request."""
    trace = trace + [(last, last.ee_position[0].numpy(), float(last.gripper[0]))]
    seen = [obs for obs, _, _ in trace]
    H, W = last.camera.image_size
    images = [obs.image[0].permute(1, 2, 0).numpy() for obs in seen] if keep_frames else []
    return Episode(
        scene=scene,
        image=np.stack(images) if images else np.zeros((0, H, W, 3), np.uint8),
        camera=Camera(
            torch.cat([obs.camera.K for obs in seen]), torch.cat([obs.camera.T_world_cam for obs in seen]), (H, W)
        ),
        ee_position=np.stack([obs.ee_position[0].numpy() for obs in seen]).astype(np.float32),
        gripper=np.array([float(obs.gripper[0]) for obs in seen], np.float32),
        action_position=np.stack([position for _, position, _ in trace]).astype(np.float32),
        action_gripper=np.array([gripper for _, _, gripper in trace], np.float32),
        phase=np.full(len(trace), -1, np.int64),
        outcome=world.outcome(),
        info={"n_control_steps": int(world.n_steps)},
    )
