"""Experiments: one table or figure of the paper each, as a recipe of data, policies, scenes and the paper's numbers.

To add one: a file with an `Experiment` (read and imitate `left_to_right.py`), and one line in `EXPERIMENTS`.
`tests/test_contracts.py` then covers it.
"""

from __future__ import annotations

from para.experiments.experiment import Experiment
from para.experiments.left_to_right import LEFT_TO_RIGHT
from para.experiments.near_to_far import NEAR_TO_FAR
from para.experiments.repairs import REPAIRS
from para.registry import pick

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        LEFT_TO_RIGHT,
        NEAR_TO_FAR,
        REPAIRS,
    )
}


def pick_experiment(name: str) -> Experiment:
    """An experiment by name. Raises ValueError with the nearest name for an unknown one."""
    return pick(EXPERIMENTS, "experiment", name)


__all__ = ["EXPERIMENTS", "Experiment", "pick_experiment"]
