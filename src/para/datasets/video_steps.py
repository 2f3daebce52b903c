"""Which frames of a video show its equal steps of time, whatever its frame rate, and whether that varies or not."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from para.datasets.video import frame_times, video_frame_rate

logger = logging.getLogger(__name__)

CLOCK_S = 1 / 600
"""Files round the times of their frames to this, or finer: QuickTime to 1/600 s, Matroska to a millisecond."""


SLOWER = 0.9
"""Frames for each step, below which a video is told to be slower than its steps."""


@dataclass(frozen=True)
class StepFrames:
    """The frames of a video that stand for its steps."""

    index: np.ndarray
    """(K,) int: of each step the nearest frame. The same one for several steps only in a gap between frames."""

    near: np.ndarray
    """(K,) bool: whether that frame is within half a step of the step's time."""

    n_frames: int
    """Of the whole video."""


def step_frames(video: str | Path, step_s: float) -> StepFrames:
    """Of every `step_s` seconds from the first frame on the nearest frame, by the frames' own time stamps.

    Where frames are farther apart than that on average, a step is as long as they are apart, and a warning says so
    unless it is by little. Where a video has no time
    stamps, or they run backwards, its frames count as equally far apart, and a warning says so.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no complete video, or does not say its frame rate.
    """
    rate = video_frame_rate(video)
    if rate * step_s < SLOWER:
        logger.warning(
            "%s has a frame every %.3g s, and a step is to take %.3g s: each frame is taken for a step; import such "
            "videos with --step-s %.3g, so that the dataset tells the true pace", video, 1 / rate, step_s, 1 / rate,
        )  # fmt: skip
    times = frame_times(video)
    index, near = nearest_frames(frame_positions(video, times, rate), max(1.0, rate * step_s))
    return StepFrames(index, near, len(times))


def frame_positions(video: str | Path, times: Sequence[float | None], rate: float) -> np.ndarray:
    """When each frame is shown, (N,), from the first one on, in mean distances of frames: whole ones at constant rates.

    Args:
        video: for the warning.
        times: (N,) seconds; None where a frame has no time stamp.
        rate: mean number of frames in a second.
    """
    equal = np.arange(len(times), dtype=np.float64)
    if None in times or (np.diff(times) < 0).any():
        logger.warning("%s has frames without time stamps, or out of order; they count as %.4g a second", video, rate)
        return equal
    at = (np.asarray(times, dtype=np.float64) - times[0]) * rate
    # what a file's clock rounded is taken as it was before, so that a constant rate is one in every container
    is_constant = (np.abs(at - equal) <= min(CLOCK_S * rate, 0.25)).all()
    return equal if is_constant else at


def nearest_frames(at: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Of each step the nearest frame, the later of two that are equally near; see `StepFrames`.

    Args:
        at: (N,) when each frame is shown, rising, from 0 on, in mean distances of frames.
        step: from one step to the next, in the same unit, at least 1.

    Returns:
        (K,) int and (K,) bool; the last step is less than half a mean distance after the last frame.
    """
    target = np.arange(int((at[-1] + 0.5) / step) + 2) * step
    target = target[target < at[-1] + 0.5]
    later = np.searchsorted(at, target).clip(max=len(at) - 1)
    earlier = (later - 1).clip(min=0)
    index = np.where(target - at[earlier] < at[later] - target, earlier, later)
    return index, np.abs(at[index] - target) <= step / 2
