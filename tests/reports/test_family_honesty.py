"""What the page of a family says of its numbers is true: who has learnt the task, what a fit says, what is left out."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from para.evaluation.curves import fit_logistic
from para.evaluation.records import EpisodeRecord
from para.experiments import EXPERIMENTS
from para.interfaces import Scene
from para.reports import build_family_report
from para.reports.family.ablation import keeps_up, shared, who_keeps_up
from para.reports.family.aims import aims
from para.reports.family.choosing import SEEN_BEFORE, how_chosen, shared_trainings
from para.reports.family.curves import half_text, tells, undrawn_text
from para.reports.family.files import in_distribution, read_family, verdict
from para.reports.family.learnt import learnt, learnt_rows
from para.reports.family.made import times
from para.reports.family.maps import places_of
from para.reports.family.traces import BOWL_M, HEIGHT_OF_DRAWING, MARK, TABLE_HEIGHT, WIDTH, trace
from para.reports.family.variants import left_out
from para.reports.family.verdicts import headline
from para.reports.family.views import thin_policies, views_of
from para.reports.figures import distance_label, distance_meaning
from para.reports.pictures import Pictures
from para.reports.run_files import RunFiles, read_run
from para.reports.wording import in_reading_order
from para.worlds import WORLDS
from tests.reports.synthetic_family import scenes_at, synthetic_experiments, views, write_family
from tests.reports.test_page import text_of

ROOT = Path(__file__).parent.parent.parent


def made(name: str, n: int = 6):
    return next(m for m in synthetic_experiments(n) if m.name == name)


def run_of(folder: Path, name: str, **changes) -> RunFiles:
    """The run of one synthetic experiment."""
    write_family(folder, experiments=[replace(made(name), **changes)])
    return read_run(folder / name)


def text(html: str) -> str:
    return text_of(f"<body>{html}</body>")


@pytest.fixture(scope="module")
def unlearnt(tmp_path_factory) -> Path:
    """A family of one run, in whose training split ACT, which fails far away, places next to nothing."""
    far = {"train": scenes_at(12, 0.15, 0.2, 1), "test": scenes_at(12, 0.15, 0.2, 2)}
    changed = replace(made("left_to_right"), policies=("para", "act"), headline=("para", "act"), scenes=far)
    return write_family(tmp_path_factory.mktemp("unlearnt"), experiments=[changed])


def test_a_policy_that_has_not_learnt_the_task_is_not_counted_as_beaten(unlearnt):
    family = read_family(unlearnt)
    (comparison,) = family.numbers["comparisons"]
    assert comparison["p_holm"] < 0.05 and verdict(family, comparison) == "unlearnt"
    short, full = headline(family)
    assert "no baseline that has learnt the task" in short and "left out: 1 more" in full
    said = text_of(build_family_report(unlearnt).read_text())
    row = in_distribution(family.run("left_to_right"), "act")
    assert f"task not learnt {row['placed']}/{row['trials']} in distribution" in said and "ours ahead" not in said


def test_who_has_not_learnt_the_task_stands_with_its_recipe_and_its_steps(unlearnt):
    said = text(learnt(read_family(unlearnt), Pictures()))
    assert "1 of 2 reach 90%" in said and "not learnt" in said and "why act" in said and "36 demonstrations" not in said
    path = unlearnt / "left_to_right" / "config.json"
    config = json.loads(path.read_text())
    told = {"data": {"act": "demonstrations"}, "train_steps": {"act": 3200}}
    path.write_text(json.dumps(config | told))
    assert "36 demonstrations, 3,200 steps" in text(learnt(read_family(unlearnt), Pictures()))


def test_in_distribution_is_the_split_named_like_a_policys_demonstrations(tmp_path):
    sides = {"inner": scenes_at(2, -0.3, -0.1, 1), "outer": scenes_at(2, -0.3, -0.1, 2)}
    data = {"para": "inner", "act": "outer", "diffusion": "elsewhere"}
    run = run_of(tmp_path, "viewpoints", scenes=sides, headline_splits=("outer",), extra={"data": data})
    assert in_distribution(run, "para")["split"] == "inner"
    assert in_distribution(run, "act+execute1") is None and in_distribution(run, "act")["split"] == "outer"
    assert in_distribution(run, "diffusion") is None


def test_a_perturbed_policy_is_no_training_of_its_own(tmp_path):
    recipes = {"recipes": {"para": "why", "act": "why"}, **made("calibration_error").extra}
    run = run_of(tmp_path, "calibration_error", scenes={"train": scenes_at(2, -0.3, -0.1, 1)}, extra=recipes)
    assert [row["policy"] for row in learnt_rows(run)] == ["para", "act"]


def test_every_policy_of_a_run_is_in_the_table_in_a_sweep_or_among_the_variants(tmp_path):
    run = run_of(tmp_path, "left_to_right", policies=("para", "act", "para+few", "para+execute1", "soft_argmax"))
    assert left_out(run) == ["para+few", "soft_argmax"]
    assert left_out(run_of(tmp_path, "calibration_error")) == []


def test_exceptions_from_choosing_on_validation_scenes_are_those_that_the_method_tells_of(unlearnt):
    method, pretraining = (
        " ".join((ROOT / "docs" / name).read_text().split()) for name in ("method.md", "pretraining.md")
    )
    for told in ("on the very scenes", "were added when the first had been seen"):
        assert told in pretraining  # of `track_pretraining`, and of `track_pretraining_apart`
    libero = (ROOT / "docs" / "libero.md").read_text()
    assert all(set(of_world) <= set(EXPERIMENTS) for of_world in SEEN_BEFORE.values())
    assert all(f"`{name}`" in libero for name in SEEN_BEFORE["libero"])
    assert all(
        f"`{name}`" in method
        for name in SEEN_BEFORE["tabletop"]
        if name != "distractors" and not name.startswith("track_pretraining")
    )
    family = read_family(unlearnt)
    assert "exceptions" not in how_chosen(family)
    changed = replace(
        family, runs=[replace(run, summary={**run.summary, "experiment": "hemispheres"}) for run in family.runs]
    )
    said = how_chosen(changed)
    assert SEEN_BEFORE["tabletop"]["hemispheres"] in said and SEEN_BEFORE["tabletop"]["inner_outer"] not in said


def test_what_was_seen_before_is_told_of_the_world_in_which_it_was(unlearnt):
    family = read_family(unlearnt)
    runs = [
        replace(run, summary={**run.summary, "experiment": "left_to_right"}, config={**run.config, "world": "libero"})
        for run in family.runs
    ]
    said = how_chosen(replace(family, runs=runs))
    assert SEEN_BEFORE["libero"]["left_to_right"] in said and SEEN_BEFORE["tabletop"]["left_to_right"] not in said


def test_experiments_that_tried_the_same_weights_are_named_together(tmp_path):
    folder = write_family(tmp_path, experiments=[made("left_to_right"), made("distractors")])
    seeds = set()
    for name in ("left_to_right", "distractors"):
        path = folder / name / "results.jsonl"
        records = [json.loads(line) for line in path.read_text().splitlines()]
        for record in records:
            whose = "both" if record["policy"] == "para" else name
            record["checkpoint"] = f"{whose} {record['policy']} {record['train_seed']}"
            seeds.add(record["train_seed"])
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    said = re.sub("<[^>]*>", "", shared_trainings(read_family(folder)))
    assert f"PARA, {len(seeds)} training" in said and "left_to_right, distractors" in said and "ACT" not in said


def test_an_aim_that_was_missed_is_said_and_what_its_variants_reach_in_the_same_views_stands_below(tmp_path):
    policies = ("para", "para+home_view")
    folder = write_family(tmp_path, experiments=[replace(made("viewpoints"), policies=policies, headline=policies)])
    path = folder / "viewpoints" / "results.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:  # PARA misses beyond the cap alone; its variant never does
        beyond = record["split"] == "beyond" and record["policy"] == "para"
        record["outcome"] = "missed" if beyond else "placed"
    path.write_text("\n".join(map(json.dumps, records)) + "\n")
    (folder / "viewpoints" / "summary.json").unlink()  # no longer of these records
    tilts = {record["scene"]["view_theta_deg"] for record in records if record["split"] == "beyond"} & {32.0, 40.0}
    said = text_of(f"<body>{aims(read_family(folder), Pictures())}")
    assert tilts and said.count("%, not reached") == len(tilts)
    assert (
        said.count("° PARA, home view 100%") == len(tilts) and "viewpoints, out of distribution PARA 97% 100%" in said
    )
    assert aims(read_family(write_family(tmp_path / "other", experiments=[made("window")])), Pictures()) is None


@pytest.mark.parametrize("weights", ["its own", "those of viewpoints"])
def test_variants_of_another_experiment_stand_below_that_experiments_own_trainings_of_para(tmp_path, weights):
    policies = ("para", "para+factorised")
    other = replace(made("viewpoints"), name="formulation", policies=policies, headline=policies)
    folder = write_family(tmp_path, experiments=[made("viewpoints"), other])
    if weights == "its own":
        path = folder / "formulation" / "results.jsonl"
        path.write_text(path.read_text().replace('"checkpoint": "0123456789ab"', '"checkpoint": "ba9876543210"'))
    said = text_of(f"<body>{aims(read_family(folder), Pictures())}")
    where = "formulation, beyond the paper's cap, 40° PARA"
    assert said.count(f"{where}, factorised") == 1
    assert len(re.findall(f"{where} [0-9]", said)) == (weights == "its own")


def steep(half: float, low: float = 0.0, high: float = 40.0):
    """A well-told curve over a range, that falls to one half somewhere."""
    x = np.repeat(np.linspace(low, high, 41), 8)
    rate = 1 / (1 + np.exp((x - half) / 3))
    return fit_logistic(x, np.random.default_rng(0).random(len(x)) < rate)


def test_a_half_point_is_printed_only_where_it_and_its_interval_lie_within_what_was_tried():
    assert re.match(r"one half at 1\d\.?\d?° \(95% interval", half_text(steep(15), "°"))
    beyond = replace(steep(15), half_at=-4.9, half_low=-9.0, half_high=-1.0)
    assert "does not pass one half within what was tried, 0 to 40°" in half_text(beyond, "°")
    vague = replace(steep(15), half_at=0.134, half_low=-20.8, half_high=2.2)
    assert "does not tell where, or whether" in half_text(vague, "°")
    for fit in (beyond, vague):
        assert "one half at" not in half_text(fit, "°")
    assert "not adjusted" in half_text(steep(15), "°")


def test_of_separated_data_the_gap_is_printed_and_no_half_point():
    x = np.repeat([0.0, 4.0, 9.0], 20)
    said = half_text(fit_logistic(x, x < 2), " cm")
    assert said.startswith("one half somewhere between 0 cm and 4 cm") and "one half at" not in said
    touching = fit_logistic([0, 1, 2, 2, 3, 4] * 8, [1, 1, 1, 0, 0, 0] * 8)
    assert (touching.gap_low, touching.gap_high) == pytest.approx((2, 2))
    assert half_text(touching, "°").startswith("one half at 2°: all episodes below")


def test_a_fit_whose_band_fills_the_plot_is_not_drawn_and_the_caption_says_so():
    fit = steep(15)
    vague = replace(fit, covariance=((900.0, 0.0), (0.0, 900.0)))
    assert tells(fit) and not tells(vague) and not tells(None)
    said = text(undrawn_text({"para": fit, "act": vague, "diffusion": None}))
    assert "No line for Diffusion (nothing to fit" in said and "ACT (the band" in said and "PARA" not in said
    assert undrawn_text({"para": fit}) == ""


def test_a_distance_is_labelled_as_what_it_was_measured_from(tmp_path):
    run = run_of(tmp_path, "left_to_right")
    assert "region" in distance_label(run) and "0 cm: within it" in distance_meaning(run)
    nearest = [
        replace(r, boundary_distance_m=float(np.linalg.norm(run.training_xy - r.scene["object_xy"], axis=-1).min()))
        for r in run.records
    ]
    run = replace(run, records=nearest)
    assert "nearest demonstrated position" in distance_label(run) and "region" not in distance_meaning(run)


def test_a_control_beyond_the_cap_alone_is_shown_by_tilt(tmp_path):
    beyond = {"beyond": views([32.0, 40.0], 1)}
    changes = {
        "axis": "control",
        "scenes": beyond,
        "headline_splits": ("beyond",),
        "policies": ("para", "act"),
        "headline": ("para", "act"),
        "extra": {},
    }
    write_family(tmp_path, experiments=[replace(made("viewpoints"), **changes)])
    family = read_family(tmp_path)
    said = text(views_of(family, family.run("viewpoints"), Pictures()))
    assert "32° " in said and "40° " in said and "mean of the tilts" not in said


def test_of_many_policies_variants_are_drawn_thin(tmp_path):
    few, many = ("para", "act", "act+long"), ("para", "act", "motion_tracks", "diffusion", "act+long", "para+long")
    for names, thin in ((few, []), (many, ["act+long", "para+long"])):
        run = run_of(tmp_path / str(len(names)), "left_to_right", policies=names, headline=names)
        assert thin_policies(run) == thin


def test_who_keeps_up_is_told_from_pairs_and_what_they_share_from_their_factors(tmp_path):
    run = run_of(tmp_path, "left_to_right", policies=("para", "act"))
    copies = [replace(r, policy="soft_argmax") for r in run.records if r.policy == "para"]
    failing = [replace(r, policy="diffusion", outcome="missed") for r in run.records if r.policy == "para"]
    run = replace(run, records=[*run.records, *copies, *failing])
    assert keeps_up(run, "para", "soft_argmax", "test") and not keeps_up(run, "para", "diffusion", "test")
    factors = {"para": {"head": "map"}, "soft_argmax": {"head": "pixel"}, "diffusion": {"head": "vector"}}
    said = text(who_keeps_up(run, factors, ["test"]))
    assert "Out of distribution: Soft-argmax. Shared with PARA, and not by all: head: map or pixel." in said
    assert shared([{"head": "map"}], [{"head": "map"}]) == ""


def test_who_has_not_learnt_the_task_says_nothing_of_its_factors(tmp_path):
    run = run_of(tmp_path, "left_to_right", policies=("para", "act"))
    rows = [
        row | {"rate": 0.25} if (row["policy"], row["split"]) == ("act", "train") else row
        for row in run.summary["rows"]
    ]
    run = replace(run, summary=run.summary | {"rows": rows})
    factors = {"para": {"head": "map"}, "act": {"head": "vector"}}
    said = text(who_keeps_up(run, factors, ["test"]))
    assert "Left out: ACT. In scenes like" in said and "Out of distribution: none of the others." in said
    nobody = replace(run, summary=run.summary | {"rows": [row | {"rate": 0.25} for row in rows]})
    said = text(who_keeps_up(nobody, factors, ["test"]))
    assert said.strip().startswith("Left out: PARA, ACT. In scenes like") and "Who is not behind" not in said


def record(**changes) -> EpisodeRecord:
    values = {"world": "w", "scene": Scene((0.1, 0.2)).to_dict(), "scene_index": 0, "train_seed": 0} | changes
    return EpisodeRecord(
        experiment="e", policy="para", split="test", outcome="missed", steps=1, seconds=1.0, checkpoint="x", **values
    )


def test_no_two_marks_of_a_map_hide_each_other_and_together_they_stand_about_their_position():
    places = places_of([record(scene_index=i, train_seed=seed) for i in range(6) for seed in range(3)])
    assert len({tuple(place) for place in places.round(6)}) == 18
    np.testing.assert_allclose((places.min(axis=0) + places.max(axis=0)) / 2, [10, 20])
    np.testing.assert_allclose(places_of([record()]), [[10, 20]])


def test_marks_of_a_trace_stay_inside_its_drawing():
    outside = [[0.0, 0.0, 0.2], [0.9, 0.9, 0.2]]
    drawn = trace(record(world="tabletop", ee_path=outside, gripper_events=[[3, 0, 0.9, -0.9, 0.1]]), "position")
    marks = re.findall(r'd="M([\d.-]+) ([\d.-]+)l-4.5', drawn) + re.findall(
        r'cx="([\d.-]+)" cy="([\d.-]+)" r="3.2"', drawn
    )
    assert len(marks) == 3
    for u, v in marks:
        assert MARK <= float(u) <= WIDTH - MARK and 0 <= float(v) <= HEIGHT_OF_DRAWING


@pytest.mark.parametrize("world", [*WORLDS, "another"])
def test_all_places_of_a_worlds_task_are_drawn_within_its_traces_and_to_one_scale(world):
    low, high = WORLDS.get(world, WORLDS["tabletop"]).workspace.independent_region()
    path = [[*low, 0.2], [*high, 0.1]]
    drawn = trace(record(world=world, scene=Scene(low).to_dict(), goal_xy=list(high), ee_path=path), "position")
    plate, bowl = (np.array(c, float) for c in re.findall(r'cx="([\d.-]+)" cy="([\d.-]+)" r="([\d.]+)"', drawn)[:2])
    for u, v, radius in (plate, bowl):
        assert radius <= u <= WIDTH - radius and radius <= v <= TABLE_HEIGHT - radius
    down, right = np.subtract(high, low) * bowl[2] / BOWL_M
    np.testing.assert_allclose((plate - bowl)[:2], [right, down], rtol=0.01)  # pixels are written with a decimal


def test_the_time_of_training_is_that_of_all_trainings_where_a_run_tells_them(tmp_path):
    run = run_of(tmp_path, "left_to_right")
    assert "train 7 min" in times(run) and "only what the last command" in times(run)
    rows = [
        {"policy": p, "train_seed": s, "checkpoint": f"{p}{s}", "seconds": 600.0}
        for p in ("para", "act")
        for s in (0, 1)
    ]
    told = replace(run, trainings=[*rows, {**rows[0], "policy": "para+gate"}])
    assert "train 40 min" in times(told) and "4 trainings, of some policies alone" in times(told)
    assert "all 4 trainings" in times(replace(told, summary={**run.summary, "rows": run.rows("para")}))


def test_numbers_in_names_rise():
    assert in_reading_order(["act+n16", "act+n8", "para+n4", "act"]) == ["para+n4", "act", "act+n8", "act+n16"]
