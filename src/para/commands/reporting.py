"""Commands that only read: pages and numbers from records, and what this machine can do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Report:
    """Rebuild the page of a run, or of a whole family of runs, from records alone; no policy is run.

    With --number, recompute one number, a rate or a difference of two, from its records. With --readme, write the
    tables of those files anew.

    For example:

        para report results/tabletop/left_to_right
        para report results/tabletop
        para report results/tabletop --number viewpoints/para/test
        para report results/tabletop --number viewpoints/para-act/test
        para report results --readme README.md docs/*.md
        para report runs/all --export results/tabletop
    """

    folder: Annotated[Path, tyro.conf.Positional]
    """A run's folder (config.json and results.jsonl), or one with a folder for each of several runs; with --readme, the
    folder of all committed records."""

    out: Path | None = None
    """Where the page goes; default: report.html in the folder."""

    number: str | None = None
    """Print one number with all that belongs to it, straight from results.jsonl. experiment/policy/split: a rate, its
    counts and intervals. experiment/policy-policy/split: the first policy minus the second in the same scenes, the
    paired counts, intervals, McNemar's p, the p that allows for clusters, and Holm's over the whole folder."""

    readme: tuple[Path, ...] = ()
    """Markdown files whose result tables are to be written anew; of several, those without tables stay as they are."""

    export: Path | None = None
    """Copy the records of each run there (config.json, results.jsonl, summary.json, and tables of errors where it has
    them), to be committed, and no more."""

    def __post_init__(self):
        asked = {"--number": self.number, "--readme": self.readme, "--export": self.export, "--out": self.out}
        given = [name for name, value in asked.items() if value]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are different things to do: ask for one at a time")

    def run(self) -> None:
        if self.number is not None:
            from para.evaluation.numbers import look_up

            print(look_up(self.folder, self.number))
        elif self.readme:
            from para.reports.readme import update_pages

            for page in update_pages(self.readme, self.folder):
                print(f"tables of {page} written from {self.folder}")
        elif self.export is not None:
            from para.experiments.summaries import export_records

            print(*(f"{path}" for path in export_records(self.folder, self.export)), sep="\n")
        else:
            self._build_page()

    def _build_page(self) -> None:
        from para.evaluation.summary_text import summary_text, unfinished_text
        from para.experiments.summaries import run_folders, summarise_family_of, summarise_run
        from para.files import read_json
        from para.reports import build_family_report, build_report

        if (self.folder / "config.json").exists() or not run_folders(self.folder):
            summary = summarise_run(self.folder)
            print(summary_text(summary))
            if lacking := unfinished_text(read_json(self.folder / "config.json"), summary["rows"]):
                print(lacking)
            print(f"\npage: {build_report(self.folder, self.out)}")
            return
        family = summarise_family_of(self.folder)
        page = build_family_report(self.folder, self.out)
        print(f"{len(family['rows'])} rows in {self.folder / 'family.json'}\npage: {page}")


@dataclass(frozen=True)
class Doctor:
    """Say what this machine can do (renderer, accelerator, extras, weights) and how to mend what is missing."""

    def run(self) -> None:
        from para.doctor import examine

        print(*examine(), sep="\n")
