"""Laws of targets and of the start keypoint: the mask, and where the weight lands."""

from dataclasses import replace

import torch

from para.geometry import project
from para.geometry.pixels import cell_to_pixel
from para.interfaces import ActionChunk
from para.pixel_actions.start_keypoint import StartKeypoint, cell_weights
from para.pixel_actions.targets import complete_steps, make_targets
from tests.conftest import oblique_camera, random_batch


def test_targets_are_where_project_says_and_heights_are_the_worlds():
    obs, actions = random_batch()
    targets = make_targets(actions, obs.camera)
    uv, _ = project(actions.position, obs.camera.unsqueeze(1))
    assert targets.valid.all()
    torch.testing.assert_close(targets.uv, uv)
    torch.testing.assert_close(targets.height, actions.position[..., 2])


def test_moving_the_camera_moves_the_pixel_and_leaves_the_height_alone():
    obs, actions = random_batch()
    T = obs.camera.T_world_cam.clone()
    T[:, :3, 3] += torch.tensor([0.05, 0.1, 0.02])
    moved = type(obs.camera)(obs.camera.K, T, obs.camera.image_size)
    a, b = make_targets(actions, obs.camera), make_targets(actions, moved)
    assert (a.uv - b.uv).norm(dim=-1).min() > 1
    torch.testing.assert_close(a.height, b.height, rtol=0, atol=0)


def test_moving_the_camera_changes_depths_which_are_those_along_its_axis():
    obs, actions = random_batch()
    T = obs.camera.T_world_cam.clone()
    T[:, :3, 3] -= 0.2 * T[:, :3, 2]  # back along its line of sight
    moved = type(obs.camera)(obs.camera.K, T, obs.camera.image_size)
    a, b = make_targets(actions, obs.camera), make_targets(actions, moved)
    torch.testing.assert_close(b.depth - a.depth, torch.full((3, 4), 0.2))
    assert (a.height == b.height).all()


def test_steps_off_the_image_behind_the_camera_or_not_finite_are_masked():
    obs, actions = random_batch(B=1, T=4)
    position = actions.position.clone()
    position[0, 0] = torch.tensor([0.0, 3.0, 0.0])  # off the image
    position[0, 1] = obs.camera.T_world_cam[0, :3, 3] - 0.5 * obs.camera.T_world_cam[0, :3, 2]  # behind
    position[0, 2] = float("nan")
    targets = make_targets(ActionChunk(position, actions.gripper, actions.is_pad), obs.camera)
    assert targets.valid.tolist() == [[False, False, False, True]]
    assert all(torch.isfinite(t).all() for t in (targets.uv, targets.height, targets.depth, targets.gripper))


def test_padding_is_supervised_only_on_request():
    obs, actions = random_batch(B=1, T=4)
    padded = ActionChunk(actions.position, actions.gripper, torch.tensor([[False, False, True, True]]))
    assert make_targets(padded, obs.camera).valid.tolist() == [[True] * 4]
    assert make_targets(padded, obs.camera, supervise_padding=False).valid.tolist() == [[True, True, False, False]]


def test_cell_weights_have_the_pixel_as_their_expectation_on_a_non_square_grid():
    h, w, stride = 5, 9, 4
    uv = torch.tensor([[20.3, 7.9], [1.7, 16.2], [33.0, 3.0]])
    weights = cell_weights(uv, stride, (h, w)).unflatten(-1, (h, w))
    v, u = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    cell = torch.stack([(weights * u).sum((-1, -2)), (weights * v).sum((-1, -2))], dim=-1)
    torch.testing.assert_close(cell_to_pixel(cell, stride), uv)


def test_snapped_weights_are_one_on_the_cell_that_holds_the_pixel():
    weights = cell_weights(torch.tensor([21.4, 6.0]), 4, (5, 9), snap=True).unflatten(-1, (5, 9))
    assert weights[1, 5] == 1 and weights.sum() == 1  # row 6 // 4, column 21 // 4


def test_the_start_embedding_is_added_where_the_end_effector_appears_and_tells_the_gripper():
    obs, _ = random_batch(B=2)
    start = StartKeypoint(6, use_gripper=True, snap=True)
    grid = start(obs, 4)
    uv, _ = project(obs.ee_position, obs.camera)
    for b in range(2):
        u, v = (uv[b] / 4 + 0.125).floor().long().tolist()
        opening = 2 * obs.gripper[b] - 1
        torch.testing.assert_close(grid[b, :, v, u], start.here + opening * start.opening)
        assert (grid[b] != 0).any(dim=0).sum() == 1  # and nowhere else


def test_an_end_effector_off_the_image_adds_nothing():
    obs, _ = random_batch(B=1)
    far = type(obs)(obs.image, obs.camera, torch.tensor([[0.0, 5.0, 0.0]]), obs.gripper)
    assert StartKeypoint(6, use_gripper=False, snap=False)(far, 4).abs().sum() == 0


def test_cameras_may_differ_within_a_batch():
    obs, actions = random_batch(B=2)
    other = oblique_camera(48, 64)
    T = other.T_world_cam.clone()
    T[1, 3] += 0.1
    mixed = type(other)(torch.stack([other.K, other.K]), torch.stack([other.T_world_cam, T]), (48, 64))
    both = make_targets(actions, mixed)
    alone = make_targets(actions[1], mixed[1:])
    torch.testing.assert_close(both.uv[1:], alone.uv)


def test_what_is_known_of_a_step_decides_what_it_teaches():
    obs, actions = random_batch()
    known = torch.zeros(3, 4, 3, dtype=torch.bool)
    known[0], known[1, :, 0], known[2, :, 2] = (
        True,
        True,
        True,
    )  # all; the pixel; the gripper, without a place to read it
    targets = make_targets(replace(actions, known=known), obs.camera)
    everything = make_targets(actions, obs.camera)
    assert torch.equal(targets.valid, everything.valid & torch.tensor([[True], [True], [False]]))
    assert torch.equal(targets.height_valid, everything.valid & torch.tensor([[True], [False], [False]]))
    assert torch.equal(targets.gripper_valid, targets.height_valid)
    assert torch.equal(everything.height_valid, everything.valid)
    assert torch.equal(
        complete_steps(replace(actions, known=known)), torch.tensor([[True], [False], [False]]).expand(3, 4)
    )
