"""The page of the family: one HTML file that opens from disk, with every table and picture inside it, and filters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import NamedTuple

from para.assets import in_brief
from para.files import write_atomic
from para.reports.family.ablation import ablation_of
from para.reports.family.aims import aims
from para.reports.family.axes_table import axes_table
from para.reports.family.distances import distances_of
from para.reports.family.executions import executions_of
from para.reports.family.files import AXES, Family, name_of, read_family
from para.reports.family.gallery import gallery
from para.reports.family.learnt import learnt
from para.reports.family.made import how_made, methods
from para.reports.family.maps import map_of
from para.reports.family.pretraining import pretraining
from para.reports.family.rollouts import rollouts
from para.reports.family.sweeps import sweeps_of
from para.reports.family.variants import variants
from para.reports.family.verdicts import headline, verdicts
from para.reports.family.views import views_of
from para.reports.made import notes
from para.reports.pictures import Pictures
from para.reports.wording import base_policy, in_reading_order, policy_name


class Section(NamedTuple):
    """A part of the page."""

    name: str
    """Of its anchor."""

    title: str
    make: Callable[[Family, Pictures], str | None]
    """Its HTML, or None where the family left nothing to show."""


def build_family_report(folder: Path | str, out: Path | str | None = None) -> Path:
    """Write one page for all runs of a folder from their files; the same files give the same bytes.

    Of each run only `results.jsonl` must be there. Sections of which the runs left nothing are left out.

    Args:
        folder: holds the run folders, as `results/tabletop`.
        out: where to write the page; default: `report.html` in the folder.

    Returns:
        The page's path.

    Raises:
        FileNotFoundError: if there is no such folder, or no run in it.
        ValueError: if a file of a run cannot be read, or a `summary.json` does not belong to its records.
    """
    family = read_family(folder)
    out = Path(out) if out is not None else family.folder / "report.html"
    write_atomic(out, render(family).encode())
    return out


def render(family: Family) -> str:
    """The page as HTML."""
    pictures = Pictures()
    made = [(section, section.make(family, pictures)) for section in SECTIONS]
    made = [(section, html) for section, html in made if html]
    worlds, scales = (", ".join(family.numbers[what]) for what in ("worlds", "scales"))
    assets = in_brief(run.config for run in family.runs)
    world = f"world {worlds} ({assets})" if assets else f"world {worlds}"
    episodes = sum(len(run.records) for run in family.runs)
    told = [f"{len(family.runs)} experiments", world, f"scale {scales}"]
    told += dict.fromkeys(f"backbone {run.config['backbone']}" for run in family.runs if "backbone" in run.config)
    short, full = headline(family)
    return Template(files("para.reports").joinpath("page.html").read_text(encoding="utf-8")).substitute(
        title=escape(f"Every experiment · world {worlds} · PARA"),
        kicker=escape(" · ".join([*told, f"{episodes:,} episodes"])),
        headline=escape(short),
        full_headline=escape(full),
        question="",
        navigation=" ".join(f'<a href="#{section.name}">{escape(section.title)}</a>' for section, _ in made),
        filters="".join(notes(run, name_of(run)) for run in family.runs) + filters(family),
        sections="\n".join(
            f'<section id="{section.name}"><h2>{escape(section.title)}</h2>\n{html}</section>' for section, html in made
        ),
    )


def filters(family: Family) -> str:
    """The bar with which a reader chooses what to see."""
    axes = [axis for axis in AXES if family.of_axis(axis)]
    policies = in_reading_order(base_policy(row["policy"]) for run in family.runs for row in run.summary["rows"])
    variants = in_reading_order({policy for run in family.runs for policy in run.headline} - set(policies))
    outcomes = ("placed", "grasped", "missed", "error")
    return Template(files("para.reports").joinpath("filters.html").read_text(encoding="utf-8")).substitute(
        axes=_options((axis, AXES[axis]) for axis in axes),
        policies=_options((policy, policy_name(policy)) for policy in policies) + _one_alone(variants),
        outcomes=_options((outcome, outcome) for outcome in outcomes),
    )


def _one_alone(variants: Sequence[str]) -> str:
    options = _options((variant, policy_name(variant)) for variant in variants)
    return f'<optgroup label="one variant alone">{options}</optgroup>' if options else ""


def _options(choices: Iterable[tuple[str, str]]) -> str:
    return "".join(f'<option value="{escape(value)}">{escape(said)}</option>' for value, said in choices)


def views_section(family: Family, pictures: Pictures) -> str:
    """Polar plots and curves of the experiments that vary the view, and of controls beyond the paper's cap."""
    return "".join(views_of(family, run, pictures) for run in family.of_axis("view", "control"))


def distances_section(family: Family, pictures: Pictures) -> str:
    """Success against distance, of the experiments that vary positions."""
    return "".join(distances_of(family, run, pictures) for run in family.of_axis("position", "other"))


def scaling_section(family: Family, pictures: Pictures) -> str:
    """Success against the number of demonstrations."""
    return "".join(sweeps_of(run, pictures) for run in family.of_axis("position", "other"))


def maps_section(family: Family, pictures: Pictures) -> str:
    """Maps of the table."""
    return "".join(map_of(run, pictures) for run in family.of_axis("position", "view", "clutter", "other"))


def ablation_section(family: Family, pictures: Pictures) -> str:
    """What each factor gives."""
    return "".join(map(ablation_of, family.runs))


def sweeps_section(family: Family, pictures: Pictures) -> str:
    """Sweeps of the controls."""
    return "".join(sweeps_of(run, pictures) for run in family.of_axis("view", "clutter", "control"))


def executions_section(family: Family, pictures: Pictures) -> str:
    """How much of a chunk to carry out."""
    return "".join(map(executions_of, family.runs))


SECTIONS = (
    Section("axes", "Ours and the paper’s, axis by axis", axes_table),
    Section("verdicts", "In plain words", verdicts),
    Section("aims", "What was aimed at", aims),
    Section("learnt", "Who has learnt the task", learnt),
    Section("views", "When the camera moves", views_section),
    Section("distance", "When the object moves", distances_section),
    Section("scaling", "With more demonstrations", scaling_section),
    Section("pretraining", "With something learnt before", pretraining),
    Section("ablation", "Where the advantage comes from", ablation_section),
    Section("sweeps", "Sweeps: what it costs", sweeps_section),
    Section("executions", "Steps executed per prediction", executions_section),
    Section("variants", "Variants", variants),
    Section("failures", "How policies fail", gallery),
    Section("maps", "Maps of the table", maps_section),
    Section("rollouts", "Rollouts", rollouts),
    Section("methods", "Methods", methods),
    Section("made", "How each experiment was made", how_made),
)
