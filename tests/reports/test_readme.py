"""The tables of the README are those of the committed records, and nothing else changes in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from para.evaluation.numbers import recompute
from para.evaluation.results import read_results, summarise
from para.experiments import EXPERIMENTS
from para.files import write_json
from para.reports.readme import BLOCK, FAMILY, update_readme
from para.reports.wording import rate_text
from tests.reports.synthetic_family import synthetic_experiments, write_family
from tests.reports.synthetic_run import PAPER, make_config, make_records

ROOT = Path(__file__).parent.parent.parent
EMPTY = "before\n\n<!-- results:left_to_right -->\n<!-- /results -->\n\nafter\n"


@pytest.fixture
def results(tmp_path) -> Path:
    """A results folder with the records of one experiment, whose ACT raised in one episode."""
    folder = tmp_path / "results" / "tabletop" / "left_to_right"
    summary = summarise(
        make_records(errors=1), experiment="left_to_right", world="tabletop", scale="small", paper=PAPER,
        comparisons=[("para", "act", "test")],
    )  # fmt: skip
    write_json(folder / "summary.json", summary)
    write_json(folder / "config.json", make_config())
    return tmp_path / "results"


@pytest.fixture
def readme(tmp_path) -> Path:
    path = tmp_path / "README.md"
    path.write_text(EMPTY)
    return path


def test_the_tables_of_this_readme_are_those_of_the_committed_records(tmp_path):
    copy = tmp_path / "README.md"
    shutil.copyfile(ROOT / "README.md", copy)
    update_readme(copy, ROOT / "results")
    assert copy.read_text() == (ROOT / "README.md").read_text(), "run: para report results --readme README.md"


def test_committed_summaries_are_computed_from_their_records():
    for path in (ROOT / "results").glob("*/*/summary.json"):
        summary = json.loads(path.read_text())
        experiment = EXPERIMENTS[summary["experiment"]]
        again = summarise(
            read_results(path.parent / "results.jsonl"), experiment=experiment.name, world=summary["world"],
            scale=summary["scale"], paper=experiment.paper, comparisons=experiment.comparisons,
        )  # fmt: skip
        assert (again["rows"], again["comparisons"]) == (summary["rows"], summary["comparisons"]), path


def test_blocks_name_experiments_that_exist():
    names = [match["name"] for match in BLOCK.finditer((ROOT / "README.md").read_text())]
    assert names and set(names) <= {*EXPERIMENTS, FAMILY}


def test_a_rate_stands_with_its_count_its_interval_and_the_papers(readme, results):
    summary = json.loads((results / "tabletop/left_to_right/summary.json").read_text())
    row = next(row for row in summary["rows"] if (row["policy"], row["split"]) == ("para", "test"))
    assert update_readme(readme, results) == ["left_to_right"]
    line = next(line for line in readme.read_text().splitlines() if line.startswith("| PARA |"))
    assert f"({row['placed']}/{row['trials']}, 95% interval" in line and line.endswith("| 54% |")
    assert "1 error |" in next(line for line in readme.read_text().splitlines() if line.startswith("| ACT |"))


def test_ways_of_execution_stand_in_a_table_of_their_own_in_order(readme, results):
    update_readme(readme, results)
    policies, executions = readme.read_text().split("| steps executed per look | PARA")
    assert [line.split(" |")[0] for line in policies.splitlines() if line.startswith("| PARA")] == [
        "| PARA", "| PARA, paper form",
    ]  # fmt: skip
    ways = [line.split(" |")[0] for line in executions.splitlines() if "% (" in line]
    assert ways == ["| 1", "| 2", "| 4", "| all of the chunk", "| 1, temporal ensembling"]


def test_each_policys_headline_execution_stands_in_its_row(readme, results):
    update_readme(readme, results)
    rows = {line.split(" |")[0]: line for line in readme.read_text().splitlines() if line.startswith("| ")}
    assert "| 4 | 54% |" in rows["| PARA"] and "| 1, temporal ensembling | 1% |" in rows["| ACT"]


def test_nothing_outside_of_the_blocks_changes_and_a_second_update_changes_nothing(readme, results):
    update_readme(readme, results)
    once = readme.read_text()
    assert once.startswith("before\n\n<!-- results:left_to_right -->\n") and once.endswith(
        "<!-- /results -->\n\nafter\n"
    )
    update_readme(readme, results)
    assert readme.read_text() == once


def test_a_filled_table_without_records_is_replaced(readme, results, tmp_path):
    update_readme(readme, results)
    assert update_readme(readme, tmp_path / "nothing") == []
    assert "PARA" not in readme.read_text() and "No records" in readme.read_text()


@pytest.mark.parametrize("text", ["no blocks", EMPTY.replace("<!-- /results -->", ""), EMPTY + "<!-- /results -->"])
def test_markers_that_make_no_block_are_refused_and_the_file_is_left_alone(readme, results, text):
    readme.write_text(text)
    with pytest.raises(ValueError, match="markers"):
        update_readme(readme, results)
    assert readme.read_text() == text


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="READ.md"):
        update_readme(tmp_path / "READ.md", tmp_path)


def test_the_block_of_the_family_has_a_row_per_experiment_with_counts_intervals_and_the_papers_rates(tmp_path):
    made = [m for m in synthetic_experiments(6) if m.name in ("left_to_right", "corner_scaling", "window")]
    folder = write_family(tmp_path / "results" / "tabletop", experiments=made)
    path = tmp_path / "README.md"
    path.write_text(EMPTY.replace("left_to_right", "family"))
    assert update_readme(path, tmp_path / "results") == ["family"]
    lines = [line for line in path.read_text().splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| Corner scaling (N = 32)", "| Left to right"]
    row = recompute(folder, "left_to_right", "para", "test")
    assert rate_text(row) in lines[3]
    assert "| 54% | 1% | " in lines[3] and "Holm p" in lines[3]


def test_without_records_the_block_of_the_family_says_so(readme, results):
    readme.write_text(EMPTY.replace("left_to_right", "family"))
    assert update_readme(readme, results) == []
    assert "No records of `family`" in readme.read_text()
