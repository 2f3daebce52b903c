import cv2
import numpy as np
import pytest
import torch

from para.geometry import Camera, pixel_rays, project
from para.interfaces import Scene
from para.worlds import scenes
from para.worlds.mujoco_camera import intrinsics_from_fovy, set_camera_pose, tilted_pose

EYE, TARGET = np.array([0.9, 0.1, 1.0]), np.array([0.0, -0.05, 0.1])
MIDDLE = Scene(object_xy=(0.0, -0.08))
CAP_AND_BEYOND = [*scenes.viewpoint_cap().tolist(), *([theta, phi] for theta in (32, 40) for phi in range(0, 360, 45))]
"""The paper's views, to 25 degrees, and those beyond on which policies are tried too."""


def rendered_at(world, p_world: np.ndarray, radius: float = 0.012) -> np.ndarray | None:
    """Centroid (u, v) of what a marker changes in the image; None where it is hidden."""
    with_marker = world.show_marker(p_world, radius).image[0].float()
    change = (with_marker - world.look().image[0].float()).abs().sum(dim=0).numpy()  # (H, W)
    if change.sum() == 0:
        return None
    v, u = np.indices(change.shape)
    return np.array([(u * change).sum(), (v * change).sum()]) / change.sum()


def projected(world, p_world: np.ndarray) -> np.ndarray:
    camera = world.look().camera[0].to(dtype=torch.float64)
    return project(torch.from_numpy(p_world), camera)[0].numpy()


@pytest.mark.parametrize("theta, phi", np.round(CAP_AND_BEYOND, 4).tolist())
def test_a_marker_renders_at_its_projection_from_every_viewpoint_and_near_the_corners(world, theta, phi):
    camera = world.reset(MIDDLE.with_(view_theta_deg=theta, view_phi_deg=phi)).camera[0].to(dtype=torch.float64)
    H, W = camera.image_size
    corners = torch.tensor([[4, 3], [W - 5, 3], [4, H - 4], [W - 5, H - 4], [W / 3, 2 * H / 3]], dtype=torch.float64)
    origin, direction = pixel_rays(corners, camera)
    for p_world in (origin + 0.6 * direction).numpy():  # nearer to the camera than anything that could hide it
        error = np.linalg.norm(rendered_at(world, p_world) - projected(world, p_world))
        assert error < 0.2  # half a pixel lost in K would show


def test_markers_on_the_table_render_where_they_project_right_being_plus_y_and_up_being_far_from_the_camera(world):
    world.reset(MIDDLE)
    left, right = np.array([0.1, -0.3, 0.01]), np.array([0.1, 0.3, 0.01])
    near, far = np.array([-0.2, 0.35, 0.01]), np.array([0.25, 0.35, 0.01])
    seen = {}
    for name, p_world in (("left", left), ("right", right), ("near robot", near), ("far from robot", far)):
        seen[name] = rendered_at(world, p_world)
        assert np.linalg.norm(seen[name] - projected(world, p_world)) < 1.0
    assert seen["left"][0] < seen["right"][0] - 20
    assert seen["near robot"][1] < seen["far from robot"][1] - 5


def test_intrinsics_span_the_field_of_view_edge_to_edge_and_agree_with_opencv():
    H, W, fovy = 90, 160, 50.0
    K = intrinsics_from_fovy(fovy, (H, W))
    top = np.tan(np.radians(fovy / 2))
    uv, _ = cv2.projectPoints(np.array([[0.0, -top, 1.0], [0.3, top, 1.0]]), np.zeros(3), np.zeros(3), K, None)
    np.testing.assert_allclose(uv[:, 0, 1], [-0.5, H - 0.5], atol=1e-9)
    np.testing.assert_allclose(K[0, 2], (W - 1) / 2)


@pytest.mark.parametrize("theta, phi", [(0, 0), (10, 0), (25, 90), (25, 225), (60, 310)])
def test_a_tilt_turns_the_line_of_sight_about_the_target_and_keeps_distance_and_aim(theta, phi):
    T, T_default = tilted_pose(EYE, TARGET, theta, phi), tilted_pose(EYE, TARGET, 0, 0)
    assert np.linalg.norm(T[:3, 3] - TARGET) == pytest.approx(np.linalg.norm(EYE - TARGET))
    assert np.degrees(np.arccos(np.clip(T[:3, 2] @ T_default[:3, 2], -1, 1))) == pytest.approx(theta, abs=1e-5)
    camera = Camera(torch.from_numpy(intrinsics_from_fovy(40, (50, 80))), torch.from_numpy(T), (50, 80))
    uv, depth = project(torch.from_numpy(TARGET), camera)
    np.testing.assert_allclose(uv.numpy(), [39.5, 24.5], atol=1e-9)
    assert T[2, 0] == pytest.approx(0), "the camera stays upright"


def test_phi_0_moves_the_camera_to_the_right_and_phi_90_up():
    T_default = tilted_pose(EYE, TARGET, 0, 0)
    moved = [T_default[:3, :3].T @ (tilted_pose(EYE, TARGET, 5, phi)[:3, 3] - EYE) for phi in (0, 90)]
    assert moved[0][0] > 0.05 and abs(moved[0][1]) < 1e-9
    assert moved[1][1] < -0.05 and abs(moved[1][0]) < 1e-9


def test_only_cameras_of_the_world_body_can_be_set_and_fovy_must_be_an_angle():
    import mujoco

    model = mujoco.MjModel.from_xml_string(
        '<mujoco><worldbody><body><joint/><geom size="1"/><camera/></body></worldbody></mujoco>'
    )
    with pytest.raises(ValueError, match="only a world camera"):
        set_camera_pose(model, 0, np.eye(4))
    with pytest.raises(ValueError, match="between 0 and 180"):
        intrinsics_from_fovy(180.0, (4, 4))
