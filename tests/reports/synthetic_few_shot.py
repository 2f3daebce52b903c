"""A run with few demonstrations, made up: records, config and summary, and what they were made to say."""

import json
from pathlib import Path

from para.evaluation.records import EpisodeRecord, append_records
from para.evaluation.results import read_results, summarise

COUNTS = (1, 10)
KINDS = {"2D": "+2d", "scratch": ""}
CURVES = [
    {"policy": policy, "after": after} for policy, after in (("para", ""), ("act", ""), ("para+plain", "+short8"))
]
PLACED = {"para+2d+n1": 3, "para+n1": 1, "para+2d+n10": 7, "para+n10": 2, "act+n10": 0, "para+n256": 8,
          "para+plain+2d+n10+short8": 8, "para+plain+n10+short8": 1}  # fmt: skip
AGAINST_SCRATCH = [("para+2d+n1", "para+n1"), ("para+2d+n10", "para+n10"),
                   ("para+plain+2d+n10+short8", "para+plain+n10+short8")]  # fmt: skip
COMPARED = [("para+n10", "act+n10"), *AGAINST_SCRATCH[::-1]]
GRASPED = {"para+2d+n10": 1, "act+n10": 5}
PAPER = {"para+2d+n10": 0.39, "act+2d+n10": 0.18, "act+2d+n1": 0.0, "para+n256": 0.83}
"""Of two policies that were run, and of two that were not."""
N = 8


def record(policy: str, index: int, outcome: str, experiment: str = "track_pretraining") -> EpisodeRecord:
    return EpisodeRecord(
        experiment=experiment, world="tabletop", policy=policy, train_seed=0, split="test", scene_index=index,
        scene={"object_xy": [0.01 * index, 0.0]}, outcome=outcome, steps=50, seconds=0.1, checkpoint="abc",
    )  # fmt: skip


def write_few_shot(folder: Path) -> None:
    """Its files, into a folder that is there."""
    for policy, placed in PLACED.items():
        grasped = GRASPED.get(policy, 0)
        outcomes = ["placed"] * placed + ["grasped"] * grasped + ["missed"] * (N - placed - grasped)
        append_records(folder / "results.jsonl", [record(policy, i, o) for i, o in enumerate(outcomes)])
    told = {"counts": COUNTS, "kinds": KINDS, "curves": CURVES,
            "paper_stages": {"para+2d+n10": [3, 62, 34]}}  # fmt: skip
    config = {"experiment": "track_pretraining", "world": "tabletop", "scale": {"name": "small"}, "few_shot": told}
    config["train_steps"] = {policy: 100 if policy.endswith("+short8") else 800 for policy in PLACED}
    (folder / "config.json").write_text(json.dumps(config | {"headline": ["para+2d+n10", "para+n10"]}))
    summary = summarise(
        read_results(folder / "results.jsonl"), experiment="track_pretraining", world="tabletop", scale="small",
        paper={name: {"test": (rate, "a report")} for name, rate in PAPER.items()},
        comparisons=[(a, b, "test") for a, b in COMPARED], seconds={},
    )  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary))
