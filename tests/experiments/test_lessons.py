"""What a policy was taught: noted beside its weights, and where it is evaluated unless something else is asked for."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from para.experiments.lessons import (
    LESSON_FILE,
    Lesson,
    lesson_of,
    note_lesson,
    said_before_evaluation,
    where_to_evaluate,
)
from para.files import write_json
from tests import sized_world
from tests.conftest import oblique_camera
from tests.test_cli import TINY_POLICY, TRAINING, para, refusal, train

ELSEWHERE = Lesson("libero", {"task_index": 3, "robot_visible": False}, ("heights",), ("a task", "b task"), "stand-ins")


def recorded(folder, **told):
    (folder / "meta").mkdir(parents=True)
    write_json(folder / "meta" / "para_recording.json", told)
    return folder


TASKS = ["b task", "a task", "b task"]


def filmed(*moves):
    """Of demonstrations, what tells by which cameras: one frame per camera, moved by so many metres."""
    camera = oblique_camera(batch=1)
    T = camera.T_world_cam.double().numpy().repeat(len(moves), axis=0)
    T[:, 0, 3] += moves
    K = camera.K.double().numpy().repeat(len(moves), axis=0)
    return SimpleNamespace(K=K, T_world_cam=T, image_size=camera.image_size, tasks=TASKS[: len(moves)])


def test_a_lesson_is_read_as_it_was_noted(tmp_path):
    told = {"world": ELSEWHERE.world, "options": dict(ELSEWHERE.world_options), "assets": ELSEWHERE.assets}
    data = recorded(tmp_path / "data", **told)
    (tmp_path / "checkpoint").mkdir()
    noted = note_lesson(tmp_path / "checkpoint", data, filmed(0.0, 0.1), ELSEWHERE.never_told)
    assert noted == ELSEWHERE == lesson_of(tmp_path / "checkpoint")


def test_only_circles_is_what_saw_nothing_else_in_any_of_its_datasets_and_no_other_is_evaluated_on_discs(tmp_path):
    discs, robot = ({"world": "tabletop", "options": {"arm": "printed"} | more} for more in ({"circles": True}, {}))
    sets = {name: recorded(tmp_path / name, **told) for name, told in (("discs", discs), ("robot", robot))}
    for data, also, only in (
        ("discs", [], True),
        ("discs", ["discs"], True),
        ("discs", ["discs", "robot"], False),
        ("robot", ["discs"], False),
        ("robot", [], False),
    ):
        note_lesson(tmp_path, sets[data], filmed(0.0, 0.0), (), [sets[name] for name in also])
        lesson = lesson_of(tmp_path)
        assert lesson.only_circles == only and [other["world"] for other in lesson.also] == ["tabletop"] * len(also)
        assert where_to_evaluate(lesson, None, {}) == (
            "tabletop",
            {"arm": "printed"} | ({"circles": True} if only else {}),
        )
        assert where_to_evaluate(lesson, None, {"circles": True})[1]["circles"]


def test_a_note_that_is_there_stays_as_it_is_and_a_damaged_one_is_written_again(tmp_path):
    note_lesson(tmp_path, tmp_path, filmed(0.0, 0.0), ("heights",))
    before = (tmp_path / LESSON_FILE).stat()
    note_lesson(tmp_path, tmp_path, filmed(0.0, 0.0), ("heights",))
    after = (tmp_path / LESSON_FILE).stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    (tmp_path / LESSON_FILE).write_text("{")
    assert note_lesson(tmp_path, tmp_path, filmed(0.0, 0.0), ()) == lesson_of(tmp_path)


def test_the_camera_is_noted_where_one_took_all_frames_and_none_where_there_were_several(tmp_path):
    note_lesson(tmp_path, tmp_path, filmed(0.0, 0.0, 0.0), ())
    home, camera = lesson_of(tmp_path).home_camera(), oblique_camera(batch=1)
    assert torch.equal(home.K, camera.K) and torch.equal(home.T_world_cam, camera.T_world_cam)
    assert home.image_size == camera.image_size
    note_lesson(tmp_path, tmp_path, filmed(0.0, 0.0, 0.01), ())
    assert lesson_of(tmp_path).home_camera() is None


def test_a_checkpoint_without_a_note_and_a_dataset_without_one_say_nothing(tmp_path):
    assert lesson_of(tmp_path) == Lesson()
    assert note_lesson(tmp_path, tmp_path / "nothing", filmed(0.0, 0.1), ()) == Lesson(tasks=("a task", "b task"))
    said = said_before_evaluation(Lesson(), "tabletop", {})
    assert said == [
        "it does not say where its demonstrations were recorded; evaluated in tabletop (--world names another)"
    ]
    assert where_to_evaluate(Lesson(), None, {"servo": "controller"}) == ("tabletop", {"servo": "controller"})


@pytest.mark.parametrize(
    "note",
    [
        "[]", '{"world": 3, "world_options": {}, "never_told": []}', '{"world": "tabletop"', "",
        '{"world": "", "world_options": {}, "never_told": [], "tasks": [], "camera": {"K": [[1.0]]}}',
        '{"world": "", "world_options": {}, "never_told": [], "tasks": [], "camera": [0.0]}',
        '{"world": "", "world_options": {}, "never_told": [3], "tasks": []}',
        '{"also": ["circles"]}', '{"also": [{"world": "", "world_options": []}]}', '{"also": [{"world": ""}]}',
    ],
)  # fmt: skip
def test_a_damaged_note_is_refused_with_its_path(tmp_path, note):
    (tmp_path / LESSON_FILE).write_text(note)
    with pytest.raises(ValueError, match=LESSON_FILE):
        lesson_of(tmp_path)


def test_a_snapshot_has_the_lesson_of_its_training(tmp_path, monkeypatch):
    note_lesson(tmp_path, tmp_path, filmed(0.0, 0.0), ("heights",))
    (tmp_path / "snapshots/step_000010").mkdir(parents=True)
    assert lesson_of(tmp_path / "snapshots/step_000010") == lesson_of(tmp_path)
    monkeypatch.chdir(tmp_path / "snapshots")
    assert lesson_of(Path("step_000010")) == lesson_of(tmp_path) != Lesson()


def test_other_assets_than_the_demonstrations_showed_are_said(monkeypatch):
    monkeypatch.setattr("para.experiments.lessons.assets_of", lambda spec: "LIBERO's own")
    _, said = said_before_evaluation(ELSEWHERE, "libero", {})
    assert said == "its demonstrations showed stand-ins, this world shows LIBERO's own"
    assert len(said_before_evaluation(ELSEWHERE, "tabletop", {})) == 1


def test_what_is_asked_for_counts_more_than_the_lesson_and_options_of_another_world_do_not_count():
    world, options = where_to_evaluate(ELSEWHERE, None, {"task_index": 4})
    assert (world, options) == ("libero", {"task_index": 4, "robot_visible": False})
    assert where_to_evaluate(ELSEWHERE, "libero", {}) == ("libero", dict(ELSEWHERE.world_options))
    assert where_to_evaluate(ELSEWHERE, "tabletop", {"arm": "printed"}) == ("tabletop", {"arm": "printed"})


def test_a_policy_is_evaluated_where_it_was_taught_and_a_change_of_place_is_said(tmp_path, monkeypatch):
    sized_world.register(monkeypatch)
    record = ("record", "--world", "fake", "--world-options", "dwell_frames=2", "--half", "left", "--workers", "0")
    assert para(*record, "--image-size", "48", "64", "--out", tmp_path / "data").code == 0
    assert train(tmp_path / "data", tmp_path / "checkpoint", "act").code == 0
    few = ("--episodes", "2", "--videos", "0", "--workers", "0")
    said = para("evaluate", "--checkpoint", tmp_path / "checkpoint", "--out", tmp_path / "there", *few)
    task = "'put the black bowl on the plate'"
    assert f"demonstrations: fake (dwell_frames=2), {task}; evaluated in fake (dwell_frames=2)" in said.out
    at_home = ("--out", tmp_path / "at_home", "--rollout.home-view-m", "0.02", *few)
    assert para("evaluate", "--checkpoint", tmp_path / "checkpoint", *at_home).code == 0
    config = json.loads((tmp_path / "there" / "config.json").read_text())
    assert (config["world"], config["world_options"]) == ("fake", {"dwell_frames": 2})
    other = ("--out", tmp_path / "other", "--world-options", "dwell_frames=4", *few)
    said = para("evaluate", "--checkpoint", tmp_path / "checkpoint", *other)
    assert f"demonstrations: fake (dwell_frames=2), {task}; evaluated in fake (dwell_frames=4)" in said.out
    again = ("--out", tmp_path / "there", "--world-options", "dwell_frames=4", *few)
    assert "it differs in world_options" in refusal("evaluate", "--checkpoint", tmp_path / "checkpoint", *again)


def test_the_note_is_no_part_of_the_checkpoint_and_training_goes_on_without_it(tmp_path, monkeypatch):
    sized_world.register(monkeypatch)
    record = ("record", "--world", "fake", "--half", "left", "--image-size", "48", "64", "--workers", "0")
    assert para(*record, "--out", tmp_path / "data").code == 0
    command = ("train", "--data", tmp_path / "data", "--out", tmp_path / "out", *TRAINING, "act", *TINY_POLICY)
    assert para(*command).code == 0
    (tmp_path / "out" / LESSON_FILE).unlink()
    assert "was trained before" in para(*command).out and lesson_of(tmp_path / "out").world == "fake"


def test_of_several_processes_that_train_together_one_writes_the_note(tmp_path, monkeypatch):
    data = recorded(tmp_path / "data", world="tabletop")
    (tmp_path / "checkpoint").mkdir()
    for rank, written in (("1", False), ("0", True)):
        monkeypatch.setenv("RANK", rank)
        note_lesson(tmp_path / "checkpoint", data, filmed(0.0, 0.0), ())
        assert (tmp_path / "checkpoint" / "demonstrations.json").exists() == written
