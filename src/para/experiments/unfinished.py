"""What a run was to have, for as long as it is not there: a page of half a run must not look like one of a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from para.evaluation.protocol import Trial
from para.evaluation.results import read_results
from para.evaluation.summary_text import UNFINISHED
from para.files import read_json, write_json


@contextmanager
def unfinished(out: Path, trials: Sequence[Trial]) -> Iterator[None]:
    """Within, and after anything that breaks off, `config.json` says how many episodes of each policy and split the
    folder is to hold; afterwards it says so no more of those that are there, nor of policies that have none and were
    asked for by an earlier command alone: it was given up, and no page shows a part of them."""
    asked = {trial.key for trial in trials}
    others = Counter((key[0], key[1]) for key in _recorded(out) if key not in asked)
    planned = read_json(out / "config.json").get(UNFINISHED, {})
    for (policy, split), n in Counter((trial.policy, trial.split) for trial in trials).items():
        of_policy = planned.setdefault(policy, {})
        of_policy[split] = max(of_policy.get(split, 0), n + others[policy, split])
    _tell(out, planned)
    yield
    there = Counter((key[0], key[1]) for key in _recorded(out))
    begun = {policy for policy, _ in there}
    left = {p: {s: n for s, n in splits.items() if there[p, s] < n} for p, splits in planned.items() if p in begun}
    _tell(out, {policy: splits for policy, splits in left.items() if splits})


def _recorded(out: Path) -> list[tuple[str, str, int, int]]:
    path = out / "results.jsonl"
    return [record.key for record in read_results(path)] if path.exists() else []


def _tell(out: Path, planned: dict[str, dict[str, int]]) -> None:
    config = {name: value for name, value in read_json(out / "config.json").items() if name != UNFINISHED}
    write_json(out / "config.json", config | ({UNFINISHED: planned} if planned else {}))
