"""What was aimed at before the runs, and what PARA reached; where it fell short, what its variants reach there."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from para.evaluation.records import EpisodeRecord
from para.evaluation.results import summary_row
from para.reports.family.files import Family, name_of, scored
from para.reports.family.marks import filter_attributes
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles
from para.reports.tables import coloured, interval_bar, rate_cell, table
from para.reports.wording import INTERVALS_OF_RATES, base_policy, percent, split_name


class Aim(NamedTuple):
    """A rate that PARA was to reach, set before the runs (`docs/method.md`, Aims)."""

    experiment: str
    rate: float
    split: str = "test"
    policy: str = "para"
    tilt_deg: float | None = None
    """Of the camera: the episodes of one ring of views; None: of all."""


AIMS = (
    Aim("left_to_right", 0.98),
    Aim("left_to_right", 0.95, policy="para+few"),
    Aim("near_to_far", 0.95),
    Aim("corner_scaling", 0.95, policy="para+n32"),
    Aim("viewpoints", 0.97),
    Aim("viewpoints", 0.90, tilt_deg=25.0),
    Aim("viewpoints", 0.80, split="beyond", tilt_deg=32.0),
    Aim("viewpoints", 0.60, split="beyond", tilt_deg=40.0),
    Aim("hemispheres", 0.97),
    Aim("distractors", 0.95),
    Aim("new_environment", 0.90),
)


def aims(family: Family, pictures: Pictures) -> str | None:
    """A row per aim that there are records of; below one that was missed, PARA's variants in the same scenes. They were
    set for the world `tabletop`."""
    if family.numbers["worlds"] != ["tabletop"]:
        return None
    runs = {name_of(run): run for run in family.runs}
    lines = [line for aim in AIMS if aim.experiment in runs for line in _lines(runs, aim)]
    if not lines:
        return None
    heads = ["what", "policy", "aimed at", "reached", ""]
    return (
        "<p>What PARA was to place, as it was set before the runs. Where it places less, its variants stand below, in "
        "the same scenes, and with those of another experiment its own trainings of PARA, where it has any: what a "
        "variant gives beyond these says what PARA lacks.</p>"
        f"{table(heads, lines, kind='compact')}<p class='caption'>In brackets: counts and {INTERVALS_OF_RATES}, all "
        "trainings together.</p>"
    )


def _lines(runs: dict[str, RunFiles], aim: Aim) -> list[str]:
    run = runs[aim.experiment]
    found = episodes(run, aim, aim.policy)
    if not found:
        return []
    row = summary_row(found)
    reached = row["rate"] >= aim.rate
    said = percent(aim.rate) if reached else f"{percent(aim.rate)}, not reached ({100 * row['rate']:.1f}%)"
    lines = [_line(run, row, f'<th scope="row">{escape(_where(run, aim))}</th>', said)]
    if reached:
        return lines
    again = '<th scope="row" class="why">{}</th>'
    return lines + [_line(of, other, again.format(escape(_where(of, aim))), "") for of, other in _variants(runs, aim)]


def _where(run: RunFiles, aim: Aim) -> str:
    tilt = "" if aim.tilt_deg is None else f", {aim.tilt_deg:g}°"
    return f"{name_of(run)}, {split_name(aim.split).lower()}{tilt}"


def _variants(runs: dict[str, RunFiles], aim: Aim) -> list[tuple[RunFiles, dict]]:
    """The rows of PARA's other recipes in the scenes of an aim, with the run that each is of; views are the same ones
    in every run. Of a run with trainings of its own, PARA too: its variants are to be read against that.
    """
    own = runs[aim.experiment]
    known = {record.checkpoint for record in episodes(own, aim, aim.policy)}
    found = []
    for run in [own] if aim.tilt_deg is None else [own, *(other for other in runs.values() if other is not own)]:
        there = {p: episodes(run, aim, p) for p in run.headline if base_policy(p) == "para"}
        variants = [(run, summary_row(of_policy)) for p, of_policy in there.items() if p != "para" and of_policy]
        ours = there.get("para") or []
        if variants and {record.checkpoint for record in ours} - known:
            found.append((run, summary_row(ours)))
        found += sorted(variants, key=lambda pair: -pair[1]["rate"])
    return found


def episodes(run: RunFiles, aim: Aim, policy: str) -> list[EpisodeRecord]:
    """A policy's episodes in the scenes of an aim, those with errors left out."""
    there = scored(run, policy, [aim.split])
    return [r for r in there if aim.tilt_deg is None or abs(r.scene["view_theta_deg"] - aim.tilt_deg) < 0.1]


def _line(run: RunFiles, row: dict, where: str, said: str) -> str:
    shown = {**row, "paper": None}
    cells = [where, *(f"<td>{cell}</td>" for cell in (coloured(row["policy"]), escape(said)))]
    cells += [f"<td>{rate_cell(shown, short=True)}</td>", f"<td>{interval_bar(shown)}</td>"]
    return f"<tr{filter_attributes(axis=run.axis, policy=row['policy'])}>{''.join(cells)}</tr>"
