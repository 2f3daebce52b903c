"""MP4 files of frames: the videos of a dataset, and rollouts that any browser plays (H.264, index first)."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from para.datasets.lerobot_v3_layout import DatasetError
from para.files import write_atomic

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.stream import VideoStream

T = TypeVar("T")


@dataclass(frozen=True)
class VideoEncoding:
    """How frames are compressed."""

    crf: int = 20
    """H.264's constant rate factor: 0 to 51, lower is better and larger."""

    keyframe_every: int = 30
    """Frames from one independently coded frame to the next; small makes random access fast."""

    lossless: bool = False
    """Bit-equal frames (H.264 in RGB). PyAV and LeRobot read it; browsers do not."""

    pad_to_even: bool = True
    """Repeat the last row or column of odd images, which browsers cannot play; false: store them as they are."""

    @property
    def codec(self) -> str:
        """FFmpeg's name of the encoder."""
        return "libx264rgb" if self.lossless else "libx264"


DATASET_ENCODING = VideoEncoding(crf=10, keyframe_every=2, pad_to_even=False)
"""For demonstrations: near-transparent, and any frame is at most one frame away from a key frame."""

LOSSLESS_ENCODING = VideoEncoding(keyframe_every=2, lossless=True, pad_to_even=False)
"""For demonstrations whose frames must come back bit for bit."""


def encode_video(frames: np.ndarray, fps: float, encoding: VideoEncoding) -> bytes:
    """The MP4 file of some frames.

    Args:
        frames: (N, H, W, 3) uint8 RGB, N >= 1.
        fps: frames per second; kept as a fraction, so 20/3 is exact.

    Raises:
        ValueError: if the frames are not of that shape and type.
    """
    import av

    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or 0 in frames.shape:
        raise ValueError(f"a video needs frames (N, H, W, 3) uint8, at least one; got {frames.shape} {frames.dtype}")
    if encoding.pad_to_even:
        frames = np.pad(frames, ((0, 0), (0, frames.shape[1] % 2), (0, frames.shape[2] % 2), (0, 0)), mode="edge")
    N, H, W, _ = frames.shape
    # The index (moov) goes first, so that a browser can start before it has the whole file. Its place is reserved
    # rather than made afterwards, which would need the file to be reopened: 8 bytes a frame and 2 kB are ample.
    reserved = {"moov_size": str(4096 + 32 * N)}
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options=reserved) as container:
        stream = container.add_stream(encoding.codec, rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = W, H, pixel_format(encoding, (H, W))
        quality = {"qp": "0"} if encoding.lossless else {"crf": str(encoding.crf)}
        preset = "ultrafast" if encoding.lossless else "veryfast"
        stream.options = {"g": str(encoding.keyframe_every), "bf": "0", "preset": preset, **quality}
        stream.codec_context.thread_count = 1  # the same bytes on every machine
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def pixel_format(encoding: VideoEncoding, image_size: tuple[int, int]) -> str:
    """FFmpeg's name of the pixel format in the file: halving the colour planes needs even sides."""
    if encoding.lossless:
        return "rgb24"
    return "yuv444p" if image_size[0] % 2 or image_size[1] % 2 else "yuv420p"


def write_video(path: str | Path, frames: np.ndarray, fps: float, encoding: VideoEncoding = VideoEncoding()) -> None:
    """Write frames as an MP4 file, in full or not at all.

    Args:
        frames: (N, H, W, 3) uint8 RGB, N >= 1.
        fps: frames per second.

    Raises:
        ValueError: if the frames are not of that shape and type.
        OSError: ENOSPC where the disk is full.
    """
    write_atomic(path, encode_video(frames, fps, encoding))


def read_video(path: str | Path) -> np.ndarray:
    """All frames of a video file, (N, H, W, 3) uint8 RGB.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no complete video.
    """
    return np.stack(list(frames_of(path)))


def frames_of(path: str | Path, only: Container[int] | None = None) -> Iterator[np.ndarray]:
    """The frames of a video file one after the other, (H, W, 3) uint8 RGB each; raises as `read_video` does.

    `only`: which, by their numbers from 0; None: all of them.
    """

    def read(index: int, frame: VideoFrame) -> np.ndarray | None:
        return frame.to_ndarray(format="rgb24") if only is None or index in only else None

    return (image for image in _decoded(path, read) if image is not None)


def frames_at(path: str | Path, spans: Sequence[tuple[int, int]]) -> Iterator[np.ndarray]:
    """Parts of a video file, decoded once and one part in memory at a time: (length, H, W, 3) uint8 RGB each.

    Args:
        path: the file; many episodes may share one.
        spans: (first frame, length) of each part; none begins before the one before it ends.

    Raises:
        FileNotFoundError: if there is no such file.
        DatasetError: if it is no complete video, ends before a part does, or parts are out of order.
    """
    for (first, length), (after, _) in pairwise(spans):
        if after < first + length:
            raise DatasetError(f"{path} would show one frame in two episodes ({after}); its dataset's index is damaged")
    images = frames_of(path, {i for first, length in spans for i in range(first, first + length)})
    for first, length in spans:
        try:
            part = list(islice(images, length))
        except ValueError as error:
            raise DatasetError(str(error)) from error
        if len(part) < length:
            raise DatasetError(
                f"{path} ends before frame {first + length}, which its dataset promises; copy it again, or let "
                "`para dataset repair` drop the episode"
            )
        yield np.stack(part)


def shown(path: str | Path) -> tuple[int, tuple[int, int]]:
    """How many frames a video file has, and their (H, W); raises as `read_video` does."""
    sizes = list(_decoded(path, lambda _, frame: (frame.height, frame.width)))
    return len(sizes), sizes[0]


def frame_times(path: str | Path) -> list[float | None]:
    """When each frame of a video file is shown, seconds; None where it does not say; raises as `read_video` does."""
    return list(_decoded(path, lambda _, frame: frame.time))


def _decoded(path: str | Path, read: Callable[[int, VideoFrame], T]) -> Iterator[T]:
    """What `read` makes of each frame of a video file and its number."""
    import av

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no video at {path}; record it again, or mend the path")
    n = 0
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            promised = _n_promised(stream)
            for frame in container.decode(stream):
                if frame.rotation:
                    name, upright = shlex.quote(path.name), shlex.quote(f"upright/{path.stem}.mp4")
                    raise ValueError(
                        f"{path} is stored turned by {frame.rotation} degrees, as phones do; write it upright under "
                        f"its own name, and track that: mkdir upright && ffmpeg -i {name} {upright}"
                    )
                n += 1
                yield read(n - 1, frame)
    except (av.FFmpegError, IndexError) as error:
        reason = getattr(error, "strerror", None) or "no video in it"
        raise ValueError(f"{path} is no complete video ({reason}); it is truncated: record it again") from error
    if not n or n < promised:
        raise ValueError(f"{path} holds {n} of its {promised} frames; it is truncated: record it again")


def _n_promised(stream: VideoStream) -> int:
    """Frames that the container says are to be shown; 0 where it does not say.

    A cut between key frames that copies the stream (`ffmpeg -ss ... -c copy`) keeps the frames since the key frame
    before it and hides them by an edit list; the container's count has them, its index marks them.
    """
    entries = getattr(stream, "index_entries", ())  # PyAV 17 and later; before, hidden frames are missed
    listed = sum(not entry.is_discard for entry in entries)
    return min(stream.frames, listed) if listed else stream.frames


def video_frame_rate(path: str | Path) -> float:
    """Frames per second of a video file; raises as `read_video` does where it cannot be opened."""
    import av

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no video at {path}; record it again, or mend the path")
    try:
        with av.open(str(path)) as container:
            rate = container.streams.video[0].average_rate
    except (av.FFmpegError, IndexError) as error:
        reason = getattr(error, "strerror", None) or "no video in it"
        raise ValueError(f"{path} cannot be decoded ({reason}); record it again, or convert it to MP4") from error
    if not rate:
        raise ValueError(f"{path} does not say its frame rate; convert it to MP4")
    return float(rate)


def is_lossless(path: str | Path) -> bool:
    """Whether a video keeps its frames in RGB, as `LOSSLESS_ENCODING` does."""
    import av

    with av.open(str(path)) as container:
        return container.streams.video[0].codec_context.pix_fmt == "gbrp"
