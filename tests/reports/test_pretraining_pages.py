"""The page of runs with few demonstrations, and of what carries over from a disc to a robot; from their files alone."""

import json
import shutil

import cv2
import numpy as np
import pytest

from para.evaluation.records import EpisodeRecord, append_records
from para.evaluation.results import read_results, summarise
from para.reports import build_report
from para.reports.family.page import build_family_report
from para.reports.few_shot import few_shot_rows, few_shot_table, score
from para.reports.run_files import read_run

COUNTS = (1, 10)
KINDS = {"2D": "+2d", "scratch": ""}
PLACED = {"para+2d+n1": 3, "para+n1": 1, "para+2d+n10": 7, "para+n10": 2, "act+n10": 0, "para+n256": 8}
GRASPED = {"para+2d+n10": 1, "act+n10": 5}
N = 8


def record(policy: str, index: int, outcome: str, experiment: str = "track_pretraining") -> EpisodeRecord:
    return EpisodeRecord(
        experiment=experiment, world="tabletop", policy=policy, train_seed=0, split="test", scene_index=index,
        scene={"object_xy": [0.01 * index, 0.0]}, outcome=outcome, steps=50, seconds=0.1, checkpoint="abc",
    )  # fmt: skip


@pytest.fixture(scope="module")
def few_shot(tmp_path_factory):
    folder = tmp_path_factory.mktemp("few_shot")
    for policy, placed in PLACED.items():
        grasped = GRASPED.get(policy, 0)
        outcomes = ["placed"] * placed + ["grasped"] * grasped + ["missed"] * (N - placed - grasped)
        append_records(folder / "results.jsonl", [record(policy, i, o) for i, o in enumerate(outcomes)])
    told = {"counts": COUNTS, "kinds": KINDS, "policies": ["para", "act"],
            "paper_stages": {"para+2d+n10": [3, 62, 34]}}  # fmt: skip
    config = {"experiment": "track_pretraining", "world": "tabletop", "scale": {"name": "small"}, "few_shot": told}
    (folder / "config.json").write_text(json.dumps(config | {"headline": ["para+2d+n10", "para+n10"]}))
    summary = summarise(
        read_results(folder / "results.jsonl"), experiment="track_pretraining", world="tabletop", scale="small",
        paper={"para+2d+n10": {"test": (0.39, "a report")}}, comparisons=(), seconds={},
    )  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def test_the_page_has_the_curve_and_both_of_the_papers_tables_beside_ours(few_shot):
    page = build_report(few_shot).read_text()
    assert "Few demonstrations" in page and "paper, table 1" in page and "3 / 62 / 34" in page and "39%" in page
    assert (few_shot / "figures" / "few_shot_test.svg").stat().st_size > 5000


def test_every_number_of_the_table_is_of_the_records(few_shot):
    run = read_run(few_shot)
    told = run.config["few_shot"]
    rows = few_shot_rows(run, told, "test")
    assert [(n, p, k) for n, p, k, _ in rows] == [
        (1, "para", "2D"), (1, "para", "scratch"), (10, "para", "2D"), (10, "para", "scratch"), (10, "act", "scratch"),
    ]  # fmt: skip
    assert [score(row) for *_, row in rows] == [3 / 8, 1 / 8, 7.5 / 8, 2 / 8, 2.5 / 8]
    html = few_shot_table(run, told, rows)
    assert html.count("<tr>") == 1 + len(rows) and "<td>94</td>" in html and "(7/8" in html


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
