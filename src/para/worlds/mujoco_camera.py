"""MuJoCo's cameras in this project's terms: intrinsics and poses, computed once for all simulated worlds.

MuJoCo's camera looks along its -z with y up; ours (OpenCV) looks along z with y down. Functions take a model or data
that the caller has made, so that importing this file does not import mujoco.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from para.geometry import Camera, look_at

FLIP_YZ = np.diag([1.0, -1.0, -1.0])
"""R_mujococam_cam: OpenCV's camera axes in MuJoCo's."""


def intrinsics_from_fovy(fovy_deg: float, image_size: tuple[int, int]) -> np.ndarray:
    """K of a camera with square pixels and a vertical field of view. (3, 3), pixels.

    f = (H / 2) / tan(fovy / 2): the image is H pixels high from edge to edge, [-0.5, H - 0.5), so its middle, the
    principal point, is at (H - 1) / 2.

    Raises:
        ValueError: if the angle is not between 0 and 180 degrees.
    """
    if not 0 < fovy_deg < 180:
        raise ValueError(f"fovy is an angle between 0 and 180 degrees; got {fovy_deg}")
    H, W = image_size
    f = H / 2 / math.tan(math.radians(fovy_deg) / 2)
    return np.array([[f, 0, (W - 1) / 2], [0, f, (H - 1) / 2], [0, 0, 1]])


def camera_of(model: Any, data: Any, camera_id: int, image_size: tuple[int, int]) -> Camera:
    """The `Camera` of a fixed MuJoCo camera, as rendered at a size. K (3, 3), T_world_cam (4, 4), float32.

    `data` must be up to date (`mj_forward` or `mj_kinematics` and `mj_camlight`).
    """
    T_world_cam = np.eye(4)
    T_world_cam[:3, :3] = data.cam_xmat[camera_id].reshape(3, 3) @ FLIP_YZ
    T_world_cam[:3, 3] = data.cam_xpos[camera_id]
    K = intrinsics_from_fovy(float(model.cam_fovy[camera_id]), image_size)
    return Camera(torch.from_numpy(K).float(), torch.from_numpy(T_world_cam).float(), image_size)


def set_camera_pose(model: Any, camera_id: int, T_world_cam: np.ndarray) -> None:
    """Put a MuJoCo camera that is fixed to the world body at a pose (4, 4). Takes effect at the next `mj_forward`.

    Raises:
        ValueError: if the camera hangs on a moving body: its pose would then not be a world pose.
    """
    import mujoco

    if model.cam_bodyid[camera_id] != 0:
        raise ValueError(
            f"camera {camera_id} hangs on body {model.cam_bodyid[camera_id]}; only a world camera can be set"
        )
    quat = np.empty(4)
    mujoco.mju_mat2Quat(quat, (T_world_cam[:3, :3] @ FLIP_YZ.T).flatten())
    model.cam_pos[camera_id] = T_world_cam[:3, 3]
    model.cam_quat[camera_id] = quat


def tilted_pose(eye: np.ndarray, target: np.ndarray, theta_deg: float, phi_deg: float) -> np.ndarray:
    """The pose of a camera that is turned about the point it looks at.

    The line of sight (from target to eye) is tilted by theta towards the direction that makes an angle phi, in the
    default image, with the image's right (phi = 90: upwards). The camera keeps its distance, looks at the target, and
    stays upright.

    Args:
        eye, target: (3,) the default view, world frame, metres.

    Returns:
        (4, 4) T_world_cam.
    """
    T_default = look_at(torch.as_tensor(eye, dtype=torch.float64), torch.as_tensor(target, dtype=torch.float64)).numpy()
    right, up, backward = T_default[:3, 0], -T_default[:3, 1], -T_default[:3, 2]
    theta, phi = math.radians(theta_deg), math.radians(phi_deg)
    towards = math.cos(theta) * backward + math.sin(theta) * (math.cos(phi) * right + math.sin(phi) * up)
    moved = np.asarray(target) + np.linalg.norm(np.asarray(eye) - np.asarray(target)) * towards
    return look_at(torch.from_numpy(moved), torch.as_tensor(target, dtype=torch.float64)).numpy()


def add_marker(mjv_scene: Any, p_world: np.ndarray, radius: float, rgba: tuple[float, float, float, float]) -> None:
    """Add a self-luminous sphere to a scene that is about to be rendered. p_world (3,), radius in metres.

    Raises:
        ValueError: if the scene has no room for another geom.
    """
    import mujoco

    if mjv_scene.ngeom >= mjv_scene.maxgeom:
        raise ValueError(
            f"the scene already shows {mjv_scene.ngeom} geoms, its most; make its renderer with more max_geom"
        )
    geom = mjv_scene.geoms[mjv_scene.ngeom]
    mujoco.mjv_initGeom(
        geom,
        mujoco.mjtGeom.mjGEOM_SPHERE,
        np.full(3, radius),
        np.asarray(p_world, dtype=float),
        np.eye(3).flatten(),
        np.asarray(rgba, dtype=np.float32),
    )
    geom.emission = 1.0
    mjv_scene.ngeom += 1
