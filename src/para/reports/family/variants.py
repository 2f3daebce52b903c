"""Policies that the other tables leave out: variants with a training of their own, and controls of one detail."""

from __future__ import annotations

from html import escape

from para.reports.comparisons import comparisons_list
from para.reports.family.files import Family, name_of, title_of
from para.reports.family.marks import filter_attributes
from para.reports.family.sweeps import swept_policies
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles
from para.reports.tables import variants_table
from para.reports.wording import INTERVALS, execution_of, in_reading_order


def variants(family: Family, pictures: Pictures) -> str | None:
    """A folded table for each run that has such policies; None where none has."""
    parts = []
    for run in family.runs:
        names = left_out(run)
        if names:
            title = f"{escape(title_of(run))} (<code>{escape(name_of(run))}</code>): {len(names)}"
            inside = f"{variants_table(run, names)}{comparisons_list(run, names)}"
            parts.append(f"<details{filter_attributes(axis=run.axis)}><summary>{title}</summary>{inside}</details>")
    if not parts:
        return None
    return (
        "<p>What was run besides the policies of the table above, in every split, with why. In brackets: counts, and "
        f"{INTERVALS}. Where an experiment tests one of these against another policy, its paired comparisons "
        "stand below its table, adjusted over those of that experiment; no other test was made of them.</p>"
        f"{''.join(parts)}"
    )


def left_out(run: RunFiles) -> list[str]:
    """The policies of a run that stand neither in the table of axes nor in a sweep, ways of execution apart."""
    shown = {*run.headline, *(swept.policy for swept in swept_policies(run))}
    policies = in_reading_order(row["policy"] for row in run.summary["rows"])
    return [p for p in policies if p not in shown and all(execution_of(part) is None for part in p.split("+")[1:])]
