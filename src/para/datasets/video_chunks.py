"""Chunks with what the camera saw later, for what learns from videos as well as from actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from para.datasets.chunks import ChunkDataset, StepKind
from para.datasets.demonstrations import Demonstrations
from para.interfaces import ActionChunk, Observation


class VideoChunkDataset(ChunkDataset):
    """The samples of `ChunkDataset`, whose chunks carry later frames of the episode in `ActionChunk.frames`."""

    def __init__(
        self, demonstrations: Demonstrations, horizon: int, step: StepKind = "dense", *, offsets: Sequence[int]
    ):
        """Lay out chunks and frames.

        Args:
            demonstrations, horizon, step: as `ChunkDataset`.
            offsets: how many stored frames after the one that is seen each later frame lies. Beyond an episode's end
                its last frame stands still, as the chunk's last action does.

        Raises:
            ValueError: as `ChunkDataset`, if offsets do not rise from above 0, or where steps are key poses.
        """
        if step != "dense":
            raise ValueError(
                f"a video's frames are a fixed time apart, and '{step}' steps are not: train on steps of kind 'dense'"
            )
        super().__init__(demonstrations, horizon, step)
        offsets = [0, *(int(offset) for offset in offsets)]
        if len(offsets) < 2 or any(later <= earlier for earlier, later in zip(offsets, offsets[1:])):
            raise ValueError(f"offsets of later frames must rise from above 0; got {offsets[1:]}")
        self.offsets = tuple(offsets[1:])
        frame = np.arange(len(demonstrations))[:, None] + np.array(self.offsets)  # (N, F)
        last = (demonstrations.episode_stop - 1)[demonstrations.episode_index][:, None]
        self.frame_index = np.minimum(frame, last)

    def batch(self, indices: Sequence[int] | np.ndarray) -> tuple[Observation, ActionChunk]:
        """Observation, chunk and later frames (B, F, 3, H, W) at some frames, in the order given."""
        observation, actions = super().batch(indices)
        wanted = self.frame_index[np.asarray(indices, dtype=np.int64)]  # (B, F)
        images = torch.from_numpy(self.demonstrations.images[wanted.ravel()])  # (B * F, H, W, 3)
        frames = images.permute(0, 3, 1, 2).unflatten(0, wanted.shape).contiguous()
        return observation, replace(actions, frames=frames)
