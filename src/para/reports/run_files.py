"""What a run left behind, read for its report: records, summary, predictions, videos and training logs."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from para.evaluation.results import EpisodeRecord, read_results, summarise
from para.interfaces import OUTCOMES, Outcome
from para.reports.wording import in_reading_order, splits_in_reading_order, trained_policy, variant_of


@dataclass(frozen=True)
class Prediction:
    """What a policy saw and predicted in one scene: one file of `predictions/`."""

    policy: str
    name: str
    """The file's name: predictions of one name are of one scene."""

    kind: str
    """"train", "test", "early" or "late" (in training)."""

    title: str
    step: int | None
    """Training step of the weights, where known."""

    image: np.ndarray
    """(H, W, 3) uint8."""

    heatmaps: np.ndarray | None
    """(T, h, w) probabilities; None for a policy that regresses coordinates."""

    uv: np.ndarray
    """(T, 2) predicted pixels."""

    position: np.ndarray
    """(T, 3) predicted positions, world metres."""

    gripper: np.ndarray
    """(T,) predicted opening: 0 closed, 1 open."""

    demonstrated_uv: np.ndarray
    """(T, 2) pixels of what the expert does from there."""

    demonstrated_position: np.ndarray
    """(T, 3) what the expert does from there, world metres."""

    ee_uv: np.ndarray
    """(2,) pixel of the end effector."""

    @property
    def error_mm(self) -> np.ndarray:
        """(T,) distance between prediction and demonstration."""
        return 1000 * np.linalg.norm(self.position - self.demonstrated_position, axis=-1)


@dataclass(frozen=True)
class RolloutVideo:
    """A video of one episode, and how it ended."""

    path: Path
    policy: str
    split: str
    scene_index: int
    outcome: Outcome | None


@dataclass(frozen=True)
class TrainingLog:
    """How one training went: `log.jsonl` of a checkpoint."""

    policy: str
    train_seed: int
    lines: Sequence[Mapping[str, Any]]
    """Each with "step", "split" ("train" or "heldout") and numbers."""


@dataclass(frozen=True)
class TrainingSet:
    """Where demonstrations of one set were recorded."""

    name: str

    xy: np.ndarray
    """(N, 2) distinct positions of the object, metres."""

    views: np.ndarray
    """(M, 2) distinct (theta, phi) of the camera, degrees; M = 0 where the run does not say."""


@dataclass(frozen=True)
class RunFiles:
    """Everything that a report is made from."""

    folder: Path
    config: Mapping[str, Any]
    records: Sequence[EpisodeRecord]
    summary: Mapping[str, Any]
    predictions: Sequence[Prediction]
    videos: Sequence[RolloutVideo]
    logs: Sequence[TrainingLog]
    pixel_errors: Mapping[str, Any] | None = None
    """`pixel_errors.json`, where the run has one."""
    trainings: Sequence[Mapping[str, Any]] = ()
    """Rows of `trainings.json`: what each training came to, where the run says."""

    @property
    def main_policies(self) -> list[str]:
        """Those that the run names as such ("main"); else those that are no variant of another; where there are only
        variants, the headline's, or the first two that are compared, or all of them."""
        policies = in_reading_order(row["policy"] for row in self.summary["rows"])
        if named := [policy for policy in self.config.get("main", ()) if policy in policies]:
            return named
        chosen = [policy for policy in policies if policy in self.config.get("headline", ())]
        compared = [[c["a"], c["b"]] for c in self.summary["comparisons"][:1]]
        return [policy for policy in policies if not variant_of(policy)] or chosen or next(iter(compared), policies)

    @property
    def headline(self) -> list[str]:
        """The policies of the family's table, ours first, as far as there are records of them."""
        there = {row["policy"] for row in self.summary["rows"]}
        return [policy for policy in self.config.get("headline", ()) if policy in there] or self.main_policies

    @property
    def headline_splits(self) -> list[str]:
        """The splits of the family's table, as far as there are records of them."""
        there = splits_in_reading_order(row["split"] for row in self.summary["rows"])
        return [split for split in self.config.get("headline_splits", ()) if split in there] or there[:1]

    @property
    def axis(self) -> str:
        """What the experiment varies, as `para.experiments.experiment.Axis`; "other" where it does not say."""
        return str(self.config.get("axis", "other"))

    @property
    def scale(self) -> str:
        """Name of the scale."""
        return self.summary["scale"]

    @property
    def training_xy(self) -> np.ndarray:
        """(N, 2) positions of the object in the first set of demonstrations, metres; N = 0 where unknown."""
        return self.training_sets[0].xy

    @property
    def training_sets(self) -> list[TrainingSet]:
        """Where the demonstrations were recorded, set by set."""
        sets = self.config.get("training") or {"demonstrations": {"xy": self.config.get("training_xy")}}
        return [TrainingSet(name, _pairs(made.get("xy")), _pairs(made.get("views"))) for name, made in sets.items()]

    def training_set(self, policy: str) -> TrainingSet:
        """What a policy was trained on, as far as the run says; else its first set."""
        sets = {made.name: made for made in self.training_sets}
        name = (self.config.get("data") or {}).get(trained_policy(policy))
        return sets.get(name, next(iter(sets.values())))

    def rows(self, policy: str, split: str | None = None) -> list[Mapping[str, Any]]:
        """Rows of the summary for one policy."""
        return [r for r in self.summary["rows"] if r["policy"] == policy and split in (None, r["split"])]


def read_run(folder: Path | str) -> RunFiles:
    """Read a run folder. Only `results.jsonl` must be there.

    Raises:
        FileNotFoundError: if there is no folder or no `results.jsonl` in it.
        ValueError: if a file cannot be read, or `summary.json` does not belong to the records.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no run folder at {folder}; give the folder that an experiment wrote")
    records = read_results(folder / "results.jsonl")
    if not records:
        raise ValueError(f"{folder / 'results.jsonl'} holds no records; evaluate first")
    config = read_object(folder / "config.json") or {}
    return RunFiles(
        folder=folder,
        config=config,
        records=records,
        summary=_summary(folder / "summary.json", config, records),
        predictions=[_prediction(path) for path in sorted(folder.glob("predictions/*/*.npz"))],
        videos=_videos(folder, records),
        logs=[_log(path) for path in sorted(folder.glob("checkpoints/*/seed*/log.jsonl"))],
        pixel_errors=read_object(folder / "pixel_errors.json"),
        trainings=(read_object(folder / "trainings.json") or {}).get("rows", ()),
    )


def scale_name(config: Mapping[str, Any]) -> str:
    """Name of the scale, which a run folder's `config.json` holds with its options."""
    scale = config.get("scale", "unknown")
    return scale.get("name", "unknown") if isinstance(scale, Mapping) else str(scale)


def _pairs(values: Any) -> np.ndarray:
    """(N, 2), N = 0 for nothing."""
    return np.asarray(np.zeros((0, 2)) if values is None else values, dtype=float).reshape(-1, 2)


def read_object(path: Path) -> dict[str, Any] | None:
    """A file that holds one JSON object, or None where there is none. Raises ValueError for one that cannot be read."""
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}); remove it, and run the experiment again") from error
    if not isinstance(values, dict):
        raise ValueError(
            f"{path} holds a {type(values).__name__}, not an object; remove it, and run the experiment again"
        )
    return values


def _summary(path: Path, config: Mapping[str, Any], records: Sequence[EpisodeRecord]) -> dict[str, Any]:
    """The summary of the run, or one made from its records: of PARA against every other policy in every split."""
    found = read_object(path)
    if found is None:
        policies = in_reading_order(r.policy for r in records if not variant_of(r.policy))
        splits = sorted({r.split for r in records})
        return summarise(
            records,
            experiment=config.get("experiment", records[0].experiment),
            world=config.get("world", records[0].world),
            scale=scale_name(config),
            comparisons=[(policies[0], other, split) for split in splits for other in policies[1:]],
            seconds=config.get("seconds"),
        )
    counts = Counter((r.policy, r.split, r.outcome or "errors") for r in records)
    said = {
        (row["policy"], row["split"], outcome): row[outcome]
        for row in found.get("rows", [])
        for outcome in (*OUTCOMES, "errors")
        if row[outcome]
    }
    if said != counts:
        raise ValueError(
            f"{path} does not belong to the {len(records)} records beside it; if a run is adding to them, report again "
            "when it is over, else remove it first"
        )
    return found


def _prediction(path: Path) -> Prediction:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            values = {name: arrays[name] for name in arrays.files}
        meta = json.loads(str(values["meta"]))
        return Prediction(
            policy=path.parent.name,
            name=path.stem,
            kind=meta["kind"],
            title=meta["title"],
            step=meta.get("step"),
            heatmaps=values.get("heatmaps"),
            **{
                name: values[name]
                for name in "image uv position gripper demonstrated_uv demonstrated_position ee_uv".split()
            },
        )
    except (OSError, KeyError, ValueError, EOFError) as error:
        raise ValueError(f"{path} is no prediction ({error!r}); remove it, and run the experiment again") from error


def _videos(folder: Path, records: Sequence[EpisodeRecord]) -> list[RolloutVideo]:
    outcomes = {r.video: r.outcome for r in records if r.video}
    first_seed = {(r.policy, r.split, r.scene_index): r.outcome for r in records if r.train_seed == 0}
    videos = []
    for path in folder.glob("videos/*/*.mp4"):
        if not (match := re.fullmatch(r"(.+)_(\d+)", path.stem)):
            continue
        policy, split, index = path.parent.name, match[1], int(match[2])
        name = path.relative_to(folder).as_posix()
        outcome = outcomes.get(name, first_seed.get((policy, split, index)))
        videos.append(RolloutVideo(path, policy, split, index, outcome))
    return sorted(videos, key=lambda v: (v.policy, v.split, v.scene_index))


def _log(path: Path) -> TrainingLog:
    seed = int(path.parent.name.removeprefix("seed") or 0)
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue  # cut off by a kill; the curve does without that point
    return TrainingLog(
        path.parent.parent.name, seed, [line for line in lines if isinstance(line, dict) and "step" in line]
    )
