"""The weighted score of the original's report on pretraining: placed, and half of what was only grasped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from para.evaluation.clusters import cluster_rate_interval
from para.evaluation.records import EpisodeRecord
from para.evaluation.results import cluster_kind
from para.interfaces import Outcome

WORTH: dict[Outcome, float] = {"placed": 1.0, "grasped": 0.5, "missed": 0.0}
"""What each outcome counts."""


class Score(NamedTuple):
    """Mean worth of episodes, 0 to 1, with both ends of its 95% interval."""

    value: float
    low: float
    high: float


def weighted_score(records: Sequence[EpisodeRecord]) -> Score | None:
    """The score of episodes, those that raised left out; None where none ran to its end.

    Its interval is that of a rate whose episodes come in clusters (`cluster_rate_interval`, `cluster_kind`).
    """
    ran = [record for record in records if record.error is None]
    if not ran:
        return None
    _, cluster_of = cluster_kind(ran)
    worth = [WORTH[record.outcome] for record in ran]
    low, high, *_ = cluster_rate_interval(worth, [cluster_of(record) for record in ran])
    return Score(sum(worth) / len(worth), low, high)
