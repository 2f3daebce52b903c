"""The tables of README and docs are those of the committed records, and nothing else changes in them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from para.evaluation.numbers import recompute, recompute_difference
from para.evaluation.results import append_records, interval_of, read_results, summarise
from para.experiments import EXPERIMENTS
from para.experiments.trainings import weights_recorded
from para.files import write_json
from para.interfaces import Scene
from para.reports.appearances import appearances_text
from para.reports.readme import BLOCK, FAMILY, OPENING, SUMMARY, find_records, update_pages, update_readme
from para.reports.readme_errors import ERRORS
from para.reports.readme_family import strongest_other
from para.reports.wording import MINUS, brief, p_text, percent, points, policy_name, rate_text
from tests.evaluation.made_records import outcomes
from tests.experiments.test_provenance import GENERATED
from tests.reports.synthetic_family import Made, synthetic_experiments, write_family
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


PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if OPENING in page.read_text()]
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@pages
def test_the_tables_of_a_page_are_those_of_the_committed_records(page, tmp_path):
    copy = tmp_path / "page.md"
    shutil.copyfile(page, copy)
    update_readme(copy, ROOT / "results")
    same = copy.read_text() == page.read_text()
    assert same, "run: para report results --readme README.md docs/*.md"


def test_committed_summaries_are_computed_from_their_records():
    for path in (ROOT / "results").glob("*/*/summary.json"):
        summary = json.loads(path.read_text())
        experiment = EXPERIMENTS[summary["experiment"]]
        again = summarise(
            read_results(path.parent / "results.jsonl"), experiment=experiment.name, world=summary["world"],
            scale=summary["scale"], paper=experiment.paper, comparisons=experiment.comparisons,
        )  # fmt: skip
        assert (again["rows"], again["comparisons"]) == (summary["rows"], summary["comparisons"]), path


def test_committed_errors_of_trainings_are_of_the_weights_of_the_committed_episodes():
    for path in (ROOT / "results").glob("*/*/trainings.json"):
        recorded = weights_recorded(path.parent)
        for row in json.loads(path.read_text())["rows"]:
            key = row["policy"], row["train_seed"]
            assert row["checkpoint"] in recorded.get(key, {row["checkpoint"]}), (path, key)


@pages
def test_blocks_name_experiments_that_exist(page):
    names = [match["name"].partition("/") for match in BLOCK.finditer(page.read_text())]
    assert names and {name for name, _, _ in names} <= {*EXPERIMENTS, FAMILY, SUMMARY}
    assert {file for _, _, file in names} <= {"", *ERRORS}


def test_errors_stand_for_each_training_by_itself_and_only_of_policies_that_were_carried_out(readme, results):
    rows = [
        {"policy": "para", "train_seed": 1, "steps": 800, "error_mm": 12.34, "pixel_error_px": 1.0},
        {"policy": "para", "train_seed": 0, "steps": 800, "error_mm": 23.45, "pixel_error_px": 2.0},
        {"policy": "act", "train_seed": 0, "steps": 400, "error_mm": 34.56, "pixel_error_px": None},
        {"policy": "para+first_stage", "train_seed": 0, "steps": 7, "error_mm": 567.0, "pixel_error_px": None},
    ]
    write_json(results / "tabletop" / "left_to_right" / "trainings.json", {"rows": rows})
    readme.write_text(EMPTY.replace("left_to_right", "left_to_right/trainings"))
    assert update_readme(readme, results) == ["left_to_right/trainings"]
    text = readme.read_text()
    assert "| PARA | 800 | 23.4, 12.3 | 2.0, 1.0 |" in text and "| ACT | 400 | 34.6 | – |" in text
    assert "567" not in text


def test_a_block_of_a_file_that_nothing_is_said_of_is_refused(readme, results):
    readme.write_text(EMPTY.replace("left_to_right", "left_to_right/config"))
    with pytest.raises(ValueError, match="config"):
        update_readme(readme, results)


def test_a_rate_stands_with_its_count_its_interval_and_the_papers(readme, results):
    summary = json.loads((results / "tabletop/left_to_right/summary.json").read_text())
    row = next(row for row in summary["rows"] if (row["policy"], row["split"]) == ("para", "test"))
    assert update_readme(readme, results) == ["left_to_right"]
    line = next(line for line in readme.read_text().splitlines() if line.startswith("| PARA |"))
    assert f"({row['placed']}/{row['trials']}, 95% interval" in line and line.endswith("| 54% |")
    assert "1 error |" in next(line for line in readme.read_text().splitlines() if line.startswith("| ACT |"))


def test_ways_of_execution_stand_in_a_table_of_their_own_in_order(readme, results):
    update_readme(readme, results)
    policies, executions = readme.read_text().split("| steps executed per prediction | PARA")
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


def test_of_several_pages_those_without_tables_stay_and_one_there_must_be(readme, results, tmp_path):
    plain = tmp_path / "plain.md"
    plain.write_text("no tables")
    assert update_pages([plain, readme], results) == [readme]
    assert plain.read_text() == "no tables" and "| PARA |" in readme.read_text()
    with pytest.raises(ValueError, match="markers"):
        update_pages([plain], results)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="READ.md"):
        update_readme(tmp_path / "READ.md", tmp_path)


@pytest.fixture
def family_readme(tmp_path) -> Path:
    """A README with the block of the family, beside a folder `results/tabletop`, in which there is nothing yet."""
    path = tmp_path / "README.md"
    path.write_text(EMPTY.replace("left_to_right", "family"))
    return path


def family_rows(readme: Path) -> list[list[str]]:
    """The cells of each row of the family's table, as the records beside the README give it."""
    assert update_readme(readme, readme.parent / "results") == ["family"]
    lines = [line for line in readme.read_text().splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines[2:]]


def experiments(*names: str) -> list[Made]:
    return [made for made in synthetic_experiments(6) if made.name in names]


def short(row) -> str:
    return brief(rate_text(row))


def test_the_block_of_the_family_has_a_row_per_experiment_with_counts_intervals_and_the_papers_rates(family_readme):
    made = experiments("left_to_right", "corner_scaling", "window")
    folder = write_family(family_readme.parent / "results" / "tabletop", experiments=made)
    rows = family_rows(family_readme)
    assert [row[0] for row in rows] == ["Corner scaling (N = 32)", "Left to right"]
    assert rows[1][1:3] == [short(recompute(folder, "left_to_right", policy, "test")) for policy in ("para", "act")]
    assert rows[1][-1] == "54%, 1%"


def test_the_summary_has_the_rows_of_the_paper_with_other_worlds_beside_and_the_largest_difference_first(family_readme):
    names = ("left_to_right", "corner_scaling", "viewpoints", "window")
    folder = write_family(family_readme.parent / "results" / "tabletop", experiments=experiments(*names))
    other = write_family(folder.parent / "libero", experiments=experiments("left_to_right"), n=6)
    for path in (other / "left_to_right").glob("*.json*"):  # of another world, with PARA in another form alone
        path.write_text(path.read_text().replace('"tabletop"', '"libero"').replace('"para"', '"para+no_warps"'))
    (other / "left_to_right" / "summary.json").unlink()  # no longer of these records
    family_readme.write_text(EMPTY.replace("left_to_right", SUMMARY))
    assert update_readme(family_readme, folder.parent) == [SUMMARY]
    heads, _, *rows = [line.strip("| ").split(" | ") for line in family_readme.read_text().splitlines() if "|" in line]
    assert heads == [
        "tested", "PARA, `tabletop`", "ACT, `tabletop`", "PARA, `libero`", "ACT, `libero`", "paper: PARA, ACT"
    ]  # fmt: skip
    assert {row[0] for row in rows} == {"Left to right", "Corner scaling (N = 32)", "Default view to all views"}
    assert rows[-1][0] == "Default view to all views"  # position before view, and of each the largest difference first
    by_position = [recompute_difference(folder, *of, "test")["difference"] for of in map(compared, rows[:2])]
    assert by_position == sorted(by_position, reverse=True)
    (row,) = [row for row in rows if row[0] == "Left to right"]
    rates = [short(recompute(folder, "left_to_right", policy, "test")) for policy in ("para", "act")]
    elsewhere = [short(recompute(other, "left_to_right", policy, "test")) for policy in ("para+no_warps", "act")]
    assert row[1:] == [*rates, f"{elsewhere[0]}, no warps", elsewhere[1], "54%, 1%"]
    assert all(row[3:5] == ["–", "–"] for row in rows if row[0] != "Left to right")


def compared(row: list[str]) -> tuple[str, str, str]:
    return ("left_to_right", "para", "act") if row[0] == "Left to right" else ("corner_scaling", "para+n32", "act+n32")


def test_beside_act_stands_the_strongest_other_baseline_with_its_difference(family_readme):
    folder = write_family(family_readme.parent / "results" / "tabletop", experiments=experiments("viewpoints"))
    others = ("motion_tracks", "diffusion")
    best = max((recompute(folder, "viewpoints", policy, "test") for policy in others), key=lambda row: row["rate"])
    found = recompute_difference(folder, "viewpoints", "para", best["policy"], "test")
    ((*_, baseline, difference, _),) = family_rows(family_readme)
    assert baseline.partition(";")[0] == f"{policy_name(best['policy'])}: {short(best)}"
    low, high = map(points, interval_of(found))
    assert difference == f"{points(found['difference'])} ({low} to {high}), {p_text(found['p_holm'])}"


def test_where_trainings_differ_by_more_than_chance_each_of_them_is_counted(family_readme):
    folder = write_family(family_readme.parent / "results" / "tabletop", experiments=experiments("left_to_right"))
    path = folder / "left_to_right" / "results.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    act = [r for r in records if r["policy"] == "act" and r["split"] == "test"]
    for record in act:  # one training that has learnt it, and others that have not
        record["outcome"] = "placed" if record["train_seed"] == 0 else "missed"
    more = [record | {"scene_index": record["scene_index"] + 100} for record in act]  # six scenes are too few to tell
    path.write_text("\n".join(json.dumps(record) for record in records + more) + "\n")
    act += more
    (row,) = family_rows(family_readme)
    counts = [sum(r["outcome"] == "placed" for r in act if r["train_seed"] == seed) for seed in (0, 1)]
    assert row[2].endswith(f"; by training {', '.join(map(str, counts))}") and "by training" not in row[1]


@pytest.mark.parametrize("block", [FAMILY, SUMMARY])
def test_who_has_not_learnt_the_task_is_counted_in_distribution_too(family_readme, block):
    folder = write_family(family_readme.parent / "results" / "tabletop", experiments=experiments("left_to_right"))
    path = folder / "left_to_right" / "results.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    trained = [r for r in records if r["policy"] == "act" and r["split"] == "train"]
    for i, record in enumerate(trained):
        record["outcome"] = "placed" if i else "missed"
    family_readme.write_text(EMPTY.replace("left_to_right", block))

    def cells() -> list[str]:
        path.write_text("\n".join(json.dumps(record) for record in records) + "\n")
        update_readme(family_readme, folder.parent)
        return next(line for line in family_readme.read_text().splitlines() if "| Left to right |" in line).split(" | ")

    assert "in distribution" not in "".join(cells()[1:3])
    for record in trained[::2]:
        record["outcome"] = "missed"
    placed = sum(record["outcome"] == "placed" for record in trained)
    _, para, act, *_ = cells()
    assert "in distribution" not in para and f"in distribution {percent(placed / len(trained))} ({placed}/" in act


def test_the_strongest_other_baseline_too_is_counted_in_distribution_where_it_has_not_learnt(family_readme):
    folder = write_family(family_readme.parent / "results" / "tabletop", experiments=experiments("left_to_right"))
    path = folder / "left_to_right" / "results.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    others = [r for r in records if r["policy"] in ("motion_tracks", "diffusion") and r["split"] == "train"]

    def baseline_of(outcome: str) -> str:
        for record in others:
            record["outcome"] = outcome
        path.write_text("\n".join(json.dumps(record) for record in records) + "\n")
        ((*_, baseline, _, _),) = family_rows(family_readme)
        return baseline

    learnt = baseline_of("placed")
    assert "in distribution" not in learnt
    assert baseline_of("missed") == f"{learnt}; in distribution 0% (0/{len(others) // 2})"


def test_without_other_baselines_their_cells_are_empty(family_readme):
    write_family(family_readme.parent / "results" / "tabletop", experiments=experiments("corner_scaling"))
    ((*_, baseline, difference, _),) = family_rows(family_readme)
    assert (baseline, difference) == ("–", "–")


@pytest.mark.parametrize(("winner", "place"), [("act", 3), ("motion_tracks", 5)])
def test_a_row_says_plainly_where_a_baseline_wins(family_readme, winner, place):
    folder = write_family(family_readme.parent / "results" / "tabletop", experiments=experiments("left_to_right"))
    path = folder / "left_to_right" / "results.jsonl"
    turned = {"para": winner, winner: "para"}
    records = [replace(r, policy=turned.get(r.policy, r.policy)) for r in read_results(path)]
    path.unlink()
    append_records(path, records)
    (folder / "left_to_right" / "summary.json").unlink()  # no longer of these records
    (row,) = family_rows(family_readme)
    assert row[place].startswith(f"**the baseline wins**: {MINUS}")


def test_a_baseline_that_was_given_more_steps_is_marked(family_readme):
    folder = write_family(family_readme.parent / "results" / "tabletop", experiments=experiments("left_to_right"))
    path = folder / "left_to_right" / "config.json"
    config = json.loads(path.read_text())
    write_json(path, config | {"train_steps": {"para": 800, "act": 3200, "motion_tracks": 800}})
    ((_, _, act, _, other, *_),) = family_rows(family_readme)
    assert act.endswith(", 4 times the steps") and not other.endswith("the steps")


def test_captions_say_which_assets_the_world_was_made_of(family_readme):
    folder = write_family(family_readme.parent / "results" / "libero", experiments=experiments("left_to_right"))
    both = "".join(EMPTY.replace("left_to_right", name) for name in ("family", "left_to_right"))

    def captions() -> list[str]:
        family_readme.write_text(both)
        update_readme(family_readme, folder.parent)
        return [line for line in family_readme.read_text().splitlines() if line.startswith("World `")]

    assert [caption.partition(" scale")[0] for caption in captions()] == ["World `tabletop`,"] * 2
    path = folder / "left_to_right" / "config.json"
    config = json.loads(path.read_text())
    for told in ({"assets": GENERATED}, {"thresholds": f"Missed: neither. Assets: {GENERATED}."}):
        write_json(path, config | told)
        assert [caption.partition(" scale")[0] for caption in captions()] == [
            "World `tabletop` (generated assets),"
        ] * 2


def row_of(policy: str, rate: float | None, split: str = "test", experiment: str = "corners") -> dict:
    return {"experiment": experiment, "policy": policy, "split": split, "rate": rate}


def test_the_strongest_baseline_is_of_any_recipe_that_has_the_rows_variants_on_the_same_demonstrations():
    rows = [
        row_of("para", 0.5), row_of("act", 0.9), row_of("act+camera", 0.2), row_of("diffusion", 0.1),
        row_of("act+long", 0.3), row_of("para+long", 1.0), row_of("act+pretrained", 0.95),
        row_of("para+n4", 0.5), row_of("act+n4", 0.9), row_of("act+camera+n4", 0.8), row_of("diffusion+n4", 0.7),
        row_of("motion_tracks", 1.0, split="beyond"), row_of("motion_tracks", 1.0, experiment="other"),
        row_of("motion_tracks+n4", None), row_of("para+n8", 1.0), row_of("act+n8", 0.9),
    ]  # fmt: skip
    data = {row["policy"]: "n4" if "n4" in row["policy"] else "n8" if "n8" in row["policy"] else "all" for row in rows}
    config = {"data": data, "starts": {"act+pretrained": "circles"}}
    for variant, expected in (("", "act+long"), ("+n4", "act+camera+n4"), ("+n8", None), ("+long", None)):
        pair = {"experiment": "corners", "split": "test", "a": f"para{variant}", "b": f"act{variant}"}
        found = strongest_other(rows, pair, config)
        assert (found and found["policy"]) == expected


def test_without_records_the_block_of_the_family_says_so(readme, results):
    readme.write_text(EMPTY.replace("left_to_right", "family"))
    assert update_readme(readme, results) == []
    assert "No records of `family`" in readme.read_text()


def test_the_world_of_most_records_comes_first(tmp_path):
    for world, experiment in [("a", "one"), ("b", "one"), ("b", "two"), ("c", "one")]:
        folder = tmp_path / world / experiment
        folder.mkdir(parents=True)
        (folder / "results.jsonl").touch()
        write_json(folder / "summary.json", {})
    assert find_records(tmp_path, FAMILY) == [tmp_path / world for world in "bac"]
    assert find_records(tmp_path, "one") == [tmp_path / world / "one" for world in "bac"]


def test_a_policy_that_only_controls_have_is_named_below_the_table(family_readme):
    folder = family_readme.parent / "results" / "tabletop"
    made = experiments("left_to_right", "action_heads")
    heads = [replace(m, headline=("para", "soft_argmax")) if m.name == "action_heads" else m for m in made]
    write_family(folder, experiments=heads)
    family_rows(family_readme)
    assert "Controls are not in this table, and so not Soft-argmax (`action_heads`)." in family_readme.read_text()


def test_a_run_in_several_rooms_says_what_was_placed_in_each(tmp_path):
    counts = {("para", "studio"): "ppp", ("para", "cafe"): "pmm", ("act", "studio"): "mme", ("act", "cafe"): "ppp"}
    records = [
        replace(made, scene=Scene((0.1, 0.01 * i), appearance=room).to_dict(), scene_index=10 * (room == "cafe") + i)
        for (policy, room), text in counts.items()
        for i, made in enumerate(outcomes(policy, text))
    ]
    rows = [line.strip("| ").split(" | ") for line in appearances_text(records).splitlines()]
    assert rows[0] == ["placed, out of distribution", "cafe", "studio"]
    assert rows[2:] == [["PARA", "1/3", "3/3"], ["ACT", "3/3", "0/2"]]
    assert appearances_text([record for record in records if record.scene["appearance"] == "cafe"]) == ""
