"""Features with a time axis: which frame's features are read for which step of the chunk.

A video backbone gives features of F frames: frame 0 is what is seen now, the others are what it expects. Frames 1 to
F - 1 span the T steps evenly, and step t (1 to T) reads frame ceil(t (F - 1) / T): the first frame that is not before
the step. With as many future frames as steps that is the frame of the step itself.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from para.geometry.pixels import sample_at_pixels


def frame_of_step(horizon: int, n_frames: int) -> list[int]:
    """The frame that each step t+1 .. t+T reads. With one frame, that one."""
    return [math.ceil(t * (n_frames - 1) / horizon) for t in range(1, horizon + 1)]


def frame_offsets(horizon: int, n_frames: int) -> tuple[int, ...]:
    """How many stored steps after what is seen each future frame lies, so that it belongs to its last step.

    Raises:
        ValueError: if there are more future frames than steps.
    """
    n_future = n_frames - 1
    if not 0 < n_future <= horizon:
        raise ValueError(
            f"{n_frames} frames with the one that is seen need a horizon of at least {max(1, n_future)} steps; "
            f"got {horizon}: choose 2 to {horizon + 1} frames"
        )
    return tuple(horizon * f // n_future for f in range(1, n_frames))


def steps_of_frames(horizon: int, n_frames: int) -> list[tuple[int, list[int]]]:
    """(frame, the steps that read it, counted from 0), for every frame that is read, in order."""
    frames = frame_of_step(horizon, n_frames)
    return [(f, [t for t in range(horizon) if frames[t] == f]) for f in sorted(set(frames))]


def sample_at_steps(grid: Tensor, uv: Tensor, stride: float) -> Tensor:
    """Features read at one pixel per step, in the frame of that step where there are frames.

    Args:
        grid: (B, C, h, w), or (B, F, C, h, w).
        uv: (B, T, 2) pixels, as (u, v).
        stride: pixels per cell.

    Returns:
        (B, T, C).
    """
    if grid.ndim == 4:
        return sample_at_pixels(grid, uv, stride)
    parts = [
        sample_at_pixels(grid[:, frame], uv[:, steps], stride)
        for frame, steps in steps_of_frames(uv.shape[1], grid.shape[1])
    ]
    return torch.cat(parts, dim=1)  # frames follow one another as steps do


def first_frame(grid: Tensor) -> Tensor:
    """Features of what is seen now: (B, C, h, w) as it is, or frame 0 of (B, F, C, h, w)."""
    return grid if grid.ndim == 4 else grid[:, 0]
