"""Several experiments in one folder: what they share is made once, and their records are enough for every number."""

from __future__ import annotations

import errno
import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from para.cli import main
from para.evaluation.results import read_results
from para.experiments import EXPERIMENTS
from para.experiments.family import FAMILIES, family_runs
from para.experiments.plan import describe_plan
from para.experiments.run import RunOptions, check_runs, plan_run, run_experiment
from para.experiments.scale import SCALES
from para.experiments.summaries import ERROR_TABLES, RECORDS, export_records, summarise_family_of
from para.experiments.trainings import TRAININGS_FILE
from para.training.options import TrainConfig
from tests import sized_world

NAMES = ("left_to_right", "repairs")


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, RunOptions]:
    """Two experiments, run one after the other, whose policy `para` is the same training."""
    out = tmp_path_factory.mktemp("family")
    everything = RunOptions("all", out, world="fake", scale="tiny", recipes=("para", "act"), workers=0)
    with pytest.MonkeyPatch.context() as patch:
        sized_world.register(patch)
        chosen = {run.experiment: run for run in family_runs(everything) if run.experiment in NAMES}
        for run in chosen.values():
            run_experiment(run)
    return chosen


@pytest.fixture
def fake(monkeypatch):
    sized_world.register(monkeypatch)


def test_every_experiment_is_in_its_axis_family_and_in_all_or_trained_in_stages(tmp_path):
    names = {family: [run.experiment for run in family_runs(RunOptions(family, tmp_path))] for family in FAMILIES}
    assert [name for name in EXPERIMENTS if name in names["all"] + names["pretraining"]] == list(EXPERIMENTS)
    assert names["all"] == [name for name in EXPERIMENTS if EXPERIMENTS[name].axis != "pretraining"]
    assert all(names[axis] == [n for n in EXPERIMENTS if EXPERIMENTS[n].axis == axis] for axis in set(names) - {"all"})
    with pytest.raises(ValueError, match="no family of experiments 'contol'; did you mean 'control'"):
        family_runs(RunOptions("contol", tmp_path))


def test_the_help_lists_every_experiment_by_its_family(capsys):
    with pytest.raises(SystemExit):
        main(["experiment", "--help"])
    words = re.sub(r"[\s\u2500-\u257f]+", " ", capsys.readouterr().out)  # without the frame and its line breaks
    for axis in set(FAMILIES) - {"all"}:
        names = ", ".join(name for name, experiment in EXPERIMENTS.items() if experiment.axis == axis)
        assert re.search(rf"{axis}[^:]*: {names}\.", words), (axis, words)


def test_no_experiment_is_called_like_a_family():
    assert not set(EXPERIMENTS) & set(FAMILIES)


LONG = {"para+long", "act+long"}


@pytest.mark.parametrize("name", [n for n, e in EXPERIMENTS.items() if LONG <= {recipe.name for recipe in e.recipes}])
def test_where_act_trains_for_longer_it_meets_para_trained_as_long_and_each_the_other_of_the_usual_steps(name):
    experiment = EXPERIMENTS[name]
    met = {(b, split): a for a, b, split in reversed(experiment.comparisons)}  # the first of several is the table's
    for split in experiment.headline_splits:
        assert (met["act", split], met["act+long", split]) == ("para", "para+long")
    recipes, usual = {recipe.name: recipe for recipe in experiment.recipes}, TrainConfig()
    assert recipes["para"].training is recipes["act"].training is None
    longer = [recipes[name].training(SCALES["tiny"], usual).steps for name in ("para+long", "act+long")]
    assert longer == 2 * [4 * usual.steps]


def test_the_experiments_of_a_family_share_one_folder(tmp_path):
    runs = family_runs(RunOptions("all", tmp_path, world="tabletop", train_seeds=3))
    assert {run.shared for run in runs} == {tmp_path / "shared"}
    assert len({run.out for run in runs}) == len(runs) and {run.train_seeds for run in runs} == {3}


def test_all_with_some_policies_leaves_out_experiments_that_have_none_of_them(tmp_path):
    runs = family_runs(RunOptions("all", tmp_path, recipes=("para+depth",)))
    assert [run.experiment for run in runs] == ["depth_vs_height"]
    with pytest.raises(ValueError, match="no policy of the experiments of 'all' is called 'para[+]deph'; did you mean"):
        family_runs(RunOptions("all", tmp_path, recipes=("para+deph",)))


def test_the_same_training_of_two_experiments_is_done_once(runs, fake):
    shared = runs["left_to_right"].shared
    first, second = (plan_run(runs[name]) for name in NAMES)
    para = {plan.experiment.name: plan.jobs[0] for plan in (first, second)}
    assert para["left_to_right"].folder == para["repairs"].folder and para["repairs"].finished
    assert sorted(path.name.split("-")[0] for path in (shared / "checkpoints").iterdir()) == ["act", "para"]
    weights = {
        r.checkpoint for name in NAMES for r in read_results(runs[name].out / "results.jsonl") if r.policy == "para"
    }
    assert len(weights) == 1
    made = [*shared.glob("checkpoints/*/seed*"), *shared.glob("demonstrations/demonstrations*")]
    assert len(made) == 4 and all((path.parent / f".{path.name}.lock").exists() for path in made)


def test_another_training_has_another_folder(tmp_path):
    def folder(experiment: str, recipe: str, **changes) -> Path:
        options = RunOptions(
            experiment, tmp_path / experiment, shared=tmp_path / "shared", recipes=(recipe,), **changes
        )
        return plan_run(options).jobs[0].folder

    same = folder("left_to_right", "para")
    assert same == folder("controller", "para") == folder("action_heads", "para")
    others = [
        folder("near_to_far", "para"), folder("left_to_right", "para+few"), folder("action_heads", "para+affine"),
        folder("left_to_right", "para", scale="tiny"), folder("left_to_right", "para", world="tabletop", scale="paper"),
    ]  # fmt: skip
    assert len({same, *others}) == 1 + len(others)


def test_a_plan_counts_shared_work_once_and_what_is_done_not_at_all(runs, fake, tmp_path, monkeypatch):
    monkeypatch.delattr("para.experiments.costs.measure_world")  # where nothing is left, nothing is measured
    again = describe_plan(list(runs.values()), estimate=True)
    assert "; about " not in again
    assert again.count("left to do: 0 demonstrations, 0 trainings, 0 episodes") == len(runs)
    fresh = [RunOptions(r.experiment, tmp_path / r.experiment, world="fake", scale="tiny", recipes=("para",),
                        shared=tmp_path / "shared") for r in runs.values()]  # fmt: skip
    text = describe_plan(fresh, estimate=False)
    assert "2 experiments: 1 trainings" in text


def test_a_missing_package_is_told_before_anything_is_run(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers.schedulers.scheduling_ddim", None)
    options = RunOptions("viewpoints", tmp_path, recipes=("diffusion",), scale="tiny")
    with pytest.raises(ImportError, match="diffusion"):
        check_runs([options])
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_else_is_told_before_the_first_experiment_starts(tmp_path, capsys):
    last = family_runs(RunOptions("all", tmp_path))[-1].experiment
    (tmp_path / last).mkdir()
    (tmp_path / last / "thesis.txt").write_text("x")
    with pytest.raises(SystemExit) as stop:
        main(["experiment", "all", "--scale", "tiny", "--workers", "0", "--out", str(tmp_path)])
    said = capsys.readouterr()
    assert stop.value.code == 2 and said.out == ""
    assert said.err == f"para: {tmp_path / last} is not empty and holds no run (no config.json); choose another --out\n"
    assert [path.name for path in tmp_path.iterdir()] == [last]


def test_a_check_finds_the_one_run_of_many_whose_folder_is_of_another_and_changes_no_file(runs, fake, tmp_path):
    folder = Path(shutil.copytree(runs["repairs"].out.parent, tmp_path / "family"))
    again = [replace(run, out=folder / run.experiment, shared=folder / "shared") for run in runs.values()]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    check_runs(again)
    with pytest.raises(ValueError, match=f"{folder / 'repairs'} holds another run .*choose another --out"):
        check_runs([again[0], replace(again[1], validation=True)])
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before
    config = json.loads((folder / "repairs/config.json").read_text())
    config["policies"]["para"]["horizon"] += 1
    (folder / "repairs/config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=f"{folder / 'repairs'}: the folder holds records of 'para'"):
        check_runs(again)


@pytest.fixture
def finished(runs, fake, monkeypatch, tmp_path) -> Path:
    """A folder in which both experiments are done, and `all` means these two; their pages are not built again."""
    monkeypatch.setattr("para.experiments.family.EXPERIMENTS", {name: EXPERIMENTS[name] for name in NAMES})
    monkeypatch.setattr("para.commands.running.print_results", lambda folder, summary: print(f"done: {folder.name}"))
    return Path(shutil.copytree(runs["repairs"].out.parent, tmp_path / "family"))


def fail_with(monkeypatch, name: str, error: BaseException) -> None:
    """Let one experiment raise at its turn."""

    def run(options: RunOptions):
        if options.experiment == name:
            raise error
        return run_experiment(options)

    monkeypatch.setattr("para.experiments.run.run_experiment", run)


def run_all(folder: Path, *more: str) -> int | None:
    """The exit code of `para experiment all`; None where it does not exit by itself."""
    command = ["experiment", "all", "--world", "fake", "--scale", "tiny", "--workers", "0", "--out", str(folder)]
    try:
        return main([*command, "--policies", "para", "act", *more])
    except SystemExit as stop:
        return stop.code


@pytest.mark.parametrize("debug", [False, True])
def test_an_experiment_that_fails_is_named_and_the_others_go_on(finished, monkeypatch, capsys, caplog, debug):
    fail_with(monkeypatch, NAMES[0], RuntimeError("the loss is\n not finite"))
    assert run_all(finished, *["--debug"] * debug) == 1
    said = capsys.readouterr()
    assert f"done: {NAMES[1]}" in said.out and f"page of all of them: {finished / 'report.html'}" in said.out
    assert (finished / "report.html").is_file()
    assert said.err.splitlines()[-1] == f"para: failed: {NAMES[0]}; the same command goes on from there"
    (line,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert line.getMessage().startswith(f"{NAMES[0]} failed (RuntimeError: the loss is not finite); ")
    assert "the same command goes on" in line.getMessage() and bool(line.exc_info) == debug


def test_there_is_no_page_of_nothing(finished, monkeypatch, capsys):
    fail_with(monkeypatch, NAMES[0], ValueError("no"))
    monkeypatch.setattr("para.experiments.family.EXPERIMENTS", {NAMES[0]: EXPERIMENTS[NAMES[0]]})
    assert run_all(finished) == 1
    assert "page of all" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "stopped; the same command goes on from here"),
        (SystemExit(143), 143, ""),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "the disk is full"),
    ],
)
def test_what_concerns_all_of_them_stops_at_once(finished, monkeypatch, capsys, error, code, said):
    fail_with(monkeypatch, NAMES[0], error)
    assert run_all(finished) == code
    found = capsys.readouterr()
    assert said in found.err and "done: " not in found.out and "page of all" not in found.out


def test_exported_records_give_the_same_summaries_and_beside_what_trainings_came_to_nothing_else_is_copied(
    runs, tmp_path
):
    folder = runs["left_to_right"].out.parent
    copied = export_records(folder, tmp_path / "results")
    assert sorted(path.name for path in copied) == sorted(NAMES)
    for path in copied:
        assert sorted(p.name for p in path.iterdir()) == sorted((*RECORDS, TRAININGS_FILE))
    before = (tmp_path / "results" / "repairs" / "summary.json").read_text()
    family = summarise_family_of(tmp_path / "results")
    assert (tmp_path / "results" / "repairs" / "summary.json").read_text() == before
    assert json.loads((tmp_path / "results" / "family.json").read_text()) == json.loads(json.dumps(family))


def test_what_a_run_measured_along_demonstrations_is_exported_with_its_records(runs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs["repairs"].out, run)
    for table in ERROR_TABLES:
        (run / table).write_text("{}")
    (copied,) = export_records(run, tmp_path / "results")
    assert sorted(p.name for p in copied.iterdir()) == sorted((*RECORDS, *ERROR_TABLES))


def test_an_export_never_forgets_episodes(runs, tmp_path):
    run = runs["repairs"].out
    export_records(run, tmp_path)
    lines = (tmp_path / "repairs" / "results.jsonl").read_text().splitlines()
    more = json.loads(lines[0]) | {"train_seed": 7}
    (tmp_path / "repairs" / "results.jsonl").write_text("\n".join([*lines, json.dumps(more)]) + "\n")
    with pytest.raises(ValueError, match="holds 1 episodes that"):
        export_records(run, tmp_path)
    retried = json.loads(lines[0]) | {"checkpoint": "of other weights"}
    (tmp_path / "repairs" / "results.jsonl").write_text("\n".join([json.dumps(retried), *lines[1:]]) + "\n")
    with pytest.raises(ValueError, match="holds 1 episodes that .* or not of these weights"):
        export_records(run, tmp_path)
    assert "of other weights" in (tmp_path / "repairs" / "results.jsonl").read_text()
    for twin in ("a", "b"):
        shutil.copytree(run, tmp_path / "twins" / twin)
    with pytest.raises(ValueError, match="runs of one experiment"):
        export_records(tmp_path / "twins", tmp_path / "results")
    assert not (tmp_path / "results").exists()
    with pytest.raises(FileNotFoundError, match="no run in"):
        export_records(tmp_path / "nothing", tmp_path)


def test_a_page_does_not_mix_two_runs_of_one_experiment(runs, tmp_path):
    for twin in ("a", "b"):
        shutil.copytree(runs["left_to_right"].out, tmp_path / twin)
    with pytest.raises(ValueError, match="holds two runs of left_to_right, a and b, which one page would mix"):
        summarise_family_of(tmp_path)


def test_a_family_on_validation_scenes_ends_well_and_without_a_page(fake, tmp_path, capsys):
    out = tmp_path / "position"
    words = ["--world", "fake", "--scale", "tiny", "--workers", "0", "--policies", "para", "--validation"]
    chosen = {name: EXPERIMENTS[name] for name in ("left_to_right", "near_to_far")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("para.experiments.family.EXPERIMENTS", chosen)
        assert main(["experiment", "position", "--out", str(out), *words]) in (0, None)
    assert not (out / "report.html").exists() and all((out / name / "report.html").exists() for name in chosen)
    with pytest.raises(FileNotFoundError, match="holds records but those of validation scenes, which are never"):
        summarise_family_of(out)


def test_a_difference_is_found_from_its_runs_own_folder_too(runs, capsys):
    run = runs["left_to_right"].out
    said = []
    for folder in (run, run.parent):
        assert main(["report", str(folder), "--number", "left_to_right/para-act/test"]) in (0, None)
        said.append(capsys.readouterr().out.replace(str(run), "").replace(str(run.parent), ""))
    assert said[0] == said[1] and "Holm" in said[0]


def test_a_difference_of_a_run_beside_its_twin_has_no_family_and_is_told_all_the_same(runs, tmp_path, capsys):
    for twin in ("a", "b"):
        shutil.copytree(runs["left_to_right"].out, tmp_path / twin)
    assert main(["report", str(tmp_path / "a"), "--number", "left_to_right/para-act/test"]) in (0, None)
    assert "it is of a run without a family; the p above are not adjusted" in capsys.readouterr().out
    with pytest.raises(SystemExit) as refused:
        main(["report", str(tmp_path), "--number", "a/para-act/test"])
    assert refused.value.code == 2


def test_one_command_recomputes_one_number(runs, capsys):
    folder = runs["left_to_right"].out.parent
    assert main(["report", str(folder), "--number", "left_to_right/para/test"]) in (0, None)
    assert "placed" in capsys.readouterr().out


def test_episodes_that_raised_are_run_again_and_their_records_replaced(runs, fake):
    run = runs["repairs"]
    path = run.out / "results.jsonl"
    lines = path.read_text().splitlines()
    broken = json.loads(lines[0]) | {"outcome": None, "error": "MemoryError: none left"}
    path.write_text("\n".join([json.dumps(broken), *lines[1:]]) + "\n")
    run_experiment(run)
    records = read_results(path)
    assert len(records) == len(lines) and not [record for record in records if record.error]
