"""Recording a scripted expert in many scenes, in several processes, restartable at any moment."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from para.assets import told_of_both
from para.datasets.demonstrate import Perturbation, demonstrate
from para.datasets.lerobot_v3_folder import refuse_unrelated
from para.datasets.lerobot_v3_layout import (
    CONVERSION_FILE,
    DEFAULT_TASK,
    EPISODE_SCENE,
    INFO_FILE,
    RECORDING_FILE,
    DatasetError,
    read_info,
)
from para.datasets.lerobot_v3_read import read_episode_rows
from para.datasets.lerobot_v3_write import DatasetWriter
from para.datasets.workers import in_order
from para.files import read_json, write_json
from para.interfaces import Episode, Outcome, Scene, World
from para.progress import progress_bar

MAX_DROPPED_SHARE = 0.1
"""An expert that fails more often than this is not one to learn from."""

Job = tuple[Scene, int]
"""A scene, and how many equal ones come before it: they draw different perturbations."""


@dataclass(frozen=True)
class RecordingReport:
    """What a call of `record` did."""

    recorded: int
    """Episodes added now."""

    reused: int
    """Scenes that had been dealt with before: recorded, or dropped."""

    dropped: tuple[tuple[Scene, Outcome], ...]
    """Scenes in which the expert failed, now or before, and how; they are not in the dataset."""

    seconds: float
    """How long it took."""


def record(
    make_world: Callable[[], World],
    scenes: list[Scene],
    root: str | Path,
    *,
    workers: int = 2,
    perturbation: Perturbation | None = None,
    progress: bool = True,
    lossless: bool = False,
    task: str = DEFAULT_TASK,
    world: str = "",
    options: Mapping[str, Any] | None = None,
    assets: str = "",
    max_dropped_share: float = MAX_DROPPED_SHARE,
) -> RecordingReport:
    """Demonstrate every scene and store what ends in `placed`, in the order of the scenes.

    The same call goes on where a killed one stopped, does nothing where all is there, and leaves the same dataset
    whatever the number of workers.

    Args:
        make_world: builds a world; picklable where there is more than one worker.
        scenes: initial conditions, in order; the list may grow from one call to the next.
        root: the dataset's folder; new, or one that this function began.
        workers, progress: processes (1 or less: none but this one), and whether to show how far they are.
        perturbation, lossless, task: None: plain demonstrations; the others: see `DatasetWriter`.
        world, options: its name, and its options, JSON-ready, which make other demonstrations; "" and None: not told.
        assets: what the world is made of, in words (`para.assets`); "" where it has no choice.
        max_dropped_share: raise once the expert has failed in more than this share of the scenes.

    Raises:
        ValueError: if the folder is of anything else than these, or being recorded into, or the expert fails too often.
        OSError: ENOSPC where the disk is full; what was recorded stays.
    """
    started, root = time.monotonic(), Path(root)
    refuse_unrelated(root)
    log = _RecordingLog(root, perturbation, world, options, assets)
    jobs = _jobs_left(root, scenes, done := _scenes_of(root) + _dropped_scenes(log.dropped))
    _refuse_bad_expert(log.dropped, len(scenes), max_dropped_share)
    recorded = 0
    with ExitStack() as stack:
        episodes = in_order(make_world, _demonstrate_job, [(job, perturbation) for job in jobs], workers)
        stack.enter_context(closing(episodes))
        bar = stack.enter_context(progress_bar(len(jobs), "recording", unit="episode")) if progress and jobs else None
        writer = None
        for episode in episodes:
            if writer is None:  # the first episode tells the image size, which only a world knows
                how = {"image_size": tuple(episode.camera.image_size), "lossless": lossless, "task": task}
                writer = stack.enter_context(DatasetWriter.open_or_create(root, **how))
                _refuse_other_recorder(root, done)
                log.save()
            if episode.outcome == "placed":
                writer.add(episode)
                recorded += 1
            else:
                log.drop(episode)
                _refuse_bad_expert(log.dropped, len(scenes), max_dropped_share)
            if bar is not None:
                bar.update()
    return RecordingReport(recorded, len(scenes) - len(jobs), log.dropped_outcomes(), time.monotonic() - started)


def refuse_other_frames(root: str | Path, image_size: tuple[int, int], *, lossless: bool) -> None:
    """Raise DatasetError where a folder holds demonstrations of another image size or encoding, even if none are left
    to record, for which `record` would open nothing.
    """
    if (Path(root) / INFO_FILE).exists():
        with DatasetWriter.open_or_create(root, image_size=image_size, lossless=lossless):
            pass


def _demonstrate_job(world: World, task: tuple[Job, Perturbation | None]) -> Episode:
    (scene, occurrence), perturbation = task
    if perturbation is None:
        return demonstrate(world, scene)
    # Seeded by what is demonstrated, not by its turn: any worker, any restart and any order give the same episode.
    text = json.dumps([perturbation.seed, scene.to_dict(), occurrence])
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return demonstrate(world, scene, perturbation, np.random.default_rng(seed))


def _key(scene: Scene) -> str:
    return json.dumps(scene.to_dict())


def _jobs_left(root: Path, scenes: list[Scene], done: list[Scene]) -> list[Job]:
    n_done = Counter(_key(scene) for scene in done)
    others = n_done - Counter(_key(scene) for scene in scenes)
    if others:
        raise DatasetError(
            f"{root} holds demonstrations of {others.total()} scenes that are not among the {len(scenes)} asked for "
            f"(first: {next(iter(others))}); record these into another folder"
        )
    seen: Counter[str] = Counter()
    jobs = []
    for scene in scenes:
        key = _key(scene)
        if seen[key] >= n_done[key]:
            jobs.append((scene, seen[key]))
        seen[key] += 1
    return jobs


def _scenes_of(root: Path) -> list[Scene]:
    if not (root / INFO_FILE).exists():
        return []
    rows = read_episode_rows(root, read_info(root))
    return [Scene.from_dict(json.loads(row[EPISODE_SCENE])) for row in rows if row.get(EPISODE_SCENE)]


def _dropped_scenes(dropped: list[dict[str, Any]]) -> list[Scene]:
    return [Scene.from_dict(entry["scene"]) for entry in dropped]


def _refuse_other_recorder(root: Path, done: list[Scene]) -> None:
    """Raise DatasetError if more was recorded or dropped than `done`, which was read before the folder was locked."""
    dropped = read_json(root / RECORDING_FILE)["dropped"] if (root / RECORDING_FILE).exists() else []
    if _scenes_of(root) + _dropped_scenes(dropped) != done:
        raise DatasetError(f"{root} was recorded into by another process meanwhile; run this again to go on")


def scenes_done(root: str | Path) -> int:
    """In how many scenes a folder has a demonstration, or an expert that failed; 0 where nothing was begun."""
    if not (Path(root) / INFO_FILE).exists():
        return 0
    log = Path(root) / RECORDING_FILE
    return read_info(Path(root))["total_episodes"] + (len(read_json(log)["dropped"]) if log.exists() else 0)


def recorded_in(root: str | Path) -> str:
    """The name of the world that a dataset was recorded in, or converted for; "" where it does not say."""
    return said_of_world(root).get("world", "")


def recorded_with(root: str | Path) -> dict[str, Any]:
    """The options of that world; none where the dataset does not say."""
    return said_of_world(root).get("options", {})


def recorded_assets(root: str | Path) -> str:
    """What that world was made of, in words; "" where it had no choice, or the dataset does not say."""
    return said_of_world(root).get("assets", "")


def said_of_world(root: str | Path) -> dict[str, Any]:
    """What a dataset says of its world: "world", "options" and "assets", each where it does. One that was resampled
    says what its source did; circles that were made of recordings say that, and that they are circles."""
    path = Path(root) / RECORDING_FILE
    if path.exists():
        return {name: value for name, value in read_json(path).items() if name in ("world", "options", "assets")}
    path = Path(root) / CONVERSION_FILE
    if not path.exists():
        return {}
    note = read_json(path)
    if "recorded" in note or "every" in note.get("options", {}):  # resampled; once without a word on its source
        return note.get("recorded", {})
    return {"world": "libero"}


def _refuse_bad_expert(dropped: list[dict[str, Any]], n_scenes: int, max_share: float) -> None:
    if len(dropped) <= max_share * n_scenes:
        return
    how = ", ".join(f"{n} {outcome}" for outcome, n in Counter(entry["outcome"] for entry in dropped).items())
    raise ValueError(
        f"the expert failed in {len(dropped)} of {n_scenes} scenes ({how}), more than {max_share:.0%}; "
        f"first: {dropped[0]['scene']}: mend the expert, or choose scenes that it can do, and record "
        "into another folder"
    )


class _RecordingLog:
    """meta/para_recording.json: how a dataset was recorded, and what was dropped, so that a restart repeats neither."""

    def __init__(
        self, root: Path, perturbation: Perturbation | None, world: str, options: Mapping[str, Any] | None, assets: str
    ):
        self._path = root / RECORDING_FILE
        self._world, self._assets = world, assets
        # which assets is told in words of its own: folders of the same ones differ from machine to machine
        self._options = None if options is None else {k: v for k, v in options.items() if k != "assets"}
        self._perturbation = None if perturbation is None else asdict(perturbation)
        self.dropped: list[dict[str, Any]] = []
        if not self._path.exists():
            return
        found = read_json(self._path)
        self._world = found.get("world", "") or world
        if world and self._world != world:
            raise DatasetError(f"{root} was recorded in world '{self._world}', not '{world}'; choose another folder")
        told = found.get("options")
        if told is not None and self._options not in (None, told):
            raise DatasetError(
                f"{root} was recorded with the world's options {told}, not {self._options}; choose another folder"
            )
        # what was recorded before options were told may be of others than these
        self._options = told
        if found["perturbation"] != self._perturbation:
            raise DatasetError(
                f"{root} was recorded with perturbation {found['perturbation']}, not {self._perturbation}; "
                "record as it was, or choose another folder"
            )
        try:
            both = told_of_both(found.get("assets", ""), assets)
        except ValueError as error:
            raise DatasetError(f"{root}: {error}") from error
        # what was recorded before assets were told may be of others than these
        self._assets = both if "assets" in found else ""
        self.dropped = found["dropped"]

    def dropped_outcomes(self) -> tuple[tuple[Scene, Outcome], ...]:
        return tuple((Scene.from_dict(entry["scene"]), entry["outcome"]) for entry in self.dropped)

    def drop(self, episode: Episode) -> None:
        self.dropped.append({"scene": episode.scene.to_dict(), "outcome": episode.outcome})
        self.save()

    def save(self) -> None:
        told: dict[str, Any] = {"world": self._world} if self._world else {}
        told |= {} if self._options is None else {"options": self._options}
        told |= {"assets": self._assets} if self._assets else {}
        write_json(self._path, {"perturbation": self._perturbation, "dropped": self.dropped} | told)
