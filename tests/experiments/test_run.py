"""A run from recording to page, in a world without physics and in this process: what it leaves behind, and again."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from para.evaluation.results import read_results
from para.experiments import EXPERIMENTS
from para.experiments.plan import describe_plan
from para.experiments.recipes import trained_longer
from para.experiments.run import RunOptions, check_runs, plan_run, run_experiment
from para.experiments.run_config import differences, pick_recipes
from para.experiments.scale import SCALES, pick_scale
from para.experiments.summaries import summarise_run
from para.experiments.training_jobs import train_config
from para.files import write_json
from para.interfaces import Scene
from para.reports import build_report
from tests import sized_world

TINY = SCALES["tiny"]
POLICIES = ("para", "act")

SUMMARY_ROW = "policy split train_seeds trials placed grasped missed errors rate ci_low ci_high paper paper_source"
COMPARISON = "a b split difference ci_low ci_high p_value method"
PREDICTIONS = {
    "image": (64, 64, 3), "uv": (12, 2), "position": (12, 3), "gripper": (12,), "demonstrated_uv": (12, 2),
    "demonstrated_position": (12, 3), "ee_uv": (2,), "K": (3, 3), "T_world_cam": (4, 4), "meta": (),
}  # fmt: skip
HEATMAPS = {"heatmaps": (12, 16, 16), "height_probs": (12, 16)}


def options(out: Path, **changes) -> RunOptions:
    defaults = {"world": "fake", "scale": "tiny", "recipes": POLICIES, "workers": 0}
    return RunOptions("left_to_right", out, **defaults | changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A finished run with its page."""
    out = tmp_path_factory.mktemp("experiments") / "run"
    with pytest.MonkeyPatch.context() as patch:
        sized_world.register(patch)
        run_experiment(options(out))
    build_report(out)
    return out


@pytest.fixture
def fake(monkeypatch):
    sized_world.register(monkeypatch)


def load(path: Path):
    return json.loads(path.read_text())


def times_of_change(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_run_leaves_every_file_of_the_architecture(folder):
    for name in ("demonstrations/meta/info.json", "demonstrations_heldout/meta/info.json", "results.jsonl"):
        assert (folder / name).is_file()
    for policy in POLICIES:
        checkpoint = folder / "checkpoints" / policy / "seed0"
        for name in ("config.json", "model.safetensors", "log.jsonl"):
            assert (checkpoint / name).is_file()
        assert (checkpoint / "snapshots" / f"step_{TINY.early_snapshot:06d}" / "model.safetensors").is_file()
        assert not (checkpoint / "training_state").exists()
        assert len(list((folder / "videos" / policy).glob("t*_000.mp4"))) == 2
    assert (folder / "report.html").stat().st_size > 10_000 and any((folder / "figures").iterdir())
    assert not [path for path in folder.rglob("*") if path.name.endswith((".tmp", ".partial"))]


def test_config_says_everything_needed_to_repeat_the_run(folder):
    config = load(folder / "config.json")
    for name in ("experiment", "world", "scale", "policies", "execute", "train_seeds", "command", "versions"):
        assert config[name], name
    assert len(config["data_hash"]["demonstrations"]) == 64
    assert config["learning_rates"] == {
        recipe.name: TINY.lr * recipe.lr_scale
        for recipe in EXPERIMENTS["left_to_right"].recipes
        if recipe.name in POLICIES
    }
    assert config["scale"]["train_steps"] == TINY.train_steps and {"torch", "para", "python"} <= set(config["versions"])


def test_a_policy_trains_at_its_own_learning_rate(tmp_path):
    plan = plan_run(RunOptions("left_to_right", tmp_path, scale="tiny"))
    of_recipe = {job.name: job.training.optim.lr for job in plan.jobs}
    assert of_recipe == {recipe.name: TINY.lr * recipe.lr_scale for recipe in plan.recipes}
    slower = replace(plan.recipes[0], lr_scale=0.5)
    assert plan.store.shared is None
    shared = replace(plan.store, shared=tmp_path)
    folders = {
        shared.checkpoint(recipe, recipe.config(plan.scale), train_config(plan.scale, recipe, 0), "data", 0)
        for recipe in (plan.recipes[0], slower)
    }
    assert len(folders) == 2


def test_a_policy_may_train_for_longer_than_the_others_and_is_then_another_in_its_folder(tmp_path):
    plan = plan_run(RunOptions("left_to_right", tmp_path, scale="tiny", shared=tmp_path / "shared"))
    longer = replace(plan.recipes[0], training=lambda scale, usual: replace(usual, steps=2 * usual.steps))
    assert train_config(TINY, longer, 0).steps == 2 * TINY.train_steps
    assert plan.checkpoint(longer, 0) != plan.checkpoint(plan.recipes[0], 0)


def test_there_is_one_record_per_policy_execution_and_scene_and_its_fields_are_the_documented_ones(folder):
    records = read_results(folder / "results.jsonl")
    executions = [recipe.name + s for recipe in EXPERIMENTS["left_to_right"].recipes[:2] for s in recipe.executions]
    n_scenes = TINY.n_in_distribution + TINY.n_test
    assert sorted({r.policy for r in records}) == sorted(executions) and len(records) == len(executions) * n_scenes
    for record in records:
        assert record.error is None and record.experiment == "left_to_right" and record.world == "fake"
        assert (record.boundary_distance_m > 0) == (record.split == "test")
        assert len(record.checkpoint) == 12 and record.ee_path
        assert record.video is None or (folder / record.video).is_file()
    assert {"policy", "scene", "outcome", "steps", "seconds", "error"} <= set(records[0].to_dict())


def test_every_policy_meets_the_same_scenes(folder):
    scenes: dict[str, list] = {}
    for record in read_results(folder / "results.jsonl"):
        scenes.setdefault(record.policy, []).append((record.split, record.scene_index, Scene.from_dict(record.scene)))
    assert len({tuple(sorted(met, key=str)) for met in scenes.values()}) == 1


def test_the_summary_has_the_documented_rows_and_follows_from_the_records_alone(folder):
    summary = load(folder / "summary.json")
    assert set(summary) == {"experiment", "world", "scale", "rows", "comparisons", "paper", "seconds"}
    assert set(SUMMARY_ROW.split()) <= set(summary["rows"][0])
    assert set(COMPARISON.split()) <= set(summary["comparisons"][0])
    assert {"record", "train", "evaluate"} <= set(summary["seconds"])
    assert all(row["trials"] in (TINY.n_in_distribution, TINY.n_test) for row in summary["rows"])
    by_name = {(row["policy"], row["split"]): row for row in summary["rows"]}
    assert by_name["para", "test"]["paper"] == 0.54 and by_name["para", "train"]["paper"] is None
    (folder / "summary.json").unlink()
    assert summarise_run(folder) == summary == load(folder / "summary.json")


def test_a_policy_that_trains_for_longer_runs_to_its_end_without_an_early_picture(fake, tmp_path):
    long = trained_longer(pick_recipes(EXPERIMENTS["left_to_right"], SCALES["tiny"], ("para",))[0], 2)
    changed = replace(EXPERIMENTS["left_to_right"], recipes=(replace(long, name="para+long"),), comparisons=())
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EXPERIMENTS, "left_to_right", changed)
        summary = run_experiment(options(tmp_path / "run", recipes=()))
    assert {row["policy"] for row in summary["rows"]} == {"para+long"}
    assert load(tmp_path / "run" / "config.json")["trainings"]["para+long"]["steps"] == 2 * TINY.train_steps
    shown = {path.stem for path in (tmp_path / "run" / "predictions" / "para+long").glob("*.npz")}
    assert shown and not shown & {"early", "late"}


@pytest.mark.parametrize("policy", POLICIES)
def test_predictions_are_arrays_of_the_documented_shapes(folder, policy):
    expected = PREDICTIONS | (HEATMAPS if policy == "para" else {})
    files = sorted((folder / "predictions" / policy).glob("*.npz"))
    kinds = set()
    for path in files:
        with np.load(path, allow_pickle=False) as arrays:
            assert {name: arrays[name].shape for name in arrays.files} == expected
            assert all(np.isfinite(arrays[name]).all() for name in arrays.files if name != "meta")
            meta = json.loads(str(arrays["meta"]))
        kinds.add(meta["kind"])
        assert {"title", "kind", "policy", "step", "checkpoint", "scene"} <= set(meta)
        assert meta["step"] == (TINY.early_snapshot if meta["kind"] == "early" else TINY.train_steps)
    assert kinds == {"train", "test", "early", "late"}


def test_predictions_of_other_weights_are_made_anew_and_others_are_kept(folder, fake, tmp_path):
    out = Path(shutil.copytree(folder, tmp_path / "run"))
    first, second, damaged = sorted((out / "predictions" / "para").glob("*.npz"))[:3]
    with np.load(first) as arrays:
        held = dict(arrays)
    other = json.loads(str(held["meta"])) | {"checkpoint": "0" * 12}
    np.savez_compressed(first, **held | {"meta": np.array(json.dumps(other)), "uv": np.zeros_like(held["uv"])})
    damaged.write_bytes(damaged.read_bytes()[:100])
    before = second.stat().st_mtime_ns
    run_experiment(options(out))
    with np.load(first) as arrays:
        assert all(np.array_equal(arrays[name], held[name]) for name in held)
    with np.load(damaged) as arrays:
        assert set(arrays.files) == set(held)
    assert second.stat().st_mtime_ns == before


def test_what_each_training_came_to_is_a_table_that_outlives_its_checkpoint(folder, fake, tmp_path):
    rows = load(folder / "trainings.json")["rows"]
    assert [(row["policy"], row["train_seed"], row["steps"]) for row in rows] == [
        (policy, 0, TINY.train_steps) for policy in sorted(POLICIES)
    ]
    for row in rows:
        lines = (folder / "checkpoints" / row["policy"] / "seed0" / "log.jsonl").read_text().splitlines()
        last = [line for line in map(json.loads, lines) if line["split"] == "heldout"][-1]
        assert row["error_mm"] == pytest.approx(last["error_mm"], abs=0.006) and row["seconds"] > 0
        assert row["precision"] == load(folder / "config.json")["versions"]["precision"]
        assert (row["pixel_error_px"] is None) == ("pixel_error_px" not in last) == (row["policy"] == "act")
    assert {row["checkpoint"] for row in rows} == {r.checkpoint for r in read_results(folder / "results.jsonl")}
    moved = Path(shutil.copytree(folder, tmp_path / "run"))
    shutil.rmtree(moved / "checkpoints" / "act")
    run_experiment(options(moved, recipes=("para",)))
    assert load(moved / "trainings.json")["rows"] == rows


def test_what_is_trained_anew_beside_recorded_episodes_of_other_weights_has_no_row(folder, fake, tmp_path):
    moved = Path(shutil.copytree(folder, tmp_path / "run"))
    path = moved / "results.jsonl"
    of_act = {r.checkpoint for r in read_results(path) if r.policy == "act"}
    path.write_text(path.read_text().replace(of_act.pop(), "0" * 12))
    rows = load(moved / "trainings.json")["rows"]
    run_experiment(options(moved, recipes=("para",)))
    assert {row["policy"] for row in load(moved / "trainings.json")["rows"]} == {row["policy"] for row in rows} - {
        "act"
    }


def test_a_second_run_reuses_everything_and_says_so(folder, fake, caplog):
    before = times_of_change(folder)
    with caplog.at_level(logging.INFO, logger="para"):
        summary = run_experiment(options(folder))
    assert summary == load(folder / "summary.json")
    changed = {name for name, time in times_of_change(folder).items() if before.get(name) != time}
    rewritten = {"config.json", "summary.json", "trainings.json"}
    assert {n for n in changed if not n.endswith(".lock")} <= rewritten
    assert "evaluated 0 episodes" in caplog.text and "already trained" in caplog.text
    assert "demonstrations: 0 recorded" in caplog.text


def test_a_further_training_seed_adds_to_what_is_there(folder, fake, tmp_path):
    folder = Path(shutil.copytree(folder, tmp_path / "run"))
    before = read_results(folder / "results.jsonl")
    weights = (folder / "checkpoints/act/seed0/model.safetensors").stat().st_mtime_ns
    summary = run_experiment(options(folder, train_seeds=2, recipes=("act",)))
    records = read_results(folder / "results.jsonl")
    assert records[: len(before)] == before
    assert {(r.policy.split("+")[0], r.train_seed) for r in records[len(before) :]} == {("act", 1)}
    assert (folder / "checkpoints/act/seed0/model.safetensors").stat().st_mtime_ns == weights
    seeds = {row["policy"]: row["train_seeds"] for row in summary["rows"]}
    assert seeds["act"] == [0, 1] and seeds["para"] == [0]


def test_later_seeds_alone_add_to_anothers_records_without_its_checkpoints(folder, fake, tmp_path):
    folder = Path(shutil.copytree(folder, tmp_path / "run"))
    before, rows = read_results(folder / "results.jsonl"), load(folder / "trainings.json")["rows"]
    shutil.rmtree(folder / "checkpoints")
    later = options(folder, train_seeds=2, first_seed=1)
    told = describe_plan([later], estimate=False)
    assert "2 trainings" in told and ", seed 1." in told
    summary = run_experiment(later)
    records = read_results(folder / "results.jsonl")
    assert records[: len(before)] == before and len(records) == 2 * len(before)
    assert {r.train_seed for r in records[len(before) :]} == {1} and load(folder / "config.json")["train_seeds"] == 2
    assert all(row["train_seeds"] == [0, 1] for row in summary["rows"])
    after = load(folder / "trainings.json")["rows"]
    assert [row for row in after if row["train_seed"] == 0] == rows and len(after) == 2 * len(rows)
    assert {path.name for path in folder.glob("checkpoints/*/seed?")} == {"seed1"}


def with_other_weights(folder: Path, policy: str) -> None:
    weights = folder / f"checkpoints/{policy}/seed0/model.safetensors"
    save_file({name: tensor + 1 for name, tensor in load_file(weights).items()}, weights)


def test_records_of_a_policy_that_was_trained_anew_elsewhere_stay_as_they_are(folder, fake, tmp_path):
    folder = Path(shutil.copytree(folder, tmp_path / "run"))
    before = (folder / "results.jsonl").read_bytes()
    shutil.rmtree(folder / "predictions")
    with_other_weights(folder, "para")  # as another experiment does, with which it shares them
    check_runs([options(folder)])
    said = describe_plan([options(folder)], estimate=False)
    assert "not trained again though the weights of their records are not here: para" in said
    run_experiment(options(folder))
    assert (folder / "results.jsonl").read_bytes() == before
    pictured = {path.name.split("_")[0] for path in (folder / "predictions").iterdir()}
    assert pictured == {"act"}, "nothing that the other weights predict stands beside these records"


def test_a_part_of_the_episodes_of_other_weights_is_met_before_anything_is_trained(folder, fake, tmp_path):
    folder = Path(shutil.copytree(folder, tmp_path / "run"))
    lines = (folder / "results.jsonl").read_text().splitlines()
    lost = next(i for i, line in enumerate(lines) if json.loads(line)["policy"] == "para")
    (folder / "results.jsonl").write_text("".join(line + "\n" for line in lines[:lost] + lines[lost + 1 :]))
    more = options(folder, train_seeds=2)
    check_runs([more])
    with_other_weights(folder, "para")
    for run in (lambda: check_runs([more]), lambda: run_experiment(options(folder))):
        with pytest.raises(ValueError, match="a record of para .* made with weights .*, now "):
            run()
    check_runs([options(folder, recipes=("act",), train_seeds=2)])
    check_runs([options(folder, first_seed=1, train_seeds=2)])


def test_episodes_that_raised_are_run_again_whatever_their_weights_were(folder, fake, tmp_path):
    folder = Path(shutil.copytree(folder, tmp_path / "run"))
    lines = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    raised = {"outcome": None, "error": "RuntimeError: no picture"}
    lines = [line | raised if line["policy"].split("+")[0] == "para" else line for line in lines][:-1]
    (folder / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with_other_weights(folder, "para")
    (folder / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[1:]))
    check_runs([options(folder)])
    run_experiment(options(folder))
    assert all(record.error is None for record in read_results(folder / "results.jsonl"))


def test_what_is_recorded_is_not_trained_again_where_its_weights_are_not_here(folder, fake, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    copy = tmp_path / "run"
    copy.mkdir()
    for name in ("config.json", "results.jsonl", "trainings.json"):
        shutil.copy(folder / name, copy / name)
    before, rows = (copy / "results.jsonl").read_bytes(), load(copy / "trainings.json")
    told = describe_plan([options(copy)], estimate=False)
    assert "0 demonstrations, 0 trainings, 0 episodes" in told and "not trained again" in told
    summary = run_experiment(options(copy))
    assert summary["rows"] == load(folder / "summary.json")["rows"]
    assert (copy / "results.jsonl").read_bytes() == before and load(copy / "trainings.json") == rows
    assert not (copy / "checkpoints").exists() and not (copy / "demonstrations").exists()
    assert "2 trainings are recorded, the weights of these records are not here" in caplog.text


def test_an_episode_that_raised_stays_one_where_its_weights_are_not_here(folder, fake, tmp_path):
    copy = tmp_path / "run"
    copy.mkdir()
    shutil.copy(folder / "config.json", copy / "config.json")
    *lines, last = (folder / "results.jsonl").read_text().splitlines()
    raised = json.loads(last) | {"outcome": None, "error": "TimeoutError: it took too long"}
    (copy / "results.jsonl").write_text("\n".join([*lines, json.dumps(raised)]) + "\n")
    assert "0 trainings, 0 episodes" in describe_plan([options(copy)], estimate=False)
    run_experiment(options(copy))
    assert sum(record.error is not None for record in read_results(copy / "results.jsonl")) == 1


@pytest.mark.parametrize("lost", ["an episode", "the recipe"])
def test_a_training_is_done_again_where_not_all_is_recorded_of_what_it_is_today(folder, fake, tmp_path, lost):
    copy = tmp_path / "run"
    copy.mkdir()
    shutil.copy(folder / "config.json", copy / "config.json")
    lines = (folder / "results.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["policy"].startswith("act")
    if lost == "the recipe":
        config = load(copy / "config.json")
        config["policies"]["act"]["use_state"] = not config["policies"]["act"]["use_state"]
        write_json(copy / "config.json", config)
    else:
        lines.pop()
    (copy / "results.jsonl").write_text("\n".join(lines) + "\n")
    assert plan_run(options(copy)).recorded == {("para", 0)}


def test_a_further_policy_joins_anothers_records_and_what_it_starts_from_is_trained(folder, fake, tmp_path):
    copy = tmp_path / "run"
    copy.mkdir()
    for name in ("config.json", "results.jsonl", "trainings.json"):
        shutil.copy(folder / name, copy / name)
    before = read_results(copy / "results.jsonl")
    run_experiment(options(copy, recipes=(*POLICIES, "para+no_warps")))
    records = read_results(copy / "results.jsonl")
    assert records[: len(before)] == before
    assert {record.policy for record in records[len(before) :]} == {"para+no_warps"}
    assert {path.name for path in (copy / "checkpoints").iterdir()} == {"para+no_warps"}
    plan = plan_run(options(copy, recipes=POLICIES))
    later = replace(pick_recipes(plan.experiment, plan.scale, ("para",))[0], name="para+later", start=plan.recipes[0])
    assert plan.jobs == [] and plan.trained_sets == {}
    with_later = replace(plan, recipes=[*plan.recipes, later])
    assert [[job.name for job in wave] for wave in with_later.waves] == [["para"], ["para+later"]]


OTHER_BITS = {"data_hash": {"demonstrations": "0" * 64}}


def other_frames(config):
    summary = config["data_summary"]["demonstrations"]
    return OTHER_BITS | {"data_summary": {"demonstrations": summary | {"frames": 2 * summary["frames"]}}}


@pytest.mark.parametrize("named", [(*POLICIES, "para+no_warps"), ("para+no_warps",)])
def test_a_further_policy_is_not_trained_on_other_demonstrations_than_those_of_the_records(
    folder, fake, tmp_path, named
):
    copy = tmp_path / "run"
    copy.mkdir()
    shutil.copy(folder / "results.jsonl", copy / "results.jsonl")
    config = load(folder / "config.json")
    write_json(copy / "config.json", config | other_frames(config))
    with pytest.raises(ValueError, match="there are records of other demonstrations .'demonstrations': "):
        run_experiment(options(copy, recipes=named))


def test_later_seeds_are_not_added_to_records_of_other_demonstrations(folder, fake, tmp_path):
    folder = Path(shutil.copytree(folder, tmp_path / "run"))
    config = load(folder / "config.json")
    write_json(folder / "config.json", config | other_frames(config))
    before = times_of_change(folder / "checkpoints")
    with pytest.raises(ValueError, match="there are records of other demonstrations .'demonstrations': "):
        run_experiment(options(folder, train_seeds=2, first_seed=1))
    assert times_of_change(folder / "checkpoints") == before


@pytest.mark.parametrize("summarised", [True, False], ids=["summarised", "before summaries were recorded"])
def test_later_seeds_join_records_of_demonstrations_that_another_processor_made_of_the_same_scenes(
    folder, fake, tmp_path, summarised
):
    folder = Path(shutil.copytree(folder, tmp_path / "run"))
    config = load(folder / "config.json")
    here = config["data_hash"]["demonstrations"]
    told = config | OTHER_BITS
    if not summarised:
        del told["data_summary"]
    write_json(folder / "config.json", told)
    before = read_results(folder / "results.jsonl")
    run_experiment(options(folder, train_seeds=2, first_seed=1))
    records, joined = read_results(folder / "results.jsonl"), load(folder / "config.json")
    assert {record.train_seed for record in records} == {0, 1} and [r for r in records if r.train_seed == 0] == before
    assert joined["data_hash"]["demonstrations"] == here
    assert joined["earlier_data_hash"] == {"demonstrations": ["0" * 64]} and "data_summary" in joined


def test_records_of_other_scenes_are_refused_and_stay_as_they_are(folder, fake, tmp_path):
    folder = Path(shutil.copytree(folder, tmp_path / "run"))
    config = load(folder / "config.json")
    scenes = config["training"]["demonstrations"]
    write_json(folder / "config.json", config | {"training": {"demonstrations": scenes | {"xy": scenes["xy"][1:]}}})
    before = times_of_change(folder)
    with pytest.raises(ValueError, match="holds records of demonstrations 'demonstrations' of other scenes"):
        run_experiment(options(folder))
    assert times_of_change(folder) == before


@pytest.mark.parametrize("changes", [{"scale": "small"}, {"validation": True}])
def test_a_folder_of_another_run_is_refused_and_stays_as_it_is(folder, fake, changes):
    before = times_of_change(folder)
    with pytest.raises(ValueError, match="holds another run .*choose another --out"):
        run_experiment(options(folder, **changes))
    assert times_of_change(folder) == before


def test_a_folder_stays_of_its_run_where_scales_gain_options_or_are_said_to_take_longer(folder):
    old, now = load(folder / "config.json"), load(folder / "config.json")
    identity = {name: now[name] for name in ("experiment", "world", "scale", "validation")}
    del old["scale"]["lr"]
    old["scale"]["note"] = "hours"
    assert differences(old, identity) == []
    old["scale"]["batch_size"] += 1
    assert differences(old, identity) == ["batch_size"] and differences({}, identity)


def test_a_folder_of_other_things_is_refused(tmp_path, fake):
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(ValueError, match="is not empty and holds no run"):
        run_experiment(options(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_plan_says_how_many_episodes_there_will_be(folder, fake, tmp_path):
    n = len(read_results(folder / "results.jsonl"))
    text = describe_plan([options(tmp_path / "new")], estimate=False)
    assert f"2 trainings, {n} episodes" in text and "policies para, act;" in text and "12 steps of batch 4" in text
    assert "0 trainings, 0 episodes" in describe_plan([options(folder)], estimate=False)


def test_recipes_are_picked_by_name_in_the_experiments_order():
    experiment, scale = EXPERIMENTS["left_to_right"], SCALES["small"]
    assert [recipe.name for recipe in pick_recipes(experiment, scale, ("act", "para"))] == ["para", "act"]
    assert pick_recipes(experiment, scale) == pick_recipes(experiment, scale, extras=True) == list(experiment.recipes)
    with pytest.raises(ValueError, match="'act[+]train_rnge'; did you mean 'act[+]train_range'"):
        pick_recipes(experiment, scale, ("act+train_rnge",))


def test_a_world_of_slow_pictures_trains_para_and_act_unless_others_are_asked_for():
    libero = pick_scale("small", "libero")
    for name in ("left_to_right", "viewpoints"):
        experiment = EXPERIMENTS[name]
        assert [recipe.name for recipe in pick_recipes(experiment, libero)] == ["para", "act"]
        assert pick_recipes(experiment, libero, extras=True) == list(experiment.recipes)
    named = EXPERIMENTS["corner_scaling"]  # whose policies have other names
    assert pick_recipes(named, libero) == [recipe for recipe in named.recipes if not recipe.extra]


@pytest.mark.parametrize("name", [name for name, e in EXPERIMENTS.items() if any(r.extra for r in e.recipes)])
def test_extras_are_longer_trainings_controls_or_further_baselines_and_run_where_they_are_asked_for(name, tmp_path):
    experiment, scale = EXPERIMENTS[name], SCALES["small"]
    extras = tuple(recipe.name for recipe in experiment.recipes if recipe.extra)
    usual = pick_recipes(experiment, scale)
    assert not {recipe.name for recipe in usual} & set(extras)
    assert pick_recipes(experiment, scale, extras=True) == list(experiment.recipes)
    assert tuple(recipe.name for recipe in pick_recipes(experiment, scale, extras)) == extras
    others = {recipe.name: train_config(scale, recipe, 0).steps for recipe in usual}
    for recipe in pick_recipes(experiment, scale, extras):
        same = others.get(recipe.name.rpartition("+")[0], scale.train_steps)
        longer = train_config(scale, recipe, 0).steps >= 2 * same
        at_home = recipe.executions[""].rollout.home_view_m is not None
        # on plain pictures, without warps, with the other reach of virtual moves, read otherwise, or on another network
        names = {"plain", "no_warps", "moves10", "moves35", "points", "vit_refined", "vit_refined_learned"}
        control = names & set(recipe.name.split("+"))
        further = recipe.name.split("+")[0] in ("motion_tracks", "diffusion", "soft_argmax")
        assert longer or at_home or control or further, recipe.name
    left_out, all_of_it = (
        describe_plan([RunOptions(name, tmp_path, extras=asked)], estimate=False) for asked in (False, True)
    )
    assert f"left out: {', '.join(extras)}; --extras" in left_out and "left out" not in all_of_it


@pytest.mark.parametrize(
    "changes",
    [
        {"train_seeds": 0},
        {"workers": -1},
        {"first_seed": -1},
        {"first_seed": 1},
        {"train_seeds": 2, "first_seed": 2},
        {"recipes": ("act",), "extras": True},
    ],
)
def test_options_without_meaning_are_refused(tmp_path, changes):
    with pytest.raises(ValueError, match="must be|says nothing"):
        options(tmp_path, **changes)
