"""Records of episodes, and the summary that is computed from them alone.

`results.jsonl` holds one `EpisodeRecord` per line and survives a kill: a last line that was cut off is dropped on
reading and replaced on the next append. `summary.json` is `summarise` of those records, nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from para.evaluation.statistics import (
    PAIRED_METHOD,
    PairedCounts,
    mcnemar_exact,
    newcombe_paired_interval,
    wilson_interval,
)
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
    """Steps that were executed."""

    seconds: float
    """Wall-clock time."""

    checkpoint: str
    """First 12 hex digits of the SHA-256 of the weights."""

    error: str | None = None
    """Why the episode did not run to its end, or None. Exactly one of `outcome` and `error` is None."""

    boundary_distance_m: float | None = None
    """How far the object lies from the nearest training position, where known."""

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
    _check_unique(records)
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


def summarise(
    records: Sequence[EpisodeRecord],
    *,
    experiment: str,
    world: str,
    scale: str,
    paper: Mapping[str, Mapping[str, tuple[float, str]]] | None = None,
    comparisons: Sequence[tuple[str, str, str]] = (),
    seconds: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """The content of `summary.json`: counts, rates with Wilson intervals, and paired comparisons.

    Rates are fractions of the trials that ran; episodes that raised are counted under `errors` only. Rows stand in the
    order in which policies and splits first occur in the records.

    Args:
        records: every episode of the run, in any order that is to be kept.
        experiment, world, scale: names, copied.
        paper: the paper's rates as fractions with their source, `{policy: {split: (0.54, "S2, table 1")}}`.
        comparisons: (a, b, split): policy a minus policy b, joined on training seed and scene. One whose policies have
            no pair in these records is left out.
        seconds: wall-clock time of the parts, `{"record", "train", "evaluate"}`, copied.

    Raises:
        ValueError: if two records are of the same episode.
    """
    _check_unique(records)
    groups: dict[tuple[str, str], list[EpisodeRecord]] = {}
    for record in records:
        groups.setdefault((record.policy, record.split), []).append(record)
    pairs = [(a, b, split, count_pairs(records, a, b, split)) for a, b, split in comparisons]
    return {
        "experiment": experiment,
        "world": world,
        "scale": scale,
        "rows": [
            _row(policy, split, group, *((paper or {}).get(policy, {}).get(split) or (None, None)))
            for (policy, split), group in groups.items()
        ],
        "comparisons": [_comparison(a, b, split, counts) for a, b, split, counts in pairs if counts.n_pairs],
        "seconds": dict(seconds or {}),
    }


def count_pairs(records: Iterable[EpisodeRecord], a: str, b: str, split: str) -> PairedCounts:
    """How often both, one, or neither of two policies placed, over the scenes that ran with both (errors left out)."""
    placed: dict[str, dict[tuple[int, int], bool]] = {a: {}, b: {}}
    for record in records:
        if record.policy in placed and record.split == split and record.error is None:
            placed[record.policy][record.train_seed, record.scene_index] = record.outcome == "placed"
    joined = [(placed[a][key], placed[b][key]) for key in placed[a] if key in placed[b]]
    return PairedCounts(*(joined.count(pair) for pair in [(True, True), (True, False), (False, True), (False, False)]))


def _row(
    policy: str, split: str, group: list[EpisodeRecord], paper: float | None, paper_source: str | None
) -> dict[str, Any]:
    counts = {outcome: sum(r.outcome == outcome for r in group) for outcome in OUTCOMES}
    trials = sum(counts.values())
    low, high = wilson_interval(counts["placed"], trials) if trials else (None, None)
    return {
        "policy": policy,
        "split": split,
        "train_seeds": sorted({r.train_seed for r in group}),
        "trials": trials,
        **counts,
        "errors": len(group) - trials,
        "rate": counts["placed"] / trials if trials else None,
        "ci_low": low,
        "ci_high": high,
        "paper": paper,
        "paper_source": paper_source,
    }


def _comparison(a: str, b: str, split: str, counts: PairedCounts) -> dict[str, Any]:
    low, high = newcombe_paired_interval(counts)
    return {
        "a": a,
        "b": b,
        "split": split,
        "difference": (counts.a_only - counts.b_only) / counts.n_pairs,
        "ci_low": low,
        "ci_high": high,
        "p_value": mcnemar_exact(counts.a_only, counts.b_only),
        "method": PAIRED_METHOD,
        "n_pairs": counts.n_pairs,
        "both": counts.both,
        "a_only": counts.a_only,
        "b_only": counts.b_only,
    }


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


def _check_unique(records: Iterable[EpisodeRecord]) -> None:
    seen: set[tuple[str, str, int, int]] = set()
    for record in records:
        if record.key in seen:
            policy, split, train_seed, scene_index = record.key
            raise ValueError(
                f"two records of one episode: policy {policy}, split {split}, train_seed {train_seed}, scene "
                f"{scene_index}; remove one of the lines"
            )
        seen.add(record.key)
