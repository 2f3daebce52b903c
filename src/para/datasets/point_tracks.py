"""Points through the frames of a video, as a file of tracks tells them, checked against their video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from para.datasets.lerobot_v3_layout import DatasetError

MAX_OFF = 0.1
"""Share of its visible frames in which a point may be off the image: trackers follow for a while what leaves it. More
is likelier a mistake about columns or sizes..."""

MAX_OFF_LEAVING = 0.5
"""... unless a person says that the point does leave the image; that much is of no use then, either."""

SLIGHTLY_OFF = 0.05
"""As a share of the image's sides: how far off trackers follow a point. Farther off, columns may be exchanged."""

SHARES_WITHIN = 1.5
"""Coordinates that are all as small as this are shares of the image, 0 to 1 or -1 to 1, off it at times, and no pixels:
those would keep to one corner."""


@dataclass(frozen=True)
class Track:
    """One point through the frames of a video."""

    uv: np.ndarray
    """(N, 2) float64 pixels, as (u, v), integers are pixel centres; without meaning where not visible."""

    visible: np.ndarray
    """(N,) bool: seen in that frame. An occluded point is not."""

    off_image: np.ndarray
    """(N,) bool: marked visible, but off the image, so that it is not seen."""


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

    image_size: tuple[int | None, int | None] = (None, None)
    """(H, W) of the video, each where the file says it."""

    names: tuple[int, ...] | None = None
    """What the file calls its points, in their order; None: 0, 1, 2, ..."""

    def point(
        self,
        index: int | None,
        n_frames: int,
        image_size: tuple[int, int],
        track_size: tuple[int, int] | None = None,
        *,
        leaves_image: bool = False,
    ) -> Track:
        """One of its points, in pixels of its video, checked against that.

        Args:
            index: which, as the file calls it; None: the only one.
            n_frames, image_size: of the video; (H, W).
            track_size: (H, W) of the resized copy of the video that was tracked; None: the video itself was.
            leaves_image: whether the point is known to leave the image; see `check_pixels`.

        Raises:
            DatasetError: if frames or size are not the video's, or as `check_pixels`.
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
        check_pixels(self.path, uv, visible, tracked, as_shares=self.as_shares, leaves_image=leaves_image)
        if tracked != image_size:
            # from here on integers are pixel centres in every format; resizing keeps the image's corners
            uv = (uv + 0.5) * [image_size[1] / W, image_size[0] / H] - 0.5
        inside = within(uv, image_size)
        return Track(uv, visible & inside, visible & ~inside)

    def _check_size(self, image_size: tuple[int, int], track_size: tuple[int, int] | None) -> None:
        wanted = image_size if track_size is None else tuple(track_size)
        if all(told in (None, side) for told, side in zip(self.image_size, wanted)):
            return
        H, W = (side or letter for side, letter in zip(self.image_size, "HW"))
        told = f"{self.path} is for images of ({H}, {W}) (H, W)"
        if track_size is not None:
            raise DatasetError(
                f"{told}, and not of {wanted}, as --track-size says; give the size of the video that was tracked"
            )
        raise DatasetError(
            f"{told}, its video has {image_size}; if a resized copy of it was tracked, give --track-size {H} {W}, or "
            "else track this very file"
        )


def within(uv: np.ndarray, image_size: tuple[int, int], share: float = 0.0) -> np.ndarray:
    """Which pixels (..., 2) lie in an image of (H, W), or beyond it by no more than a share of its sides. -> (...)"""
    size = np.array(image_size[::-1])
    return (uv >= -0.5 - share * size).all(axis=-1) & (uv < size - 0.5 + share * size).all(axis=-1)


def check_pixels(
    path: Path,
    uv: np.ndarray,
    visible: np.ndarray,
    image_size: tuple[int, int],
    *,
    as_shares: bool,
    leaves_image: bool = False,
) -> None:
    """Raise DatasetError where what is marked visible cannot be that: a point may leave the image, but not by its size.

    Args:
        uv: (N, 2) pixels.
        visible: (N,) bool, as marked.
        image_size: (H, W) of the video that was tracked.
        as_shares: whether they were given as shares of the image.
        leaves_image: whether the point is known to leave the image; else it is taken for a mistake where it is off in
            more than `MAX_OFF` of its frames, or by more than `SLIGHTLY_OFF`, and (v, u) would all be inside.
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
    if not as_shares and min(H, W) > 8 and len(seen) > 1 and (np.abs(uv[seen]) <= SHARES_WITHIN).all():
        raise DatasetError(
            f"{path}: every point lies within -1 to 1, as if in shares of the image; pixels of the {H} x {W} (H x W) "
            "video are needed: multiply shares from 0 to 1 by its width and height; of those from -1 to 1 take "
            "(u + 1) * width / 2 - 0.5, and so for v"
        )
    _check_on_image(path, uv, seen, image_size, as_shares=as_shares, leaves_image=leaves_image)


def _check_on_image(
    path: Path, uv: np.ndarray, seen: np.ndarray, image_size: tuple[int, int], *, as_shares: bool, leaves_image: bool
) -> None:
    """The part of `check_pixels` about where points are; `seen`: the numbers of the frames where one is visible."""
    H, W = image_size
    off, far = seen[~within(uv[seen], image_size)], seen[~within(uv[seen], image_size, 1.0)]
    share = len(off) / len(seen)
    turned = within(uv[seen, ::-1], image_size).all() and not within(uv[seen], image_size, SLIGHTLY_OFF).all()
    if not len(far) and share <= (MAX_OFF_LEAVING if leaves_image else MAX_OFF) and (leaves_image or not turned):
        return
    first = far[0] if len(far) else off[0]
    where = f"{path}: the visible point is off the image in {len(off)} of {len(seen)} frames, as in frame {first} at "
    advice = "" if len(far) else " (if it does leave the image: mark it not visible there, or give --leaves-image)"
    u, v = uv[first]
    if as_shares:
        raise DatasetError(
            f"{where}({u / W:.3g}, {v / H:.3g}) of it; shares from 0 to 1 are needed: divide pixels by the width and "
            f"height of the video that was tracked{advice}"
        )
    why = "were u and v exchanged, or was a copy of another size tracked (--track-size H W)?"
    if turned:
        why = "as (v, u) it would always be inside: exchange u, the column, and v, the row"
    raise DatasetError(f"{where}({u:.0f}, {v:.0f}) of {H} x {W} (H x W); {why}{advice}")


def listed(names: Sequence[int]) -> str:
    """As `0 to 4` or `3, 7`."""
    whole = len(names) > 2 and list(names) == list(range(names[0], names[-1] + 1))
    return f"{names[0]} to {names[-1]}" if whole else ", ".join(map(str, names))
