"""The page: one HTML file that opens from disk, with every picture inside it."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import NamedTuple

from para.assets import with_own_entry
from para.files import write_atomic
from para.reports import figures, tables
from para.reports.appearances import appearances_section
from para.reports.comparisons import comparisons_list
from para.reports.few_shot import few_shot_section
from para.reports.heatmap_transfer import heatmap_transfer_section
from para.reports.made import how_it_was_made, notes
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles, read_run
from para.reports.sections import predictions_section, rollouts_section
from para.reports.video import video_section
from para.reports.wording import INTERVALS, INTERVALS_OF_RATES


class Section(NamedTuple):
    """A part of the page."""

    name: str
    """Of its anchor."""

    title: str
    make: Callable[[RunFiles, Pictures], str | None]
    """Its HTML, or None where the run left nothing to show."""


def build_report(run_folder: Path | str, out: Path | str | None = None) -> Path:
    """Write `report.html` and `figures/` from the files of a run folder; the same files give the same bytes.

    Only `results.jsonl` must be there. Sections of which the run left nothing are left out.

    Args:
        run_folder: what an experiment left behind.
        out: where to write the page; default: `report.html` in the run folder. `figures/` goes beside it.

    Returns:
        The page's path.

    Raises:
        FileNotFoundError: if there is no run folder or no `results.jsonl` in it.
        ValueError: if a file in it cannot be read, or `summary.json` does not belong to the records.
    """
    run = read_run(run_folder)
    out = Path(out) if out is not None else run.folder / "report.html"
    pictures = Pictures()
    page = render(run, pictures)
    for name, content in pictures.files.items():
        write_atomic(out.parent / "figures" / name, content)
    write_atomic(out, page.encode())
    return out


def render(run: RunFiles, pictures: Pictures) -> str:
    """The page as HTML."""
    made = [(section, section.make(run, pictures)) for section in SECTIONS]
    made = [(section, html) for section, html in made if html]
    short, full = tables.headline(run)
    title = run.config.get("title") or run.summary["experiment"].replace("_", " ").capitalize()
    question = run.config.get("question")
    backbone = f" · backbone {run.config['backbone']}" if "backbone" in run.config else ""
    return Template(files("para.reports").joinpath("page.html").read_text(encoding="utf-8")).substitute(
        title=escape(f"{title} · PARA"),
        kicker=escape(f"{title} · world {run.summary['world']} · scale {run.scale}{backbone}"),
        headline=short,
        full_headline=full,
        question=f'<p class="question">{escape(question)}</p>' if question else "",
        filters=notes(run),
        navigation=" ".join(f'<a href="#{section.name}">{escape(_title(section, run))}</a>' for section, _ in made),
        sections="\n".join(
            f'<section id="{section.name}"><h2>{escape(_title(section, run))}</h2>\n{html}</section>'
            for section, html in made
        ),
    )


def _title(section: Section, run: RunFiles) -> str:
    return "Results" if section.name == "results" and not tables.has_paper(run) else section.title


def results_section(run: RunFiles, pictures: Pictures) -> str:
    """The table ours | paper, comparisons, errors."""
    pictures.files["rates.svg"] = figures.rates_figure(run).encode()
    config = with_own_entry(run.config)
    assets = f"Assets: {config['assets']}." if "assets" in config else ""
    said = " ".join(filter(None, (config.get("thresholds"), assets)))
    diamond = "; diamond: the paper’s rate" if tables.has_paper(run) else ""
    meaning = f'<p class="caption">{escape(said)}</p>' if said else ""
    return (
        f"{_scale_note(run)}{tables.main_table(run)}"
        f'<p class="caption">Dot: our rate; bar and brackets: {INTERVALS}{diamond}. Rates are of the '
        f"episodes that ran to their end. {tables.headline_executions(run)} "
        f"{tables.paper_sources(run)}</p>"
        f"{tables.error_list(run)}{comparisons_list(run)}{tables.seeds_text(run)}{meaning}"
    )


def _scale_note(run: RunFiles) -> str:
    if run.scale == "paper" or not tables.has_paper(run):
        return ""
    note = (run.config.get("scale") or {}).get("note", "") if isinstance(run.config.get("scale"), dict) else ""
    scale = f"<i>{escape(run.scale)}</i>{escape(f' ({note})') if note else ''}"
    return (
        f'<p class="note"><b>Not the paper’s scale: not comparable one to one.</b> This run’s scale is {scale}, in the '
        f"world <i>{escape(run.summary['world'])}</i>; the paper’s numbers stand beside ours for orientation.</p>"
    )


def positions_section(run: RunFiles, pictures: Pictures) -> str:
    """The map and the plot of success against distance."""
    n_scenes = len({(r.split, r.scene_index) for r in run.records if r.split != "validation"})
    n_seeds, n_trained = len({r.train_seed for r in run.records}), len(run.training_xy)
    trained = f"The {n_trained} training positions are the grey squares, their region is shaded. " if n_trained else ""
    seeds = f" Marks side by side are the {n_seeds} training seeds." if n_seeds > 1 else ""
    outcomes_map = pictures.figure(
        "map",
        figures.positions_figure(run),
        f"Where the object lay at the start of each of {n_scenes} scored scenes, and what became of it: "
        f"{tables.legend(run)}. {trained}Drawn as the camera sees it: the camera looks back at the robot, so the robot "
        f"is beyond the upper edge, and the image’s right is the table’s +y.{seeds}",
        "Map of training and scored positions, coloured by outcome, one panel per policy",
    )
    distance = pictures.figure(
        "distance",
        figures.distance_figure(run),
        f"Success against how far the object lies from {figures.distance_meaning(run)}. Points: bins with about "
        f"equally many scenes; n: trials per policy; bars: {INTERVALS_OF_RATES}; ticks: single episodes, placed "
        "above, not placed below.",
        "Success against distance from the demonstrations",
    )
    return outcomes_map + distance


def executions_section(run: RunFiles, pictures: Pictures) -> str | None:
    """The table of executed steps."""
    table = tables.execution_table(run)
    return table and (
        "<p>A policy predicts a chunk of steps, carries out the first few, and predicts again. How many changes what "
        "is tested: all of them asks most of a single prediction, one asks most of the closed loop. With temporal "
        "ensembling the policy predicts at every step and follows the average of all chunks that reach it. Each "
        f"policy’s headline is the way marked so.</p>{table}"
    )


def variants_section(run: RunFiles, pictures: Pictures) -> str | None:
    """Other recipes."""
    return tables.variants_table(run)


def training_section(run: RunFiles, pictures: Pictures) -> str | None:
    """Training curves, and what each training came to."""
    n = len(run.logs)
    curves = pictures.figure(
        "training",
        figures.training_figure(run.logs),
        f"{n} training{'s' if n > 1 else ''}; dashed: variants. Losses of different policies have different units and "
        "cannot be compared; errors on held-out demonstrations, in distribution, can.",
        "Training curves",
    )
    rows = tables.trainings_table(run)
    note = (
        '<p class="caption">After the last step: the mean distance in 3D between predicted and demonstrated places, '
        "over the steps of held-out demonstrations in distribution, and that between their pixels, of policies that "
        "predict pixels. Minutes are of this machine, with what else ran on it. Several trainings: mean, and range.</p>"
    )
    return curves + (rows + note if rows else "")


SECTIONS = (
    Section("results", "Ours and the paper’s", results_section),
    Section("few_shot", "Few demonstrations", few_shot_section),
    Section("transfer", "What carries over", heatmap_transfer_section),
    Section("video", "What the video model imagines", video_section),
    Section("rooms", "Room by room", appearances_section),
    Section("positions", "Where it works", positions_section),
    Section("rollouts", "Rollouts", rollouts_section),
    Section("predictions", "What the policies see", predictions_section),
    Section("executions", "Steps executed per prediction", executions_section),
    Section("variants", "Variants", variants_section),
    Section("training", "Training", training_section),
    Section("made", "How this was made", how_it_was_made),
)
