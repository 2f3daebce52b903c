"""Laws of the picture's frame: labels follow warps as those of a real camera that was turned alike would."""

import pytest
import torch
from hypothesis import given

from para.geometry import Camera, from_picture_frame, project, random_affine, to_picture_frame
from para.geometry.pixels import compose
from tests.conftest import oblique_camera
from tests.geometry.strategies import LAW, cameras, points

IDENTITY = torch.eye(4).double()


def rotation(x: float, y: float, z: float) -> torch.Tensor:
    """A rotation by a vector of radians."""
    skew = torch.tensor([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]]).double()
    return torch.linalg.matrix_exp(skew)


def some_points(n: int = 20) -> torch.Tensor:
    return torch.rand(n, 3, generator=torch.Generator().manual_seed(2)).double() * 0.4 - 0.2


def in_frame_of(camera: Camera, p_world: torch.Tensor) -> torch.Tensor:
    """Coordinates in the camera's own frame, by homogeneous coordinates."""
    homogeneous = torch.cat([p_world, torch.ones_like(p_world[:, :1])], dim=-1)
    return (torch.linalg.inv(camera.T_world_cam) @ homogeneous.unsqueeze(-1)).squeeze(-1)[:, :3]


def warps(n: int = 6) -> torch.Tensor:
    """Affine warps, and homographies of a virtual camera that is turned and zoomed."""
    g = torch.Generator().manual_seed(4)
    affine = random_affine(n, (48, 64), scale=(0.6, 1.5), max_rotation_deg=40, max_shift=0.2, generator=g).double()
    K = oblique_camera(dtype=torch.float64).K
    turned = compose(compose(K, rotation(0.2, -0.15, 0.4)), torch.linalg.inv(K))
    return torch.cat([affine, turned.unsqueeze(0), 3.7 * turned.unsqueeze(0), compose(affine[0], turned).unsqueeze(0)])


def test_the_picture_of_the_reference_camera_has_its_own_frame(camera):
    p = some_points()
    torch.testing.assert_close(to_picture_frame(p, camera, camera.K), in_frame_of(camera, p))


def test_labels_of_a_warped_picture_are_those_of_a_real_camera_turned_alike(camera):
    R = rotation(0.12, -0.2, 0.35)
    A = compose(compose(camera.K, R), torch.linalg.inv(camera.K))
    warped = Camera(compose(0.3 * A, camera.K), camera.T_world_cam, camera.image_size)  # a homography has no scale
    turn = IDENTITY.clone()
    turn[:3, :3] = R.mT
    turned = Camera(camera.K, camera.T_world_cam @ turn, camera.image_size)
    p = some_points()
    torch.testing.assert_close(project(p, warped)[0], project(p, turned)[0])  # the two pictures are one
    torch.testing.assert_close(to_picture_frame(p, warped, camera.K), in_frame_of(turned, p))
    assert (to_picture_frame(p, warped, camera.K) - to_picture_frame(p, camera, camera.K)).norm(dim=-1).min() > 0.05


def test_the_reference_camera_sees_the_label_where_any_warped_picture_shows_the_point(camera):
    p = some_points()
    still = Camera(camera.K, IDENTITY, camera.image_size)
    for A in warps():
        warped = Camera(compose(A, camera.K), camera.T_world_cam, camera.image_size)
        seen, depth = project(to_picture_frame(p, warped, camera.K), still)
        torch.testing.assert_close(seen, project(p, warped)[0])
        assert (depth > 0).all()


@pytest.mark.parametrize("zoom", [0.7, 1.3])
def test_zooming_in_brings_points_nearer_and_leaves_their_metres_across(camera, zoom):
    c_u, c_v = camera.K[0, 2], camera.K[1, 2]
    A = torch.tensor([[zoom, 0, (1 - zoom) * c_u], [0, zoom, (1 - zoom) * c_v], [0, 0, 1]]).double()
    zoomed = Camera(compose(A, camera.K), camera.T_world_cam, camera.image_size)
    p = some_points()
    expected = to_picture_frame(p, camera, camera.K) * torch.tensor([1, 1, 1 / zoom]).double()
    torch.testing.assert_close(to_picture_frame(p, zoomed, camera.K), expected)


@LAW
@given(cameras(), cameras(), points())
def test_the_way_there_and_back_returns_the_point_whatever_the_reference_camera(camera, reference, p_world):
    there = to_picture_frame(p_world, camera, reference.K)
    torch.testing.assert_close(from_picture_frame(there, camera, reference.K), p_world, rtol=0, atol=1e-9)
    for A in warps(2):
        warped = Camera(compose(A, camera.K), camera.T_world_cam, camera.image_size)
        back = from_picture_frame(to_picture_frame(p_world, warped, reference.K), warped, reference.K)
        torch.testing.assert_close(back, p_world, rtol=0, atol=1e-8)


def test_every_picture_of_a_batch_has_its_own_frame(camera):
    K = torch.stack([camera.K, compose(warps(1)[0], camera.K)])
    both = Camera(K, camera.T_world_cam.expand(2, 4, 4), camera.image_size)
    p = some_points(10).view(2, 5, 3)
    together = to_picture_frame(p, both.unsqueeze(1), camera.K)
    for i in range(2):
        torch.testing.assert_close(together[i], to_picture_frame(p[i], both[i], camera.K))
