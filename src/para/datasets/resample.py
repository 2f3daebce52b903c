"""A dataset at another pace and picture size: what other people's recordings need before they are trained on.

Robots are recorded at 30 frames a second and 480 x 640; a chunk of 12 steps is then 0.4 s long, and most of a picture
lies beyond what a small backbone sees around a cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from para.datasets.conversion_note import ConversionNote
from para.datasets.demonstrations import Tables, open_tables
from para.datasets.frame_cache import decoded_episodes
from para.datasets.lerobot_v3_layout import DatasetError
from para.datasets.lerobot_v3_read import data_file, video_file
from para.datasets.lerobot_v3_write import DatasetWriter
from para.datasets.partial_supervision import INFO_KEY
from para.datasets.recording import said_of_world
from para.datasets.video import is_lossless
from para.geometry import Camera, resize
from para.interfaces import Episode
from para.progress import progress_bar

AT_A_TIME = 32
"""Pictures that are shrunk together, which takes them as floating-point numbers."""


class Resampled(NamedTuple):
    """What was made of a dataset."""

    made: int
    """Episodes that this call wrote."""

    reused: int
    """Episodes that an earlier call had written."""

    every: int
    """One in so many frames was kept."""

    step_s: float
    """Seconds between two of them."""

    image_size: tuple[int, int]
    """(H, W) of them, pixels."""


def resample(
    source: Path | str,
    out: Path | str,
    *,
    step_s: float | None = None,
    image_size: tuple[int, int] | None = None,
    camera: str | None = None,
) -> Resampled:
    """Write a dataset once more with fewer frames, smaller pictures, or both. The same call goes on where one stopped.

    Of a step that takes several of the source's frames the picture and the state are those of its first, and the action
    is the last command in it. Pictures are shrunk together with their camera, and stored bit for bit where the
    source's are.

    Args:
        source: a LeRobotDataset v3.0 with end-effector columns and camera geometry.
        out: folder of the new dataset.
        step_s: seconds that a step shall take; the nearest multiple of the source's is taken. None: as it is.
        image_size: (H, W) of the new pictures, pixels; None: as they are.
        camera: name of the camera; None: the first that has geometry.

    Raises:
        FileNotFoundError, DatasetError: where the source cannot be opened, or `out` holds something else.
        ValueError: where nothing is to be changed, or the source's frames are further apart than `step_s`.
    """
    tables = open_tables(source, camera)
    own = tables.demonstrations
    every = 1 if step_s is None else steps_in(step_s, own.step_s)
    size = own.image_size if image_size is None else (int(image_size[0]), int(image_size[1]))
    if min(size) < 1:
        raise ValueError(f"pictures need a positive (H, W); got {size}")
    if every == 1 and size == own.image_size:
        raise ValueError(
            f"{source} has a frame of {size[0]} x {size[1]} (H x W) every {own.step_s:.4g} s, as was asked for; "
            "there is nothing to change"
        )
    if any(INFO_KEY in info for info in own.episode_infos):
        raise DatasetError(f"{source} holds point tracks; choose their rate and size where they are made (para tracks)")
    told = {"every": every, "image_size": list(size), "camera": tables.source.video_key}
    note = ConversionNote(Path(out), tables.root, tables.root, told, said_of_world(tables.root))
    if not note.keeps:
        raise DatasetError(
            f"{out} holds demonstrations that were not made by resampling {source}; choose another folder"
        )
    key, pace = tables.source.video_key, every * own.step_s
    lossless = is_lossless(video_file(tables.root, tables.info, tables.rows[0], key))
    writer = DatasetWriter.open_or_create(
        out, image_size=size, fps=max(1, round(1 / pace)), step_s=pace, camera=key.rsplit(".", 1)[-1], lossless=lossless
    )
    before = writer.n_episodes
    with writer, progress_bar(own.n_episodes - before, "resampling", unit="episode") as bar:
        for index, episode in episodes_from(tables, before):
            note.add([data_file(tables.root, tables.info, tables.rows[index])])
            writer.add(shrunk(thinned(episode, every), size), task=own.tasks[index])
            bar.update()
        return Resampled(writer.n_episodes - before, before, every, pace, size)


def steps_in(step_s: float, own_s: float) -> int:
    """How many of a dataset's steps make one that takes so long. Raises ValueError where one takes longer."""
    if not 0 < step_s < float("inf"):
        raise ValueError(f"step_s is {step_s}; a step takes a time above 0 s")
    if (every := int(step_s / own_s + 0.5)) < 1:
        raise ValueError(f"frames are {own_s:.4g} s apart, further than the {step_s:.4g} s that were asked for")
    return every


def episodes_from(tables: Tables, first: int) -> Iterator[tuple[int, Episode]]:
    """The episodes of a dataset from one on, with their numbers; one in memory at a time."""
    own, key = tables.demonstrations, tables.source.video_key
    frames = decoded_episodes(tables.root, tables.info, tables.rows[first:], key, own.image_size)
    for index, images in enumerate(frames, start=first):
        yield index, own.episode(index, images)


def thinned(episode: Episode, every: int) -> Episode:
    """One in so many frames, each with the last command before the next of them."""
    kept = np.arange(0, len(episode), every)
    last = np.minimum(kept + every - 1, len(episode) - 1)
    return replace(
        episode,
        image=episode.image[kept],
        camera=episode.camera[torch.from_numpy(kept)],
        ee_position=episode.ee_position[kept],
        gripper=episode.gripper[kept],
        action_position=episode.action_position[last],
        action_gripper=episode.action_gripper[last],
        phase=episode.phase[last],
    )


def shrunk(episode: Episode, size: tuple[int, int]) -> Episode:
    """The episode with pictures of (H, W), and the camera that would have taken them."""
    if size == episode.camera.image_size:
        return episode
    images, cameras = [], []
    for start in range(0, len(episode), AT_A_TIME):
        part = slice(start, start + AT_A_TIME)
        image = torch.from_numpy(np.ascontiguousarray(episode.image[part])).permute(0, 3, 1, 2)
        small, camera = resize(image, episode.camera[part], size)
        images.append(small.permute(0, 2, 3, 1).numpy())
        cameras.append(camera)
    K, T = (torch.cat([getattr(camera, name) for camera in cameras]) for name in ("K", "T_world_cam"))
    return replace(episode, image=np.concatenate(images), camera=Camera(K, T, size))
