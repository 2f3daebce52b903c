"""The comparisons of the family's table, their p values adjusted for being many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from para.evaluation.multiplicity import holm
from para.reports.run_files import RunFiles

LEVEL = 0.05
"""An adjusted p value below this tells two policies apart."""


class Comparison(NamedTuple):
    """Policy a minus policy b on the same scenes of one split."""

    a: str
    b: str
    split: str
    difference: float
    ci_low: float
    ci_high: float
    p_holm: float

    @property
    def verdict(self) -> str:
        """Which is ahead: "a", "b", or "open" where the data do not tell."""
        if self.p_holm >= LEVEL:
            return "open"
        return "a" if self.difference > 0 else "b"


Comparisons = dict[tuple[str, str, str], Comparison]
"""(experiment, policy b, split) -> the experiment's first comparison of another policy with that one."""


def headline_comparisons(runs: Sequence[RunFiles]) -> Comparisons:
    """What the table compares, adjusted over all of it by Holm's method."""
    found = {}
    for run in runs:
        for c in run.summary["comparisons"]:
            key = (run.summary["experiment"], c["b"], c["split"])
            if c["split"] in run.headline_splits and {c["a"], c["b"]} <= set(run.headline) and key not in found:
                found[key] = c
    adjusted = holm([c["p_value"] for c in found.values()])
    return {
        key: Comparison(c["a"], c["b"], c["split"], c["difference"], c["ci_low"], c["ci_high"], p)
        for (key, c), p in zip(found.items(), adjusted)
    }
