"""The command line: what works, and that what cannot be done is said in one line on stderr with exit code 2."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from para.cli import COMMANDS, main
from para.datasets import Demonstrations
from para.locks import only_writer
from para.worlds import world_entry
from tests import sized_world
from tests.datasets.spoiling import edit_info, edit_table, truncate

DATA, ROW = "data/chunk-000/file-001.parquet", "meta/episodes/chunk-000/file-001.parquet"
VIDEO = "videos/observation.images.main/chunk-000/file-001.mp4"

TRAINING = ["--training.steps", "3", "--training.batch-size", "2"]
TINY_POLICY = ["--horizon", "4"]


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


def para(*arguments) -> Said:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as stop:
            code = stop.code
    return Said(code, out.getvalue(), err.getvalue())


def refusal(*arguments) -> str:
    """The one line with which a command is refused; lines of progress may come before it."""
    said = para(*arguments)
    assert said.code == 2, said
    lines = [line for line in said.err.splitlines() if line.strip() and "/s, " not in line]
    assert len(lines) == 1 and lines[0].startswith("para: ") and "Traceback" not in said.err, said.err
    return lines[0]


def train(data, out, policy="para", *more) -> Said:
    return para("train", "--data", data, "--out", out, *TRAINING, policy, *TINY_POLICY, *more)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Everything that the commands leave behind in a world without physics: data/, checkpoint/, run/."""
    folder = tmp_path_factory.mktemp("cli")
    with pytest.MonkeyPatch.context() as patch:
        sized_world.register(patch)
        record = ["record", "--world", "fake", "--half", "left", "--image-size", "48", "64", "--workers", "1"]
        steps = {
            "record": para(*record, "--out", folder / "data"),
            "train": train(folder / "data", folder / "checkpoint"),
            "evaluate": evaluate(folder / "checkpoint", folder / "run"),
        }
    for name, said in steps.items():
        assert said.code == 0, (name, said)
    return folder, steps


def evaluate(checkpoint, out, *more) -> Said:
    options = ["--episodes", "3", "--videos", "1", "--workers", "0", "--rollout.max-control-steps", "300"]
    return para("evaluate", "--checkpoint", checkpoint, "--out", out, "--world", "fake", *options, *more)


@pytest.fixture
def fake(monkeypatch):
    sized_world.register(monkeypatch)


@pytest.fixture
def data(made, tmp_path) -> Path:
    """A dataset of eight episodes, to be spoilt."""
    return Path(shutil.copytree(made[0] / "data", tmp_path / "data"))


@pytest.fixture
def checkpoint(made, tmp_path) -> Path:
    return Path(shutil.copytree(made[0] / "checkpoint", tmp_path / "checkpoint"))


# ---- what works ------------------------------------------------------------------------------------------------------


def test_record_train_and_evaluate_say_what_they_did_and_what_comes_next(made):
    folder, steps = made
    assert "8 episodes recorded, 0 were there already" in steps["record"].out
    assert f"next: para train --data {folder / 'data'}" in steps["record"].out
    assert "para trained in" in steps["train"].out and "next: para evaluate" in steps["train"].out
    assert "/3" in steps["evaluate"].out and "95% interval" in steps["evaluate"].out


def test_a_reader_that_has_seen_enough_is_no_error(made):
    command = f"import sys; from para.cli import main; main(['dataset', 'info', {str(made[0] / 'data')!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()  # before it has printed anything
        said = process.stderr.read()
        assert process.wait() == 1 and "pipe" not in said.lower() and "Traceback" not in said, said


def test_a_baseline_carried_out_as_para_is_said_to_be_with_what_the_experiments_have(made, fake, tmp_path):
    folder, steps = made
    assert "in the experiments" not in steps["evaluate"].out
    train(folder / "data", tmp_path / "act", "act")
    flags = "--rollout.execute-steps 1 --rollout.ensemble-decay 0.1"
    assert (
        f"4 steps of each chunk; in the experiments act has {flags}" in evaluate(tmp_path / "act", tmp_path / "a").out
    )
    assert "in the experiments" not in evaluate(tmp_path / "act", tmp_path / "b", *flags.split()).out


def test_evaluating_leaves_records_a_summary_a_page_and_videos(made, fake):
    run = made[0] / "run"
    assert len((run / "results.jsonl").read_text().splitlines()) == 3
    summary = json.loads((run / "summary.json").read_text())
    assert summary["rows"][0]["trials"] == 3 and summary["rows"][0]["errors"] == 0
    for line in (run / "results.jsonl").read_text().splitlines():
        # drawings, and what failures are told apart by, need the goal
        record = json.loads(line)
        offset = np.subtract(record["goal_xy"], record["scene"]["object_xy"])
        np.testing.assert_allclose(offset, world_entry("fake").workspace.goal_offset, atol=2e-4)
    assert (run / "report.html").is_file() and len(list((run / "videos").rglob("*.mp4"))) == 1


def test_commands_that_were_finished_reuse_what_is_there(made, fake):
    folder, _ = made
    before = (folder / "run/results.jsonl").read_bytes()
    assert "was trained before" in train(folder / "data", folder / "checkpoint").out
    assert evaluate(folder / "checkpoint", folder / "run").code == 0
    assert (folder / "run/results.jsonl").read_bytes() == before


def test_report_rebuilds_the_summary_from_the_records_alone(made, tmp_path, fake):
    run = Path(shutil.copytree(made[0] / "run", tmp_path / "run"))
    summary = json.loads((run / "summary.json").read_text())
    for name in ("summary.json", "report.html"):
        (run / name).unlink()
    assert para("report", run).code == 0
    assert json.loads((run / "summary.json").read_text()) == summary
    assert (run / "report.html").is_file()


def test_dataset_tells_checks_and_repairs(data):
    assert "episodes: 8" in para("dataset", "info", data).out
    assert "no problems found" in para("dataset", "check", data).out
    truncate(data / DATA)
    assert "1 problems" in refusal("dataset", "check", data)
    assert para("dataset", "repair", data).code == 0
    assert Demonstrations.open(data).n_episodes == 7


def test_doctor_says_what_this_machine_can_do():
    said = para("doctor")
    assert said.code == 0
    assert all(line.startswith(("ok", "-")) for line in said.out.splitlines())
    for word in ("python", "torch", "render", "accelerator", "extra dino"):
        assert word in said.out


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("experiment", ["record, train, evaluate", "Restartable", "para experiment left_to_right", "--scale"]),
        ("record", ["demonstrations", "LeRobotDataset", "para record --out", "--lossless"]),
        ("train", ["Train a policy", "interruption", "para train --data", "--training.steps", "global_regression"]),
        ("evaluate", ["closed loop", "para evaluate --checkpoint", "--rollout.execute-steps"]),
        ("report", ["report.html", "no policy is run", "para report"]),
        ("dataset", ["info", "check", "repair"]),
        ("doctor", ["what this machine can do"]),
    ],
)
def test_help_teaches(command, words):
    said = para(command, "--help")
    text = " ".join(said.out.split())
    assert said.code == 0 and [word for word in words if word not in text] == []


def test_help_lists_every_command():
    said = para("--help")
    assert said.code == 0 and [name for name in COMMANDS if name not in said.out] == []


@pytest.mark.parametrize("name", ["left_to_right", "position"])
def test_a_dry_run_says_what_there_is_to_do_and_for_how_long_and_does_none_of_it(name, fake, tmp_path):
    out = tmp_path / "out"
    said = para("experiment", name, "--world", "fake", "--scale", "tiny", "--out", out, "--workers", "0", "--dry-run")
    assert said.code == 0 and "left to do:" in said.out and "about " in said.out and "--dry-run" in said.out
    assert not out.exists()


@pytest.mark.parametrize("name", ["left_to_right", "position"])
def test_a_dry_run_beside_the_run_says_what_is_left_where_a_second_run_is_refused(name, fake, tmp_path):
    asked = ("experiment", name, "--world", "fake", "--scale", "tiny", "--out", tmp_path, "--workers", "0")
    with only_writer(tmp_path if name == "left_to_right" else tmp_path / "left_to_right"):
        left = para(*asked, "--dry-run")
        second = para(*asked)
    assert left.code == 0 and "left to do:" in left.out
    assert second.code == 2 and "is being written by process" in second.err


# ---- arguments that mean nothing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("experimnt left_to_right", "no command 'experimnt'; did you mean 'experiment'"),
        ("experiment left_to_rihgt", "no experiment 'left_to_rihgt'; did you mean 'left_to_right'"),
        ("experiment left_to_right --world tabeltop", "no world 'tabeltop'; did you mean 'tabletop'"),
        ("experiment left_to_right --scale smal", "no scale 'smal'; did you mean 'small'"),
        ("experiment left_to_right --policies prra", "is called 'prra'; did you mean 'para'"),
        ("experiment left_to_right --scal tiny", "no option '--scal'; did you mean '--scale'"),
        ("experiment left_to_right --plan", "no option '--plan' ("),
        ("experiment left_to_right --val", "no option '--val'; did you mean '--validation'"),
        ("train --data DATA --out OUT --clip-norm 2 para", "did you mean '--training.optim.clip-norm'"),
        ("experiment left_to_right --train-seeds 0", "train_seeds must be at least 1; got 0"),
        ("experiment left_to_right --workers -1", "workers must be 0 or more; got -1"),
        ("experiment", "left_to_right"),
        ("record --out OUT --world tabletp", "no world 'tabletp'; did you mean 'tabletop'"),
        ("record --out OUT --half lefft", "'left', 'right', 'near', 'far'"),
        ("record --out OUT --workers many", "--workers"),
        ("record --out OUT --image-size 0 64", "both positive; got (0, 64)"),
        ("train --data DATA --out OUT prra", "no 'prra'; did you mean 'para'"),
        ("train --data DATA --out OUT para --horizn 3", "no option '--horizn'; did you mean '--horizon'"),
        ("train --data DATA --out OUT para --training.steps 2", "option '--training.steps' belongs before 'para'"),
        (
            "train --data DATA --out OUT --n-height-bins 8 para",
            "'--n-height-bins' belongs after 'para' or 'video_para'",
        ),
        ("train --data DATA --out OUT para --channels 8", "'--channels' belongs after 'small-conv-config' or"),
        ("train --data DATA --out OUT act --n-height-bins 1", "'act' has no option '--n-height-bins'"),
        ("train --data DATA --out OUT --also-share 0.3 para", "also_share is a share of what --also names"),
        ("evaluate --checkpoint DATA --out OUT --episodes 0", "para: --episodes must be at least 1; got 0"),
        ("evaluate --checkpoint DATA --out OUT --videos -1", "--videos must be at least 0; got -1"),
        ("train --data DATA --out OUT para --horizon 0", "horizon and n_height_bins must be at least 1"),
        ("train --data DATA --out OUT act --augment.max-shift 0.1", "colour augmentation only"),
        ("train --data DATA --out OUT --training.steps 0 para", "steps must be at least 1; got 0"),
        ("report DATA --out OUT --number a/b/c", "--number and --out are different things to do"),
        ("evaluate --out OUT", "--checkpoint"),
        ("evaluate --checkpoint DATA --out OUT --rollout.execute-steps -1", "must be 0"),
        ("dataset mend DATA", "'info', 'check', 'repair'"),
        ("", "experiment, record, train"),
    ],
)
@pytest.mark.parametrize("boxes", [False, True], ids=["ascii", "boxes"])
def test_arguments_that_mean_nothing_are_refused_with_what_was_meant(arguments, found, boxes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tyro._fmtlib._FORCE_UTF8_BOXES", boxes)  # as on a terminal that knows UTF-8
    words = [{"OUT": str(tmp_path / "out"), "DATA": str(tmp_path)}.get(word, word) for word in arguments.split()]
    assert found in refusal(*words)
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_debug_gives_the_traceback():
    with pytest.raises(ValueError, match="no experiment"):
        main(["experiment", "left_to_rihgt", "--debug"])


def test_an_interrupt_says_that_the_same_command_goes_on(monkeypatch):
    def interrupted(command):
        raise KeyboardInterrupt

    monkeypatch.setattr(COMMANDS["doctor"], "run", interrupted)
    said = para("doctor")
    assert said.code == 130 and said.err == "stopped; the same command goes on from here\n"


def test_an_evaluation_that_never_began_does_not_keep_the_corrected_one_from_its_folder(checkpoint, tmp_path, fake):
    one = ("--world", "fake", "--episodes", "1", "--workers", "0")
    command = ("evaluate", "--checkpoint", checkpoint, "--out", tmp_path / "run", *one)
    assert "dwel" in refusal(*command, "--world-options", "dwel_frames=2")
    assert para(*command, "--videos", "0").code == 0
    assert "it differs in world_options" in refusal(*command, "--world-options", "dwell_frames=2")


def test_a_dataset_is_no_place_for_a_checkpoint(data):
    before = sorted(data.rglob("*"))
    assert f"{data} holds a dataset; choose another folder" in refusal(
        "train", "--data", data, "--out", data, *TRAINING, "act", *TINY_POLICY
    )
    assert [path for path in sorted(data.rglob("*")) if path not in before and "cache" not in str(path)] == []


def test_a_finished_recording_of_another_image_size_is_refused(data, fake):
    record = ("record", "--world", "fake", "--half", "left", "--out", data, "--workers", "0")
    assert "8 were there already" in para(*record, "--image-size", "48", "64").out
    assert str(data) in refusal(*record, "--image-size", "48", "80")
    assert "needs images of sides that 4 divides" in para(*record, "--image-size", "50", "64").out
    assert str(data) in refusal(*record, "--image-size", "48", "64", "--lossless")


def test_a_dataset_says_in_which_world_it_was_recorded(data):
    said = para("dataset", "info", data).out
    assert "world: fake" in said and "options: {}" in said and "not_told" not in said


# ---- datasets --------------------------------------------------------------------------------------------------------


def spoil_poses(root: Path) -> None:
    def change(row):
        row["para.camera.main.T_world_cam"][0][3] = float("nan")

    edit_table(root / ROW, change)


def spoil_positions(root: Path) -> None:
    def change(columns):
        columns["observation.state"][2, 1] = np.nan

    edit_table(root / DATA, change)


def look_away(root: Path) -> None:
    def change(row):
        T = np.reshape(row["para.camera.main.T_world_cam"][0], (4, 4))
        row["para.camera.main.T_world_cam"][0] = np.linalg.inv(T).flatten().tolist()

    for path in sorted((root / ROW).parent.glob("*.parquet")):
        edit_table(path, change)


def empty(root: Path) -> None:
    shutil.rmtree(root)
    root.mkdir()


def other_camera_size(root: Path) -> None:
    def change(info):
        info["features"]["observation.images.main"]["info"]["para.camera"]["image_size"] = [480, 640]

    edit_info(root, change)


BAD_DATA = {
    "missing": (shutil.rmtree, "no such folder.*para record"),
    "empty": (empty, "an empty folder.*para record"),
    "another version": (lambda root: edit_info(root, lambda i: i.update(codebase_version="v2.1")), "v2.1; v3.0"),
    "truncated table": (lambda root: truncate(root / DATA), "truncated or damaged.*repair"),
    "truncated video": (lambda root: truncate(root / VIDEO), "no complete video|of its"),
    "missing video": (lambda root: (root / VIDEO).unlink(), "no video at|missing"),
    "poses that are NaN": (spoil_poses, "camera's pose is not finite in .* of .* frames"),
    "positions that are NaN": (spoil_positions, "position is not finite in 1 of .* frames"),
    "a camera that looks away": (look_away, "never sees the end effector"),
    "a camera for another size": (other_camera_size, r"\(480, 640\).*\(48, 64\)"),
}


@pytest.mark.parametrize("what", BAD_DATA)
def test_a_dataset_that_cannot_be_used_is_refused_and_left_as_it_is(what, data, tmp_path):
    spoil, found = BAD_DATA[what]
    shutil.rmtree(data / ".frame_cache", ignore_errors=True)
    spoil(data)
    before = contents(data)
    arguments = ["train", "--data", data, "--out", tmp_path / "out", *TRAINING, "para", *TINY_POLICY]
    assert re.search(found, refusal(*arguments))
    assert not (tmp_path / "out").exists()
    assert contents(data) == before


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and ".frame_cache" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_folder_of_other_things_is_not_recorded_into(tmp_path, fake):
    (tmp_path / "thesis.txt").write_text("x")
    assert str(tmp_path) in refusal("record", "--world", "fake", "--out", tmp_path, "--workers", "1")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


# ---- checkpoints and run folders -------------------------------------------------------------------------------------


def rewrite_weights(checkpoint: Path, change) -> None:
    path = checkpoint / "model.safetensors"
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata)


def rename_policy(checkpoint: Path, name: str) -> None:
    path = checkpoint / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"policy": name}))


BAD_CHECKPOINTS = {
    "missing": (shutil.rmtree, "no checkpoint folder .*; train a policy first"),
    "no weights": (lambda c: (c / "model.safetensors").unlink(), "no model.safetensors in"),
    "no config": (lambda c: (c / "config.json").unlink(), "no config.json in"),
    "missing tensors": (lambda c: rewrite_weights(c, lambda t: t.pop("start.here")), r"1 missing \(start.here\)"),
    "truncated weights": (lambda c: truncate(c / "model.safetensors"), "model.safetensors"),
    "another policy's weights": (lambda c: rename_policy(c, "act"), "."),
    "unknown policy": (lambda c: rename_policy(c, "prra"), "'prra'; did you mean 'para'"),
}


@pytest.mark.parametrize("what", BAD_CHECKPOINTS)
def test_a_checkpoint_that_cannot_be_used_is_refused(what, checkpoint, tmp_path, fake):
    spoil, found = BAD_CHECKPOINTS[what]
    spoil(checkpoint)
    line = refusal("evaluate", "--checkpoint", checkpoint, "--out", tmp_path / "out", "--world", "fake")
    assert re.search(found, line) and str(checkpoint) in line
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_folder_of_another_policy_is_not_trained_over(made, checkpoint):
    before = contents(checkpoint)
    arguments = ["train", "--data", made[0] / "data", "--out", checkpoint, *TRAINING, "act", *TINY_POLICY]
    assert re.search("holds another run .*policy is 'para' there, 'act' here", refusal(*arguments))
    assert contents(checkpoint) == before


@pytest.mark.parametrize("held", ["an experiment", "another execution", "other things"])
def test_a_folder_that_holds_another_run_is_not_evaluated_into(held, made, checkpoint, tmp_path, fake):
    run = Path(shutil.copytree(made[0] / "run", tmp_path / "run"))
    more = []
    if held == "an experiment":
        path = run / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"experiment": "left_to_right"}))
    elif held == "another execution":
        more = ["--rollout.execute-steps", "1"]
    else:
        (run / "config.json").unlink()
    before = contents(run)
    line = refusal("evaluate", "--checkpoint", checkpoint, "--out", run, "--world", "fake", "--workers", "0", *more)
    assert "choose another --out" in line
    assert contents(run) == before


@pytest.mark.parametrize("more", [(), ("--half", "near")], ids=["same scenes", "another half"])
def test_records_of_other_weights_are_not_added_to_and_the_folder_stays_as_it_is(made, tmp_path, fake, more):
    run = Path(shutil.copytree(made[0] / "run", tmp_path / "run"))
    other = tmp_path / "other"
    assert train(made[0] / "data", other, "para", "--read-start").code == 0
    rewrite_weights(other, lambda tensors: tensors["start.here"].add_(1))
    before = contents(run)
    said = evaluate(other, run, *more)
    assert said.code == 2 and "made with weights" in said.err and "choose another output folder" in said.err
    assert contents(run) == before


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_run_folder_with_a_damaged_config_is_refused(content, tmp_path):
    (tmp_path / "config.json").write_text(content)
    (tmp_path / "results.jsonl").write_text("")
    assert "config.json" in refusal("report", tmp_path)


def test_a_report_of_no_run_is_refused(tmp_path):
    assert "no config.json in" in refusal("report", tmp_path)


# ---- a full disk -----------------------------------------------------------------------------------------------------


class FullDisk:
    """The disk is full from the n-th flush on."""

    def __init__(self, monkeypatch, n: int):
        self.left, self.fsync = n, os.fsync
        monkeypatch.setattr(os, "fsync", self)

    def __call__(self, handle) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.fsync(handle)


@pytest.mark.parametrize("n", [0, 3, 12, 40])
def test_recording_onto_a_full_disk_keeps_what_was_recorded_and_goes_on(n, tmp_path, fake, monkeypatch):
    arguments = ["record", "--world", "fake", "--half", "left", "--image-size", "48", "64", "--workers", "1"]
    arguments += ["--out", tmp_path / "data"]
    with monkeypatch.context() as patch:
        FullDisk(patch, n)
        assert "the disk is full" in refusal(*arguments)
    assert para(*arguments).code == 0
    assert "no problems found" in para("dataset", "check", tmp_path / "data").out
    assert Demonstrations.open(tmp_path / "data").n_episodes == 8


@pytest.mark.parametrize("n", [0, 2])
def test_training_onto_a_full_disk_goes_on(n, made, tmp_path, monkeypatch):
    arguments = ["train", "--data", made[0] / "data", "--out", tmp_path / "checkpoint", *TRAINING, "para", *TINY_POLICY]
    with monkeypatch.context() as patch:
        FullDisk(patch, n)
        assert "the disk is full" in refusal(*arguments)
    assert para(*arguments).code == 0
    ours, undisturbed = (load_file(c / "model.safetensors") for c in (tmp_path / "checkpoint", made[0] / "checkpoint"))
    assert all((ours[name] == undisturbed[name]).all() for name in undisturbed)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_evaluating_onto_a_full_disk_keeps_its_records_and_goes_on(n, made, tmp_path, fake, monkeypatch):
    with monkeypatch.context() as patch:
        FullDisk(patch, n)
        said = evaluate(made[0] / "checkpoint", tmp_path / "run")
        assert said.code == 2 and "the disk is full" in said.err
    assert evaluate(made[0] / "checkpoint", tmp_path / "run").code == 0
    ours, undisturbed = (json.loads((run / "summary.json").read_text()) for run in (tmp_path / "run", made[0] / "run"))
    assert ours["rows"] == undisturbed["rows"]


def test_ctrl_c_while_para_is_imported_is_one_line(tmp_path):
    (tmp_path / "para_interrupted.py").write_text(
        "import builtins, sys\n"
        "before = builtins.__import__\n"
        "def stop(name, *rest):\n"
        "    if name == 'para.cli':\n"
        "        raise KeyboardInterrupt\n"
        "    return before(name, *rest)\n"
        "builtins.__import__ = stop\n"
        "from para.launch import main\n"
        "main()\n"
    )
    said = subprocess.run([sys.executable, tmp_path / "para_interrupted.py"], capture_output=True, text=True)
    assert (said.returncode, said.stderr) == (130, "stopped before anything was done\n")
