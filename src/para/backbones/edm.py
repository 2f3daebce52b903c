"""Diffusion as Stable Video Diffusion is trained: Karras et al. (2022, "EDM") noise levels, v-prediction.

A clean latent x becomes x + sigma n. The network F sees it scaled, and a number that stands for sigma, and says v:

    denoised = c_skip (x + sigma n) + c_out F(c_in (x + sigma n), c_noise)
    c_skip = 1 / (sigma^2 + 1),  c_out = -sigma / sqrt(sigma^2 + 1),  c_in = 1 / sqrt(sigma^2 + 1)
    c_noise = log(sigma) / 4

The loss is (sigma^2 + 1) / sigma^2 times the squared error of what is denoised (EDM's weight for data of variance 1),
which is the squared error of v. `diffusers`' EulerDiscreteScheduler has the same convention with
`prediction_type="v_prediction", timestep_type="continuous"`.
"""

from __future__ import annotations

import torch
from torch import Tensor

SIGMA_MIN, SIGMA_MAX = 0.002, 700.0
"""Of the published scheduler."""

P_MEAN, P_STD = 0.7, 1.6
"""log(sigma) of training is normal with these, as public code for fine-tuning the published model has them."""


def draw_sigmas(n: int, device: torch.device) -> Tensor:
    """Noise levels of training, log-normal, from torch's global generator of the CPU. -> (n,)."""
    return (P_MEAN + P_STD * torch.randn(n)).exp().clamp(SIGMA_MIN, SIGMA_MAX).to(device)


def over_videos(sigma: Tensor) -> Tensor:
    """One number per video, to go with its latents: (B,) -> (B, 1, 1, 1, 1)."""
    return sigma.view(-1, 1, 1, 1, 1)


def scaled_input(noisy: Tensor, sigma: Tensor) -> Tensor:
    """What the network sees of noisy latents (B, F, C, h, w) at levels (B,)."""
    return noisy / (over_videos(sigma) ** 2 + 1).sqrt()


def noise_code(sigma: Tensor) -> Tensor:
    """The number that tells the network the noise level. (B,) -> (B,)."""
    return 0.25 * sigma.log()


def denoised(v: Tensor, noisy: Tensor, sigma: Tensor) -> Tensor:
    """The clean latents that v means. (B, F, C, h, w) each, (B,) -> (B, F, C, h, w)."""
    s = over_videos(sigma)
    return noisy / (s**2 + 1) - v * s / (s**2 + 1).sqrt()


def v_target(clean: Tensor, noisy: Tensor, sigma: Tensor) -> Tensor:
    """The v that a perfect network says: `denoised` of it is `clean`."""
    s = over_videos(sigma)
    return (noisy / (s**2 + 1) - clean) * (s**2 + 1).sqrt() / s


def denoising_loss(v: Tensor, clean: Tensor, noisy: Tensor, sigma: Tensor) -> Tensor:
    """EDM's weighted squared error of what is denoised, which is that of v: the mean over everything."""
    return (v.float() - v_target(clean, noisy, sigma)).square().mean()
