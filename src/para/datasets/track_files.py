"""Files of point tracks, in the formats that trackers and benchmarks publish, read into one form.

| file | holds | pixels are |
|---|---|---|
| `.csv`, `.parquet` | columns frame, u, v, visible; point, where there are several; width, height | centres |
| `.npz` of CoTracker's outputs | pred_tracks ([B,] T, N, 2), pred_visibility ([B,] T, N[, 1]) | centres |
| `.npz` of TAPIR's outputs | tracks (N, T, 2), visibles (N, T) | corners |
| `.npz` of a TAP-Vid annotation | points (N, T, 2) as shares of the image, occluded (N, T) | corners |

"Centres": the top-left pixel's centre is (0, 0), as everywhere in `para`, and as CoTracker samples images
(`align_corners=True`). "Corners": the image's top-left corner is (0, 0), so that half a pixel is taken off. Width and
height of the video may stand in any of them, and are then checked. TAP-Vid's own files are pickles, which run code when
they are loaded; they are refused.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from para.datasets.lerobot_v3_layout import DatasetError

TRACK_SUFFIXES = (".csv", ".parquet", ".npz")

COLUMNS = ("frame", "u", "v", "visible")


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

    def point(self, index: int | None, n_frames: int, image_size: tuple[int, int]) -> Track:
        """One of its points, checked against its video.

        Args:
            index: which; None: the only one.
            n_frames, image_size: of the video.

        Raises:
            DatasetError: if frames or size are not the video's, or a visible point is not finite or far off the image.
        """
        P, N = self.visible.shape
        if index is None and P != 1:
            raise DatasetError(f"{self.path} holds {P} points; say which one is the end effector: 0 to {P - 1}")
        index = 0 if index is None else index
        if not 0 <= index < P:
            raise DatasetError(f"{self.path} has no point {index}; it holds points 0 to {P - 1}")
        if N != n_frames:
            raise DatasetError(
                f"{self.path} tells of {N} frames, its video has {n_frames}; track the very file that is next to it"
            )
        if self.image_size not in (None, tuple(image_size)):
            raise DatasetError(
                f"{self.path} is for images of {self.image_size} (H, W), its video has {tuple(image_size)}; "
                "scale the tracks, or track this very file"
            )
        H, W = image_size
        uv = self.uv[index].astype(np.float64) * ([W, H] if self.as_shares else [1, 1]) - 0.5 * self.from_corner
        visible = self.visible[index].copy()
        check_pixels(self.path, uv, visible, (H, W), as_shares=self.as_shares)
        inside = (uv >= -0.5).all(axis=-1) & (uv < np.array([W, H]) - 0.5).all(axis=-1)
        return Track(uv, visible & inside)


def check_pixels(
    path: Path, uv: np.ndarray, visible: np.ndarray, image_size: tuple[int, int], *, as_shares: bool
) -> None:
    """Raise DatasetError where what is marked visible cannot be that: a point may leave the image, but not by its size.

    Args:
        uv: (N, 2) pixels.
        visible: (N,) bool, as marked.
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
        raise DatasetError(
            f"{path}: in frame {first} the visible point is at ({u:.0f}, {v:.0f}), off the {H} x {W} (H x W) video; "
            "were the tracks made for another size?"
        )


def read_track_file(path: str | Path) -> TrackFile:
    """The tracks in a file; see the module's docstring for formats.

    Raises:
        FileNotFoundError: if there is no such file.
        DatasetError: if its format is not known, or columns or arrays are missing, damaged or of other shapes.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no tracks at {path}; put them next to their video, under its name")
    readers = {".csv": read_csv, ".parquet": read_parquet, ".npz": read_npz}
    if path.suffix not in readers:
        advice = (
            "; a pickle runs code when it is loaded: save its arrays with numpy.savez" if "pk" in path.suffix else ""
        )
        raise DatasetError(f"{path} is no file of tracks ({', '.join(TRACK_SUFFIXES)}){advice}")
    return readers[path.suffix](path)


def read_csv(path: Path) -> TrackFile:
    """A table of one row per frame and point."""
    with path.open(newline="") as file:
        rows = csv.reader(file)
        names = [name.strip().lower() for name in next(rows, [])]
        table = [row for row in rows if row]
    for number, row in enumerate(table):
        if len(row) != len(names):
            raise DatasetError(
                f"{path}: line {number + 2} has {len(row)} entries, the head {len(names)}; mend the file"
            )
    try:
        columns = {name: np.array([_number(row[i]) for row in table]) for i, name in enumerate(names)}
    except ValueError as error:
        raise DatasetError(f"{path}: {error}; numbers are needed below {', '.join(names)}") from error
    return from_table(path, columns)


def _number(text: str) -> float:
    words = {"true": 1.0, "false": 0.0, "": float("nan")}
    return words[text.strip().lower()] if text.strip().lower() in words else float(text)


def read_parquet(path: Path) -> TrackFile:
    """The same table in Parquet."""
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
        columns = {name.lower(): np.asarray(table[name], dtype=np.float64) for name in table.column_names}
    except (pyarrow.ArrowException, ValueError, TypeError, OSError) as error:
        raise DatasetError(f"{path} is no table of numbers in Parquet ({error}); write it again") from error
    return from_table(path, columns)


def from_table(path: Path, columns: Mapping[str, np.ndarray]) -> TrackFile:
    """Rows in any order, one for each point in each frame."""
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise DatasetError(f"{path} has columns {sorted(columns)}; {', '.join(COLUMNS)} are needed")
    frame = columns["frame"]
    if not len(frame):
        raise DatasetError(f"{path} has no rows; one for each frame is needed")
    point = columns.get("point", np.zeros_like(frame))
    for name, values in (("frame", frame), ("point", point)):
        if not (np.isfinite(values).all() and (values == values.round()).all() and (values >= 0).all()):
            raise DatasetError(f"{path}: {name} must be whole numbers from 0; mend the column")
    names = np.unique(point)
    P, N = len(names), int(frame.max()) + 1
    if len(frame) != P * N or len(np.unique(np.stack([point, frame]), axis=1).T) != P * N:
        raise DatasetError(
            f"{path} has {len(frame)} rows for {P} points and frames 0 to {N - 1}; one row for each frame is needed, "
            "with visible = 0 where the point is hidden"
        )
    order = np.lexsort((frame, point))
    uv = np.stack([columns["u"], columns["v"]], axis=-1)[order].reshape(P, N, 2)
    visible = columns["visible"]
    if not np.isin(visible, (0, 1)).all():
        raise DatasetError(f"{path}: visible must be 0 or 1 in every row; mend the column")
    size = None
    if "width" in columns and "height" in columns:
        size = (int(columns["height"][0]), int(columns["width"][0]))
    return TrackFile(path, uv, visible[order].reshape(P, N) == 1, image_size=size)


def read_npz(path: Path) -> TrackFile:
    """Arrays of CoTracker, TAPIR or TAP-Vid."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError) as error:
        raise DatasetError(f"{path} holds no plain arrays ({error}); save them with numpy.savez") from error
    size = (int(arrays["height"]), int(arrays["width"])) if {"height", "width"} <= set(arrays) else None
    if {"pred_tracks", "pred_visibility"} <= set(arrays):
        uv, seen = arrays["pred_tracks"], arrays["pred_visibility"]
        uv = uv[0] if uv.ndim == 4 and len(uv) == 1 else uv  # (T, N, 2)
        seen = seen.reshape(uv.shape[:2]) if seen.size == uv.size // 2 else seen
        return checked(TrackFile(path, uv.swapaxes(0, 1), to_bool(path, seen).T, image_size=size))
    if {"tracks", "visibles"} <= set(arrays):
        visible = to_bool(path, arrays["visibles"])
        return checked(TrackFile(path, arrays["tracks"], visible, from_corner=True, image_size=size))
    if {"points", "occluded"} <= set(arrays):
        visible = ~to_bool(path, arrays["occluded"])
        return checked(TrackFile(path, arrays["points"], visible, from_corner=True, as_shares=True, image_size=size))
    raise DatasetError(
        f"{path} holds {sorted(arrays)}; pred_tracks and pred_visibility (CoTracker), tracks and visibles (TAPIR), or "
        "points and occluded (TAP-Vid) are needed"
    )


def to_bool(path: Path, values: np.ndarray) -> np.ndarray:
    """Flags; probabilities count as true from one half on."""
    if values.dtype == bool:
        return values
    if not (np.isfinite(values).all() and (values >= 0).all() and (values <= 1).all()):
        raise DatasetError(f"{path}: visibility must be flags, or probabilities from 0 to 1; it holds other numbers")
    return values >= 0.5


def checked(file: TrackFile) -> TrackFile:
    """The file, if its arrays fit together. Raises DatasetError where they do not."""
    if file.uv.ndim != 3 or file.uv.shape[-1] != 2 or file.visible.shape != file.uv.shape[:2]:
        raise DatasetError(
            f"{file.path}: positions {file.uv.shape} and visibility {file.visible.shape} (points, frames) do not fit "
            "together; save both of the same video, whole"
        )
    return file
