"""A policy evaluated by itself: what cannot work is said before the first episode, or with a failure in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from para.commands.running import Evaluate
from para.evaluation import protocol
from para.experiments.lessons import LESSON_FILE
from para.experiments.run import RunOptions, run_experiment
from para.files import read_json, write_json
from para.policies.regression import Regression
from para.rollout import RolloutConfig
from tests import sized_world


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("alone") / "run"
    with pytest.MonkeyPatch.context() as patch:
        sized_world.register(patch)
        run_experiment(RunOptions("left_to_right", out, world="fake", scale="tiny", recipes=("act",), workers=0))
    return out / "checkpoints/act/seed0"


@pytest.fixture
def evaluation(trained, tmp_path, monkeypatch):
    """How to evaluate that policy in the world that it was trained in, which forgets nothing of earlier tests."""
    sized_world.register(monkeypatch)
    protocol.cached_policy.cache_clear()
    yield lambda **how: Evaluate(trained, tmp_path / "alone", world="fake", episodes=2, videos=0, workers=0, **how)
    protocol.cached_policy.cache_clear()


def test_looking_from_home_without_one_home_camera_is_refused_before_any_episode(evaluation, trained, tmp_path):
    note = read_json(trained / LESSON_FILE)
    write_json(trained / LESSON_FILE, note | {"camera": None})
    with pytest.raises(ValueError, match="home_view_m needs a policy that says from where"):
        evaluation(rollout=RolloutConfig(home_view_m=0.02)).run()
    write_json(trained / LESSON_FILE, note)
    assert not (tmp_path / "alone").exists()


def test_an_evaluation_none_of_whose_episodes_ran_fails_and_the_same_command_tries_again(
    evaluation, monkeypatch, capsys, tmp_path
):
    run = evaluation(rollout=RolloutConfig(max_control_steps=12)).run
    with monkeypatch.context() as patch:

        def act(self, obs):
            raise RuntimeError("the policy is out of order")

        patch.setattr(Regression, "act", act)
        with pytest.raises(SystemExit) as end:
            run()
    said = capsys.readouterr()
    assert end.value.code == 1 and "no episode ran to its end" in said.err
    run()
    assert "2 errors" not in capsys.readouterr().out
