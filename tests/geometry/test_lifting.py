"""Laws of lifting: it inverts projection, heights agree between cameras, and flat or backward rays are never silent."""

import math

import pytest
import torch
from hypothesis import given

from para.geometry import (
    Camera,
    lift_to_depth_masked,
    lift_to_height,
    lift_to_height_masked,
    look_at,
    pixel_rays,
    project,
)
from para.geometry.pixels import compose
from tests.geometry.strategies import LAW, cameras, pixels, points, uv_of

K = torch.tensor([[60.0, 0, 31], [0, 70, 20], [0, 0, 1]]).double()


def level_camera(height: float = 0.5) -> Camera:
    """Looks along the horizon, so that row 20 is the horizon."""
    eye = torch.tensor([0.0, -1.0, height]).double()
    return Camera(K, look_at(eye, eye + torch.tensor([0.3, 1.0, 0.0]).double()), (48, 64))


@LAW
@given(cameras(), points())
def test_projecting_then_lifting_returns_the_point(camera, p_world):
    uv, depth = project(p_world, camera)
    lifted, valid = lift_to_height_masked(uv, p_world[:, 2], camera)
    # a point at the camera's own height is seen edge-on, where a pixel says nothing about how far it is
    steep = (depth > 0.01) & (pixel_rays(uv, camera)[1][:, 2].abs() > 0.01)
    assert valid[steep].all()
    torch.testing.assert_close(lifted[steep], p_world[steep], rtol=0, atol=1e-8)


@LAW
@given(cameras(), pixels())
def test_lifting_then_projecting_returns_the_pixel(camera, shares):
    uv = uv_of(shares, camera)
    lifted, valid = lift_to_height_masked(uv, torch.full((len(uv),), 0.05).double(), camera)
    back, depth = project(lifted[valid], camera)
    assert (depth > 0).all()
    torch.testing.assert_close(back, uv[valid], rtol=0, atol=1e-6)
    torch.testing.assert_close(lifted[valid][:, 2], torch.full_like(depth, 0.05), rtol=0, atol=1e-9)


@LAW
@given(cameras(), cameras(), points(n=3))
def test_the_height_of_a_point_is_the_same_from_two_cameras(one, other, p_world):
    for camera in (one, other):
        uv, depth = project(p_world, camera)
        steep = (depth > 0.01) & (pixel_rays(uv, camera)[1][:, 2].abs() > 0.01)
        assert torch.allclose(lift_to_height(uv[steep], p_world[steep, 2], camera)[:, 2], p_world[steep, 2])


def test_the_depth_of_a_point_is_not_the_same_from_two_cameras():
    p_world, target = torch.tensor([0.1, 0.05, 0.08]).double(), torch.zeros(3).double()
    near = Camera(K, look_at(torch.tensor([0.3, -0.3, 0.4]).double(), target), (48, 64))
    far = Camera(K, look_at(torch.tensor([-0.6, -0.5, 0.9]).double(), target), (48, 64))
    assert project(p_world, far)[1] - project(p_world, near)[1] > 0.3


def test_rays_along_the_horizon_are_masked_or_an_error_but_never_nan():
    camera = level_camera()
    uv = torch.tensor([[31.0, 20.0], [5.0, 20.05], [31.0, 40.0]]).double()
    lifted, valid = lift_to_height_masked(uv, torch.zeros(3).double(), camera)
    assert valid.tolist() == [False, False, True] and torch.isfinite(lifted).all()
    assert torch.equal(lifted[0], camera.T_world_cam[:3, 3])
    with pytest.raises(ValueError, match=r"2 of 3 pixels .* \(2 look along the horizon, 0 meet it behind\)"):
        lift_to_height(uv, torch.zeros(3).double(), camera)


def test_planes_behind_the_ray_are_masked_or_an_error():
    camera = level_camera()
    uv = torch.tensor([[31.0, 5.0], [31.0, 40.0]]).double()  # above and below the horizon
    _, valid = lift_to_height_masked(uv, torch.zeros(2).double(), camera)
    assert valid.tolist() == [False, True]
    _, valid = lift_to_height_masked(uv, torch.full((2,), 0.9).double(), camera)
    assert valid.tolist() == [True, False]  # a plane above the camera is met by looking up
    with pytest.raises(ValueError, match=r"1 of 2 .* 1 meet it behind.*the camera is at z = 0.500 m"):
        lift_to_height(uv, torch.zeros(2).double(), camera)


@pytest.mark.parametrize(("angle_deg", "expected"), [(0.05, False), (0.15, True)])
def test_a_tenth_of_a_degree_is_the_limit(angle_deg, expected):
    camera = level_camera()
    uv = torch.tensor([31.0, 20 + 70 * math.tan(math.radians(angle_deg))]).double()
    assert lift_to_height_masked(uv, torch.tensor(0.0).double(), camera)[1].item() is expected


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_heights_that_are_not_finite_are_invalid_not_nan(camera, bad):
    lifted, valid = lift_to_height_masked(torch.tensor([30.0, 20.0]).double(), torch.tensor(bad).double(), camera)
    assert not valid and torch.isfinite(lifted).all()


def test_gradients_of_invalid_lifts_are_finite():
    camera = level_camera()
    uv = torch.tensor([[31.0, 20.0], [31.0, 5.0], [31.0, 40.0]]).double().requires_grad_()
    lifted, valid = lift_to_height_masked(uv, torch.zeros(3).double(), camera)
    lifted[valid].sum().backward()
    assert torch.isfinite(uv.grad).all() and (uv.grad[2] != 0).any()


def test_one_camera_per_row_lifts_each_row_by_its_own(camera):
    other = Camera(camera.K, level_camera(0.9).T_world_cam, camera.image_size)
    batch = Camera.stack([camera, other]).unsqueeze(1)
    uv, height = torch.tensor([[[20.0, 44.0], [40.0, 40.0]]]).double().expand(2, 2, 2), torch.tensor([[0.0], [0.1]])
    lifted = lift_to_height(uv, height.double().expand(2, 2), batch)
    torch.testing.assert_close(lifted[0], lift_to_height(uv[0], torch.zeros(2).double(), camera))
    torch.testing.assert_close(lifted[1], lift_to_height(uv[1], height[1].double().expand(2), other))


@LAW
@given(cameras(), points())
def test_projecting_then_lifting_to_the_depth_returns_the_point(camera, p_world):
    uv, depth = project(p_world, camera)
    lifted, valid = lift_to_depth_masked(uv, depth, camera)
    ahead = depth > 0.01
    assert valid[ahead].all() and not valid[depth <= 0].any()
    torch.testing.assert_close(lifted[ahead], p_world[ahead], rtol=0, atol=1e-8)


def test_depths_are_lifted_through_a_warped_picture_too(camera):
    A = torch.tensor([[0.8, -0.3, 9.0], [0.25, 0.9, -4.0], [1e-3, -2e-3, 1.0]]).double()
    warped = Camera(compose(A, camera.K), camera.T_world_cam, camera.image_size)
    p_world = torch.tensor([[0.1, 0.05, 0.08], [-0.1, 0.12, 0.2]]).double()
    uv, depth = project(p_world, warped)
    lifted, valid = lift_to_depth_masked(uv, depth, warped)
    assert valid.all() and (uv - project(p_world, camera)[0]).abs().min() > 1
    torch.testing.assert_close(lifted, p_world)


@pytest.mark.parametrize("bad", [0.0, -0.3, float("nan"), float("inf"), -float("inf")])
def test_depths_that_are_none_are_invalid_not_nan(camera, bad):
    uv = torch.tensor([[30.0, 20.0], [31.0, 21.0]]).double()
    lifted, valid = lift_to_depth_masked(uv, torch.tensor([bad, 0.5]).double(), camera)
    assert valid.tolist() == [False, True] and torch.isfinite(lifted).all()
    assert torch.equal(lifted[0], camera.T_world_cam[:3, 3])


def test_a_pixel_that_looks_backwards_has_no_point_at_any_depth(camera):
    turned = torch.tensor([[-1.0, 0, 0], [0, 1, 0], [0, 0, -1]]).double()  # the virtual camera looks the other way
    behind = Camera(compose(camera.K, turned), camera.T_world_cam, camera.image_size)
    assert not lift_to_depth_masked(torch.tensor([30.0, 20.0]).double(), torch.tensor(0.5).double(), behind)[1]
