"""A run that broke off says what it lacks, in its record, on its page and on the terminal, until all of it is there."""

from __future__ import annotations

import pytest

from para.evaluation.results import append_records, summarise
from para.evaluation.summary_text import UNFINISHED, unfinished_text
from para.experiments.run import RunOptions, run_experiment
from para.experiments.single import claim_folder
from para.experiments.unfinished import unfinished
from para.files import read_json, write_json
from para.reports import build_family_report, build_report
from tests import sized_world
from tests.evaluation.made_records import outcomes
from tests.evaluation.test_protocol import trial
from tests.reports.synthetic_run import make_config, write_run


@pytest.fixture
def out(tmp_path):
    write_json(tmp_path / "config.json", {"seconds": {}})
    return tmp_path


def trials(policy: str, n: int):
    return [trial(i, policy=policy) for i in range(n)]


def told(out) -> dict:
    return read_json(out / "config.json").get(UNFINISHED, {})


def break_off(out, policy: str, n: int, done: str) -> None:
    with pytest.raises(KeyboardInterrupt), unfinished(out, trials(policy, n)):
        append_records(out / "results.jsonl", outcomes(policy, done))
        raise KeyboardInterrupt


def test_a_run_that_comes_to_its_end_leaves_no_note(out):
    with unfinished(out, trials("para", 3)):
        assert told(out) == {"para": {"test": 3}}
        append_records(out / "results.jsonl", outcomes("para", "pmp"))
    assert told(out) == {} and read_json(out / "config.json") == {"seconds": {}}


def test_what_another_command_broke_off_stays_noted_until_it_is_there(out):
    break_off(out, "para", 5, "pm")
    with unfinished(out, trials("act", 2)):
        append_records(out / "results.jsonl", outcomes("act", "mm"))
    assert told(out) == {"para": {"test": 5}}
    with unfinished(out, trials("para", 5)):
        append_records(out / "results.jsonl", outcomes("para", "..ppp"))
    assert told(out) == {}


def test_episodes_of_other_trainings_are_not_taken_for_those_that_lack(out):
    append_records(out / "results.jsonl", outcomes("para", "ppppp", train_seed=1))
    break_off(out, "para", 3, "p")
    rows = summarise(
        outcomes("para", "ppppp", train_seed=1) + outcomes("para", "p"), experiment="x", world="w", scale="s"
    )["rows"]
    assert told(out) == {"para": {"test": 8}}
    said = "not finished: of 8 episodes 2 are missing (para, test 2)"
    assert unfinished_text(read_json(out / "config.json"), rows) == said


def test_an_evaluation_of_one_half_does_not_forget_that_the_other_broke_off(tmp_path):
    config = {"experiment": "evaluate", "world": "tabletop"}
    claim_folder(tmp_path, config, {}, [])
    append_records(tmp_path / "results.jsonl", outcomes("para", "p", split="left"))
    write_json(tmp_path / "config.json", read_json(tmp_path / "config.json") | {UNFINISHED: {"para": {"left": 20}}})
    claim_folder(tmp_path, config, {"warning": "it never saw the robot"}, [])
    assert told(tmp_path) == {"para": {"left": 20}}


def test_the_pages_of_a_run_that_broke_off_say_so_before_any_number(tmp_path):
    folder, warning = tmp_path / "left_to_right", "checkpoints/hand was never told heights"
    write_run(folder, config=make_config() | {UNFINISHED: {"para": {"test": 10_000}}, "warning": warning})
    for page in (build_report(folder), build_family_report(tmp_path)):
        head = page.read_text().partition("<section")[0].lower()
        assert "not finished: of 10000 episodes" in head and f"{warning}." in head


def test_a_second_command_that_breaks_off_in_training_leaves_a_note_of_what_it_was_to_add(tmp_path, monkeypatch):
    sized_world.register(monkeypatch)
    folder, first = tmp_path / "left_to_right", {"world": "fake", "scale": "tiny", "workers": 0}
    run_experiment(RunOptions("left_to_right", folder, recipes=("para",), **first))
    assert told(folder) == {}

    def broken_off(jobs, **_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("para.experiments.run.train_all", broken_off)
        run_experiment(RunOptions("left_to_right", folder, recipes=("act",), **first))
    planned = told(folder)
    assert set(planned) == {"act"} and all(planned["act"].values())
    assert "Not finished" in build_report(folder).read_text().partition("<section")[0]
    run_experiment(RunOptions("left_to_right", folder, recipes=("act",), **first))
    assert told(folder) == {} and set(read_json(folder / "config.json")["policies"]) == {"para", "act"}
    # given up for before it has anything: what was there before is whole by itself
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("para.experiments.run.train_all", broken_off)
        run_experiment(RunOptions("left_to_right", folder, recipes=("motion_tracks",), **first))
    assert set(told(folder)) == {"motion_tracks"}
    run_experiment(RunOptions("left_to_right", folder, recipes=("act",), **first))
    assert told(folder) == {}


def test_a_command_for_fewer_seeds_does_not_lower_what_another_was_to_have(out):
    with pytest.raises(KeyboardInterrupt), unfinished(out, trials("para", 6)):
        raise KeyboardInterrupt
    with unfinished(out, trials("para", 3)):
        append_records(out / "results.jsonl", outcomes("para", "pmp"))
    assert told(out) == {"para": {"test": 6}}


def test_a_command_that_is_refused_leaves_no_note(tmp_path, monkeypatch):
    sized_world.register(monkeypatch)
    folder, first = tmp_path / "left_to_right", {"world": "fake", "scale": "tiny", "workers": 0}
    run_experiment(RunOptions("left_to_right", folder, recipes=("para",), **first))

    def refused(*_, **__):
        raise ValueError("records of other demonstrations")

    monkeypatch.setattr("para.experiments.run.told_with", refused)
    with pytest.raises(ValueError, match="other demonstrations"):
        run_experiment(RunOptions("left_to_right", folder, recipes=("act",), **first))
    assert told(folder) == {}
