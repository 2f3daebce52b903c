"""Files of point tracks, in the formats that trackers and benchmarks publish, read into one form.

| file | holds | pixels are |
|---|---|---|
| `.csv`, `.parquet` | columns frame, u, v, visible; point, where there are several; width, height | centres |
| `.npz` of CoTracker's outputs | pred_tracks ([B,] T, N, 2), pred_visibility ([B,] T, N[, 1]) | centres |
| `.npz` of TAPIR's outputs | tracks (N, T, 2), visibles (N, T) | corners |
| `.npz` of a TAP-Vid annotation | points (N, T, 2) as shares of the image, occluded (N, T) | corners |

"Centres": the top-left pixel's centre is (0, 0), as everywhere in `para`, and as CoTracker samples images
(`align_corners=True`). "Corners": the image's top-left corner is (0, 0), so that half a pixel is taken off. Width and
height of the video that was tracked may stand in any of them, and are then checked. TAP-Vid's own files are pickles,
which run code when they are loaded; they are refused.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from para.datasets.lerobot_v3_layout import DatasetError
from para.datasets.point_tracks import TrackFile

TRACK_SUFFIXES = (".csv", ".parquet", ".npz")

PICKLE_SUFFIXES = (".pkl", ".pickle", ".pk", ".pt", ".pth")

PICKLE_ADVICE = "a pickle runs code when it is loaded: save its arrays with numpy.savez"

COLUMNS = ("frame", "u", "v", "visible")

READ_COLUMNS = (*COLUMNS, "point", "width", "height")
"""Others may hold what they like: nobody reads them."""

SEPARATORS = {";": "semicolons", "\t": "tabs"}
"""That spreadsheets separate columns by, beside commas."""


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
    suffix = path.suffix.lower()
    if suffix not in readers:
        advice = f"; {PICKLE_ADVICE}" if suffix in PICKLE_SUFFIXES else ""
        raise DatasetError(f"{path} is no file of tracks ({', '.join(TRACK_SUFFIXES)}){advice}")
    return readers[suffix](path)


def read_csv(path: Path) -> TrackFile:
    """A table of one row per frame and point, in UTF-8, with or without the mark that Excel begins such files with."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is no text in UTF-8 ({error}); save it as CSV in UTF-8") from error
    if "\0" in text:
        raise DatasetError(f"{path} is no text in UTF-8 (it holds zero bytes); save it as CSV in UTF-8")
    try:
        rows = csv.reader(io.StringIO(text, newline=""))
        head = next(rows, [])
        table = [row for row in rows if row]
    except csv.Error as error:
        raise DatasetError(f"{path} is no CSV ({error}); save it as CSV in UTF-8") from error
    places = column_places(path, head)
    for number, row in enumerate(table):
        if len(row) != len(head):
            raise DatasetError(f"{path}: line {number + 2} has {len(row)} entries, the head {len(head)}; mend the file")
    try:
        columns = {name: np.array([_number(row[i]) for row in table]) for name, i in places.items()}
    except ValueError as error:
        raise DatasetError(f"{path}: {error}; numbers are needed below {', '.join(places)}") from error
    return from_table(path, columns)


def _number(text: str) -> float:
    words = {"true": 1.0, "false": 0.0, "": float("nan")}
    return words[text.strip().lower()] if text.strip().lower() in words else float(text)


def column_places(path: Path, head: Sequence[str]) -> dict[str, int]:
    """Where each of `READ_COLUMNS` stands in a table, of those that it has; capitals and spaces do not count.

    Raises:
        DatasetError: where two are called the same, or one of `COLUMNS` is missing.
    """
    names = [name.strip().lower() for name in head]
    if twice := sorted({name for name in names if name in READ_COLUMNS and names.count(name) > 1}):
        raise DatasetError(f"{path} has several columns {', '.join(twice)}; which of them is meant? Leave one of each")
    if not set(COLUMNS) <= set(names):
        other = next((word for mark, word in SEPARATORS.items() if any(mark in name for name in names)), "")
        advice = f", separated by commas and not by {other}: save it as CSV with commas" if other else ""
        raise DatasetError(f"{path} has columns {sorted(names)}; {', '.join(COLUMNS)} are needed{advice}")
    return {name: names.index(name) for name in READ_COLUMNS if name in names}


def read_parquet(path: Path) -> TrackFile:
    """The same table in Parquet."""
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
        places = column_places(path, table.column_names)
        columns = {name: np.asarray(table.column(i), dtype=np.float64) for name, i in places.items()}
    except DatasetError:
        raise
    except (pyarrow.ArrowException, ValueError, TypeError, KeyError, OSError) as error:
        raise DatasetError(f"{path} is no table of numbers in Parquet ({_one_line(error)}); write it again") from error
    return from_table(path, columns)


def from_table(path: Path, columns: Mapping[str, np.ndarray]) -> TrackFile:
    """Rows in any order, one for each point in each frame; `columns` has at least `COLUMNS`."""
    frame = columns["frame"]
    if not len(frame):
        raise DatasetError(f"{path} has no rows; one for each frame is needed")
    point = columns.get("point", np.zeros_like(frame))
    for name, values in (("frame", frame), ("point", point)):
        if not (np.isfinite(values).all() and (values == values.round()).all() and (values >= 0).all()):
            raise DatasetError(f"{path}: {name} must be whole numbers from 0; mend the column")
    names = np.unique(point)
    P, N = len(names), int(frame.max()) + 1
    if frame.min() == 1 and len(frame) == P * (N - 1):
        raise DatasetError(f"{path} counts frames from 1; they are needed from 0, as its video's first one: take off 1")
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
    called = tuple(map(int, names)) if "point" in columns else None
    return TrackFile(path, uv, visible[order].reshape(P, N) == 1, image_size=image_size_in(path, columns), names=called)


def read_npz(path: Path) -> TrackFile:
    """Arrays of CoTracker, TAPIR or TAP-Vid."""
    arrays = read_arrays(path)
    size = image_size_in(path, arrays)
    if {"pred_tracks", "pred_visibility"} <= set(arrays):
        uv, visible = from_cotracker(path, arrays)
        return checked(TrackFile(path, uv, visible, image_size=size))
    if {"tracks", "visibles"} <= set(arrays):
        uv, visible = to_pixels(path, "tracks", arrays), to_bool(path, "visibles", arrays)
        return checked(TrackFile(path, uv, visible, from_corner=True, image_size=size))
    if {"points", "occluded"} <= set(arrays):
        uv, visible = to_pixels(path, "points", arrays), ~to_bool(path, "occluded", arrays)
        return checked(TrackFile(path, uv, visible, from_corner=True, as_shares=True, image_size=size))
    raise DatasetError(
        f"{path} holds {sorted(arrays)}; pred_tracks and pred_visibility (CoTracker), tracks and visibles (TAPIR), or "
        "points and occluded (TAP-Vid) are needed"
    )


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz by name.

    Raises:
        DatasetError: if it is damaged, holds objects, or is a single array under another name.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.ndarray):
            with loaded as file:
                return {name: np.asarray(file[name]) for name in file.files}
    except Exception as error:  # zipfile and numpy raise a dozen types, each for another damaged byte
        raise DatasetError(
            f"{path} holds no plain arrays, or is damaged ({_one_line(error)}); save them again with numpy.savez"
        ) from error
    raise DatasetError(f"{path} is a single array (.npy) under another name; save all of them with numpy.savez")


def from_cotracker(path: Path, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Positions (N, T, 2) and visibility (N, T) of what its model returns, a batch of one video or without."""
    uv, seen = to_pixels(path, "pred_tracks", arrays), to_bool(path, "pred_visibility", arrays)
    uv = uv[0] if uv.ndim == 4 and len(uv) == 1 else uv
    if uv.ndim != 3:
        raise DatasetError(f"{path}: pred_tracks is of shape {uv.shape}; ([B,] T, N, 2) with B = 1 is needed")
    if [n for n in seen.shape if n != 1] == [n for n in uv.shape[:2] if n != 1]:
        seen = seen.reshape(uv.shape[:2])
    return uv.swapaxes(0, 1), seen.T


def to_pixels(path: Path, name: str, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Positions as they are. Raises DatasetError where they are no numbers."""
    if arrays[name].dtype.kind not in "iuf":
        raise DatasetError(f"{path}: {name} must be numbers; it holds values of type {arrays[name].dtype}")
    return arrays[name]


def to_bool(path: Path, name: str, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Flags; probabilities count as true from one half on."""
    values = arrays[name]
    if values.dtype == bool:
        return values
    if values.dtype.kind not in "iuf":
        raise DatasetError(
            f"{path}: {name} must be flags, or probabilities from 0 to 1; it holds values of type {values.dtype}"
        )
    if not (np.isfinite(values).all() and (values >= 0).all() and (values <= 1).all()):
        raise DatasetError(f"{path}: {name} must be flags, or probabilities from 0 to 1; it holds other numbers")
    return values >= 0.5


def image_size_in(path: Path, columns: Mapping[str, np.ndarray]) -> tuple[int | None, int | None]:
    """(H, W) of the video, each where a file tells it.

    Raises:
        DatasetError: if one of them is not the same whole number of pixels in every entry.
    """
    sides: list[int | None] = []
    for name in ("height", "width"):
        if name not in columns:
            sides.append(None)
            continue
        found = np.unique(columns[name])
        whole = found.dtype.kind in "iuf" and np.isfinite(found).all() and (found == np.round(found)).all()
        if not whole or len(found) != 1 or found[0] < 1:
            told = ", ".join(str(value) for value in found[:3]) + (", ..." if len(found) > 3 else "")
            raise DatasetError(
                f"{path}: {name} must be one whole number of pixels, the same throughout; it holds {told or 'nothing'}:"
                " mend it, or leave it out"
            )
        sides.append(int(found[0]))
    return sides[0], sides[1]


def checked(file: TrackFile) -> TrackFile:
    """The file, if its arrays fit together. Raises DatasetError where they do not."""
    if file.uv.ndim != 3 or file.uv.shape[-1] != 2 or file.visible.shape != file.uv.shape[:2] or not file.visible.size:
        raise DatasetError(
            f"{file.path}: positions {file.uv.shape} and visibility {file.visible.shape} (points, frames) do not fit "
            "together; save both of the same video, whole"
        )
    return file


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
