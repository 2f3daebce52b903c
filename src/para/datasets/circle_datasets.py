"""Recordings in whose frames the robot is painted over become circles: the same dataset with a disc in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from para.datasets.circle_overlay import overlay_episode
from para.datasets.conversion_note import ConversionNote
from para.datasets.demonstrations import open_tables
from para.datasets.lerobot_v3_layout import DatasetError
from para.datasets.lerobot_v3_read import data_file, video_file
from para.datasets.lerobot_v3_write import DatasetWriter
from para.datasets.partial_supervision import INFO_KEY
from para.datasets.recording import said_of_world
from para.datasets.resample import episodes_from
from para.datasets.video import is_lossless
from para.progress import progress_bar


class Overlaid(NamedTuple):
    """What was made of a dataset."""

    made: int
    """Episodes that this call wrote."""

    reused: int
    """Episodes that an earlier call had written."""


def overlay_dataset(source: Path | str, out: Path | str, *, camera: str | None = None) -> Overlaid:
    """Write a dataset once more with a disc at the end effector of every frame (`overlay_episode`).

    Pace, size, tasks and encoding are the source's. The same call goes on where one stopped, and takes what was added
    to the source since. What the dataset says of its world is what the source does, and that these are circles.

    Args:
        source: a LeRobotDataset v3.0 with end-effector columns and camera geometry, whose frames show no robot.
        out: folder of the new dataset.
        camera: name of the camera; None: the first that has geometry.

    Raises:
        FileNotFoundError, DatasetError: where the source cannot be opened, is one of circles or of point tracks, or
            `out` holds something else, as circles of other frames.
    """
    tables = open_tables(source, camera)
    own, key, root = tables.demonstrations, tables.source.video_key, tables.root
    recorded = with_circles(root)
    if any(INFO_KEY in info for info in own.episode_infos):
        raise DatasetError(f"{source} holds point tracks, which are trained on as they are; give a robot's recordings")
    note = ConversionNote(Path(out), root, root, {"circles": True, "camera": key}, recorded)
    if not note.keeps:
        raise DatasetError(f"{out} holds demonstrations that are no circles made of {source}; choose another folder")
    writer = DatasetWriter.open_or_create(
        out, image_size=own.image_size, fps=max(1, round(tables.info["fps"])), step_s=own.step_s,
        camera=key.rsplit(".", 1)[-1], lossless=is_lossless(video_file(root, tables.info, tables.rows[0], key)),
    )  # fmt: skip
    before = writer.n_episodes
    with writer, progress_bar(own.n_episodes - before, "drawing circles", unit="episode") as bar:
        for index, episode in episodes_from(tables, before):
            row = tables.rows[index]
            # of the video too: masks are mended without a change to the tables
            note.add([data_file(root, tables.info, row), video_file(root, tables.info, row, key)])
            writer.add(overlay_episode(episode), task=own.tasks[index])
            bar.update()
        return Overlaid(writer.n_episodes - before, before)


def with_circles(root: Path) -> dict[str, Any]:
    """What a dataset says of its world, with the world's option that puts a disc in the robot's place.

    Raises:
        DatasetError: if it says that already.
    """
    said = said_of_world(root)
    options = said.get("options", {})
    if options.get("circles"):
        raise DatasetError(f"{root} shows circles already; train on it, or give recordings with the robot painted over")
    return said | {"options": options | {"circles": True}}
