"""Laws of Motion Tracks beyond those that every policy keeps (tests/test_contracts.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from para.geometry import Camera, pixel_rays, project, warp_affine
from para.policies import MotionTracksConfig
from para.policies.augment import AugmentConfig
from para.policies.motion_tracks import gripper_offsets, position_from_rays
from tests.conftest import oblique_camera, random_batch
from tests.tiny import build, policy_config, train_on

LIFTS = ("mlp", "least_squares")


def policy(**changes):
    """Untrained, with the ranges of a batch whose positions lie within 10 cm of the middle of the table."""
    obs, actions = random_batch()
    built = build(policy_config("motion_tracks", **changes))
    built.fit_ranges(actions, obs.camera)
    return built.eval()


def test_the_points_are_the_centre_and_two_on_each_finger_which_open_along_world_y():
    config = MotionTracksConfig(finger_travel_m=0.04, finger_heights_m=(0.0, 0.06))
    closed, half = gripper_offsets(torch.tensor([0.0, 0.5]), config)
    expected = torch.tensor([[0, 0, 0], [0, 0.02, 0], [0, 0.02, 0.06], [0, -0.02, 0], [0, -0.02, 0.06]])
    torch.testing.assert_close(half, expected)
    torch.testing.assert_close(closed, expected * torch.tensor([1.0, 0.0, 1.0]))


@pytest.mark.parametrize("opening", [0.0, 1.0])
def test_least_squares_recovers_positions_from_exact_tracks(opening):
    camera = oblique_camera(dtype=torch.float64)
    g = torch.Generator().manual_seed(0)
    position = torch.rand(50, 3, dtype=torch.float64, generator=g) * 0.3
    offsets = gripper_offsets(torch.full((50,), opening, dtype=torch.float64), MotionTracksConfig())
    uv, _ = project(position.unsqueeze(1) + offsets, camera)
    origin, direction = pixel_rays(uv, camera)
    found = position_from_rays(origin, direction, offsets, torch.ones(50))
    # the pull towards the nominal distance is 1e-9, against the 1e-3 or so that the rays' spread has to say
    torch.testing.assert_close(found, position, rtol=0, atol=1e-6)


def test_rays_that_say_nothing_of_the_distance_give_the_nominal_one():
    origin, direction = torch.zeros(1, 5, 3), torch.tensor([0.0, 0.6, -0.8]).expand(1, 5, 3)
    found = position_from_rays(origin, direction, torch.zeros(1, 5, 3), torch.tensor([0.7]))
    torch.testing.assert_close(found, 0.7 * direction[:, 0].double(), rtol=0, atol=1e-6)


def test_half_a_pixel_on_one_point_moves_the_least_squares_answer_by_centimetres_and_along_the_ray():
    """Why the lift is learnt by default: a small hand seen from one place says little of its distance."""
    camera = oblique_camera(96, 128, dtype=torch.float64)
    position = torch.tensor([0.05, -0.02, 0.1], dtype=torch.float64)
    offsets = gripper_offsets(torch.tensor(1.0, dtype=torch.float64), MotionTracksConfig())
    uv, _ = project(position + offsets, camera)
    uv[1, 0] += 0.5
    origin, direction = pixel_rays(uv, camera)
    error = position_from_rays(origin, direction, offsets, torch.tensor(1.0)) - position
    assert error.norm() > 0.01
    assert (error @ direction[0]).abs() > 0.95 * error.norm()


def test_tracks_are_shares_of_the_image_and_points_far_off_it_are_not_learnt():
    built, camera = policy(), oblique_camera(batch=3)
    obs, actions = random_batch()
    tracks, visible = built.tracks_of(actions.position, actions.gripper, camera)
    uv, _ = project(actions.position, camera.unsqueeze(1))
    H, W = camera.image_size
    torch.testing.assert_close(tracks[:, :, 0], (uv + 0.5) / torch.tensor([W, H]), rtol=0, atol=1e-6)
    assert visible.all()
    away = actions.position + 4 * camera.T_world_cam[0, :3, 0]  # to the right of what is seen
    behind = actions.position + torch.tensor([3.0, -2.0, 2.0])
    for position in (away, behind):
        tracks, visible = built.tracks_of(position, actions.gripper, camera)
        assert not visible.any() and torch.isfinite(tracks).all()


@pytest.mark.parametrize("lift", LIFTS)
def test_tracks_that_move_with_a_warp_of_image_and_camera_stand_for_the_same_positions(lift):
    built = policy(lift=lift)
    obs, actions = random_batch()
    A = torch.tensor([[0.9, -0.1, 4.0], [0.12, 0.85, 2.0]]).expand(3, 2, 3)
    image, camera = warp_affine(obs.image, obs.camera, A, (40, 56))
    warped = replace(obs, image=image, camera=camera)
    found = []
    for seen in (obs, warped):
        tracks, _ = built.tracks_of(actions.position, actions.gripper, seen.camera)
        found.append(built.positions(tracks, actions.gripper, seen))
    # least squares amplifies the float32 of the tracks along the ray
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-4 if lift == "mlp" else 2e-3)


@pytest.mark.parametrize("lift", LIFTS)
def test_a_position_lies_on_the_ray_of_its_centre_or_near_it(lift):
    built = policy(lift=lift)
    obs, actions = random_batch()
    tracks, _ = built.tracks_of(actions.position, actions.gripper, obs.camera)
    uv, _ = project(built.positions(tracks, actions.gripper, obs), obs.camera.unsqueeze(1))
    expected, _ = project(actions.position, obs.camera.unsqueeze(1))
    torch.testing.assert_close(uv, expected, rtol=0, atol=0.05)


def test_the_learnt_lift_teaches_the_tracks_nothing():
    built = policy()
    obs, actions = random_batch()
    built.loss(obs, actions)["position"].backward()
    assert all(p.grad is None for n, p in built.named_parameters() if not n.startswith("lift."))
    assert all(p.grad.any() for p in built.lift.parameters())


def test_a_track_starts_where_its_point_is_now_as_far_as_the_network_says_nothing():
    obs, _ = random_batch()
    built = policy()
    with torch.no_grad():
        built.mlp[-1].weight.zero_()
        built.mlp[-1].bias.zero_()
    now, _ = built.tracks_of(obs.ee_position.unsqueeze(1), obs.gripper.unsqueeze(1), obs.camera)
    torch.testing.assert_close(built.outputs(obs)[0], now.expand(3, 4, 5, 2))


def test_the_network_says_how_far_a_track_goes_in_units_of_their_spread():
    obs, _ = random_batch()
    built = policy()
    before = built.outputs(obs)[0]
    with torch.no_grad():
        built.mlp[-1].bias.add_(1.0)
    torch.testing.assert_close(built.outputs(obs)[0] - before, built.points_std.expand_as(before))


def test_least_squares_has_no_weights_of_its_own_and_its_tracks_are_learnt():
    obs, actions = random_batch()
    built = policy(lift="least_squares")
    assert not [name for name, _ in built.named_parameters() if name.startswith("lift")]
    with torch.no_grad():
        before = built.loss(obs, actions)
    train_on(built, obs, actions, steps=60)
    with torch.no_grad():
        after = built.loss(obs, actions)
    assert after["total"] < 0.5 * before["total"] and after["track_error_px"] < 0.5 * before["track_error_px"]
    assert "position" not in after


def test_ranges_are_those_of_each_positions_own_camera_and_not_of_padding():
    obs, actions = random_batch()
    T = obs.camera.T_world_cam.clone()
    T[1, :3, 3] += 0.4
    camera = Camera(obs.camera.K, T, obs.camera.image_size)
    pad = torch.zeros_like(actions.is_pad)
    pad[0, -1] = True
    far = torch.where(pad.unsqueeze(-1), actions.position + 9, actions.position)
    built = policy()
    built.fit_ranges(replace(actions, position=far, is_pad=pad), camera)
    distance = (actions.position - camera.T_world_cam[:, None, :3, 3]).norm(dim=-1)[~pad]
    torch.testing.assert_close(built.distance, distance.mean())
    tracks = built.tracks_of(actions.position, actions.gripper, camera)[0][~pad]  # (N, 5, 2)
    torch.testing.assert_close(built.points_mean, tracks.mean(dim=0))
    torch.testing.assert_close(built.points_std, tracks.std(dim=0))
    with pytest.raises(ValueError, match="is the dataset empty"):
        built.fit_ranges(replace(actions, is_pad=torch.ones_like(pad)), camera)


def test_without_state_the_arm_is_not_an_input():
    obs, _ = random_batch(B=1)
    moved = replace(obs, ee_position=obs.ee_position + 0.1, gripper=1 - obs.gripper)
    for use_state in (False, True):
        built = policy(use_state=use_state)
        assert torch.equal(built.act(obs).position, built.act(moved).position) == (not use_state)


def test_augmentation_may_move_pixels_since_tracks_follow():
    obs, actions = random_batch()
    built = policy(augment=AugmentConfig(max_shift=0.3))
    plain = built.loss(obs, actions)["tracks"]
    assert built.loss(obs, actions, generator=torch.Generator().manual_seed(1))["tracks"] != plain


@pytest.mark.parametrize(
    "options", [{"horizon": 0}, {"hidden": 0}, {"finger_travel_m": 0.0}, {"finger_heights_m": (0.06, 0.0)}]
)
def test_options_without_meaning_are_refused(options):
    with pytest.raises(ValueError):
        MotionTracksConfig(**options)
