"""Turning other people's LIBERO demonstrations into datasets of ours: upright frames, camera geometry, world metres."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from para.interfaces import Episode, Scene

if TYPE_CHECKING:
    from para.worlds.libero_hdf5 import Demonstration
    from para.worlds.libero_recordings import Recording

logger = logging.getLogger(__name__)

UNKNOWN = float("nan")


@dataclass(frozen=True)
class LiberoOptions:
    """How LIBERO's demonstrations are converted (`convert-libero` only)."""

    frames: Literal["auto", "render", "stored"] = "auto"
    """For HDF5 files: draw their states anew, or take the pictures in them; auto: draw where LIBERO's own assets are
    at hand."""

    image_size: tuple[int, int] = (128, 128)
    """(H, W) of frames that are drawn, pixels."""

    view: tuple[float, float] = (0.0, 0.0)
    """Theta and phi of the camera of frames that are drawn, degrees off LIBERO's."""

    assets: str = ""
    """For drawing: a folder of LIBERO's assets, or `generated`; default: what the world `libero` takes."""

    orientation: Literal["auto", "upright", "upside_down", "mirrored", "rotated"] = "auto"
    """Which way up stored frames are; auto: told from what moves in them, for each HDF5 file by itself."""

    camera: str = ""
    """For LeRobot datasets: the feature of LIBERO's agentview; default: the only camera that is not on the wrist."""

    lossless: bool = False
    """Store frames bit for bit (about eight times larger)."""

    def refuse_unused(self, source: Path, kind: str) -> None:
        """Raise ValueError where options were given of which a conversion of this kind (`USED`) makes no use."""
        takes, uses = USED[kind]
        given = {option.name for option in fields(self) if getattr(self, option.name) != option.default}
        if not given - uses:
            return
        unused = ", ".join("--" + name.replace("_", "-") for name in sorted(given - uses))
        other = {"stored": "render", "render": "stored"}.get(kind)
        advice = f", or say --frames {other}" if other and given <= USED[other][1] else ""
        raise ValueError(f"of {source} {takes}, which makes no use of {unused}; leave that out{advice}")


USED: dict[str, tuple[str, set[str]]] = {
    "lerobot": ("the dataset's own pictures are taken", {"orientation", "camera", "lossless"}),
    "stored": ("the files' own pictures are taken", {"frames", "orientation", "lossless"}),
    "render": ("the states are drawn", {"frames", "image_size", "view", "assets", "lossless"}),
}
"""Kind of conversion, of a LeRobotDataset or of HDF5 files (`--frames`) -> what it takes, and the options it uses."""


class Converted(NamedTuple):
    """What a conversion did."""

    converted: int
    reused: int
    """Episodes that an earlier call had converted."""
    left_out: tuple[str, ...]
    """Demonstrations that did not succeed, by their own word."""


class _Source(NamedTuple):
    """What is to be converted: how much, and each demonstration by name, made when asked for; None: it failed."""

    total: int
    episodes: Iterator[tuple[str, Callable[[], Episode | None]]]


def convert_libero(source: Path, out: Path, options: LiberoOptions = LiberoOptions()) -> Converted:
    """Convert LIBERO's HDF5 files, or a LeRobotDataset made of them. The same call goes on where one stopped.

    Args:
        source: an HDF5 file of libero_spatial, a folder of them, or the folder of a LeRobotDataset v2.0, v2.1 or v3.0,
            of which the episodes of libero_spatial are taken.
        out: folder of the new dataset.

    Raises:
        FileNotFoundError: where there is nothing of that kind.
        ValueError: for damaged files, other tasks, frames that fit the camera in no orientation, or options that decide
            nothing here; in one line.
        ImportError: where h5py, or hf-libero for drawing, is missing.
    """
    from para.datasets import DatasetWriter
    from para.datasets.lerobot_v3_layout import EPISODE_INFO
    from para.progress import progress_bar

    is_lerobot = (source / "meta").is_dir()
    total, episodes = _lerobot(source, options) if is_lerobot else _hdf5(source, options)
    converted, left_out, done = 0, [], set()
    writer = None
    with closing(episodes), progress_bar(total, "converting", unit="demonstration") as bar:
        try:
            for name, make in episodes:
                episode = None if name in done else make()
                if episode is not None:
                    if writer is None:
                        size = episode.camera.image_size
                        writer = DatasetWriter.open_or_create(out, image_size=size, lossless=options.lossless)
                        done = {json.loads(row[EPISODE_INFO]).get("source") for row in writer.rows}
                    if name not in done:
                        writer.add(episode, task=episode.info["task"])
                        converted += 1
                elif name not in done:
                    left_out.append(name)
                bar.update()
        finally:
            if writer is not None:
                writer.close()
    if writer is None:
        raise ValueError(f"{source} holds no demonstration of libero_spatial that succeeded ({total} were looked at)")
    return Converted(converted, len(done), tuple(left_out))


def _hdf5(source: Path, options: LiberoOptions) -> _Source:
    from para.worlds.libero_hdf5 import count_demonstrations, hdf5_files, read_demonstrations

    files, draws = hdf5_files(source), _draws(options)
    options.refuse_unused(source, "render" if draws else "stored")
    total = sum(count_demonstrations(path) for path in files)
    if draws:
        return _Source(total, _drawn((each for path in files for each in read_demonstrations(path)), options))
    # a folder may hold files of LIBERO beside replayed ones; told before any is converted, since it can be refused
    orientations = {path: _orientation_of_file(path, options) for path in files}
    return _Source(total, _as_stored(orientations))


def _orientation_of_file(path: Path, options: LiberoOptions) -> str:
    from para.datasets import DatasetError
    from para.worlds.libero_hdf5 import read_demonstrations

    if options.orientation != "auto":
        return options.orientation
    try:
        return _orientation(_stored(demonstration) for demonstration in read_demonstrations(path))
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error


def _as_stored(orientations: dict[Path, str]) -> Iterator[tuple[str, Callable[[], Episode | None]]]:
    """The demonstrations of HDF5 files with their own pictures, of which it is known which way up they are."""
    from para.worlds.libero_hdf5 import read_demonstrations
    from para.worlds.libero_replay import scene_of

    for path, orientation in orientations.items():
        for demonstration in read_demonstrations(path):

            def make(demonstration=demonstration, orientation=orientation) -> Episode | None:
                if not demonstration.succeeded:
                    return None
                return _upright(demonstration.name, _stored(demonstration), orientation, scene_of(demonstration))

            yield demonstration.name, make


def _draws(options: LiberoOptions) -> bool:
    """Whether states are drawn anew. Raises ImportError where that is asked for and hf-libero is missing."""
    from para.worlds.libero_assets import find_assets

    if options.frames != "auto":
        return options.frames == "render"
    try:
        assets = find_assets(options.assets)
    except ImportError:
        return False
    if assets.kind == "generated" and not options.assets:
        logger.info("no LIBERO assets are at hand: the files' own pictures are taken (--frames render draws stand-ins)")
        return False
    return True


def _stored(demonstration: Demonstration) -> Recording:
    if demonstration.stored is None:
        raise ValueError(f"{demonstration.name} has no pictures (obs/agentview_rgb); draw its states: --frames render")
    return demonstration.stored


def _drawn(demonstrations: Iterator[Demonstration], options: LiberoOptions):
    from para.worlds import make_world
    from para.worlds.libero_recordings import to_episode
    from para.worlds.libero_replay import replay, scene_of, task_index_of

    world, built_for = None, None
    try:
        for demonstration in demonstrations:
            index = task_index_of(demonstration)
            if index != built_for:
                if world is not None:
                    world.close()
                world = make_world("libero", options.image_size, task_index=index, assets=options.assets)
                built_for = index

            def make(demonstration=demonstration, world=world) -> Episode | None:
                if not demonstration.succeeded:
                    return None
                scene = scene_of(demonstration, options.view)
                recording, camera = replay(world, demonstration, scene)
                info = {"source": demonstration.name, "task": demonstration.task, "frames": world.assets.words}
                return to_episode(recording, camera, scene, "placed", info)

            yield demonstration.name, make
    finally:
        if world is not None:
            world.close()


def _lerobot(source: Path, options: LiberoOptions) -> _Source:
    from para.datasets.foreign_lerobot import open_foreign, read_foreign
    from para.worlds.libero_recordings import from_state_and_action, is_spatial

    options.refuse_unused(source, "lerobot")
    dataset = open_foreign(source, options.camera)
    total = sum(is_spatial(" ".join(row.get("tasks") or [])) for row in dataset.rows)
    if not total:
        tasks = sorted({" ".join(row.get("tasks") or []) for row in dataset.rows})
        raise ValueError(f"{source} has no episode of libero_spatial; its tasks are: {', '.join(tasks[:3])} ...")

    def recordings() -> Iterator[tuple[str, Recording]]:
        for episode in read_foreign(dataset, is_spatial):
            name = f"{source.name}/episode_{episode.index}"
            yield name, from_state_and_action(episode.frames, episode.state, episode.action, episode.task, name)

    orientation = options.orientation
    if orientation == "auto":
        orientation = _orientation(recording for _, recording in recordings())
    where = Scene((UNKNOWN, UNKNOWN))  # such datasets keep no state of the simulator
    return _Source(total, ((n, lambda n=n, r=r: _upright(n, r, orientation, where)) for n, r in recordings()))


def _orientation(recordings: Iterator[Recording]) -> str:
    """Of the frames of the first demonstrations, every third one of each."""
    from para.datasets.orientation import ENOUGH_EPISODES, find_orientation
    from para.worlds.libero_recordings import agentview, thinned

    first = (thinned(recording) for recording in islice(recordings, ENOUGH_EPISODES))
    return find_orientation((r.frames, r.ee_position, agentview(r.frames.shape[1:3])) for r in first)


def _upright(name: str, recording: Recording, orientation: str, scene: Scene) -> Episode:
    """An episode of stored frames, turned upright."""
    from para.datasets.orientation import undo
    from para.worlds.libero_recordings import agentview, thinned, to_episode

    kept = thinned(recording)
    info = {"source": name, "task": recording.task, "frames": f"stored ones, {orientation}"}
    upright = replace(kept, frames=undo(kept.frames, orientation))
    return to_episode(upright, agentview(kept.frames.shape[1:3]), scene, "placed", info)
