"""The backbone `svd_unet` as the video model that it is: its training on videos, and videos sampled from it.

Videos are frames as the camera took them, (B, F, 3, H, W) uint8, the first of which is what is seen. The published
autoencoder is never trained; one that begins from random weights is trained first, and then stays.
"""

from __future__ import annotations

import torch
from torch import Tensor

from para.backbones.edm import denoising_loss, draw_sigmas, over_videos
from para.backbones.svd_model import make_scheduler
from para.backbones.svd_unet import SvdUnet

KL_WEIGHT = 1e-3
"""Of the divergence of latents from a standard normal, per number: it keeps them of the order of 1."""


def check_frames(backbone: SvdUnet, frames: Tensor) -> None:
    """Raise ValueError unless videos have as many frames as the model."""
    if frames.shape[1] != backbone.config.n_frames:
        raise ValueError(
            f"the video model has {backbone.config.n_frames} frames, the samples {frames.shape[1]}; read them with the "
            "offsets that the policy names"
        )


def video_loss(backbone: SvdUnet, frames: Tensor) -> Tensor:
    """How far the UNet is off on noisy frames, in v, over random noise levels (`para.backbones.edm`).

    Noise comes from torch's global generator, which the training loop seeds at every step.
    """
    check_frames(backbone, frames)
    B, n = frames.shape[:2]
    clean = backbone.latent_scale * backbone.encode(backbone.pictures(frames.flatten(0, 1))).unflatten(0, (B, n))
    sigma = draw_sigmas(B, frames.device)
    noisy = clean + over_videos(sigma) * torch.randn(clean.shape).to(clean)
    seen = frames[:, 0]  # conditions with a little noise, as in the pipeline; what is to be made has none
    said = backbone.velocity(noisy, sigma, backbone.latents(seen), backbone.embedding(seen))
    return denoising_loss(said, clean, noisy, sigma)


def autoencoder_loss(backbone: SvdUnet, frames: Tensor) -> Tensor:
    """Mean absolute error of reconstructed pictures (-1 to 1), and a little of the divergence from a normal."""
    n = frames.shape[1]
    pictures = backbone.pictures(frames.flatten(0, 1))
    posterior = backbone.vae.encode(pictures).latent_dist
    # the numbers are drawn here, on the CPU, so that every device draws the same
    latents = posterior.mean + posterior.std * torch.randn(posterior.mean.shape).to(posterior.mean)
    back = backbone.vae.decode(latents, num_frames=n).sample
    divergence = 0.5 * (posterior.mean.square() + posterior.var - 1 - posterior.logvar).float().mean()
    return (back.float() - pictures).abs().mean() + KL_WEIGHT * divergence


@torch.no_grad()
def fit_latent_scale(backbone: SvdUnet, frames: Tensor) -> None:
    """Scale latents to a deviation of 1 on these frames, as Stable Diffusion's were on the first batch."""
    latents = backbone.encode(backbone.pictures(frames.flatten(0, 1)))
    backbone.latent_scale.copy_(1 / latents.std().clamp(min=1e-6))


@torch.no_grad()
def generate(backbone: SvdUnet, image: Tensor, n_steps: int, seed: int = 0) -> Tensor:
    """Videos that begin with what is seen, by Euler steps of the pipeline's scheduler, without guidance.

    Args:
        backbone: in evaluation mode.
        image: (B, 3, H, W) uint8.
        n_steps: noise levels, from the scheduler's highest to 0.
        seed: of the noise that sampling starts from; the same for every video of the batch.

    Returns:
        (B, F, 3, H, W) uint8, as the camera would have taken them; frame 0 is the model's own picture of what is seen.
    """
    B, n = len(image), backbone.config.n_frames
    latent, embedding = backbone.latents(image), backbone.embedding(image)
    scheduler = make_scheduler(backbone.config.architecture)
    scheduler.set_timesteps(n_steps)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(backbone.noise.shape, generator=generator).to(latent)
    frames = (noise * scheduler.init_noise_sigma).expand(B, -1, -1, -1, -1)
    for timestep, sigma in zip(scheduler.timesteps, scheduler.sigmas):
        scheduler.scale_model_input(frames, timestep)  # `velocity` scales for itself; the scheduler wants to be asked
        said = backbone.velocity(frames, sigma.to(latent).expand(B), latent, embedding)
        frames = scheduler.step(said, timestep, frames).prev_sample
    pictures = backbone.vae.decode((frames / backbone.latent_scale).flatten(0, 1), num_frames=n).sample
    return to_uint8(backbone.fit.image_from_model(pictures)).unflatten(0, (B, n))


@torch.no_grad()
def reconstruct(backbone: SvdUnet, frames: Tensor) -> Tensor:
    """Videos through the autoencoder and back: what no sampling can better. (B, F, 3, H, W) uint8 -> the same."""
    B, n = frames.shape[:2]
    latents = backbone.vae.encode(backbone.pictures(frames.flatten(0, 1))).latent_dist.mode()
    pictures = backbone.vae.decode(latents, num_frames=n).sample
    return to_uint8(backbone.fit.image_from_model(pictures)).unflatten(0, (B, n))


def to_uint8(pictures: Tensor) -> Tensor:
    """Pictures of -1 to 1 as uint8."""
    return ((pictures.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
