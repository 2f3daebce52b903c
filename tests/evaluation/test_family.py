"""Laws of `family.json`: a pure function of the files, tolerant of what is absent, one family of comparisons."""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import pytest

from para.evaluation.curves import fit_logistic
from para.evaluation.family import AXIS_ORDER, TILT, demonstrated_views, fit_records, fitted_splits, summarise_family
from para.evaluation.multiplicity import holm
from para.evaluation.records import append_records, read_results
from para.evaluation.results import compare, summarise
from para.evaluation.statistics import cochran_q_p
from para.files import write_json
from para.interfaces import Scene
from tests.evaluation.made_records import outcomes, record

SEEDS = 2


def episodes(experiment: str, policy: str, split: str, scenes, chance) -> list:
    """Each scene tried by every training seed; `chance` gives the rate of success in a scene."""
    rng = np.random.default_rng(sum(map(ord, experiment + policy + split)))
    return [
        record(
            policy, split, seed, i, "placed" if rng.random() < chance(scene) else "missed", experiment=experiment,
            scene=scene.to_dict(), boundary_distance_m=max(0.0, scene.object_xy[1]),
        )
        for seed in range(SEEDS)
        for i, scene in enumerate(scenes)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two experiments with everything, one that says nothing of itself."""
    folder = tmp_path_factory.mktemp("tabletop")
    beyond = [Scene((0.0, 0.005 * i)) for i in range(1, 61)]
    within = [Scene((0.0, -0.005 * i)) for i in range(20)]
    views = [Scene((0.01 * i, 0.1), view_theta_deg=2.5 * i, view_phi_deg=45.0 * (i % 8)) for i in range(17)]
    positions = []
    for policy, reach in (("para", 1.0), ("act", 0.05), ("diffusion", 0.12), ("para+execute1", 0.5)):
        for split, scenes in (("train", within), ("test", beyond), ("validation_test", beyond)):
            positions += episodes(
                "left_to_right", policy, split, scenes, lambda s, r=reach: 1 / (1 + math.exp(40 * (s.object_xy[1] - r)))
            )
    seen = episodes("viewpoints", "para", "test", views, lambda s: s.view_theta_deg < 21)
    seen += episodes("viewpoints", "act", "test", views, lambda s: s.view_theta_deg < 11)
    bare = episodes("bare", "para", "test", within, lambda s: 1.0)
    configs = {
        "left_to_right": {"axis": "position", "headline": ["para", "act", "diffusion"], "headline_splits": ["test"]},
        "viewpoints": {"axis": "view", "headline": ["para", "act"], "headline_splits": ["test", "beyond"]},
    }
    for name, records in {"viewpoints": seen, "left_to_right": positions, "bare": bare}.items():
        append_records(folder / name / "results.jsonl", records)
        if name in configs:
            config = {"experiment": name, "title": name.upper(), "scale": {"name": "small"}, **configs[name]}
            write_json(folder / name / "config.json", config)
    summary = summarise(
        positions, experiment="left_to_right", world="tabletop", scale="small",
        paper={"para": {"test": (0.54, "draft, 54 of 100")}},
        comparisons=[("para", "act", "test"), ("para", "act", "train"), ("para", "diffusion", "test"),
                     ("para", "para+execute1", "test"), ("act", "diffusion", "test")],
    )  # fmt: skip
    write_json(folder / "left_to_right" / "summary.json", summary)
    (folder / "figures").mkdir()
    return folder


@pytest.fixture(scope="module")
def family(made):
    return summarise_family(made)


def test_it_is_json_and_a_pure_function_of_the_files(made, family, tmp_path):
    shutil.copytree(made, tmp_path / "elsewhere")
    assert summarise_family(tmp_path / "elsewhere") == family
    assert json.loads(json.dumps(family, allow_nan=False)) == family
    assert (family["worlds"], family["scales"]) == (["tabletop"], ["small", "unknown"])


def test_rows_are_the_headline_policies_on_the_headline_splits_by_axis(family):
    rows = [(row["experiment"], row["policy"], row["split"]) for row in family["rows"]]
    assert rows == [
        ("left_to_right", "para", "test"), ("left_to_right", "act", "test"), ("left_to_right", "diffusion", "test"),
        ("viewpoints", "para", "test"), ("viewpoints", "act", "test"), ("bare", "para", "test"),
    ]  # fmt: skip
    assert AXIS_ORDER.index("position") < AXIS_ORDER.index("view")
    assert family["rows"][0]["title"] == "LEFT_TO_RIGHT" and family["rows"][-1]["axis"] is None


def test_a_row_holds_the_papers_number_and_every_training_seed(made, family):
    para, act, *_ = family["rows"]
    assert (para["paper"], para["paper_source"]) == (0.54, "draft, 54 of 100")
    assert (act["paper"], act["paper_source"]) == (None, None)
    records = [r for r in read_results(made / "left_to_right/results.jsonl") if (r.policy, r.split) == ("act", "test")]
    for seed, of_seed in enumerate(act["by_seed"]):
        placed = sum(r.outcome == "placed" for r in records if r.train_seed == seed)
        assert of_seed == {"train_seed": seed, "placed": placed, "trials": 60, "rate": placed / 60}
    assert act["placed"] == sum(of_seed["placed"] for of_seed in act["by_seed"])
    by_seed = [
        {r.scene_index: r.outcome == "placed" for r in records if r.train_seed == of_seed["train_seed"]}
        for of_seed in act["by_seed"]
    ]
    assert act["seeds_p"] == cochran_q_p([[of[scene] for of in by_seed] for scene in by_seed[0]])


def test_every_comparison_of_headline_policies_is_kept_and_all_are_adjusted_as_one_family(made, family):
    named = [(c["experiment"], c["a"], c["b"], c["split"]) for c in family["comparisons"]]
    assert named == [
        ("left_to_right", "para", "act", "test"), ("left_to_right", "para", "diffusion", "test"),
        ("left_to_right", "act", "diffusion", "test"),  # a second one of the same opponent
        ("viewpoints", "para", "act", "test"),  # no summary there: ours with each of the others
    ]  # fmt: skip
    assert [c["p_holm"] for c in family["comparisons"]] == holm(
        [max(c["p_value"], c["p_cluster"]) for c in family["comparisons"]]
    )
    again = compare(read_results(made / "left_to_right/results.jsonl"), "para", "act", "test")
    assert again.items() <= family["comparisons"][0].items()


def test_success_is_fitted_against_distance_or_angle_and_where_it_cannot_be_it_says_why(made, family):
    curves = {(c["experiment"], c["policy"]): c for c in family["curves"]}
    assert {key[0] for key in curves} == {"left_to_right", "viewpoints"}
    act = curves["left_to_right", "act"]
    assert (act["variable"], act["unit"], act["reason"]) == ("boundary_distance_m", "metres", None)
    assert act["fit"]["half_low"] < 0.05 < act["fit"]["half_high"] and act["fit"]["half_observed"]
    assert act["fit"]["n_trials"] == SEEDS * 80  # the training region at distance 0 is on the curve, validation is not
    seen = curves["viewpoints", "para"]
    assert seen["unit"] == "degrees" and seen["fit"]["separated"] and 20 <= seen["fit"]["half_at"] <= 22.5
    always = curves["left_to_right", "para"]
    assert always["fit"] is None and "no curve to fit" in always["reason"]
    records = [r for r in read_results(made / "viewpoints/results.jsonl") if r.policy == "act"]
    x = [r.scene["view_theta_deg"] for r in records]
    fit = fit_logistic(x, [r.outcome == "placed" for r in records], [r.scene_index for r in records])
    assert curves["viewpoints", "act"]["fit"]["slope_low"] == pytest.approx(fit.slope_low)


DEFAULT, LEFT = [(0.0, 0.0), (0.0, 90.0)], [(0.0, 0.0), (10.0, 0.0), (20.0, 0.0)]
"""Views of demonstrations: the default one alone (untilted, all directions are one), and some on one side."""

SIDES = {"train": LEFT, "right": [(10.0, 180.0), (20.0, 180.0)], "overhead": [(30.0, 0.0)]}
"""Views of each split."""


def seen_from(policy: str = "para", sides=SIDES, **changes) -> list:
    """Three episodes in each view; the policy fails from 15 degrees on, but never in the views of "train"."""
    return [
        record(
            policy, split, seed, i, "placed" if split == "train" or theta < 15 + seed else "missed", **changes,
            scene=Scene((0.01 * seed, 0.1), view_theta_deg=theta, view_phi_deg=phi).to_dict(),
        )
        for split, views in sides.items()
        for i, (theta, phi) in enumerate(views)
        for seed in range(3)
    ]  # fmt: skip


def test_splits_are_fitted_as_one_where_the_variable_tells_how_far_they_are_from_the_demonstrations():
    for demonstrated in (DEFAULT, []):  # [] where a run does not say
        assert fitted_splits(seen_from(), TILT, ["right"], demonstrated) == ["overhead", "right", "train"]
    assert fitted_splits(seen_from(), "boundary_distance_m", ["right"], LEFT) == ["overhead", "right", "train"]


def test_after_demonstrations_from_many_views_only_headline_splits_without_these_views_are_fitted():
    assert fitted_splits(seen_from(), TILT, ["right", "train"], LEFT) == ["right"]
    assert fitted_splits(seen_from(), TILT, ["overhead", "right"], LEFT) == ["overhead", "right"]
    both_ways = {"inner": LEFT[:2], "outer": LEFT[2:]}
    for trained, tried in (("inner", "outer"), ("outer", "inner")):
        splits = fitted_splits(seen_from(sides=both_ways), TILT, ["inner", "outer"], both_ways[trained])
        assert splits == [tried]


def test_the_demonstrated_views_of_a_policy_are_those_of_its_own_set_whatever_its_execution():
    config = {
        "training": {"left": {"views": [[10.0, 0.0]]}, "far": {"views": [[40.0, 0.0]]}, "old": {"xy": []}},
        "data": {"para": "left", "para+far": "far", "act": "old"},
    }
    views = {policy: demonstrated_views(config, policy) for policy in ("para", "para+execute1", "para+far", "act")}
    assert views == {"para": [(10, 0)], "para+execute1": [(10, 0)], "para+far": [(40, 0)], "act": []}
    assert demonstrated_views(config | {"data": {}}, "para") == [(10, 0), (40, 0)]
    assert demonstrated_views({}, "para") == []


def test_a_curve_says_its_splits_and_is_of_their_records_alone(tmp_path):
    records = seen_from(experiment="hemispheres")
    append_records(tmp_path / "hemispheres" / "results.jsonl", records)
    config = {
        "experiment": "hemispheres", "axis": "view", "headline": ["para"], "headline_splits": ["right"],
        "training": {"train": {"views": LEFT}}, "data": {"para": "train"},
    }  # fmt: skip
    write_json(tmp_path / "hemispheres" / "config.json", config)
    (of_one_side,) = summarise_family(tmp_path)["curves"]
    assert of_one_side["splits"] == ["right"]
    fit = fit_records([r for r in records if r.split == "right"], TILT)
    assert (of_one_side["fit"]["n_trials"], of_one_side["fit"]["slope"]) == (6, fit.slope)
    del config["training"]  # as in a run of before views were told
    write_json(tmp_path / "hemispheres" / "config.json", config)
    (of_all,) = summarise_family(tmp_path)["curves"]
    assert of_all["splits"] == ["overhead", "right", "train"] and of_all["fit"]["slope"] > fit.slope


def test_failures_are_counted_for_every_policy_but_not_on_validation_scenes(family):
    counts = family["failures"]["left_to_right"]
    assert set(counts) == {"para", "act", "diffusion", "para+execute1"} and set(counts["act"]) == {"train", "test"}
    assert sum(counts["act"]["test"].values()) == SEEDS * 60
    assert set(counts["act"]["test"]) <= set(family["modes"])


def test_the_power_table_and_the_methods_stand_beside_the_numbers(family):
    assert {"p1": 0.71, "p2": 0.68, "per_arm": 3697}.items() <= family["power"][-1].items()
    assert {"ci", "cluster_ci", "p_value", "p_cluster", "p_holm", "curves", "power"} == set(family["methods"])


def test_an_absent_experiment_takes_nothing_but_itself_away(made, family, tmp_path):
    shutil.copytree(made, tmp_path / "fewer")
    shutil.rmtree(tmp_path / "fewer" / "viewpoints")
    fewer = summarise_family(tmp_path / "fewer")
    assert fewer["rows"] == [row for row in family["rows"] if row["experiment"] != "viewpoints"]
    assert fewer["curves"] == [curve for curve in family["curves"] if curve["experiment"] != "viewpoints"]
    assert len(fewer["comparisons"]) == 3


def test_a_folder_without_runs_is_refused_and_a_damaged_file_is_named(made, tmp_path):
    with pytest.raises(FileNotFoundError, match="no runs under"):
        summarise_family(tmp_path)
    shutil.copytree(made, tmp_path / "damaged")
    (tmp_path / "damaged" / "viewpoints" / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"viewpoints.config\.json is no JSON"):
        summarise_family(tmp_path / "damaged")


def test_episodes_that_raised_are_left_out_of_the_curves(made, family, tmp_path):
    shutil.copytree(made, tmp_path / "raised")
    scene = Scene((0.0, 0.9)).to_dict()
    broken = record("act", "test", 0, 999, None, error="ValueError: boom", scene=scene, boundary_distance_m=0.9)
    append_records(tmp_path / "raised" / "left_to_right" / "results.jsonl", [broken])
    again = summarise_family(tmp_path / "raised")
    assert again["curves"] == family["curves"]
    row = next(row for row in again["rows"] if row["policy"] == "act")
    assert row["errors"] == 1 and row["trials"] == SEEDS * 60


def test_policies_that_were_evaluated_by_themselves_go_by_their_folders(tmp_path):
    for name, placed in (("small", "pmm"), ("large", "ppm")):
        config = {"experiment": "evaluate", "world": "tabletop", "scale": {"name": "single"}}
        write_json(tmp_path / name / "config.json", config)
        append_records(tmp_path / name / "results.jsonl", outcomes("para", placed, split="all"))
    told = summarise_family(tmp_path)
    assert {(row["experiment"], row["split"], row["placed"]) for row in told["rows"]} == {
        ("small", "all", 1), ("large", "all", 2)
    }  # fmt: skip
    assert set(told["failures"]) == {"small", "large"}
