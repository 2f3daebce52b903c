"""Laws of the regression baselines beyond those that every policy keeps (tests/test_contracts.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from para.geometry import Camera, project
from para.geometry.pixels import compose
from para.policies import ActConfig, GlobalRegressionConfig
from para.policies.augment import AugmentConfig, augment, draw_moves
from para.policies.regression import MIN_CAMERA_STD, beside_the_ray
from tests.conftest import random_batch
from tests.tiny import build, policy_config


def policy(name: str = "act", **changes):
    """Untrained, with the ranges of a batch whose positions lie within 10 cm of the middle of the table."""
    built = build(policy_config(name, **changes))
    obs, actions = random_batch()
    built.fit_ranges(actions, obs.camera)
    return built.eval()


def pushed(policy, value: float) -> torch.Tensor:
    """What it predicts with its last layer pushed to one end."""
    with torch.no_grad():
        policy.mlp[-1].bias.fill_(value)
    return policy.act(random_batch()[0]).position


@pytest.mark.parametrize("name", ["act", "global_regression"])
def test_the_workspace_range_rules_no_position_of_the_workspace_out(name):
    config = policy_config(name)
    low, high = (torch.tensor(corner) for corner in (config.workspace_low_m, config.workspace_high_m))
    for value, corner in ((-40.0, low), (40.0, high)):
        torch.testing.assert_close(pushed(policy(name), value), corner.expand(3, 4, 3), rtol=0, atol=1e-5)


def test_the_training_range_ends_a_centimetre_beyond_the_demonstrations():
    position = random_batch()[1].position.flatten(0, 1)
    low, high = position.amin(dim=0) - 0.01, position.amax(dim=0) + 0.01
    for value, corner in ((-40.0, low), (40.0, high)):
        built = policy(output_range="training")
        torch.testing.assert_close(pushed(built, value), corner.expand(3, 4, 3), rtol=0, atol=1e-5)


def test_ranges_are_not_taken_from_padding():
    obs, actions = random_batch()
    pad = torch.zeros_like(actions.is_pad)
    pad[0, -1] = True
    far = actions.position.clone()
    far[0, -1] = 9.0
    built = build(policy_config("act", output_range="training"))
    built.fit_ranges(replace(actions, position=far, is_pad=pad), obs.camera)
    assert built.high.max() < 1.0


def test_ranges_of_nothing_are_refused():
    obs, actions = random_batch()
    with pytest.raises(ValueError, match="is the dataset empty"):
        build(policy_config("act")).fit_ranges(replace(actions, is_pad=torch.ones_like(actions.is_pad)), obs.camera)


def test_the_global_mean_cannot_tell_where_things_are_and_the_pooled_vector_can():
    obs, _ = random_batch(B=1)
    image = torch.full_like(obs.image, 90)
    left, right = image.clone(), image.clone()
    left[..., 20:28, 16:24] = 255
    right[..., 20:28, 40:48] = 255
    difference = {}
    for name in ("act", "global_regression"):
        built = policy(name, use_state=False)
        a, b = (built.act(replace(obs, image=i)).position for i in (left, right))
        difference[name] = (a - b).abs().max().item()
    assert difference["global_regression"] < 1e-5 < 1e-3 < difference["act"]


def test_without_state_the_arm_is_not_an_input():
    obs, _ = random_batch(B=1)
    moved = replace(obs, ee_position=obs.ee_position + 0.1, gripper=1 - obs.gripper)
    for use_state in (False, True):
        built = policy(use_state=use_state)
        same = torch.equal(built.act(obs).position, built.act(moved).position)
        assert same == (not use_state)


@pytest.mark.parametrize("augment", [{"scale": (0.8, 1.0)}, {"max_shift": 0.1}, {"max_rotation_deg": 3.0}])
@pytest.mark.parametrize("config_type", [ActConfig, GlobalRegressionConfig])
def test_augmentation_that_moves_pixels_is_refused_since_world_labels_cannot_follow(config_type, augment):
    with pytest.raises(ValueError, match="colour augmentation only"):
        config_type(augment=AugmentConfig(**augment))


WARPS = AugmentConfig(scale=(0.8, 1.2), max_rotation_deg=10.0, max_shift=0.08, view_tilt_deg=25.0)
TURN = torch.linalg.matrix_exp(torch.tensor([[0.0, -0.3, -0.15], [0.3, 0.0, -0.1], [0.15, 0.1, 0.0]]))


def warped_and_turned(obs):
    """One picture with the two cameras that see it alike: the one whose picture is warped, and a real one turned so."""
    K, pose = obs.camera.K, obs.camera.T_world_cam
    A = compose(compose(K, TURN.expand(len(obs), 3, 3)), torch.linalg.inv(K))
    turn = torch.eye(4)
    turn[:3, :3] = TURN.mT
    warped = Camera(2.5 * compose(A, K), pose, obs.camera.image_size)  # a homography has no scale
    return replace(obs, camera=warped), replace(obs, camera=Camera(K, pose @ turn, obs.camera.image_size))


@pytest.mark.parametrize("config_type", [ActConfig, GlobalRegressionConfig])
@pytest.mark.parametrize("options", [{"use_camera": True}, {"frame": "camera"}])
def test_a_policy_that_knows_the_camera_may_see_warped_pictures(config_type, options):
    assert config_type(augment=WARPS, **options).augment.moves_pixels


def test_in_the_cameras_frame_a_warped_picture_has_the_labels_of_a_camera_turned_alike():
    obs, actions = random_batch()
    built = policy(frame="camera")
    warped, turned = warped_and_turned(obs)
    torch.testing.assert_close(*(project(actions.position, o.camera.unsqueeze(1))[0] for o in (warped, turned)))
    labels = [built.to_frame(actions.position, o.camera.unsqueeze(1)) for o in (obs, warped, turned)]
    torch.testing.assert_close(labels[1], labels[2], rtol=0, atol=1e-5)
    assert (labels[0] - labels[1]).norm(dim=-1).min() > 0.02
    for a, b in zip(*(built.loss(o, actions).values() for o in (warped, turned))):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_in_the_cameras_frame_the_answer_moves_with_the_camera_and_in_the_worlds_it_stays():
    obs, _ = random_batch()
    pose = obs.camera.T_world_cam.clone()
    pose[:, :3, 3] += torch.tensor([0.1, -0.2, 0.05])
    moved = replace(obs, camera=replace(obs.camera, T_world_cam=pose))
    for frame, shift in (("world", [0.0, 0.0, 0.0]), ("camera", [0.1, -0.2, 0.05])):
        built = policy(frame=frame, use_state=False)
        difference = built.act(moved).position - built.act(obs).position
        torch.testing.assert_close(difference, torch.tensor(shift).expand(3, 4, 3), rtol=0, atol=1e-5)


def test_in_the_cameras_frame_the_arm_is_seen_from_the_camera():
    obs, _ = random_batch(B=1)
    shift = torch.tensor([0.1, -0.2, 0.05])
    pose = obs.camera.T_world_cam.clone()
    pose[:, :3, 3] += shift
    together = replace(obs, camera=replace(obs.camera, T_world_cam=pose), ee_position=obs.ee_position + shift)
    built = policy(frame="camera")
    change = built.act(together).position - built.act(obs).position
    torch.testing.assert_close(change, shift.expand(1, 4, 3), rtol=0, atol=1e-5)


def test_the_training_range_of_the_cameras_frame_is_that_of_its_labels_with_warps_too():
    obs, actions = random_batch(B=40)
    plain, warped = (build(policy_config("act", frame="camera", output_range="training", augment=a))
                     for a in (AugmentConfig(), WARPS))  # fmt: skip
    for built in (plain, warped):
        built.fit_ranges(actions, obs.camera)
    labels = plain.to_frame(actions.position, obs.camera.unsqueeze(1)).flatten(0, 1)
    torch.testing.assert_close(plain.low, labels.amin(dim=0) - 0.01)
    torch.testing.assert_close(plain.high, labels.amax(dim=0) + 0.01)
    _, moved = draw_moves(obs.camera, WARPS, torch.Generator().manual_seed(9))
    others = warped.to_frame(actions.position, moved.unsqueeze(1)).flatten(0, 1)
    outside = ((others < plain.low) | (others > plain.high)).any(dim=-1).float().mean()
    still_outside = ((others < warped.low - 0.05) | (others > warped.high + 0.05)).any(dim=-1).float().mean()
    assert outside > 0.3 and still_outside < 0.01


@pytest.mark.parametrize("tilt", [0.0, 20.0, 40.0])
def test_the_workspace_range_of_the_cameras_frame_rules_no_position_out_from_other_views_either(tilt):
    obs, actions = random_batch()
    built = build(policy_config("act", frame="camera"))
    built.fit_ranges(actions, obs.camera)
    camera = obs.camera
    if tilt:
        camera = draw_moves(camera, AugmentConfig(view_tilt_deg=tilt), torch.Generator().manual_seed(1))[1]
    reach = 0.9 * torch.tensor([[x, y, z] for x in (-0.5, 0.5) for y in (-0.6, 0.6) for z in (-0.02, 0.5)])
    corners = built.to_frame(reach, camera.unsqueeze(1))
    assert ((corners > built.low) & (corners < built.high)).all()


def test_the_camera_is_an_input_where_asked_and_only_there():
    obs, _ = random_batch(B=1)
    elsewhere = replace(obs, camera=replace(obs.camera, T_world_cam=warped_and_turned(obs)[1].camera.T_world_cam))
    zoomed = replace(obs, camera=replace(obs.camera, K=obs.camera.K * torch.tensor([[1.3], [1.3], [1.0]])))
    rescaled = replace(obs, camera=replace(obs.camera, K=7 * obs.camera.K))
    for use_camera in (False, True):
        built = policy(use_camera=use_camera)
        here = built.act(obs).position
        for other in (elsewhere, zoomed):
            assert torch.equal(built.act(other).position, here) == (not use_camera)
        torch.testing.assert_close(built.act(rescaled).position, here)  # the same camera: K is homogeneous


def test_a_camera_that_never_varied_in_training_is_not_blown_up():
    obs, actions = random_batch()
    built = policy(use_camera=True)
    assert built.camera_std.min() == pytest.approx(MIN_CAMERA_STD)
    warped = build(policy_config("act", use_camera=True, augment=WARPS))
    warped.fit_ranges(actions[:1], obs.camera[:1])
    assert torch.isfinite(warped.camera_std).all() and torch.isfinite(warped.act(obs).position).all()


@pytest.mark.parametrize("options", [{"use_camera": True}, {"frame": "camera"}])
def test_what_is_trained_on_is_the_warped_picture_with_its_warped_camera(options):
    obs, actions = random_batch()
    built = build(policy_config("act", augment=WARPS, **options))
    built.fit_ranges(actions, obs.camera)
    by_policy = built.loss(obs, actions, generator=torch.Generator().manual_seed(3))
    by_hand = built.loss(augment(obs, WARPS, torch.Generator().manual_seed(3)), actions)
    assert torch.equal(by_policy["total"], by_hand["total"])


def test_cameras_of_a_batch_are_told_apart():
    obs, _ = random_batch(B=2)
    K = obs.camera.K.clone()
    K[1, 0, 0] *= 1.4
    mixed = replace(obs, camera=Camera(K, obs.camera.T_world_cam, obs.camera.image_size))
    for options in ({"use_camera": True}, {"frame": "camera"}):
        built = policy(**options)
        together = built.act(mixed).position
        torch.testing.assert_close(together[1:], built.act(mixed[1]).position, rtol=0, atol=1e-5)
        torch.testing.assert_close(together[:1], built.act(obs[0]).position, rtol=0, atol=1e-5)


@pytest.mark.parametrize("options", [{"horizon": 0}, {"hidden": 0}, {"workspace_low_m": (1.0, 0.0, 0.0)}])
def test_options_without_meaning_are_refused(options):
    with pytest.raises(ValueError):
        ActConfig(**options)


@pytest.mark.parametrize("frame", ["world", "camera"])
def test_a_point_of_which_only_the_pixel_is_known_costs_nothing_anywhere_on_its_ray(frame):
    act = policy(frame=frame)
    obs, _ = random_batch()
    predicted = act.act(obs)
    partial = replace(predicted, known=torch.tensor([True, False, False]).expand(3, 4, 3))
    eye = obs.camera.T_world_cam[:, None, :3, 3]
    for share in (1.0, 0.8, 1.1):
        along = replace(partial, position=eye + share * (predicted.position - eye))
        terms = act.loss(obs, along)
        assert terms["position"] < 1e-4 and terms["gripper"] == 0
    beside = replace(partial, position=predicted.position + torch.tensor([0.0, 0.03, 0.0]))
    assert act.loss(obs, beside)["position"] > 0.05


def test_what_is_beside_the_ray_is_measured_in_metres_at_the_labels_depth():
    obs, actions = random_batch()
    label = actions.position
    R = obs.camera.T_world_cam[:, None, :3, :3]
    across = 0.02 * R[..., 0]  # along the image's u axis
    torch.testing.assert_close(beside_the_ray(label + across, label, obs.camera), across.abs().sum(-1).expand(3, 4))
    eye = obs.camera.T_world_cam[:, None, :3, 3]
    nearer = eye + 0.5 * (label + across - eye)
    torch.testing.assert_close(beside_the_ray(nearer, label, obs.camera), across.abs().sum(-1).expand(3, 4))
