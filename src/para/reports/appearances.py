"""What was placed in each room, of a run that tests in several: a rate over few rooms can be the work of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from para.evaluation.records import EpisodeRecord
from para.reports import markdown
from para.reports.family.marks import filter_attributes
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles
from para.reports.tables import coloured, table
from para.reports.wording import in_reading_order, policy_name

Counts = Mapping[str, Mapping[str, tuple[int, int]]]
"""Policy -> look of the scene (`Scene.appearance`) -> how many were placed, of how many that ran."""

SPLIT = "test"


def counts_by_appearance(records: Iterable[EpisodeRecord]) -> Counts:
    """Out of distribution, all trainings together; empty where all scenes look alike."""
    counts: dict[str, dict[str, tuple[int, int]]] = {}
    for record in records:
        if record.split == SPLIT and record.error is None:
            of_policy = counts.setdefault(record.policy, {})
            look = record.scene.get("appearance", "default")
            placed, trials = of_policy.get(look, (0, 0))
            of_policy[look] = placed + (record.outcome == "placed"), trials + 1
    return counts if len(appearances(counts)) > 1 else {}


def appearances(counts: Counts) -> list[str]:
    """The looks, in the order of their names."""
    return sorted({name for of_policy in counts.values() for name in of_policy})


def appearances_text(records: Iterable[EpisodeRecord]) -> str:
    """A row per policy, a column per look, as Markdown; empty where all scenes look alike."""
    counts = counts_by_appearance(records)
    lines = [[policy_name(policy), *_cells(counts, policy)] for policy in in_reading_order(counts)]
    return markdown.table(["placed, out of distribution", *appearances(counts)], lines) if lines else ""


def appearances_section(run: RunFiles, pictures: Pictures) -> str | None:
    """The same on the page; None where all scenes look alike."""
    counts = counts_by_appearance(run.records)
    lines = [
        f"<tr{filter_attributes(policy=policy)}><td>{coloured(policy)}</td>"
        f"{''.join(f'<td>{cell}</td>' for cell in _cells(counts, policy))}</tr>"
        for policy in in_reading_order(counts)
    ]
    said = (
        '<p class="caption">Placed, out of distribution, of all trainings together. The intervals of this page are '
        "over positions: they say nothing of how other rooms would come out.</p>"
    )
    return table(["policy", *map(escape, appearances(counts))], lines, kind="compact") + said if lines else None


def _cells(counts: Counts, policy: str) -> list[str]:
    found = [counts[policy].get(name) for name in appearances(counts)]
    return [markdown.NONE if count is None else f"{count[0]}/{count[1]}" for count in found]
