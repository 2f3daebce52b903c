"""Laws of the diffusion that SVD is trained with, against the scheduler of diffusers."""

import torch

from para.backbones.edm import (
    denoised,
    denoising_loss,
    draw_sigmas,
    noise_code,
    over_videos,
    scaled_input,
    v_target,
)
from para.backbones.svd_model import SCRATCH, make_scheduler


def noisy_latents(B: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(B, 3, 4, 5, 6, generator=g) for _ in range(2))
    sigma = torch.tensor([0.05, 0.9, 12.0, 300.0])[:B]
    return clean, clean + over_videos(sigma) * noise, sigma


def test_a_perfect_network_denoises_to_what_was_clean_and_has_no_loss():
    clean, noisy, sigma = noisy_latents()
    v = v_target(clean, noisy, sigma)
    torch.testing.assert_close(denoised(v, noisy, sigma), clean, rtol=0, atol=2e-4)  # of numbers up to 1000
    assert denoising_loss(v, clean, noisy, sigma) == 0


def test_the_error_of_v_is_edms_weighted_error_of_what_is_denoised():
    clean, noisy, sigma = noisy_latents(3)
    v = torch.randn(clean[:3].shape, generator=torch.Generator().manual_seed(1))
    weight = over_videos((sigma**2 + 1) / sigma**2)
    edm = (weight * (denoised(v, noisy, sigma) - clean).square()).mean()
    torch.testing.assert_close(denoising_loss(v, clean, noisy, sigma), edm, rtol=1e-4, atol=0)


def test_the_scheduler_scales_names_levels_and_steps_as_we_do():
    clean, _, _ = noisy_latents(1)
    for at in range(6):
        scheduler = make_scheduler(SCRATCH["scratch_tiny"])
        scheduler.set_timesteps(6)
        scheduler.set_begin_index(at)
        sigma, timestep = scheduler.sigmas[at].view(1), scheduler.timesteps[at]
        noisy = clean + over_videos(sigma) * torch.randn(clean.shape, generator=torch.Generator().manual_seed(at))
        torch.testing.assert_close(scheduler.scale_model_input(noisy, timestep), scaled_input(noisy, sigma))
        torch.testing.assert_close(timestep.view(1), noise_code(sigma))
        step = scheduler.step(v_target(clean, noisy, sigma), timestep, noisy)
        torch.testing.assert_close(step.pred_original_sample, clean, rtol=0, atol=1e-3)
        if at == 5:  # from the last level to 0
            torch.testing.assert_close(step.prev_sample, clean, rtol=0, atol=1e-4)


def test_sampling_with_a_perfect_network_ends_at_what_was_clean():
    clean, _, _ = noisy_latents(1)
    scheduler = make_scheduler(SCRATCH["scratch_tiny"])
    scheduler.set_timesteps(8)
    frames = torch.randn(clean.shape, generator=torch.Generator().manual_seed(2)) * scheduler.init_noise_sigma
    for timestep, sigma in zip(scheduler.timesteps, scheduler.sigmas):
        scheduler.scale_model_input(frames, timestep)
        frames = scheduler.step(v_target(clean, frames, sigma.view(1)), timestep, frames).prev_sample
    torch.testing.assert_close(frames, clean, rtol=0, atol=1e-3)


def test_noise_levels_of_training_are_log_normal_and_drawn_from_the_seed_that_training_sets():
    torch.manual_seed(3)
    sigma = draw_sigmas(20000, torch.device("cpu"))
    torch.manual_seed(3)
    assert torch.equal(sigma, draw_sigmas(20000, torch.device("cpu")))
    assert abs(sigma.log().mean() - 0.7) < 0.05 and abs(sigma.log().std() - 1.6) < 0.05
