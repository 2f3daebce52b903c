"""The page of runs with few demonstrations, and of what carries over from a disc to a robot; from their files alone."""

import json
import re
import shutil
from dataclasses import replace
from html import escape

import cv2
import numpy as np
import pytest

from para.evaluation.records import append_records
from para.experiments import EXPERIMENTS
from para.experiments.summaries import summarise_run
from para.reports import build_report
from para.reports.comparisons import start_of, starts_compared, starts_table
from para.reports.family.page import build_family_report
from para.reports.family.variants import left_out
from para.reports.few_shot import LABEL_GAP, apart, cases, curves_figure, few_shot_table
from para.reports.run_files import read_run
from para.reports.wording import comparison_text, number_in
from tests.reports.synthetic_few_shot import AGAINST_SCRATCH, COUNTS, record


def test_the_page_has_the_curve_and_both_of_the_papers_tables_beside_ours(few_shot):
    page = build_report(few_shot).read_text()
    assert "Few demonstrations" in page and "paper, table 1" in page and "3 / 62 / 34" in page and "39%" in page
    assert (few_shot / "figures" / "few_shot_test.svg").stat().st_size > 5000
    assert not re.search(r"\{[A-Za-z_]+\}", page), "a name that was to be filled in"


def test_every_number_of_the_table_is_of_the_records_or_the_papers(few_shot):
    run = read_run(few_shot)
    found = cases(run, run.config["few_shot"], "test")
    assert [(case.n, case.policy, case.kind, case.paper) for case in found] == [
        (1, "para", "2D", None), (1, "para", "scratch", None), (1, "act", "2D", 0.0),
        (10, "para", "2D", 0.39), (10, "para", "scratch", None), (10, "act", "2D", 0.18), (10, "act", "scratch", None),
        (10, "para+plain+short8", "2D", None), (10, "para+plain+short8", "scratch", None),
        (256, "para", "scratch", 0.83),
    ]  # fmt: skip
    ran = [case for case in found if case.row is not None]
    ours, _, of_paper_alone = few_shot_table(run, found).partition("Not run here: 2")
    assert ours.count("<tr") == 1 + len(ran) and "(7/8, 53 to 98%)" in ours and "(1/8, 2 to 47%)" in ours
    assert re.findall(r"<b>(\d+)</b>", ours) == ["38", "12", "94", "25", "31", "100", "12", "100"], (
        "placed + grasped / 2"
    )
    assert of_paper_alone.count("<tr") == 1 + 2 and all(f"<td>{said}</td>" in of_paper_alone for said in ("0%", "18%"))
    assert all(f"<td>{said}</td>" in ours for said in ("39%", "83%"))


def test_every_rate_of_the_paper_is_drawn_of_policies_that_were_not_run_too(few_shot):
    run = read_run(few_shot)
    told = run.config["few_shot"]
    svg = curves_figure(told, cases(run, told, "test"))
    assert svg.count("paper, 2D") == 2 and "paper, scratch" not in svg and "paper, N = 256" in svg
    of_paper = [case for case in cases(run, told, "test") if case.paper is not None]
    alone = curves_figure(told, [case._replace(row=None) for case in of_paper])
    marks = re.findall(r'<use xlink:href="#[^"]*" x="[^"]*" y="[^"]*" style="fill: #646c76[^"]*"', alone)
    assert len(marks) == len([case for case in of_paper if case.n in COUNTS]) == 3


@pytest.mark.parametrize("name", ["track_pretraining", "track_pretraining_fair"])
def test_a_report_on_old_records_of_one_policy_has_every_number_of_the_papers_two_tables(few_shot, tmp_path, name):
    experiment = EXPERIMENTS[name]
    append_records(tmp_path / "results.jsonl", [record("para+n10", i, "placed", name) for i in range(4)])
    told = {"experiment": name, "world": "tabletop", "scale": {"name": "small"}, "seconds": {}}
    (tmp_path / "config.json").write_text(json.dumps(told | dict(experiment.figures)))
    summarise_run(tmp_path)
    run = read_run(tmp_path)
    found = cases(run, run.config["few_shot"], "test")
    assert sum(case.row is not None for case in found) == 1
    assert sorted(case.paper for case in found if case.paper is not None) == sorted(
        number.rate for of_splits in experiment.paper.values() for number in of_splits.values()
    )
    stages = [list(case.stages) for case in found if case.stages is not None]
    assert sorted(stages) == sorted(experiment.figures["few_shot"]["paper_stages"].values())


def test_labels_stay_in_order_at_their_levels_where_there_is_room_and_never_nearer_than_the_gap():
    assert apart([31.0, 64.0, 29.0], LABEL_GAP) == [29.0 + LABEL_GAP, 64.0, 29.0]
    levels = sorted(apart([10.0, 10.0, 11.0, 50.0], LABEL_GAP))
    assert levels == [10.0, 10.0 + LABEL_GAP, 10.0 + 2 * LABEL_GAP, 50.0] and apart([], LABEL_GAP) == []


def test_every_start_stands_against_none_with_its_steps_and_its_p_of_the_summary(few_shot):
    run = read_run(few_shot)
    found = starts_compared(run, run.config["few_shot"], "test")
    assert [(s.comparison["a"], s.comparison["b"]) for s in found] == AGAINST_SCRATCH
    assert [(s.n, s.part, s.policy, s.kind) for s in found] == [
        (1, 1, "para", "2D"), (10, 1, "para", "2D"), (10, 8, "para+plain", "2D"),
    ]  # fmt: skip
    html = starts_table(run, run.config["few_shot"], "test")
    last = html.split("<tr")[-1]
    comparison = found[-1].comparison
    assert "100 <span" in last and "(1/8 of the usual)" in last and "(8/8, 68 to 100%)" in last and "(1/8, 2" in last
    assert comparison["p_value"] == 2 * 0.5**7 and comparison["p_holm"] == 4 * 2 * 0.5**7
    assert "<td>0.016</td><td>0.062</td>" in last and "over all 4 comparisons" in html
    assert starts_table(run, run.config["few_shot"], "train") == ""


def test_trainings_in_other_shares_of_the_steps_are_compared_with_none_though_no_curve_has_them(few_shot, tmp_path):
    folder = tmp_path / "track_pretraining_fair"
    shutil.copytree(few_shot, folder)
    kept = [line for line in (folder / "results.jsonl").read_text().splitlines() if "+short8" in line]
    (folder / "results.jsonl").write_text("\n".join(kept).replace("+short8", "+short16") + "\n")
    config = json.loads((folder / "config.json").read_text()) | {
        "experiment": folder.name,
        "seconds": {},
        "axis": "pretraining",
    }
    (folder / "config.json").write_text(json.dumps(config))
    summarise_run(folder)
    page = build_family_report(tmp_path).read_text()
    section = page.split('<section id="pretraining">')[1].split("</section>")[0]
    assert "Against training from scratch" in section and "(8/8, 68 to 100%)" in section and "<figure" not in section


def test_records_of_before_there_were_curves_in_few_steps_have_those_of_the_usual_ones(few_shot):
    run = read_run(few_shot)
    told = run.config["few_shot"]
    older = {name: value for name, value in told.items() if name != "curves"} | {"policies": ["para", "act"]}
    usual = [case for case in cases(run, told, "test") if "short" not in case.policy]
    assert cases(run, older, "test") == usual and curves_figure(older, usual) == curves_figure(told, usual)


def test_trainings_in_the_share_of_the_curves_have_a_panel_of_their_own(few_shot):
    run = read_run(few_shot)
    told = run.config["few_shot"]
    svg = curves_figure(told, cases(run, told, "test"))
    assert "PARA, no augmentation, 1/8 of the steps" in svg and "1/16" not in svg
    usual = [case for case in cases(run, told, "test") if "short" not in case.policy]
    assert "of the steps" not in curves_figure(told, usual)


def test_where_trainings_share_positions_a_start_has_the_interval_and_the_p_by_cluster(few_shot):
    run = read_run(few_shot)
    shared = {
        "n_pairs": 16,
        "clusters": 8,
        "ci_low": 0.4,
        "ci_high": 0.9,
        "cluster_ci_low": 0.31,
        "cluster_ci_high": 0.93,
        "p_value": 0.01,
        "p_cluster": 0.123,
    }
    comparisons = [comparison | shared for comparison in run.summary["comparisons"]]
    html = starts_table(
        replace(run, summary={**run.summary, "comparisons": comparisons}), run.config["few_shot"], "test"
    )
    assert html.count("(+31 to +93, 16 pairs)") == html.count("<td>0.12</td>") == len(AGAINST_SCRATCH)
    assert "those by cluster" in html


@pytest.mark.parametrize(
    "name", ["track_pretraining", "track_pretraining_fair", "track_pretraining_apart", "cross_embodiment"]
)
def test_what_the_page_takes_for_training_from_scratch_is_what_started_from_nothing(name):
    experiment = EXPERIMENTS[name]
    recipes = {recipe.name: recipe for recipe in experiment.recipes}
    kinds = experiment.figures["few_shot"]["kinds"]
    shown = {(a, b) for a, b, _ in experiment.comparisons if start_of(a, b, kinds) is not None}
    assert shown == {
        (a, b)
        for a, b, _ in experiment.comparisons
        if recipes[a].start is not None and recipes[b].start is None and "twice" not in b  # that one has more steps
    }
    for a, b in shown:
        assert recipes[a].data == recipes[b].data and number_in(a, "short") == number_in(b, "short")


def test_a_comparison_of_a_folded_variant_is_in_the_page_of_all_runs_with_its_adjusted_p(few_shot, tmp_path):
    shutil.copytree(few_shot, tmp_path / "track_pretraining")
    run = read_run(few_shot)
    page = build_family_report(tmp_path).read_text()
    section = page.split('<section id="variants">')[1].split("</section>")[0]
    names = left_out(run)
    assert names == ["para+plain+2d+n10+short8", "para+plain+n10+short8"]
    said = [comparison_text(c) for c in run.summary["comparisons"] if {c["a"], c["b"]} & set(names)]
    assert len(said) == section.count("Both placed in") == 1 and escape(said[0]) in section and "Holm p = " in section


def test_the_page_of_all_runs_has_what_the_records_of_pretraining_tell(few_shot, tmp_path):
    run = tmp_path / "results" / "track_pretraining"
    shutil.copytree(few_shot, run)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"axis": "pretraining"}))
    transfer = tmp_path / "results" / "heatmap_transfer"
    append_records(transfer / "results.jsonl", [record("para+2d", 0, "missed", "heatmap_transfer")])
    told = {"experiment": "heatmap_transfer", "axis": "pretraining", "heatmap_transfer": {"suffix": "+on_circles"}}
    (transfer / "config.json").write_text(json.dumps(told))
    errors = {"policy": "para+2d", "train_seed": 0, "world": "robot", "checkpoint": "a", "looks": 30, "mean_px": 9.0,
              "median_px": 7.5, "median_px_by_step": [7.0, 7.2, 7.7, 7.9]}  # fmt: skip
    (transfer / "pixel_errors.json").write_text(json.dumps({"image_size": [48, 64], "rows": [errors]}))
    section = build_family_report(tmp_path / "results").read_text().split('<section id="pretraining">')[1]
    section = section.split("</section>")[0]
    assert "3 / 62 / 34" in section and "(7/8" in section and "<svg" in section
    assert "a robot, never shown" in section and "<td>7.5</td>" in section


def test_a_run_of_many_variants_shows_its_headline_in_the_main_table(few_shot):
    assert read_run(few_shot).main_policies == ["para+2d+n10", "para+n10"]


def write_prediction(folder, policy: str) -> None:
    path = folder / "predictions" / policy / "test_reach.npz"
    path.parent.mkdir(parents=True)
    T, shift = 6, 3.0 if policy.endswith("circles") else 20.0
    uv = np.stack([np.linspace(10, 40, T), np.linspace(12, 30, T)], axis=-1).astype(np.float32)
    heatmaps = np.full((T, 6, 8), 1e-3, np.float32)
    heatmaps[np.arange(T), 2, np.arange(T)] = 0.9
    arrays = {"image": np.full((48, 64, 3), 120, np.uint8), "heatmaps": heatmaps, "uv": uv + [shift, 0],
              "position": np.zeros((T, 3)), "gripper": np.ones(T), "demonstrated_uv": uv,
              "demonstrated_position": np.zeros((T, 3)), "ee_uv": uv[0]}  # fmt: skip
    meta = {"title": "another scene, reaching", "kind": "test", "policy": "para", "step": 800, "scene": {}}
    np.savez(path, meta=np.array(json.dumps(meta)), **arrays)


def test_what_carries_over_is_shown_as_heatmaps_and_pixel_errors_of_both_worlds(tmp_path):
    for policy in ("para+2d", "para+2d+on_circles"):
        append_records(tmp_path / "results.jsonl", [record(policy, 0, "missed", "heatmap_transfer")])
        write_prediction(tmp_path, policy)
    config = {"experiment": "heatmap_transfer", "heatmap_transfer": {"suffix": "+on_circles"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    rows = [
        {"policy": "para+2d", "train_seed": seed, "world": world, "checkpoint": "a", "looks": 30, "mean_px": 9.0,
         "median_px": median + seed, "median_px_by_step": [median, median, median, median, None]}
        for world, median in (("circles", 2.0), ("robot", 11.5)) for seed in (0, 1)
    ]  # fmt: skip
    (tmp_path / "pixel_errors.json").write_text(json.dumps({"image_size": [48, 64], "rows": rows}))
    page = build_report(tmp_path).read_text()
    assert "2.5 (2.0 to 3.0)" in page and "12.0 (11.5 to 12.5)" in page and "48 x 64" in page
    assert "3.0 px off on average" in page and "20.0 px off on average" in page
    sheet = cv2.imread(str(tmp_path / "figures" / "transfer_para+2d_test_reach.jpg"))
    assert sheet.shape[1] == 5 * 200 and sheet.std() > 20
