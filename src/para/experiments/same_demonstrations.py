"""Whether demonstrations recorded here are those that the records of another machine rest on.

The same scenes recorded with the same code come out in other bits on another kind of processor: physics and renderer
round otherwise. So the same are, besides those of the same bits, those that agree in how many there are and in how
long and where they lead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from para.datasets.demonstrations import Demonstrations

FRAMES_SHARE, POSITION_M, GRIPPER = 0.02, 0.002, 0.02
"""By how much the same demonstrations may differ: share of the frames, and means and deviations of the actions."""


def summary_of(demonstrations: Demonstrations) -> dict[str, Any]:
    """What tells demonstrations from others though their bits differ: counts, and mean and standard deviation of the
    actions (x, y, z in metres, gripper 0 to 1)."""
    actions = np.column_stack([demonstrations.action_position, demonstrations.action_gripper]).astype(np.float64)
    return {
        "episodes": demonstrations.n_episodes,
        "frames": len(demonstrations),
        "mean": np.round(actions.mean(axis=0), 5).tolist(),
        "std": np.round(actions.std(axis=0), 5).tolist(),
    }


def are_alike(told: dict[str, Any], found: dict[str, Any]) -> bool:
    """Whether two summaries can be of the same demonstrations."""
    limits = np.array([POSITION_M] * 3 + [GRIPPER])
    moments = (np.abs(np.subtract(told[name], found[name])) for name in ("mean", "std"))
    return (
        told["episodes"] == found["episodes"]
        and abs(told["frames"] - found["frames"]) <= FRAMES_SHARE * told["frames"]
        and all((difference <= limits).all() for difference in moments)
    )


def told_with(config: dict[str, Any], opened: dict[str, Demonstrations], *, joins: bool) -> dict[str, Any]:
    """The entries of a run's `config.json` on its demonstrations, with those of this command.

    Args:
        config: the record so far; where an older one has no summaries, its scenes, which `run_config` has compared,
            stand for them.
        opened: name -> demonstrations that are trained on now.
        joins: whether there are records of trainings that are not done anew, which the new ones are put beside.

    Raises:
        ValueError: if it joins records of other demonstrations.
    """
    hashes, summaries = config["data_hash"], config.get("data_summary", {})
    earlier = config.get("earlier_data_hash", {})
    found = {name: summary_of(demonstrations) for name, demonstrations in opened.items()}
    others = [name for name in opened if hashes.get(name, opened[name].data_hash) != opened[name].data_hash]
    if joins:
        for name in others:
            if name in summaries and not are_alike(summaries[name], found[name]):
                raise ValueError(
                    f"there are records of other demonstrations ('{name}': {in_words(summaries[name])}; recorded here: "
                    f"{in_words(found[name])}); record them with the versions that config.json names, or choose "
                    "another --out"
                )
        earlier = earlier | {name: sorted({*earlier.get(name, []), hashes[name]}) for name in others}
    return {
        "data_hash": hashes | {name: demonstrations.data_hash for name, demonstrations in opened.items()},
        "data_summary": summaries | found,
        **({"earlier_data_hash": earlier} if earlier else {}),
    }


def in_words(summary: dict[str, Any]) -> str:
    """A summary in a line."""
    x, y, z, _ = summary["mean"]
    return f"{summary['episodes']} episodes, {summary['frames']} frames, actions about ({x:.3f}, {y:.3f}, {z:.3f}) m"
