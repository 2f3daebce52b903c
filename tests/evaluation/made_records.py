"""Records made by hand, for tests."""

from __future__ import annotations

from para.evaluation.records import EpisodeRecord
from para.interfaces import Scene


def record(policy="para", split="test", train_seed=0, scene_index=0, outcome="placed", **changes) -> EpisodeRecord:
    values = {
        "experiment": "left_to_right",
        "world": "tabletop",
        "policy": policy,
        "train_seed": train_seed,
        "split": split,
        "scene": Scene((0.31, -0.07)).to_dict(),
        "scene_index": scene_index,
        "outcome": outcome,
        "steps": 30,
        "seconds": 1.5,
        "checkpoint": "0123456789ab",
    }
    return EpisodeRecord(**{**values, **changes})


def outcomes(policy: str, text: str, **changes) -> list[EpisodeRecord]:
    """One record per letter: p placed, g grasped, m missed, e error; `.` leaves a scene out."""
    names = {"p": "placed", "g": "grasped", "m": "missed", "e": None}
    return [
        record(policy, scene_index=i, outcome=names[c], error="ValueError: boom" if c == "e" else None, **changes)
        for i, c in enumerate(text)
        if c != "."
    ]


def seeds_that_agree(policy: str, n_scenes: int, placed_until: int, seeds: int = 3) -> list[EpisodeRecord]:
    """The first scenes placed by every training seed, the others by none."""
    return [
        record(policy, train_seed=seed, scene_index=i, outcome="placed" if i < placed_until else "missed",
               scene=Scene((0.01 * i, 0.0)).to_dict())
        for seed in range(seeds)
        for i in range(n_scenes)
    ]  # fmt: skip
