"""Laws of ranges: one action is enough for finite ones, and nothing is trained towards what cannot be reached."""

from dataclasses import replace

import pytest
import torch

from para.policies import ActConfig, DiffusionConfig, MotionTracksConfig, make_policy
from tests.conftest import random_batch

SIZE = {"image_size": (48, 64), "horizon": 4}
REGRESSING = {
    "act": ActConfig(**SIZE),
    "diffusion": DiffusionConfig(**SIZE),
    "motion_tracks": MotionTracksConfig(**SIZE),
}
IN_A_BOX = ("act", "diffusion")


@pytest.mark.parametrize("name", REGRESSING)
def test_a_single_training_action_gives_finite_actions(name):
    obs, actions = random_batch(B=1)
    one = replace(actions, is_pad=torch.tensor([[False, True, True, True]]))
    policy = make_policy(REGRESSING[name]).eval()
    policy.fit_ranges(one, obs.camera)
    assert torch.isfinite(policy.act(obs).position).all()


@pytest.mark.parametrize("name", IN_A_BOX)
def test_demonstrations_that_leave_the_workspace_are_refused_with_how_many_and_what_to_do(name):
    obs, actions = random_batch()
    far = actions.position.clone()
    far[0, 0, 0] = 0.7
    with pytest.raises(ValueError, match=r"1 of 12 training actions lie outside .*\(0\.70, .*workspace_low_m"):
        make_policy(REGRESSING[name]).fit_ranges(replace(actions, position=far), obs.camera)
    for wider in ({"workspace_high_m": (0.8, 0.6, 0.5)}, {"output_range": "training"}):
        make_policy(replace(REGRESSING[name], **wider)).fit_ranges(replace(actions, position=far), obs.camera)


def test_points_of_which_only_the_pixel_is_known_may_stand_anywhere_on_their_nominal_plane():
    obs, actions = random_batch()
    far = replace(actions, position=actions.position + 2)
    policy = make_policy(REGRESSING["act"]).eval()
    with pytest.raises(ValueError, match="12 of 12 training actions lie outside"):
        policy.fit_ranges(far, obs.camera)
    policy.fit_ranges(replace(far, known=torch.tensor([True, False, False]).expand(3, 4, 3)), obs.camera)
    torch.testing.assert_close(policy.state_mean[:3], far.position.flatten(0, 1).mean(dim=0))
    assert torch.equal(policy.high, torch.tensor(policy.config.workspace_high_m))


@pytest.mark.parametrize("name", IN_A_BOX)
def test_actions_that_are_no_numbers_are_outside_too_and_the_span_is_of_those_that_are(name):
    obs, actions = random_batch()
    spoilt = actions.position.clone()
    spoilt[0, 0, 0], spoilt[1, 1, 1] = float("nan"), 0.9
    with pytest.raises(ValueError, match=r"2 of 12 training actions lie outside .* to \(0\.\d\d, 0\.90, "):
        make_policy(REGRESSING[name]).fit_ranges(replace(actions, position=spoilt), obs.camera)
