"""Turning other people's LIBERO demonstrations into datasets of ours: upright frames, camera geometry, world metres."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from para.interfaces import Episode, Scene

if TYPE_CHECKING:
    from para.datasets.conversion_note import ConversionNote
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


class _Entry(NamedTuple):
    """One demonstration of what is to be converted."""

    name: str
    files: list[Path]
    """That hold it."""
    make: Callable[[], Episode | None]
    """None: it did not succeed."""


class _Source(NamedTuple):
    """What is to be converted: how much, what is to be noted of it, and each demonstration, made when asked for."""

    total: int
    note: ConversionNote
    entries: Iterator[_Entry]


def convert_libero(source: Path, out: Path, options: LiberoOptions = LiberoOptions()) -> Converted:
    """Convert LIBERO's HDF5 files, or a LeRobotDataset made of them. The same call goes on where one stopped.

    Args:
        source: an HDF5 file of libero_spatial, a folder of them, or the folder of a LeRobotDataset v2.0, v2.1 or v3.0,
            of which the episodes of libero_spatial are taken.
        out: folder of the new dataset.

    Raises:
        FileNotFoundError: where there is nothing of that kind.
        ValueError: for damaged files, other tasks, frames that fit the camera in no orientation, options that decide
            nothing here, or a dataset that was made from something else; in one line.
        ImportError: where h5py, or hf-libero for drawing, is missing.
    """
    from para.datasets import DatasetWriter
    from para.datasets.lerobot_v3_layout import EPISODE_INFO
    from para.progress import progress_bar

    is_lerobot = (source / "meta").is_dir()
    total, note, entries = _lerobot(source, out, options) if is_lerobot else _hdf5(source, out, options)
    converted, left_out, done = 0, [], set()
    writer = None
    with closing(entries), progress_bar(total, "converting", unit="demonstration") as bar:
        try:
            for name, files, make in entries:
                episode = None if name in done else make()
                if episode is not None and writer is None:
                    size = episode.camera.image_size
                    writer = DatasetWriter.open_or_create(out, image_size=size, lossless=options.lossless)
                    done = {json.loads(row[EPISODE_INFO]).get("source") for row in writer.rows}
                if episode is not None or name in done:
                    note.add(files)
                else:
                    left_out.append(name)
                if episode is not None and name not in done:
                    writer.add(episode, task=episode.info["task"])
                    converted += 1
                bar.update()
        except ValueError:
            note.forget_latest()
            raise
        finally:
            if writer is not None:
                writer.close()
    if writer is None:
        raise ValueError(f"{source} holds no demonstration of libero_spatial that succeeded ({total} were looked at)")
    return Converted(converted, len(done), tuple(left_out))


def _hdf5(source: Path, out: Path, options: LiberoOptions) -> _Source:
    from para.datasets.conversion_note import ConversionNote
    from para.worlds.libero_hdf5 import count_demonstrations, hdf5_files

    files, draws = hdf5_files(source), _draws(options)
    options.refuse_unused(source, "render" if draws else "stored")
    total = sum(count_demonstrations(path) for path in files)
    note = ConversionNote(out, source, files[0].parent, _deciding(options, draws))
    if draws:
        return _Source(total, note, _drawn(files, options))
    # a folder may hold files of LIBERO beside replayed ones; told before any is converted, since it can be refused
    orientations = {path: _orientation_of_file(path, options) for path in files}
    return _Source(total, note, _as_stored(orientations))


def _deciding(options: LiberoOptions, draws: bool) -> dict[str, Any]:
    """What decides what becomes of HDF5 files, where the kind of encoding, which the dataset tells itself, does not."""
    from para.worlds.libero_assets import find_assets

    if not draws:
        return {"frames": "stored", "orientation": options.orientation}
    told = {"image_size": options.image_size, "view": options.view, "assets": find_assets(options.assets).words}
    return {"frames": "render", **told}


def _orientation_of_file(path: Path, options: LiberoOptions) -> str:
    from para.datasets import DatasetError
    from para.worlds.libero_hdf5 import read_demonstrations

    if options.orientation != "auto":
        return options.orientation
    try:
        return _orientation(_stored(demonstration) for demonstration in read_demonstrations(path))
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from error


def _as_stored(orientations: dict[Path, str]) -> Iterator[_Entry]:
    """The demonstrations of HDF5 files with their own pictures, of which it is known which way up they are."""
    from para.worlds.libero_hdf5 import read_demonstrations
    from para.worlds.libero_replay import scene_of

    for path, orientation in orientations.items():
        for demonstration in read_demonstrations(path):

            def make(demonstration=demonstration, orientation=orientation) -> Episode | None:
                if not demonstration.succeeded:
                    return None
                return _upright(demonstration.name, _stored(demonstration), orientation, scene_of(demonstration))

            yield _Entry(demonstration.name, [path], make)


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


def _drawn(files: list[Path], options: LiberoOptions) -> Iterator[_Entry]:
    from para.worlds import make_world
    from para.worlds.libero_hdf5 import read_demonstrations
    from para.worlds.libero_recordings import to_episode
    from para.worlds.libero_replay import replay, scene_of, task_index_of

    world, built_for = None, None
    try:
        for path, demonstration in ((file, each) for file in files for each in read_demonstrations(file)):
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

            yield _Entry(demonstration.name, [path], make)
    finally:
        if world is not None:
            world.close()


def _lerobot(source: Path, out: Path, options: LiberoOptions) -> _Source:
    from para.datasets.conversion_note import ConversionNote
    from para.datasets.foreign_lerobot import open_foreign, read_foreign
    from para.worlds.libero_recordings import from_state_and_action, is_spatial

    options.refuse_unused(source, "lerobot")
    dataset, whose = open_foreign(source, options.camera), source.absolute()
    total = sum(is_spatial(" ".join(row.get("tasks") or [])) for row in dataset.rows)
    if not total:
        tasks = sorted({" ".join(row.get("tasks") or []) for row in dataset.rows})
        raise ValueError(f"{source} has no episode of libero_spatial; its tasks are: {', '.join(tasks[:3])} ...")
    deciding = {"camera": dataset.image_key, "orientation": options.orientation}
    note = ConversionNote(out, source, whose.parent, deciding)

    def recordings() -> Iterator[tuple[str, list[Path], Recording]]:
        for episode in read_foreign(dataset, is_spatial):
            name = f"{whose.name}/episode_{episode.index}"
            read = from_state_and_action(episode.frames, episode.state, episode.action, episode.task, name)
            yield name, episode.files, read

    orientation = options.orientation
    if orientation == "auto":
        orientation = _orientation(recording for _, _, recording in recordings())
    where = Scene((UNKNOWN, UNKNOWN))  # such datasets keep no state of the simulator
    entries = (_Entry(n, files, lambda n=n, r=r: _upright(n, r, orientation, where)) for n, files, r in recordings())
    return _Source(total, note, entries)


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
