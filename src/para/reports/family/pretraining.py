"""What was learnt before the demonstrations: curves over few of them, pixel errors on robots, imagined frames."""

from __future__ import annotations

from html import escape

from para.reports.family.files import Family, name_of, title_of
from para.reports.family.marks import filter_attributes
from para.reports.few_shot import few_shot_section
from para.reports.heatmap_transfer import errors_table
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles
from para.reports.video import alignment_errors, alignment_table


def pretraining(family: Family, pictures: Pictures) -> str:
    """A part for each run that varies what a policy has learnt from before; empty where there is none."""
    return "".join(part_of(run, pictures) for run in family.of_axis("pretraining"))


def part_of(run: RunFiles, pictures: Pictures) -> str:
    """What a run's own page has of it, as far as records tell: pictures of heatmaps and imagined frames are there."""
    told = alignment_errors(run)
    parts = [
        few_shot_section(run, pictures, f"{name_of(run)}_") or "",
        errors_table(run) if run.config.get("heatmap_transfer") else "",
        alignment_table(told) if told else "",
    ]
    if not any(parts):
        return ""
    title = f"<h3>{escape(title_of(run))} <code>{escape(name_of(run))}</code></h3>"
    return f"<div{filter_attributes(axis=run.axis)}>{title}{''.join(parts)}</div>"
