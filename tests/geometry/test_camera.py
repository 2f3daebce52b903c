"""Laws of the camera: OpenCV agrees, rays and projection invert one another, and nothing is ever silently NaN."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from para.geometry import Camera, look_at, pixel_rays, project
from tests.geometry.strategies import LAW, cameras, numbers, pixels, points, uv_of


@LAW
@given(cameras(), points())
def test_projection_agrees_with_opencv(camera, p_world):
    T_cam_world = torch.linalg.inv(camera.T_world_cam)
    p_cam = p_world @ T_cam_world[:3, :3].T + T_cam_world[:3, 3]
    front = p_cam[:, 2] > 0.05  # OpenCV projects what lies behind as well; nothing sees it
    rotation, _ = cv2.Rodrigues(T_cam_world[:3, :3].numpy())
    expected, _ = cv2.projectPoints(p_world.numpy(), rotation, T_cam_world[:3, 3].numpy(), camera.K.numpy(), None)
    uv, depth = project(p_world, camera)
    torch.testing.assert_close(depth, p_cam[:, 2], rtol=0, atol=1e-12)
    torch.testing.assert_close(uv[front], torch.from_numpy(expected[:, 0])[front], rtol=0, atol=1e-6)


@LAW
@given(cameras(), pixels(), numbers(0.01, 5.0))
def test_every_point_of_a_ray_projects_to_its_pixel(camera, shares, distance):
    uv = uv_of(shares, camera)
    origin, direction = pixel_rays(uv, camera)
    torch.testing.assert_close(direction.norm(dim=-1), torch.ones(len(uv)).double())
    back, depth = project(origin + distance * direction, camera)
    assert (depth > 0).all()
    torch.testing.assert_close(back, uv, rtol=0, atol=1e-8)


@LAW
@given(cameras(), pixels())
def test_points_behind_the_camera_have_negative_depth_and_finite_pixels(camera, shares):
    origin, direction = pixel_rays(uv_of(shares, camera), camera)
    uv, depth = project(origin - 0.5 * direction, camera)
    assert (depth < 0).all() and torch.isfinite(uv).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_camera_centre_and_its_plane_give_finite_pixels_of_no_depth(camera, dtype):
    camera = camera.to(dtype=dtype)
    right = camera.T_world_cam[:3, 0]
    uv, depth = project(torch.stack([camera.T_world_cam[:3, 3], camera.T_world_cam[:3, 3] + right]), camera)
    assert torch.isfinite(uv).all() and (depth <= 1e-6).all()


def test_projection_has_finite_gradients_even_behind_the_camera(camera):
    origin = camera.T_world_cam[:3, 3]
    p_world = torch.stack([origin - camera.T_world_cam[:3, 2], origin, torch.zeros(3).double()]).requires_grad_()
    uv, depth = project(p_world, camera)
    (uv * (depth > 0).unsqueeze(-1)).sum().backward()
    assert torch.isfinite(p_world.grad).all() and (p_world.grad[2] != 0).all() and (p_world.grad[0] == 0).all()


def test_looking_at_a_point_puts_it_at_the_principal_point_with_up_upwards():
    eye, target = torch.tensor([0.7, -0.4, 0.6]).double(), torch.tensor([0.1, 0.05, 0.0]).double()
    K = torch.tensor([[60.0, 0, 31], [0, 70, 20], [0, 0, 1]]).double()
    camera = Camera(K, look_at(eye, target), (48, 64))
    uv, depth = project(target, camera)
    assert uv.tolist() == pytest.approx([31, 20]) and depth.item() == pytest.approx((target - eye).norm().item())
    above, _ = project(target + torch.tensor([0, 0, 0.1]).double(), camera)
    assert above[1] < 20 and above[0].item() == pytest.approx(31)  # rows count downwards
    # seen from the front (negative y), world x points to the right of the image
    front = Camera(K, look_at(torch.tensor([0.0, -1.0, 0.5]).double(), torch.zeros(3).double()), (48, 64))
    assert project(torch.tensor([0.1, 0, 0]).double(), front)[0][0] > 31


@LAW
@given(cameras())
def test_looking_gives_a_right_handed_rotation(camera):
    R = camera.T_world_cam[:3, :3]
    torch.testing.assert_close(R @ R.T, torch.eye(3).double())
    assert torch.linalg.det(R).item() == pytest.approx(1)


def test_impossible_looks_are_refused():
    point = torch.tensor([0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="eye and a target that differ"):
        look_at(point, point)
    with pytest.raises(ValueError, match="pass another up direction"):
        look_at(point + torch.tensor([0, 0, 1.0]), point)
    assert torch.isfinite(look_at(point + torch.tensor([0, 0, 1.0]), point, torch.tensor([1.0, 0, 0]))).all()


@LAW
@given(st.lists(cameras().filter(lambda c: c.image_size == (48, 64)), min_size=2, max_size=3), points())
def test_a_row_of_a_batch_of_cameras_is_that_camera_alone(several, p_world):
    batch = Camera.stack(several).unsqueeze(1)  # (B, 1), each for all points
    uv, depth = project(p_world.expand(len(several), -1, 3), batch)
    origin, direction = pixel_rays(uv, batch)
    assert uv.shape == (len(several), 8, 2) and origin.shape == direction.shape == (len(several), 8, 3)
    for i, camera in enumerate(several):
        alone_uv, alone_depth = project(p_world, camera)
        torch.testing.assert_close(uv[i], alone_uv)
        torch.testing.assert_close(depth[i], alone_depth)
        torch.testing.assert_close(direction[i], pixel_rays(alone_uv, camera)[1])


def test_bfloat16_autocast_leaves_geometry_exact(camera):
    camera = camera.to(dtype=torch.float32)
    p_world = torch.tensor([[0.11, -0.07, 0.031]])
    uv, _ = project(p_world, camera)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(project(p_world, camera)[0], uv)
        inside = pixel_rays(uv, camera)[1]
    assert torch.equal(inside, pixel_rays(uv, camera)[1])


def test_cameras_of_wrong_shapes_are_refused():
    K, T = torch.eye(3), torch.eye(4)
    with pytest.raises(ValueError, match="needs K"):
        Camera(T, T, (4, 6))
    with pytest.raises(ValueError, match="equal batch dimensions"):
        Camera(K.expand(2, 3, 3), T, (4, 6))
    with pytest.raises(ValueError, match="must be positive"):
        Camera(K, T, (0, 6))
    with pytest.raises(ValueError, match="one image size"):
        Camera.stack([Camera(K, T, (4, 6)), Camera(K, T, (6, 4))])
    with pytest.raises(ValueError, match="from the front"):
        Camera(K, T, (4, 6)).unsqueeze(-1)


def test_indexing_and_moving_a_batch_keeps_both_parts(camera):
    batch = Camera(camera.K.expand(3, 3, 3), camera.T_world_cam.expand(3, 4, 4), camera.image_size)
    part = batch[1:].to(dtype=torch.float32)
    assert part.K.shape == (2, 3, 3) and part.T_world_cam.dtype == torch.float32
    assert part.image_size == camera.image_size
    assert np.allclose(part.K[0], camera.K)
