"""Rollout videos of one policy as one grid, each framed in the colour of its outcome and held at its last frame."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from para.datasets.video import VideoEncoding, encode_video, read_video
from para.reports.run_files import RolloutVideo
from para.reports.style import OUTCOME_COLOURS, rgb

TILE_WIDTH = 128
FRAME = 4
"""Pixels of coloured frame around a tile."""

GAP = 4
"""Pixels between tiles."""

SIDE_MULTIPLE = 64
"""Sides of a grid divide by this. At the edges of other sizes libx264's vector code reads memory beyond the picture
(seen with AVX-512 and libavcodec 62), so that the same frames would not always give the same bytes."""

MAX_TILES = 24
HOLD_FRAMES = 12
"""How long the grid stands still when its last episode is over."""

FPS = 10
ENCODING = VideoEncoding(crf=27, keyframe_every=60)


def video_grid(videos: Sequence[RolloutVideo]) -> bytes:
    """The MP4 file of a grid of rollouts, in the given order, at most `MAX_TILES` of them.

    While an episode runs its frame is grey; when it is over, the last picture stays, in its outcome's colour and with a
    mark: green disc placed, yellow triangle grasped, red cross missed, grey square an error.

    Raises:
        FileNotFoundError, ValueError: if a video is missing or damaged.
    """
    chosen = list(videos)[:MAX_TILES]
    clips = [_shrunk(read_video(video.path)) for video in chosen]
    n_columns = good_columns(len(chosen))
    n_rows = math.ceil(len(chosen) / n_columns)
    tile_H, tile_W = max(clip.shape[1] for clip in clips) + 2 * FRAME + GAP, TILE_WIDTH + 2 * FRAME + GAP
    n_frames = max(len(clip) for clip in clips) + HOLD_FRAMES
    H, W = (-(-side // SIDE_MULTIPLE) * SIDE_MULTIPLE for side in (n_rows * tile_H, n_columns * tile_W))
    grid = np.full((n_frames, H, W, 3), 255, np.uint8)
    margin_H, margin_W = (H - n_rows * tile_H + GAP) // 2, (W - n_columns * tile_W + GAP) // 2
    for number, (video, clip) in enumerate(zip(chosen, clips)):
        row, column = divmod(number, n_columns)
        top, left = margin_H + row * tile_H, margin_W + column * tile_W
        for i in range(n_frames):
            tile = _tile(clip[min(i, len(clip) - 1)], video.outcome or "error", over=i >= len(clip) - 1)
            grid[i, top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return encode_video(grid, FPS, ENCODING)


def good_columns(n: int) -> int:
    """How many columns show `n` tiles a little wider than high, with as few empty places as may be."""
    ideal = math.sqrt(1.5 * n)
    near = [c for c in range(1, n + 1) if 0.75 * ideal <= c <= 1.5 * ideal] or [n]
    return min(near, key=lambda columns: (-n % columns, abs(columns - ideal)))


def _shrunk(frames: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) at the width of a tile."""
    H, W = frames.shape[1:3]
    if W == TILE_WIDTH:
        return frames
    size = (TILE_WIDTH, round(H * TILE_WIDTH / W))
    how = cv2.INTER_AREA if W > TILE_WIDTH else cv2.INTER_CUBIC
    return np.stack([cv2.resize(frame, size, interpolation=how) for frame in frames])


def _tile(frame: np.ndarray, outcome: str, *, over: bool) -> np.ndarray:
    colour = rgb(OUTCOME_COLOURS[outcome])
    tile = np.empty((frame.shape[0] + 2 * FRAME, frame.shape[1] + 2 * FRAME, 3), np.uint8)
    tile[:] = colour if over else (225, 228, 233)
    tile[FRAME:-FRAME, FRAME:-FRAME] = frame
    if over:
        _mark(tile, outcome, colour)
    return tile


def _mark(tile: np.ndarray, outcome: str, colour: tuple[int, int, int]) -> None:
    """The outcome's shape on a white disc in the upper left corner."""
    c, r = FRAME + 12, 6
    cv2.circle(tile, (c, c), r + 4, (255, 255, 255), -1, cv2.LINE_AA)
    if outcome == "placed":
        cv2.circle(tile, (c, c), r, colour, -1, cv2.LINE_AA)
    elif outcome == "grasped":
        cv2.fillPoly(tile, [np.array([[c, c - r], [c + r, c + r - 1], [c - r, c + r - 1]])], colour, cv2.LINE_AA)
    elif outcome == "missed":
        cv2.line(tile, (c - 5, c - 5), (c + 5, c + 5), colour, 3, cv2.LINE_AA)
        cv2.line(tile, (c - 5, c + 5), (c + 5, c - 5), colour, 3, cv2.LINE_AA)
    else:
        cv2.rectangle(tile, (c - 5, c - 5), (c + 5, c + 5), colour, -1)
