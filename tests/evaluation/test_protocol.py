"""Laws of the protocol: one record per episode, errors told apart from misses, restartable, never mixed up."""

from __future__ import annotations

import signal
import time
from dataclasses import replace

import pytest
import torch
from torch import nn

from para.evaluation import protocol
from para.evaluation.protocol import Run, Trial, WorldSpec, evaluate
from para.evaluation.results import read_results, summarise
from para.interfaces import ActionChunk, Scene
from para.rollout import RolloutConfig
from tests.datasets.fake_world import FakeWorld

WEIGHTS = "0123456789ab"


class StubPolicy(nn.Module):
    """Says to stay; not finite where its checkpoint is called so."""

    def __init__(self, checkpoint: str):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.bad = checkpoint == "diverged"

    def act(self, obs):
        position = obs.ee_position.unsqueeze(1).expand(-1, 4, 3)
        position = position * float("nan") if self.bad else position
        return ActionChunk(position, torch.ones(1, 4), torch.zeros(1, 4, dtype=torch.bool))


class BuiltWorlds:
    """Stands in for `make_world`, and counts."""

    def __init__(self):
        self.n = 0

    def __call__(self, name, image_size, **options):
        self.n += 1
        return SlowWorld() if name == "slow" else FakeWorld()


class SlowWorld(FakeWorld):
    """Hangs in scenes whose task is "hang"."""

    def execute(self, position, gripper, rotation=None):
        if self.scene.task == "hang":
            time.sleep(5.0)
        return super().execute(position, gripper, rotation)

    def outcome(self):
        return "missed"


class CountedLoads:
    """Stands in for `load_policy`, and counts."""

    def __init__(self):
        self.checkpoints = []

    def __call__(self, checkpoint):
        self.checkpoints.append(checkpoint)
        return StubPolicy(checkpoint)


@pytest.fixture
def worlds(monkeypatch):
    built = BuiltWorlds()
    monkeypatch.setattr(protocol, "make_world", built)
    for cache in (protocol.cached_world, protocol.cached_policy):
        cache.cache_clear()
    yield built
    for cache in (protocol.cached_world, protocol.cached_policy):
        cache.cache_clear()


@pytest.fixture
def run(tmp_path, worlds):
    return Run("some_experiment", tmp_path, CountedLoads())


FAKE = WorldSpec("fake", (32, 48))


def trial(index: int, *, task: str = "fail", policy: str = "para", **changes) -> Trial:
    scene = Scene(object_xy=(0.01 * index, 0.0), task=task, seed=index)
    how = RolloutConfig(execute_steps=2, max_control_steps=9)
    return replace(Trial(policy, policy, WEIGHTS, 0, "test", index, scene, FAKE, how), **changes)


def records_of(run):
    return read_results(run.folder / "results.jsonl")


def test_every_trial_leaves_one_record_with_all_that_tells_what_it_was(run):
    trials = [trial(0, boundary_distance_m=0.05), trial(1), trial(0, policy="act"), trial(1, policy="act")]
    assert evaluate(trials, run, workers=0) == (4, 0)
    records = records_of(run)
    assert [(r.policy, r.scene_index) for r in records] == [("para", 0), ("para", 1), ("act", 0), ("act", 1)]
    first = records[0]
    assert (first.experiment, first.world, first.split, first.checkpoint) == (
        "some_experiment",
        "fake",
        "test",
        WEIGHTS,
    )
    assert first.outcome == "missed" and first.error is None and first.steps == 9
    assert first.boundary_distance_m == 0.05 and Scene.from_dict(first.scene) == trials[0].scene
    assert len(first.ee_path) == 4  # where it started, and after each of three executed steps


def test_an_episode_that_raises_is_an_error_with_its_reason_not_a_miss_and_the_run_goes_on(run):
    evaluate([trial(0), trial(1, task="raise"), trial(2)], run, workers=0)
    records = records_of(run)
    assert [r.outcome for r in records] == ["missed", None, "missed"]
    assert records[1].error == "ValueError: this scene cannot be shown"
    (row,) = summarise(records, experiment="e", world="w", scale="s")["rows"]
    assert (row["trials"], row["missed"], row["errors"]) == (2, 2, 1)


def test_a_policy_that_predicts_what_is_not_finite_is_an_error(run):
    evaluate([trial(0, policy="diverged"), trial(0)], run, workers=0)
    diverged, other = records_of(run)
    assert diverged.outcome is None and "not finite" in diverged.error
    assert other.outcome == "missed"


def test_a_world_in_which_something_raised_is_built_anew(run, worlds):
    evaluate([trial(0), trial(1), trial(2, task="raise"), trial(3), trial(4)], run, workers=0)
    assert worlds.n == 2


def test_a_world_or_policy_that_cannot_be_had_stops_the_run_and_leaves_no_record(run, monkeypatch):
    def no_renderer(name, image_size, **options):
        raise ImportError("no way to draw; install libegl1")

    def damaged(checkpoint):
        raise ValueError("tensors are missing")

    with pytest.raises(ValueError, match="tensors are missing"):
        evaluate([trial(0)], replace(run, load_policy=damaged), workers=0)
    monkeypatch.setattr(protocol, "make_world", no_renderer)
    with pytest.raises(ImportError, match="libegl1"):
        evaluate([trial(0)], run, workers=0)
    assert not (run.folder / "results.jsonl").exists()


def test_a_policy_is_loaded_once_for_all_its_episodes(run):
    evaluate([trial(i, policy=name) for i in range(3) for name in ("para", "act")], run, workers=0)
    assert run.load_policy.checkpoints == ["para", "act"]


def test_a_restart_runs_only_what_is_missing(run):
    trials = [trial(i) for i in range(5)]
    assert evaluate(trials[:2], run, workers=0) == (2, 0)
    before = (run.folder / "results.jsonl").read_text()
    assert evaluate(trials, run, workers=0) == (3, 2)
    after = (run.folder / "results.jsonl").read_text()
    assert after.startswith(before) and len(after.splitlines()) == 5
    assert evaluate(trials, run, workers=0) == (0, 5)
    assert (run.folder / "results.jsonl").read_text() == after


def test_a_record_that_a_kill_cut_off_is_run_again(run):
    trials = [trial(i) for i in range(3)]
    evaluate(trials, run, workers=0)
    path = run.folder / "results.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert evaluate(trials, run, workers=0) == (1, 2)
    assert [r.scene_index for r in records_of(run)] == [0, 1, 2]


def test_an_error_is_a_record_and_is_tried_again_by_the_next_command_that_asks_for_it(run):
    trials = [trial(0, task="raise"), trial(1)]
    evaluate(trials, run, workers=0)
    assert evaluate(trials, run, workers=0) == (1, 1)
    assert sorted(r.scene_index for r in records_of(run)) == [0, 1]
    evaluate([trial(2, policy="act")], run, workers=0)
    assert [r.error is None for r in sorted(records_of(run), key=lambda r: r.scene_index)] == [False, True, True]


def test_an_execution_is_told_by_what_is_not_at_its_default():
    def execution(world=FAKE, **options):
        return trial(0, rollout=RolloutConfig(**options), world=world).execution

    assert execution() == execution(execute_steps=RolloutConfig().execute_steps)
    others = [execution(execute_steps=2), execution(max_control_steps=9), execution(world=WorldSpec("slow", (32, 48)))]
    assert len({execution(), *others}) == 4


def test_changes_of_the_gripper_are_recorded_with_their_place(run):
    evaluate([trial(0)], run, workers=0)
    (record,) = records_of(run)
    assert record.execution and all(len(event) == 5 and event[1] in (0, 1) for event in record.gripper_events)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"weights": "ffffffffffff"}, f"weights {WEIGHTS}, now ffffffffffff"),
        ({"scene": Scene((0.5, 0.5))}, "another scene"),
        ({"rollout": RolloutConfig(execute_steps=3)}, "another execution"),
    ],
)
def test_records_made_with_other_weights_or_scenes_are_refused_before_anything_runs(run, changes, found):
    evaluate([trial(0)], run, workers=0)
    before = (run.folder / "results.jsonl").read_bytes()
    with pytest.raises(ValueError, match=found):
        evaluate([trial(1), trial(0, **changes)], run, workers=0)
    assert (run.folder / "results.jsonl").read_bytes() == before


def test_an_episode_that_hangs_is_recorded_as_an_error_after_its_time(run, monkeypatch):
    monkeypatch.setattr(protocol, "EPISODE_TIMEOUT_S", 0.3)
    slow = WorldSpec("slow", (32, 48))
    started = time.monotonic()
    evaluate([trial(0, world=slow), trial(1, task="hang", world=slow), trial(2, world=slow)], run, workers=0)
    assert time.monotonic() - started < 4
    assert [r.error for r in records_of(run)] == [None, "TimeoutError: the episode took more than 0.3 s", None]


def test_a_time_limit_leaves_no_alarm_behind():
    with protocol.time_limit(0.05):
        pass
    time.sleep(0.1)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_video_shows_every_view_of_its_episode(run):
    from para.datasets.video import read_video

    evaluate([trial(0, video="videos/para/test_000.mp4"), trial(1)], run, workers=0)
    first, second = records_of(run)
    assert first.video == "videos/para/test_000.mp4" and second.video is None
    assert read_video(run.folder / first.video).shape == (4, 32, 48, 3)
