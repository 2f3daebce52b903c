"""Laws of Diffusion Policy beyond those that every policy keeps (tests/test_contracts.py)."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import torch

from para.policies import DiffusionConfig
from para.policies.augment import AugmentConfig
from para.policies.diffusion import hold_last_valid, make_schedulers
from para.training.checkpoint import load_policy, save_policy
from tests.conftest import random_batch
from tests.tiny import build, policy_config, train_on


def policy(**changes):
    """Untrained, with the ranges of a batch whose positions lie within 10 cm of the middle of the table."""
    obs, actions = random_batch()
    built = build(policy_config("diffusion", **changes))
    built.fit_ranges(actions, obs.camera)
    return built.eval()


class PerfectDenoiser(torch.nn.Module):
    """Knows the clean values, and answers as a denoiser that has learnt them would."""

    def __init__(self, built, clean: torch.Tensor):
        super().__init__()
        self.prediction, self.share, self.clean = built.config.prediction, built.noising.alphas_cumprod, clean

    def forward(self, noisy, level, seen):
        return self.denoised(noisy, self.modulations(level, seen))

    def modulations(self, level, seen):
        return [self.share[level].unsqueeze(-1)]

    def denoised(self, noisy, modulations):
        if self.prediction == "sample":
            return self.clean.expand_as(noisy)
        (share,) = modulations
        return (noisy - share.sqrt() * self.clean) / (1 - share).sqrt()


@pytest.mark.parametrize("prediction", ["sample", "epsilon"])
@pytest.mark.parametrize("n_denoising_steps", [1, 4, 10])
def test_a_perfect_denoiser_leads_to_the_demonstrated_chunk(prediction, n_denoising_steps):
    obs, actions = random_batch()
    built = policy(prediction=prediction, n_denoising_steps=n_denoising_steps)
    built.denoiser = PerfectDenoiser(built, built.to_values(actions).flatten(1))
    chunk = built.act(obs)
    # the last level of noise hides all but 2e-7 of a chunk's variance: there, float32 leaves 1e-4 of a noise
    tolerance = 1e-5 if prediction == "sample" or n_denoising_steps > 1 else 1e-3
    torch.testing.assert_close(chunk.position, actions.position, rtol=0, atol=tolerance)
    torch.testing.assert_close(chunk.gripper, actions.gripper, rtol=0, atol=2 * tolerance)


@pytest.mark.parametrize("prediction", ["sample", "epsilon"])
@pytest.mark.parametrize("error", ["absolute", "squared"])
def test_a_perfect_denoiser_costs_nothing_and_any_other_does(prediction, error):
    obs, actions = random_batch()
    built = policy(prediction=prediction, error=error)
    imperfect = built.loss(obs, actions)["total"]
    perfect = PerfectDenoiser(built, built.to_values(actions).flatten(1))
    built.denoiser = perfect
    # at the lowest level the noise is a fortieth of what is seen: rounding is that much larger in it
    assert built.loss(obs, actions)["total"] < 1e-4 < 0.1 < imperfect


def test_acting_takes_the_steps_that_calling_the_denoiser_one_level_after_the_other_takes():
    obs, _ = random_batch()
    built = policy()
    values, seen = built.first_noise.expand(len(obs), -1), built.seen(obs)
    with torch.no_grad():
        for level in built.denoising.timesteps:
            said = built.denoiser(values, level.expand(len(obs)), seen)
            values = built.denoising.step(said, level, values, eta=0.0).prev_sample
    gripper = (values.unflatten(-1, (built.config.horizon, 4))[..., 3].clamp(-1, 1) + 1) / 2
    torch.testing.assert_close(built.act(obs).gripper, gripper, rtol=0, atol=1e-5)


def test_the_highest_level_is_noise_alone_and_acting_starts_there():
    noising, denoising = make_schedulers(DiffusionConfig())
    assert noising.alphas_cumprod[-1] < 1e-6
    assert denoising.timesteps[0] == DiffusionConfig().n_noise_levels - 1
    assert len(denoising.timesteps) == DiffusionConfig().n_denoising_steps


@pytest.mark.parametrize("prediction", ["sample", "epsilon"])
def test_the_loss_falls_on_one_batch_in_both_parametrisations(prediction):
    obs, actions = random_batch()
    torch.manual_seed(0)
    totals = train_on(policy(prediction=prediction), obs, actions, steps=40, lr=5e-3)
    assert totals[-1] < 0.7 * totals[0]


def test_every_draw_of_a_training_step_has_noise_of_its_own():
    obs, actions = random_batch()
    built = policy(n_noise_draws=3)
    seen = []
    built.denoiser.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[:2]))
    built.loss(obs, actions)
    (noisy, level) = seen[0]
    assert noisy.shape == (3, 3, 16) and level.shape == (3, 3)
    rows = noisy.flatten(0, 1)
    assert (torch.cdist(rows, rows) + torch.eye(9) > 1e-3).all()


def test_the_noise_of_training_is_a_function_of_the_global_seed_alone():
    obs, actions = random_batch()
    built = policy()

    def total(seed: int) -> float:
        torch.manual_seed(seed)
        return float(built.loss(obs, actions)["total"].detach())

    assert total(1) == total(1) != total(2)


def test_acting_depends_on_the_seed_in_the_options_and_a_row_acts_as_alone():
    obs, _ = random_batch()
    first = policy().act(obs)
    assert torch.equal(policy().act(obs).position, first.position)
    assert not torch.equal(policy(noise_seed=1).act(obs).position, first.position)
    for row in range(3):
        torch.testing.assert_close(policy().act(obs[row]).position[0], first.position[row], rtol=0, atol=1e-6)


def test_the_first_noise_is_saved_with_the_weights(tmp_path):
    obs, _ = random_batch()
    built = policy()
    built.first_noise.normal_()  # as a seed would give in another version of torch
    loaded = load_policy(save_policy(built, tmp_path / "checkpoint"))
    assert torch.equal(loaded.act(obs).position, built.act(obs).position)


def test_the_workspace_range_holds_every_position_and_the_training_range_only_those_seen():
    _, actions = random_batch()
    low, high = (
        torch.tensor(corner) for corner in (DiffusionConfig().workspace_low_m, DiffusionConfig().workspace_high_m)
    )
    corners = replace(actions, position=torch.stack([low, high]).repeat(3, 2, 1))
    values = policy().to_values(corners)[..., :3]
    torch.testing.assert_close(values[0, :2], torch.tensor([[-1.0] * 3, [1.0] * 3]))
    seen = policy(output_range="training").to_values(actions)[..., :3]
    assert seen.abs().max() < 1 < policy(output_range="training").to_values(corners).abs().max()


def test_a_step_that_is_not_valid_says_what_the_last_valid_one_before_it_does():
    values = torch.tensor([[[1.0], [2.0], [3.0], [4.0]], [[float("nan")], [6.0], [7.0], [8.0]]])
    valid = torch.tensor([[True, False, True, False], [False, False, True, True]])
    expected = torch.tensor([[[1.0], [1.0], [3.0], [3.0]], [[0.0], [0.0], [7.0], [8.0]]])
    assert torch.equal(hold_last_valid(values, valid), expected)


def test_without_state_the_arm_is_not_an_input():
    obs, _ = random_batch(B=1)
    moved = replace(obs, ee_position=obs.ee_position + 0.1, gripper=1 - obs.gripper)
    for use_state in (False, True):
        built = policy(use_state=use_state)
        assert torch.equal(built.act(obs).position, built.act(moved).position) == (not use_state)


def test_without_diffusers_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers.schedulers.scheduling_ddim", None)
    with pytest.raises(ImportError, match=r"needs diffusers: in para's folder, pip install -e '\.\[diffusion\]'"):
        build(policy_config("diffusion"))


def test_ranges_of_nothing_are_refused():
    obs, actions = random_batch()
    with pytest.raises(ValueError, match="is the dataset empty"):
        policy().fit_ranges(replace(actions, is_pad=torch.ones_like(actions.is_pad)), obs.camera)


@pytest.mark.parametrize(
    "options",
    [
        {"horizon": 0}, {"n_noise_draws": 0}, {"n_denoising_steps": 101}, {"n_denoising_steps": 0}, {"hidden": 33},
        {"workspace_low_m": (1.0, 0.0, 0.0)}, {"augment": AugmentConfig(max_shift=0.1)},
    ],
)  # fmt: skip
def test_options_without_meaning_are_refused(options):
    with pytest.raises(ValueError):
        DiffusionConfig(**options)
