"""Records of episodes: what became of each, one line of `results.jsonl`.

The file survives a kill: a last line that was cut off is dropped on reading and replaced on the next append.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from para.interfaces import OUTCOMES, Outcome


@dataclass(frozen=True)
class EpisodeRecord:
    """What became of one episode: one line of `results.jsonl`."""

    experiment: str
    """Name of the experiment."""

    world: str
    """Name of the world."""

    policy: str
    """Name of the policy; a variant is a name of its own, as `para+execute1`."""

    train_seed: int
    """Which training run of that policy, from 0."""

    split: str
    """"train", "test", "validation" or a named subset."""

    scene: dict[str, Any]
    """The initial condition, as `Scene.to_dict` gives it."""

    scene_index: int
    """Index of the scene in its split: policies are paired on it."""

    outcome: Outcome | None
    """How it ended; None where the episode raised."""

    steps: int
    """Control steps of the world that the episode took: an executed step takes three or more."""

    seconds: float
    """Wall-clock time."""

    checkpoint: str
    """First 12 hex digits of the SHA-256 of the weights."""

    error: str | None = None
    """Why the episode did not run to its end, or None. Exactly one of `outcome` and `error` is None."""

    boundary_distance_m: float | None = None
    """How far the object lies from where its training positions are, where an experiment varies positions: from their
    region (halves), or from the nearest of them (few positions)."""

    ee_path: list[list[float]] | None = None
    """[x, y, z] in metres, at most 40 points evenly spaced in time, rounded to mm, where kept."""

    video: str | None = None
    """Path of its video, relative to the run folder."""

    goal_xy: list[float] | None = None
    """Centre of the goal, [x, y] in metres, where known."""

    gripper_events: list[list[float]] | None = None
    """Every change of the commanded gripper, in order: [step, opening (0 close, 1 open), x, y, z of the end effector at
    that moment, metres]; at most 20."""

    execution: str = ""
    """8 hex digits that tell how chunks were carried out, and in which world with which options."""

    def __post_init__(self):
        if (self.outcome is None) == (self.error is None):
            raise ValueError(
                f"a record needs an outcome or an error, not both or neither; got outcome {self.outcome!r} and error "
                f"{self.error!r} (policy {self.policy}, scene {self.scene_index})"
            )
        if self.outcome is not None and self.outcome not in OUTCOMES:
            raise ValueError(f"an outcome is one of {', '.join(OUTCOMES)}, or null with an error; got {self.outcome!r}")
        if type(self.train_seed) is not int or type(self.scene_index) is not int:
            raise ValueError(
                f"train_seed and scene_index are whole numbers; got {self.train_seed!r} and {self.scene_index!r}"
            )
        # as JSON will give it back, so that a record equals itself after a round through the file
        object.__setattr__(self, "scene", {k: list(v) if isinstance(v, tuple) else v for k, v in self.scene.items()})

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What makes a record the only one of its kind: (policy, split, train_seed, scene_index)."""
        return (self.policy, self.split, self.train_seed, self.scene_index)

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values, without the optional ones that are None; `from_dict` inverts it."""
        optional = ("boundary_distance_m", "ee_path", "video", "goal_xy", "gripper_events", "execution")
        return {k: v for k, v in asdict(self).items() if v not in (None, "") or k not in optional}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> EpisodeRecord:
        """Inverse of `to_dict`. Raises ValueError for unknown or missing fields."""
        known = {f.name for f in fields(EpisodeRecord)}
        needed = {f.name for f in fields(EpisodeRecord) if f.default is MISSING} | {"error"}
        unknown, missing = sorted(set(values) - known), sorted(needed - set(values))
        if unknown or missing:
            raise ValueError(f"a record lacks {missing} and has unknown fields {unknown}; it holds {sorted(known)}")
        return EpisodeRecord(**values)


def read_results(path: Path | str) -> list[EpisodeRecord]:
    """All records of a `results.jsonl`, in order; a last line that was cut off by a kill is left out.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if another line cannot be read (it names the line), or two records are of the same episode.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no results at {path}; run an experiment or `para evaluate` first")
    records = []
    for number, line in enumerate(_without_torn_line(path.read_bytes()).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            if not isinstance(values, dict):
                raise ValueError(f"a record is a JSON object; got {type(values).__name__}")
            records.append(EpisodeRecord.from_dict(values))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}, is no record: {error}; mend or remove that line") from error
    check_unique(records)
    return records


def append_records(path: Path | str, records: Iterable[EpisodeRecord]) -> None:
    """Add records to a `results.jsonl` so that they survive a kill; a cut-off last line is removed first.

    One process at a time may write to a file. NaN or infinity in a record raises ValueError.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = b"".join(json.dumps(r.to_dict(), allow_nan=False).encode() + b"\n" for r in records)
    _mend_last_line(path)
    with open(path, "ab") as file:
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def check_unique(records: Iterable[EpisodeRecord]) -> None:
    """Raise ValueError where two records are of the same episode."""
    seen: set[tuple[str, str, int, int]] = set()
    for record in records:
        if record.key in seen:
            policy, split, train_seed, scene_index = record.key
            raise ValueError(
                f"two records of one episode: policy {policy}, split {split}, train_seed {train_seed}, scene "
                f"{scene_index}; remove one of the lines"
            )
        seen.add(record.key)


def _without_torn_line(content: bytes) -> bytes:
    """The content without a last line that a kill cut off: one that lacks its line end and is not whole JSON."""
    end = content.rfind(b"\n") + 1
    try:
        json.loads(content[end:])
    except ValueError:
        return content[:end]
    return content


def _mend_last_line(path: Path) -> None:
    """Let the file end with a line end, so that the next record starts a line of its own."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with open(path, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        if file.read() == b"\n":
            return
        file.seek(0)
        whole = _without_torn_line(file.read())
        file.truncate(len(whole))
        file.seek(len(whole))
        if whole and not whole.endswith(b"\n"):
            file.write(b"\n")
