"""Videos of a bright dot on noise that moves along a curve, and its pixels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from para.datasets.circle_overlay import draw_disc
from para.datasets.video import VideoEncoding, write_video

SIZE = (60, 100)
FPS = 20
N = 31


def dot_track(n: int = N, size: tuple[int, int] = SIZE, seed: int = 0) -> np.ndarray:
    """(n, 2) pixels, well inside the middle of the image."""
    H, W = size
    t = np.linspace(0, 1, n)
    phase = 0.3 + 0.4 * seed
    return np.stack([W * (0.5 + 0.18 * np.cos(3 * t + phase)), H * (0.5 + 0.3 * np.sin(4 * t + phase))], axis=-1)


def dot_frames(uv: np.ndarray, size: tuple[int, int] = SIZE, seed: int = 0) -> np.ndarray:
    """(n, H, W, 3) uint8: a red dot of 3 px where it says."""
    import torch

    noise = np.random.default_rng(seed).integers(60, 90, (*size, 3), dtype=np.uint8)
    frames = torch.from_numpy(np.repeat(noise[None], len(uv), axis=0)).permute(0, 3, 1, 2)
    return draw_disc(frames, torch.from_numpy(uv), 3.0, colour=(250, 20, 20)).permute(0, 2, 3, 1).numpy().copy()


def red_centre(image: np.ndarray) -> np.ndarray:
    """(u, v) of what is red in a picture."""
    red = np.clip(image[..., 0].astype(float) - image[..., 1] - 80, 0, None)
    v, u = np.indices(red.shape)
    return np.array([(red * u).sum(), (red * v).sum()]) / red.sum()


def write_dot_video(path: Path, uv: np.ndarray, size: tuple[int, int] = SIZE, fps: int = FPS, seed: int = 0) -> None:
    write_video(path, dot_frames(uv, size, seed), fps, VideoEncoding(lossless=True, pad_to_even=False))


def write_timed_video(path: Path, frames: np.ndarray, times_ms: list[int]) -> None:
    """A lossless video of frames (N, H, W, 3) that are shown at these times."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=30)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.options = "rgb24", {"qp": "0", "preset": "ultrafast"}
        stream.codec_context.time_base = Fraction(1, 1000)
        for image, time in zip(frames, times_ms):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_csv(path: Path, uv: np.ndarray, visible: np.ndarray | None = None, **columns: float) -> None:
    visible = np.ones(len(uv)) if visible is None else visible
    lines = [",".join(["frame", "u", "v", "visible", *columns])]
    for k, ((u, v), seen) in enumerate(zip(uv, visible)):
        lines.append(",".join(str(x) for x in (k, u, v, int(seen), *columns.values())))
    path.write_text("\n".join(lines) + "\n")
