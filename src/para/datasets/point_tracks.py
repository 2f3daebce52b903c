"""Points through the frames of a video, as a file of tracks tells them, checked against their video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from para.datasets.lerobot_v3_layout import DatasetError


@dataclass(frozen=True)
class Track:
    """One point through the frames of a video."""

    uv: np.ndarray
    """(N, 2) float64 pixels, as (u, v), integers are pixel centres; without meaning where not visible."""

    visible: np.ndarray
    """(N,) bool: seen in that frame. An occluded point is not."""


@dataclass(frozen=True)
class TrackFile:
    """What a file holds, before it is known how large its video is."""

    path: Path

    uv: np.ndarray
    """(P, N, 2) of P points in N frames; in pixels, or as shares of the image."""

    visible: np.ndarray
    """(P, N) bool."""

    from_corner: bool = False
    """Whether (0, 0) is the image's corner, and not the centre of its first pixel."""

    as_shares: bool = False
    """Whether 1 is the image's width and height."""

    image_size: tuple[int, int] | None = None
    """(H, W) of the video, where the file says so."""

    names: tuple[int, ...] | None = None
    """What the file calls its points, in their order; None: 0, 1, 2, ..."""

    def point(
        self,
        index: int | None,
        n_frames: int,
        image_size: tuple[int, int],
        track_size: tuple[int, int] | None = None,
    ) -> Track:
        """One of its points, in pixels of its video, checked against that.

        Args:
            index: which, as the file calls it; None: the only one.
            n_frames, image_size: of the video; (H, W).
            track_size: (H, W) of the resized copy of the video that was tracked; None: the video itself was.

        Raises:
            DatasetError: if frames or size are not the video's, or a visible point is not finite or far off the image.
        """
        P, N = self.visible.shape
        names = list(range(P)) if self.names is None else list(self.names)
        if index is None and P != 1:
            raise DatasetError(f"{self.path} holds {P} points; say which one is the end effector: {listed(names)}")
        if index is not None and index not in names:
            raise DatasetError(f"{self.path} has no point {index}; it holds {listed(names)}")
        row = 0 if index is None else names.index(index)
        if N != n_frames:
            raise DatasetError(
                f"{self.path} tells of {N} frames, its video has {n_frames}; track the very file that is next to it"
            )
        image_size = tuple(image_size)
        tracked = image_size if track_size is None else tuple(track_size)
        self._check_size(image_size, track_size)
        H, W = tracked
        uv = self.uv[row].astype(np.float64) * ([W, H] if self.as_shares else [1, 1]) - 0.5 * self.from_corner
        visible = self.visible[row].copy()
        check_pixels(self.path, uv, visible, tracked, as_shares=self.as_shares)
        if tracked != image_size:
            # from here on integers are pixel centres in every format; resizing keeps the image's corners
            uv = (uv + 0.5) * [image_size[1] / W, image_size[0] / H] - 0.5
        inside = (uv >= -0.5).all(axis=-1) & (uv < np.array(image_size[::-1]) - 0.5).all(axis=-1)
        return Track(uv, visible & inside)

    def _check_size(self, image_size: tuple[int, int], track_size: tuple[int, int] | None) -> None:
        if self.image_size in (None, tuple(track_size or image_size)):
            return
        if track_size is not None:
            raise DatasetError(
                f"{self.path} is for images of {self.image_size} (H, W), and not of {tuple(track_size)}, as "
                "--track-size says; give the size of the video that was tracked"
            )
        raise DatasetError(
            f"{self.path} is for images of {self.image_size} (H, W), its video has {image_size}; if a resized copy of "
            "it was tracked, give --track-size {} {}, or else track this very file".format(*self.image_size)
        )


def check_pixels(
    path: Path, uv: np.ndarray, visible: np.ndarray, image_size: tuple[int, int], *, as_shares: bool
) -> None:
    """Raise DatasetError where what is marked visible cannot be that: a point may leave the image, but not by its size.

    Args:
        uv: (N, 2) pixels.
        visible: (N,) bool, as marked.
        image_size: (H, W) of the video that was tracked.
    """
    H, W = image_size
    seen = np.flatnonzero(visible)
    if not len(seen):
        raise DatasetError(f"{path}: the point is visible in none of its {len(visible)} frames; choose another point")
    broken = seen[~np.isfinite(uv[seen]).all(axis=-1)]
    if len(broken):
        raise DatasetError(
            f"{path}: the point is marked visible in frame {broken[0]} ({len(broken)} such frames), where its pixel is "
            "not a number; mark it not visible there"
        )
    size = np.array([W, H])
    if not as_shares and min(H, W) > 8 and len(seen) > 1 and (uv[seen] >= -0.5).all() and (uv[seen] <= 1).all():
        raise DatasetError(
            f"{path}: every point lies within 0 to 1, as if in shares of the image; pixels of the {H} x {W} (H x W) "
            "video are needed: multiply by its width and height"
        )
    off = (uv[seen] < -0.5) | (uv[seen] >= size - 0.5)
    far = seen[((uv[seen] < -size) | (uv[seen] >= 2 * size)).any(axis=-1)]
    if len(far) or off.any(axis=-1).mean() > 0.5:
        first = far[0] if len(far) else seen[off.any(axis=-1)][0]
        u, v = uv[first]
        if as_shares:
            raise DatasetError(
                f"{path}: in frame {first} the visible point is at ({u / W:.3g}, {v / H:.3g}) of the image; shares "
                "from 0 to 1 are needed: divide pixels by the width and height of the video that was tracked"
            )
        raise DatasetError(
            f"{path}: in frame {first} the visible point is at ({u:.0f}, {v:.0f}), off the {H} x {W} (H x W) video; "
            "were the tracks made for another size? then give it: --track-size H W"
        )


def listed(names: Sequence[int]) -> str:
    """As `0 to 4` or `3, 7`."""
    whole = len(names) > 2 and list(names) == list(range(names[0], names[-1] + 1))
    return f"{names[0]} to {names[-1]}" if whole else ", ".join(map(str, names))
