"""Folders of videos, beside each its file of tracks under its name."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from para.datasets.lerobot_v3_layout import DatasetError
from para.datasets.track_files import PICKLE_ADVICE, PICKLE_SUFFIXES, TRACK_SUFFIXES

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v")


def video_and_track_files(folder: Path) -> list[tuple[Path, Path]]:
    """The videos of a folder, by name, each with its file of tracks.

    Raises:
        FileNotFoundError: if there is no video, or one without exactly one file of tracks.
        DatasetError: if two videos would have the same file of tracks.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}; put videos there, and beside each its tracks")
    # a name that begins with a dot is some system's note on another file, as macOS leaves them
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    videos = [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]
    if not videos:
        raise FileNotFoundError(f"{folder} holds no video ({', '.join(VIDEO_SUFFIXES)}); put some there")
    pairs = []
    for before, video in pairwise(sorted(videos, key=lambda path: path.stem)):
        if before.stem == video.stem:
            raise DatasetError(
                f"{folder} holds two videos of one name, {before.name} and {video.name}, and one file of tracks cannot "
                "be of both; rename one of them and give it tracks of its own, or take it out"
            )
    for video in videos:
        tracks = [path for path in files if path.stem == video.stem and path.suffix.lower() in TRACK_SUFFIXES]
        if len(tracks) != 1:
            found = " and ".join(path.name for path in tracks) or f"none{_pickles_in(folder, video.stem)}"
            raise FileNotFoundError(
                f"{video} needs one file of tracks ({video.stem}.csv, .parquet or .npz); found {found}"
            )
        pairs.append((video, tracks[0]))
    return pairs


def _pickles_in(folder: Path, stem: str) -> str:
    pickles = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in PICKLE_SUFFIXES)
    if not pickles:
        return ""
    own = next((name for name in pickles if Path(name).stem == stem), pickles[0])
    return f" but {own}; {PICKLE_ADVICE}"
