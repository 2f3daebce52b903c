"""Policies on a video model: `video_para`, PARA's heads on its features, and `video_regression`, its paper's baseline.

Both are `para` and `global_regression` to the last head; what they add is the video model's own loss
(`video_training.py`). Trained for videos alone they are the first of two stages: the second, of either policy, begins
with the video model that it left behind (`para.training.transfer`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from para.backbones import BackboneConfig, SvdUnetConfig
from para.interfaces import ActionChunk, Observation
from para.pixel_actions.frames import frame_offsets
from para.policies.para import Para, ParaConfig
from para.policies.readout import ReadoutKind
from para.policies.regression import GlobalRegressionConfig, Regression
from para.policies.video_training import VideoObjective, VideoTraining

VIDEO_PARTS = ("backbone.unet.", "backbone.vae.", "backbone.image_encoder.", "backbone.latent_scale")
"""What a training for videos alone teaches: how names of those tensors begin."""


class _FramesToCome:
    """Of both policies' options: which later frames training needs."""

    @property
    def video_offsets(self) -> tuple[int, ...]:
        """How many stored frames after what is seen each frame lies that training needs; empty: none."""
        if self.video.objective == "actions":
            return ()
        return frame_offsets(self.horizon, getattr(self.backbone, "n_frames", 1))


@dataclass(frozen=True)
class VideoParaConfig(_FramesToCome, ParaConfig):
    """Options of the policy `video_para`."""

    backbone: BackboneConfig = field(default_factory=SvdUnetConfig)
    """The backbone and its options."""

    video: VideoTraining = field(default_factory=VideoTraining)
    """What it is trained for."""


@dataclass(frozen=True)
class VideoRegressionConfig(_FramesToCome, GlobalRegressionConfig):
    """Options of the policy `video_regression`."""

    readout: ReadoutKind = "frame_means"
    """The one vector of each image that is regressed from: one frame after the other."""

    backbone: BackboneConfig = field(default_factory=SvdUnetConfig)
    """The backbone and its options."""

    video: VideoTraining = field(default_factory=VideoTraining)
    """What it is trained for."""


class _Taught:
    """Of both policies: what a training teaches first, and what it leaves to the next one."""

    @property
    def first_phase_steps(self) -> int:
        """Steps at the beginning that teach other tensors than those after: the learning rate has a cycle in each."""
        return self.config.video.autoencoder_steps

    @property
    def taught(self) -> tuple[str, ...] | None:
        """How names of the tensors begin that its training teaches; None: all of them."""
        return VIDEO_PARTS if self.config.video.objective == "video" else None


class VideoPara(_Taught, Para):
    """The policy `video_para`; see the module's docstring and `para.interfaces.Policy`."""

    name = "video_para"

    def __init__(self, config: VideoParaConfig):
        super().__init__(config)
        self.video = VideoObjective(config.video, self.backbone)

    def loss(
        self, obs: Observation, actions: ActionChunk, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """PARA's terms, the video model's, or both balanced (`VideoObjective`)."""
        own = super().loss
        return self.video(self.backbone, obs, actions, lambda: own(obs, actions, generator=generator))


class VideoRegression(_Taught, Regression):
    """The policy `video_regression`; see the module's docstring and `para.interfaces.Policy`."""

    def __init__(self, config: VideoRegressionConfig):
        super().__init__(config)
        self.name = "video_regression"
        self.video = VideoObjective(config.video, self.backbone)

    def loss(
        self, obs: Observation, actions: ActionChunk, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """The regressor's terms, the video model's, or both balanced (`VideoObjective`)."""
        own = super().loss
        return self.video(self.backbone, obs, actions, lambda: own(obs, actions, generator=generator))
