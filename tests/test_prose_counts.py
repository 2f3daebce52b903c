"""What the documents count in prose ("62 of 64") is what the committed records count, or is told where it is from."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

AT_LEAST = 8
"""Fewer episodes than this are told of all kinds of groups, and of things that are no episodes."""

VALIDATION = "validation scenes, of which no records are kept"
EARLIER = "a recipe of before, whose records are in the repository's history"
PAPER = "the paper's own"
EXPERT = "the scripted expert, from benchmarks/libero_world.py"
PART = "a part of the failures, told by the page's failure modes"

DIRECTIONS = "a ring of views by direction, of several experiments together; tested below"

ROOMS = "three of the four rooms together, which the table above it counts one by one"

ELSEWHERE = {
    "README.md": {"92 of 126": EARLIER},
    "results.md": {"92 of 126": EARLIER, "138 of 144": ROOMS},
    "method.md": {
        "39 of 40": VALIDATION, "40 of 40": VALIDATION, "102 of 112": VALIDATION, "171 of 192": VALIDATION,
        "165 of 192": VALIDATION, "2 of 36": VALIDATION, "0 of 36": VALIDATION, "92 of 126": EARLIER,
        "46 of 50": EARLIER, "24 of 42": PART,
        **dict.fromkeys(("0 of 14", "1 of 14", "13 of 14", "58 of 70", "25 of 30", "23 of 30"), DIRECTIONS),
    },
    "libero.md": {"54 of 64": EARLIER, "256 of 256": EXPERT},
    "pretraining.md": {"10 of 100": PAPER},
    "video.md": {"0 of 20": PAPER},
}  # fmt: skip
"""Page -> count -> where it is from, of those that are of no committed record."""


def prose(page: Path) -> str:
    """A page without its generated tables, on one line."""
    return " ".join(re.sub(r"<!-- results:.*?<!-- /results -->", "", page.read_text(), flags=re.DOTALL).split())


def counts(page: Path) -> set[str]:
    return {m[0] for m in re.finditer(r"\b\d+ of (\d+)\b", prose(page)) if int(m[1]) >= AT_LEAST}


def groups(record: dict) -> Iterator[tuple]:
    """Of what a text counts an episode among: a policy's split, a training, a ring of views."""
    policy, split, seed = record["policy"], record["split"], record["train_seed"]
    theta = round(record["scene"]["view_theta_deg"])
    yield from ((policy, split), (policy, split, "seed", seed), (policy, seed))
    yield policy, split, "appearance", record["scene"]["appearance"]
    yield from ((policy, split, "theta", theta), (policy, split, "theta", theta, "seed", seed))


@pytest.fixture(scope="module")
def recorded() -> set[str]:
    """Every count of episodes that were placed, were not, or were at least grasped."""
    known = set()
    for path in sorted((ROOT / "results").glob("*/*/results.jsonl")):
        n, placed, grasped = Counter(), Counter(), Counter()
        for record in map(json.loads, path.read_text().splitlines()):
            for group in groups(record):
                n[group] += 1
                placed[group] += record["outcome"] == "placed"
                grasped[group] += record["outcome"] != "missed"
        for group, total in n.items():
            for part in (placed[group], total - placed[group], grasped[group]):
                known.add(f"{part} of {total}")
    return known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_counts_in_prose_are_of_some_record_or_said_to_be_from_elsewhere(page, recorded):
    assert counts(page) - recorded == set(ELSEWHERE.get(page.name, {})) - recorded


@pytest.mark.parametrize("page", sorted(ELSEWHERE))
def test_what_is_said_to_be_from_elsewhere_is_in_the_page(page):
    (path,) = [path for path in PAGES if path.name == page]
    assert set(ELSEWHERE[page]) <= counts(path)


@pytest.mark.parametrize("policy", ["para", "para+wide", "para+home_view"])
def test_the_counts_by_direction_at_40_degrees_are_those_of_the_records(policy):
    trials: dict[tuple, bool] = {}  # experiments on the same weights tried the same scenes
    for name in ("viewpoints", "formulation", "wide_views"):
        for line in (ROOT / "results" / "tabletop" / name / "results.jsonl").read_text().splitlines():
            record = json.loads(line)
            scene = record["scene"]
            if record["policy"] == policy and round(scene["view_theta_deg"]) == 40:
                where = record["checkpoint"], round(scene["view_phi_deg"]), record["scene_index"]
                trials[where] = record["outcome"] == "placed"
    cells = [len({weights for weights, *_ in trials})]
    for directions in ({45}, {135}, {270}, {0, 90, 180, 225, 315}):
        placed = [outcome for (_, phi, _), outcome in trials.items() if phi in directions]
        cells.append(f"{sum(placed)} of {len(placed)}")
    row = re.search(
        rf"\| `{re.escape(policy)}`[^|]*\| (\d+ \|.*?) \|$", (ROOT / "docs/method.md").read_text(), re.MULTILINE
    )
    assert row is not None and row[1].split(" | ") == list(map(str, cells))
