"""Laws of the policy `soft_argmax` beyond those that every policy keeps (tests/test_contracts.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from para.geometry import Camera, project
from para.geometry.pixels import cell_to_pixel
from para.pixel_actions.decoding import expected_pixel
from para.policies import SoftArgmaxConfig
from para.policies.augment import AugmentConfig, augment
from tests.conftest import random_batch
from tests.tiny import build, policy_config

WARPS = AugmentConfig(scale=(0.8, 1.2), max_rotation_deg=10.0, max_shift=0.05, view_tilt_deg=15.0)


def policy(**changes):
    """Untrained, with the ranges of a batch."""
    obs, actions = random_batch()
    built = build(policy_config("soft_argmax", **changes))
    built.fit_ranges(actions, obs.camera)
    return built.eval()


def test_the_expected_pixel_is_the_expectation_over_all_cells_as_u_v():
    logits = torch.randn(2, 3, 5, 9, generator=torch.Generator().manual_seed(0))
    probs = logits.flatten(2).softmax(dim=-1).unflatten(-1, (5, 9))
    v, u = torch.meshgrid(torch.arange(5.0), torch.arange(9.0), indexing="ij")
    cells = torch.stack([(probs * u).sum((-2, -1)), (probs * v).sum((-2, -1))], dim=-1)
    torch.testing.assert_close(expected_pixel(logits, 4), cell_to_pixel(cells, 4))


def test_between_two_hypotheses_it_answers_the_middle_where_a_peak_would_choose():
    logits = torch.full((1, 1, 5, 9), -30.0)
    logits[0, 0, 1, 2] = logits[0, 0, 3, 8] = 5.0  # (row, column)
    torch.testing.assert_close(expected_pixel(logits, 4), torch.tensor([[[5.5 * 4 - 0.5, 2.5 * 4 - 0.5]]]))


def test_the_chunk_is_the_expected_pixel_lifted_to_the_height_that_is_read_there():
    obs, _ = random_batch()
    built = policy()
    prediction, chunk = built.predict(obs), built.act(obs)
    uv, _ = project(chunk.position, obs.camera.unsqueeze(1))
    torch.testing.assert_close(uv, prediction.uv, rtol=0, atol=0.05)
    torch.testing.assert_close(chunk.position[..., 2], prediction.height, rtol=0, atol=1e-5)
    assert chunk.peak_probability is None


def test_heights_stay_within_those_of_training_and_the_margin():
    obs, actions = random_batch()
    heights = actions.position[..., 2]
    for push, edge in ((-40.0, heights.min() - 0.05), (40.0, heights.max() + 0.05)):
        built = policy(height_margin_m=0.05)
        with torch.no_grad():
            built.heads.height.bias.fill_(push)
        torch.testing.assert_close(built.predict(obs).height, edge.expand(3, 4))


def test_the_loss_is_ten_times_the_distance_in_shares_of_the_image_and_metres():
    obs, actions = random_batch()
    built = policy()
    losses, prediction = built.loss(obs, actions), built.predict(obs)
    uv, _ = project(actions.position, obs.camera.unsqueeze(1))
    shares = (prediction.uv - uv).abs() / torch.tensor([64.0, 48.0])
    torch.testing.assert_close(losses["pixel"].detach(), 10 * shares.sum(dim=-1).mean())
    with torch.no_grad():  # the height is read at the demonstrated pixel, as in PARA
        heights = built.height(built.features(obs), uv)
    torch.testing.assert_close(losses["height"].detach(), 10 * (heights - actions.position[..., 2]).abs().mean())


def test_labels_follow_a_warp():
    obs, actions = random_batch()
    built = policy(augment=WARPS)
    by_policy = built.loss(obs, actions, generator=torch.Generator().manual_seed(3))
    by_hand = built.loss(augment(obs, WARPS, torch.Generator().manual_seed(3)), actions)
    assert torch.equal(by_policy["total"], by_hand["total"])
    assert abs(by_policy["pixel"] - built.loss(obs, actions)["pixel"]) > 1e-3


def test_a_camera_that_looks_at_the_horizon_holds_the_arm_still():
    obs, _ = random_batch(B=1)
    level = torch.tensor([[[1.0, 0, 0, 0], [0, 0, 1, -0.9], [0, -1, 0, 0.5], [0, 0, 0, 1]]])
    built = policy()
    with torch.no_grad():
        built.heads.heatmap.weight.zero_()  # uniform: the middle of the image
    K = obs.camera.K.clone()
    K[:, 1, 2] = 40.0  # and the horizon below it
    chunk = built.act(replace(obs, camera=Camera(K, level, (48, 64))))
    torch.testing.assert_close(chunk.position, obs.ee_position.expand(1, 4, 3))


def test_ranges_of_nothing_are_refused():
    obs, actions = random_batch()
    with pytest.raises(ValueError, match="is the dataset empty"):
        build(policy_config("soft_argmax")).fit_ranges(
            replace(actions, is_pad=torch.ones_like(actions.is_pad)), obs.camera
        )


@pytest.mark.parametrize("options", [{"horizon": 0}, {"n_gripper_bins": 1}, {"height_margin_m": 0.0}])
def test_options_without_meaning_are_refused(options):
    with pytest.raises(ValueError):
        SoftArgmaxConfig(**options)
