"""What `results/README.md` says was not run is what the registry has and the records have not."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest

from para.experiments import EXPERIMENTS

RESULTS = Path(__file__).parent.parent / "results"

ITEM = re.compile(r"^- `(\w+)`: (.*(?:\n  .*)*)", re.MULTILINE)
BRACES = re.compile(r"\{([^{}]*)\}")


def expanded(pattern: str) -> list[str]:
    """As a shell does: `act{,+2d}+n{1,3}` are four names."""
    parts = BRACES.split(pattern)  # text, choices, text, ...
    choices = [part.split(",") if i % 2 else [part] for i, part in enumerate(parts)]
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def told() -> dict[str, list[str]]:
    """The recipes of each experiment that the index names as not run."""
    index = (RESULTS / "README.md").read_text()
    _, found, rest = index.partition("Not run so far")
    assert found
    return {
        item[1]: [name for pattern in re.findall("`([^`]+)`", item[2]) for name in expanded(pattern)]
        for item in ITEM.finditer(rest)
    }


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_recipes_without_records_are_those_that_the_index_of_results_names(name):
    path = RESULTS / "tabletop" / name / "results.jsonl"
    recorded = {json.loads(line)["policy"] for line in path.read_text().splitlines()} if path.exists() else set()
    ways = [recipe.name + suffix for recipe in EXPERIMENTS[name].recipes for suffix in recipe.executions]
    assert sorted(told().get(name, [])) == sorted(set(ways) - recorded)
