"""What a dataset of imported videos says of what they were made from, so that nothing else is mixed in later."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from para.datasets.lerobot_v3_layout import EPISODE_INFO, DatasetError
from para.datasets.track_files import read_track_file

MADE_FROM = "para.made_from"
"""In an episode's info: {"frames", "tracks": 12 hex digits of the sha256 of the video's file and of that of its tracks,
"point": which one, "track_size": [H, W] of the video that was tracked, where that was said}. What else decides what an
episode holds, image size and step, is the dataset's. Absent from datasets that are older than this; "frames" is
younger."""


def made_from(
    video: Path, tracks: Path, point: int | None, track_size: tuple[int, int] | None = None
) -> dict[str, Any]:
    """What tells an episode from another one of a video of this name: `MADE_FROM`.

    Args:
        video, tracks: the files.
        point: which one; None: the only one.
        track_size: (H, W) of the video that was tracked; None: that of the video.
    """
    note = {"frames": _digest(video), "tracks": _digest(tracks), "point": point or 0}
    return note if track_size is None else note | {"track_size": list(track_size)}


def imported_before(root: Path, rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The videos of a dataset, by name, each with what it was made from; empty where that was not noted yet.

    Raises:
        DatasetError: if an episode was not made from a video: the folder is one of other demonstrations.
    """
    infos = [json.loads(row.get(EPISODE_INFO) or "{}") for row in rows]
    others = sum("video" not in info for info in infos)
    if others:
        raise DatasetError(f"{root} holds {others} demonstrations that are no imported videos; choose another folder")
    return {info["video"]: info.get(MADE_FROM, {}) for info in infos}


def refuse_changed(
    root: Path,
    pairs: list[tuple[Path, Path]],
    done: dict[str, dict[str, Any]],
    point: int | None,
    track_size: tuple[int, int] | None = None,
) -> None:
    """Raise DatasetError where a dataset holds videos from other tracks, points or sizes of them than are asked for.

    Episodes cannot be taken out of a dataset, and to keep the old ones beside new ones would mix two points in silence.
    """
    changed = []
    for video, tracks in pairs:
        if not (old := done.get(video.name)):
            continue
        new = made_from(video, tracks, point, track_size)
        new = {name: value for name, value in new.items() if name in old or name != "frames"}
        if not _same_point(old["point"], point, tracks):
            changed.append(f"{video.name} at point {old['point']}, asked for is point {new['point']}")
        elif old.get("track_size") != new.get("track_size"):
            changed.append(f"{video.name} tracked at {_size(old)}, asked for is {_size(new)}")
        elif old["tracks"] != new["tracks"]:
            changed.append(f"{video.name} from an older {tracks}")
        elif old | {"point": new["point"]} != new:
            changed.append(f"another {video.name}")
    if changed:
        more = f", and {len(changed) - 1} more like that" if len(changed) > 1 else ""
        raise DatasetError(
            f"{root} holds {changed[0]}{more}; choose another folder, or remove this one and import all again"
        )


def _same_point(noted: int, asked: int | None, tracks: Path) -> bool:
    """Whether the noted point is that asked for: of a file with one alone it is, called by its name or not."""
    if noted == (asked or 0):
        return True
    file = read_track_file(tracks)
    return len(file.visible) == 1 and (asked is None or asked in (file.names or (0,)))


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:  # hashlib.file_digest is younger than Python 3.10
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:12]


def _size(note: dict[str, Any]) -> str:
    return "--track-size {} {}".format(*note["track_size"]) if "track_size" in note else "the size of the video"
