"""Demonstrations as training samples: what was seen at a frame, and the chunk of steps that followed.

Dense chunks are the next T stored steps (the paper's way); key-pose chunks are the ends of the phases still to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from para.datasets.demonstrations import Demonstrations
from para.datasets.partial_supervision import known_actions
from para.interfaces import ActionChunk, Observation

StepKind = Literal["dense", "keypose"]


class ChunkDataset:
    """One sample per frame. Read-only and deterministic; the caller chooses indices and their order."""

    def __init__(self, demonstrations: Demonstrations, horizon: int = 12, step: StepKind = "dense"):
        """Lay out the chunks.

        Args:
            demonstrations: what to sample from.
            horizon: T, steps per chunk.
            step: "dense": step k of the chunk at frame t is the action of frame t + k, which is the command of the step
                after that frame, so the chunk is the paper's t+1 .. t+T. "keypose": step k is the last action of the
                k-th phase that is not over at t.

        Raises:
            ValueError: if `step` is unknown, the horizon is not positive, or key poses are asked of demonstrations
                whose phases nobody recorded.
        """
        if horizon < 1:
            raise ValueError(f"horizon is {horizon}; a chunk needs at least one step")
        if step not in ("dense", "keypose"):
            raise ValueError(f"step is '{step}'; it must be 'dense' or 'keypose'")
        if step == "keypose" and (demonstrations.phase < 0).any():
            n = int((demonstrations.phase < 0).sum())
            raise ValueError(
                f"{n} of {len(demonstrations)} frames have no phase, which key-pose steps need; "
                "record with an expert that names its phases, or train with step='dense'"
            )
        self.demonstrations = demonstrations
        self.horizon = horizon
        self.step = step
        layout = _dense_layout if step == "dense" else _keypose_layout
        self.target_index, self.is_pad = layout(demonstrations, horizon)  # (N, T) each
        self._position = torch.from_numpy(demonstrations.action_position)
        self._gripper = torch.from_numpy(demonstrations.action_gripper)
        self._ee_position = torch.from_numpy(demonstrations.ee_position)
        self._observed_gripper = torch.from_numpy(demonstrations.gripper)
        self._camera = demonstrations.camera(slice(None))
        self._known = known_actions(demonstrations)

    def __len__(self) -> int:
        return len(self.demonstrations)

    def batch(self, indices: Sequence[int] | np.ndarray) -> tuple[Observation, ActionChunk]:
        """Observation and chunk at some frames, in the order given, float32 (images uint8)."""
        rows = torch.as_tensor(np.asarray(indices, dtype=np.int64))
        images = torch.from_numpy(self.demonstrations.images[rows.numpy()])  # (B, H, W, 3)
        observation = Observation(
            image=images.permute(0, 3, 1, 2).contiguous(),
            camera=self._camera[rows],
            ee_position=self._ee_position[rows],
            gripper=self._observed_gripper[rows],
        )
        return observation, self.actions(rows)

    def actions(self, indices: Sequence[int] | np.ndarray | torch.Tensor | None = None) -> ActionChunk:
        """The chunks at some frames, or at all, without reading images (for ranges and statistics)."""
        rows = torch.arange(len(self)) if indices is None else torch.as_tensor(indices)
        target = self.target_index[rows]  # (B, T)
        known = None if self._known is None else self._known[target]
        return ActionChunk(self._position[target], self._gripper[target], self.is_pad[rows], known=known)


def _dense_layout(demonstrations: Demonstrations, horizon: int) -> tuple[torch.Tensor, torch.Tensor]:
    frame = np.arange(len(demonstrations))[:, None] + np.arange(horizon)  # (N, T)
    last = (demonstrations.episode_stop - 1)[demonstrations.episode_index][:, None]  # (N, 1)
    return torch.from_numpy(np.minimum(frame, last)), torch.from_numpy(frame > last)


def _keypose_layout(demonstrations: Demonstrations, horizon: int) -> tuple[torch.Tensor, torch.Tensor]:
    phase, episode = demonstrations.phase, demonstrations.episode_index
    run_ends = np.flatnonzero(
        np.append((phase[1:] != phase[:-1]) | (episode[1:] != episode[:-1]), True)
    )  # (R,) last frame of each run of one phase within one episode
    first = np.searchsorted(run_ends, np.arange(len(phase)))  # (N,) the run that each frame is in
    run = first[:, None] + np.arange(horizon)  # (N, T)
    last_run = np.searchsorted(run_ends, demonstrations.episode_stop - 1)[episode][:, None]  # (N, 1)
    return torch.from_numpy(run_ends[np.minimum(run, last_run)]), torch.from_numpy(run > last_run)
