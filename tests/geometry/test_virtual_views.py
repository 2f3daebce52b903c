"""Laws of virtual views: what lies on the plane lands where the moved camera sees it, and the move is the one asked."""

import math

import pytest
import torch

from para.geometry import (
    Camera,
    camera_towards,
    lift_to_height,
    look_at,
    pixel_rays,
    plane_homography,
    project,
    seen_from,
    tilted_camera,
    warp_affine,
)


def oblique_cameras(B: int = 3) -> Camera:
    """Cameras around a table, rolled, with unequal focal lengths and a picture that is not square."""
    eye = torch.tensor([[1.0, 0.2, 1.1], [0.9, -0.4, 1.2], [0.3, 1.0, 0.8]])[:B]
    T = look_at(eye, torch.tensor([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.0, 0.1, 0.05]])[:B])
    roll = torch.tensor(0.2)
    turn = torch.eye(4)
    turn[:2, :2] = torch.tensor([[roll.cos(), -roll.sin()], [roll.sin(), roll.cos()]])
    K = torch.tensor([[150.0, 0.0, 79.0], [0.0, 140.0, 47.0], [0.0, 0.0, 1.0]]).expand(B, 3, 3)
    return Camera(K, T @ turn, (96, 160))


def test_what_lies_on_the_plane_lands_where_the_moved_camera_sees_it():
    camera = oblique_cameras()
    moved = tilted_camera(camera, torch.tensor([10.0, 25.0, 30.0]), torch.tensor([0.0, 130.0, 250.0]))
    height = torch.tensor([0.0, 0.1, 0.2])
    points = torch.rand(3, 20, 3, generator=torch.Generator().manual_seed(0)) * 0.4 - 0.2
    points[..., 2] = height.unsqueeze(-1)
    uv, _ = project(points, camera.unsqueeze(1))
    seen, _ = project(points, moved.unsqueeze(1))
    H = plane_homography(camera, moved, height)
    mapped = torch.einsum("bij,bnj->bni", H, torch.cat([uv, torch.ones(3, 20, 1)], dim=-1))
    assert torch.allclose(mapped[..., :2] / mapped[..., 2:], seen, atol=1e-2)


def test_the_line_of_sight_turns_by_the_angle_asked_and_keeps_its_point_of_the_table():
    camera = oblique_cameras()
    theta = torch.tensor([5.0, 20.0, 35.0])
    moved = tilted_camera(camera, theta, torch.tensor([45.0, 90.0, 300.0]))
    old, new = camera.T_world_cam[:, :3, 2], moved.T_world_cam[:, :3, 2]
    assert torch.allclose(torch.rad2deg(torch.acos((old * new).sum(dim=-1))), theta, atol=1e-2)
    old_eye, new_eye = camera.T_world_cam[:, :3, 3], moved.T_world_cam[:, :3, 3]
    target = old_eye - old * (old_eye[:, 2] / old[:, 2]).unsqueeze(-1)
    assert torch.allclose((target - new_eye).norm(dim=-1), (target - old_eye).norm(dim=-1), atol=1e-5)
    direction = (target - new_eye) / (target - new_eye).norm(dim=-1, keepdim=True)
    assert torch.allclose(direction, new, atol=1e-5)


def test_phi_0_moves_the_camera_to_the_right_of_its_picture_and_90_upwards():
    camera = oblique_cameras()
    for phi, axis, sign in ((0.0, 0, 1.0), (90.0, 1, -1.0)):
        moved = tilted_camera(camera, torch.full((3,), 20.0), torch.full((3,), phi))
        shift = moved.T_world_cam[:, :3, 3] - camera.T_world_cam[:, :3, 3]
        assert (sign * (shift * camera.T_world_cam[:, :3, axis]).sum(dim=-1) > 0.1).all()


def test_the_roll_stays_and_no_move_is_the_identity():
    camera = oblique_cameras()
    still = tilted_camera(camera, torch.zeros(3), torch.tensor([0.0, 77.0, 200.0]))
    assert torch.allclose(still.T_world_cam, camera.T_world_cam, atol=1e-5)
    moved = tilted_camera(camera, torch.full((3,), 30.0), torch.tensor([0.0, 120.0, 240.0]))

    def roll(T):
        upright = look_at(T[:, :3, 3], T[:, :3, 3] + T[:, :3, 2])
        relative = upright[:, :3, :3].mT @ T[:, :3, :3]
        return torch.atan2(relative[:, 1, 0], relative[:, 0, 0])

    assert torch.allclose(roll(moved.T_world_cam), roll(camera.T_world_cam), atol=1e-4)


@pytest.mark.parametrize("sight", [(0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0)])
def test_a_camera_that_does_not_look_down_on_the_table_obliquely_stays(sight):
    eye = torch.tensor([[0.3, 0.1, 0.8]])
    up = torch.tensor([[0.0, 1.0, 0.0]])
    camera = Camera(torch.eye(3).unsqueeze(0), look_at(eye, eye + torch.tensor([sight]), up), (96, 160))
    moved = tilted_camera(camera, torch.tensor([30.0]), torch.tensor([10.0]))
    assert torch.equal(moved.T_world_cam, camera.T_world_cam)


def test_a_drawn_mark_on_the_plane_is_found_where_the_moved_camera_projects_it():
    camera = oblique_cameras(1)
    point = lift_to_height(torch.tensor([[90.0, 50.0]]), torch.tensor([0.08]), camera)
    image = torch.zeros(1, 3, 96, 160, dtype=torch.uint8)
    image[..., 49:52, 89:92] = 255
    moved = tilted_camera(camera, torch.tensor([18.0]), torch.tensor([35.0]))
    warped, _ = warp_affine(image, camera, plane_homography(camera, moved, torch.tensor([0.08])), (96, 160))
    weight = warped[0, 0].float()
    v, u = torch.meshgrid(torch.arange(96.0), torch.arange(160.0), indexing="ij")
    found = torch.stack([(weight * u).sum(), (weight * v).sum()]) / weight.sum()
    expected, _ = project(point, moved)
    assert float((found - expected[0]).norm()) < 0.3
    origin, direction = pixel_rays(found.unsqueeze(0), moved)
    off = torch.linalg.cross(direction, point - origin, dim=-1).norm()
    assert float(off) < math.tan(math.radians(0.2)) * 2


def test_a_picture_seen_from_another_camera_has_a_mark_on_the_plane_where_that_one_projects_it():
    camera = oblique_cameras(1)
    turned = tilted_camera(camera, torch.tensor([15.0]), torch.tensor([200.0]))
    other = Camera(turned.K * torch.tensor([0.8, 0.7, 1.0]).view(3, 1), turned.T_world_cam, (72, 120))
    point = lift_to_height(torch.tensor([[70.0, 44.0]]), torch.tensor([0.05]), camera)
    image = torch.zeros(1, 3, 96, 160, dtype=torch.uint8)
    image[..., 43:46, 69:72] = 255
    weight = seen_from(image, camera, other, torch.tensor([0.05]))[0, 0].float()
    assert weight.shape == (72, 120)
    v, u = torch.meshgrid(torch.arange(72.0), torch.arange(120.0), indexing="ij")
    found = torch.stack([(weight * u).sum(), (weight * v).sum()]) / weight.sum()
    assert float((found - project(point, other)[0][0]).norm()) < 0.3


def test_seen_from_where_it_was_taken_a_picture_is_itself_and_from_below_there_is_none():
    camera = oblique_cameras()
    image = torch.randint(0, 256, (3, 3, 96, 160), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert seen_from(image, camera, camera, torch.zeros(3)) is image
    moved = tilted_camera(camera, torch.full((3,), 5.0), torch.zeros(3))
    with pytest.raises(ValueError, match="not above the plane"):
        seen_from(image, camera, moved, torch.tensor([0.0, 0.0, 2.0]))
    with pytest.raises(ValueError, match="not above the plane"):  # nor from there
        seen_from(image, camera, lowered(moved, 2.0), torch.zeros(3))


def lowered(camera: Camera, by_m: float) -> Camera:
    T_world_cam = camera.T_world_cam.clone()
    T_world_cam[..., 2, 3] -= by_m
    return Camera(camera.K, T_world_cam, camera.image_size)


def turn_deg(a: Camera, b: Camera) -> torch.Tensor:
    relative = a.T_world_cam[:, :3, :3].mT @ b.T_world_cam[:, :3, :3]
    return torch.rad2deg(torch.acos(((relative.diagonal(dim1=1, dim2=2).sum(dim=-1) - 1) / 2).clamp(-1, 1)))


def looked_at(camera: Camera) -> tuple[torch.Tensor, torch.Tensor]:
    eye, sight = camera.T_world_cam[:, :3, 3], camera.T_world_cam[:, :3, 2]
    distance = -eye[:, 2:] / sight[:, 2:]
    return eye + distance * sight, distance


def test_a_camera_towards_home_is_turned_from_it_by_the_angle_asked_and_looks_at_the_same_point_from_as_far():
    home = oblique_cameras()
    camera = tilted_camera(home, torch.tensor([14.0, 25.0, 33.0]), torch.tensor([20.0, 140.0, 260.0]))
    near = camera_towards(home, camera, 10.0)
    assert torch.allclose(turn_deg(home, near), torch.full((3,), 10.0), atol=0.02)
    assert torch.allclose(turn_deg(home, near) + turn_deg(near, camera), turn_deg(home, camera), atol=0.05)
    for found, of_home in zip(looked_at(near), looked_at(home)):
        assert torch.allclose(found, of_home, atol=1e-4)


def test_a_camera_that_is_near_enough_stays_and_with_no_angle_it_is_home_itself():
    home = oblique_cameras()
    camera = tilted_camera(home, torch.tensor([4.0, 6.0, 30.0]), torch.tensor([20.0, 140.0, 260.0]))
    near = camera_towards(home, camera, 10.0)
    assert torch.equal(near.T_world_cam[:2], camera.T_world_cam[:2]) and not torch.equal(
        near.T_world_cam[2], camera.T_world_cam[2]
    )
    there = camera_towards(home, Camera(camera.K * 1.1, camera.T_world_cam, camera.image_size), 0.0)
    assert torch.allclose(there.T_world_cam, home.T_world_cam, atol=1e-5) and torch.allclose(there.K, home.K)


def test_there_is_no_way_between_cameras_of_different_pictures():
    home = oblique_cameras(1)
    with pytest.raises(ValueError, match="of \\(96, 160\\) and \\(48, 80\\)"):
        camera_towards(home, Camera(home.K, home.T_world_cam, (48, 80)), 10.0)


def test_from_a_camera_that_does_not_look_down_on_the_table_there_is_no_way_home():
    home = oblique_cameras(1)
    up = home.T_world_cam.clone()
    up[:, :3, :3] = -up[:, :3, :3] @ torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
    camera = Camera(home.K, up, home.image_size)
    assert torch.equal(camera_towards(home, camera, 10.0).T_world_cam, up)
