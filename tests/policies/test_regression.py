"""Laws of the regression baselines beyond those that every policy keeps (tests/test_contracts.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from para.policies import ActConfig, GlobalRegressionConfig
from para.policies.augment import AugmentConfig
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


@pytest.mark.parametrize("options", [{"horizon": 0}, {"hidden": 0}, {"workspace_low_m": (1.0, 0.0, 0.0)}])
def test_options_without_meaning_are_refused(options):
    with pytest.raises(ValueError):
        ActConfig(**options)
