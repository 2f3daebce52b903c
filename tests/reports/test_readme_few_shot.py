"""Few demonstrations in a document: a row per start, a column per number of them, and every number in its cell."""

import json

import pytest

from para.experiments import EXPERIMENTS
from para.experiments.few_shot import figure_of
from para.files import write_json
from para.reports.readme_errors import trainings_text
from para.reports.readme_few_shot import Case, case_of, few_shot_text
from para.reports.readme_runs import LONGEST_COMMAND, records_text

FEW_SHOT = [name for name, experiment in EXPERIMENTS.items() if "few_shot" in experiment.figures]


def lines_of(text: str) -> dict[str, list[str]]:
    """First cells of each line of the tables, joined -> the others."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {f"{line[0]} | {line[1]}": line[2:] for line in lines}


def test_a_name_is_taken_apart_into_policy_start_and_number():
    kinds = {"2D": "+2d", "scratch": ""}
    assert case_of("para+plain+2d+n10+short8", kinds) == Case("para+plain+short8", "2D", 10)
    assert case_of("para+n256", kinds) == Case("para", "scratch", 256)
    assert case_of("para+2d", kinds) is None and case_of("act", kinds) is None


@pytest.mark.parametrize("name", FEW_SHOT)
def test_no_two_policies_of_an_experiment_stand_in_one_cell(name):
    experiment = EXPERIMENTS[name]
    kinds = experiment.figures["few_shot"]["kinds"]
    found = {recipe.name: case_of(recipe.name, kinds) for recipe in experiment.recipes}
    told = [case for case in found.values() if case is not None]
    assert len(told) == len(set(told)) >= 9
    for recipe in experiment.recipes:
        if (case := found[recipe.name]) is not None:
            assert (case.kind == "scratch") == (recipe.start is None)


def test_rates_the_papers_and_differences_stand_under_their_number(few_shot):
    summary, config = (json.loads((few_shot / f"{name}.json").read_text()) for name in ("summary", "config"))
    text = few_shot_text(summary, config["few_shot"]["kinds"])
    placed, differences = text.split("| points above scratch, out of distribution |")
    rows = lines_of(placed)
    assert rows["placed, out of distribution | started from"] == ["N = 1", "N = 10", "N = 256"]
    assert rows["PARA | 2D"] == ["38% (3/8, 14 to 69%)", "88% (7/8, 53 to 98%)", "–"]
    assert rows["the paper's | 2D"] == ["–", "39%", "–"] and rows["the paper's | scratch"] == ["–", "–", "83%"]
    assert rows["PARA, no augmentation, 1/8 of the steps | scratch"] == ["–", "12% (1/8, 2 to 47%)", "–"]
    rows = lines_of(differences)
    assert rows["PARA, no augmentation, 1/8 of the steps | 2D"][1].startswith("+88 (") and "p = 0.016" in differences
    assert "PARA | scratch" not in rows and "ACT | scratch" not in rows


def test_comparisons_that_are_no_starts_stay_in_words_and_a_long_command_stays_in_its_file(few_shot, tmp_path):
    folder = tmp_path / "tabletop" / "track_pretraining"
    config = json.loads((few_shot / "config.json").read_text()) | {"execute": {}, "command": "para " + "x" * 99}
    write_json(folder / "summary.json", json.loads((few_shot / "summary.json").read_text()))
    write_json(folder / "config.json", config)
    text = records_text(folder)
    assert text.count("\n- ") + text.startswith("- ") == 1 and "- PARA, N = 10 minus ACT, N = 10" in text
    assert f"`{config['command']}`." in text
    write_json(folder / "config.json", config | {"command": "para " + "x" * LONGEST_COMMAND})
    assert "xx" not in records_text(folder) and "the command in their `config.json`" in records_text(folder)


def test_errors_of_trainings_stand_in_the_same_cells(few_shot, tmp_path):
    write_json(tmp_path / "summary.json", json.loads((few_shot / "summary.json").read_text()))
    write_json(tmp_path / "config.json", figure_of((1, 10), {"2D": "+2d", "scratch": ""}))
    errors = {"para+2d+n1": (12.34, 1.0), "para+n10": (23.45, None), "para+2d": (567.0, 1.0)}
    rows = [
        {"policy": policy, "train_seed": seed, "steps": 8, "error_mm": mm + seed, "pixel_error_px": px}
        for policy, (mm, px) in errors.items()
        for seed in (1, 0)
    ]
    write_json(tmp_path / "trainings.json", {"rows": rows})
    text = trainings_text(tmp_path)
    assert lines_of(text)["PARA | 2D"] == ["12.3, 13.3 mm; 1.0, 1.0 px", "–"]
    assert lines_of(text)["PARA | scratch"] == ["–", "23.4, 24.4 mm; – px"] and "567" not in text
