"""What a policy on a video model is trained for: videos, actions, or both at once (paper, video backbone).

Jointly, each loss (diffusion, pixels and heights, gripper) is divided by its own running magnitude, so that none drowns
the others: L = sum of L_i / EMA(L_i). The original project says that it does so and gives no formula; this is the
obvious one. The magnitudes are buffers: they are saved with a run's state, and resuming is exact.

The heads read features of one pass that has seen nothing of the future, as when acting. The diffusion loss takes a pass
of its own, over the noisy future: were both one, the heads would read in training what they are to predict.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from para.backbones import svd_video
from para.interfaces import ActionChunk, Observation

Objective = Literal["joint", "video", "actions"]
"""What is minimised: diffusion and action losses, balanced; the diffusion loss alone; the action losses alone."""

ACTION_LOSSES = ("volume", "spatial", "height", "depth", "gripper", "rotation", "position")
"""Names of the losses that policies add up; whatever else their dictionaries hold are measures."""

BALANCED = ("video", *ACTION_LOSSES)

MIN_MAGNITUDE = 1e-3
"""No loss is divided by less: one that is almost 0 must not be blown up."""

Terms = dict[str, Tensor]


@dataclass(frozen=True)
class VideoTraining:
    """Options of a policy on a video model."""

    objective: Objective = "joint"
    """What is minimised."""

    balance_decay: float = 0.99
    """Of the running magnitude of each loss."""

    video_samples: int = 0
    """How many samples of each batch the diffusion loss takes; 0: all."""

    autoencoder_steps: int = 0
    """Steps at the beginning that train the autoencoder alone, which then stays: for models that begin from random
    weights. The published one is never trained."""

    autoencoder_samples: int = 2
    """How many samples of each batch these steps take."""

    def __post_init__(self):
        if self.objective not in ("joint", "video", "actions"):
            raise ValueError(f"objective must be joint, video or actions; got '{self.objective}'")
        if not 0 < self.balance_decay < 1:
            raise ValueError(f"balance_decay must lie between 0 and 1; got {self.balance_decay}")
        if min(self.video_samples, self.autoencoder_steps) < 0 or self.autoencoder_samples < 1:
            raise ValueError("video_samples and autoencoder_steps must be at least 0, autoencoder_samples at least 1")
        if self.objective == "actions" and self.autoencoder_steps:
            raise ValueError("an autoencoder is trained on videos: with objective 'actions' set autoencoder_steps to 0")


class VideoObjective(nn.Module):
    """The loss of a policy on a video model: what is counted and averaged in it, and saved with the policy."""

    def __init__(self, config: VideoTraining, backbone: nn.Module):
        super().__init__()
        self.config = config
        if config.objective != "actions" and not isinstance(backbone, svd_video.SvdUnet):
            raise ValueError(
                f"objective '{config.objective}' needs a video model, the backbone is a {type(backbone).__name__}; "
                "choose svd_unet, or objective 'actions'"
            )
        elif config.objective != "actions" and backbone.config.mode == "frozen":
            raise ValueError(
                f"objective '{config.objective}' trains the video model, and mode 'frozen' leaves it as it is; choose "
                "mode 'finetune', or objective 'actions', which trains what reads it"
            )
        if config.autoencoder_steps:
            if not backbone.from_scratch:
                raise ValueError("the published autoencoder is never trained: set autoencoder_steps to 0")
            backbone.vae.requires_grad_(True)
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.long))
        self.register_buffer("magnitudes", torch.zeros(len(BALANCED)))

    def forward(
        self, backbone: nn.Module, obs: Observation, actions: ActionChunk, action_terms: Callable[[], Terms]
    ) -> Terms:
        """The terms of the loss, with "total".

        Args:
            backbone: of the policy.
            obs, actions: the batch as it was recorded; `actions.frames` are the frames to come.
            action_terms: computes the policy's own loss.

        Raises:
            ValueError: if the objective needs frames and there are none.
        """
        if self.config.objective == "actions":
            return action_terms()
        if actions.frames is None:
            raise ValueError(
                f"objective '{self.config.objective}' learns from the frames to come, and the samples have none; read "
                "them with VideoChunkDataset"
            )
        frames = torch.cat([obs.image.unsqueeze(1), actions.frames], dim=1)  # (B, F, 3, H, W)
        steps_done = int(self.steps_done)
        if self.training:
            self.steps_done += 1
            if steps_done < self.config.autoencoder_steps:
                loss = svd_video.autoencoder_loss(backbone, frames[: self.config.autoencoder_samples])
                return {"autoencoder": loss, "total": loss}
            if self.config.autoencoder_steps and steps_done == self.config.autoencoder_steps:
                svd_video.fit_latent_scale(backbone, frames)
        video = svd_video.video_loss(backbone, frames[: self.config.video_samples or None])
        if self.config.objective == "video":
            return {"video": video, "total": video}
        terms = action_terms() | {"video": video}
        return terms | {"total": self.balanced({name: terms[name] for name in BALANCED if name in terms})}

    def balanced(self, losses: Terms) -> Tensor:
        """The sum of losses, each divided by its running magnitude, which follows them in training."""
        total = 0.0
        for name, loss in losses.items():
            magnitude = self.magnitudes[BALANCED.index(name)]
            if self.training:
                value = loss.detach().float()
                decay = self.config.balance_decay
                magnitude.copy_(torch.where(magnitude > 0, decay * magnitude + (1 - decay) * value, value))
            total = total + loss / magnitude.clamp(min=MIN_MAGNITUDE)
        return total
