"""The estimate: what is left, and what each kind of policy costs here. Nothing is recorded, trained or evaluated."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from para.evaluation.protocol import WorldSpec
from para.experiments import EXPERIMENTS, costs, recipes
from para.experiments.costs import Costs, kind_of
from para.experiments.plan import EPISODE_FRAMES, Work, describe_plan, seconds_of, work_left
from para.experiments.run import RunOptions, plan_run
from para.experiments.scale import SCALES, pick_scale
from para.interfaces import Scene
from para.policies import Para
from tests import sized_world
from tests.pretend_gpu import pretend_gpu

TINY = SCALES["tiny"]
CONFIGS = {
    recipe.name: recipe.config(TINY) for experiment in EXPERIMENTS.values() for recipe in experiment.recipes
}  # fmt: skip
KINDS = {kind_of(config): config for config in CONFIGS.values()}
PARA, ACT = kind_of(CONFIGS["para"]), kind_of(CONFIGS["act"])
SCENE = Scene(object_xy=(0.01, -0.02))


@pytest.fixture
def fake(monkeypatch):
    sized_world.register(monkeypatch)


@pytest.fixture
def measured(monkeypatch) -> list:
    """The kinds of policy that were measured; PARA's training step is said to take 30 s and a look 2 s, others 1 s."""
    asked = []

    def measure_policy(config, obs, batch_size):
        asked.append(kind_of(config))
        return (30.0, 2.0) if kind_of(config) == PARA else (1.0, 1.0)

    monkeypatch.setattr(costs, "measure_policy", measure_policy)
    return asked


def options(folder, *policies: str, experiment: str = "left_to_right", **changes) -> RunOptions:
    return RunOptions(experiment, folder, world="fake", scale="tiny", recipes=policies, workers=0, **changes)


def test_what_differs_in_policy_backbone_or_classes_is_of_another_kind_and_all_else_of_the_same():
    assert kind_of(CONFIGS["para+paper_form"]) != PARA != ACT
    assert (
        len({kind_of(CONFIGS[name]) for name in ("para", "para+depth", "para+vit", "motion_tracks", "diffusion")}) == 5
    )
    assert kind_of(CONFIGS["para+t4"]) == kind_of(CONFIGS["para+no_warps"]) == PARA
    of_video = {kind for kind in KINDS if kind.trained}  # of the experiments on a video model alone
    assert len(set(KINDS) - of_video) <= 12 and len(of_video) <= 4, "each is measured before anything starts"


def test_every_kind_of_policy_of_the_experiments_can_be_measured_and_leaves_random_numbers_as_they_were(
    fake, monkeypatch
):
    monkeypatch.setattr(costs, "BUDGET_S", math.inf)
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    found = costs.measure(WorldSpec("fake", TINY.image_size), SCENE, KINDS, TINY.batch_size)
    assert torch.equal(torch.rand(2), expected)
    assert set(found.steps) == set(found.looks) == set(KINDS) and found.frame > 0
    assert all(0 < seconds < math.inf for seconds in (*found.steps.values(), *found.looks.values()))


def test_each_kind_with_work_left_is_measured_once_for_all_runs_and_counts_with_its_own_cost(fake, measured, tmp_path):
    runs = [options(tmp_path / name, "para", "act", experiment=name) for name in ("left_to_right", "near_to_far")]
    text = describe_plan(runs)
    assert sorted(measured) == sorted([PARA, ACT])
    assert f"{TINY.train_steps} steps" in text and text.count("; about ") == len(runs) + 1
    measured.clear()
    describe_plan([options(tmp_path / "acts", "act")])
    assert measured == [ACT]


def test_training_time_is_the_sum_over_kinds_and_halves_with_two_processes():
    found = Costs(0.0, {PARA: 30.0, ACT: 1.0}, {PARA: 2.0, ACT: 1.0})
    left = Work(0, 3, {PARA: 12, ACT: 24}, 4, {PARA: 10.0, ACT: 20.0})
    assert seconds_of(left, found, 1) == 12 * 30 + 24 + 20 + 20
    assert seconds_of(left, found, 2) == seconds_of(left, found, 1) / 2


def test_on_one_gpu_trainings_follow_one_another_and_the_plan_says_so(fake, measured, monkeypatch, tmp_path):
    found, left = Costs(2.0, {PARA: 30.0}, {PARA: 3.0}), Work(1, 3, {PARA: 12}, 4, {PARA: 10.0})
    on_cpus, text = seconds_of(left, found, 4), describe_plan([options(tmp_path, "para")])
    monkeypatch.setattr("para.devices.gpus", lambda: ("0",))
    monkeypatch.setattr("para.experiments.plan.gpus", lambda: ("0",))
    assert seconds_of(left, found, 4) == pytest.approx(on_cpus + 12 * 30 * 3 / 4)
    assert "GPU" not in text
    assert "act on the GPU, 1 training at a time" in describe_plan([options(tmp_path, "para")], estimate=False)


def test_a_clock_is_read_when_the_gpu_is_done_with_what_it_was_asked_for(monkeypatch):
    done = []
    monkeypatch.setattr(costs, "wait_for_gpu", lambda: done.append("wait"))
    monkeypatch.setattr(costs.time, "perf_counter", lambda: bool(done.append("read")))
    costs.seconds_each(lambda: done.append("ask"), 2)
    assert done == ["wait", "read", "ask", "wait", "read", "read", "ask", "ask", "wait", "read"]


def test_where_there_is_a_gpu_policies_are_measured_on_it(fake, monkeypatch):
    devices, precisions = [], []
    loss, act = Para.loss, Para.act

    def noted(name, own):
        def method(self, obs, *args, **kwargs):
            devices.append((name, obs.image.device.type))
            return own(self, obs, *args, **kwargs)

        return method

    monkeypatch.setattr(Para, "loss", noted("loss", loss))
    monkeypatch.setattr(Para, "act", noted("act", act))
    monkeypatch.setattr(costs, "is_fast_at_bfloat16", lambda on_cuda: bool(precisions.append(on_cuda)))
    obs = WorldSpec("fake", TINY.image_size).build().reset(SCENE)
    with pretend_gpu():
        costs.measure_policy(CONFIGS["para"], obs, TINY.batch_size)
    assert set(devices) == {("loss", "cuda"), ("act", "cuda")} and precisions == [True]
    devices.clear()
    costs.measure_policy(CONFIGS["para"], obs, TINY.batch_size)
    assert set(devices) == {("loss", "cpu"), ("act", "cpu")} and precisions == [True, False]


def test_a_policy_that_looks_after_every_step_makes_more_predictions_than_one_that_carries_out_its_chunk(
    fake, tmp_path
):
    plan = plan_run(options(tmp_path, "para+t4", experiment="window"))
    left = work_left(plan, set())
    ways = plan.recipes[0].executions
    looks_per_frame = sum(1 / {1: 1, 0: 4}.get(how.rollout.execute_steps, 4) for how in ways.values())
    assert left.looks[PARA] == pytest.approx(plan.n_scenes * EPISODE_FRAMES * looks_per_frame)
    assert left.episodes == plan.n_scenes * len(ways)


def test_beyond_the_budget_the_kind_with_most_work_is_still_measured_and_stands_for_the_others(
    fake, measured, monkeypatch, tmp_path
):
    monkeypatch.setattr(costs, "BUDGET_S", 0.0)
    describe_plan([options(tmp_path, "para", "act")])
    (only,) = measured
    found = Costs(0.0, {only: 7.0}, {only: 0.5})
    assert found.step(PARA) == found.step(ACT) == 7.0 and found.look(PARA) == found.look(ACT) == 0.5


def test_what_takes_long_is_done_once_and_what_does_not_is_warmed_up_first(monkeypatch):
    calls = []
    costs.seconds_each(lambda: calls.append(1), 3)
    assert len(calls) == 4
    calls.clear()
    monkeypatch.setattr(costs, "LONG_S", 0.0)
    assert costs.seconds_each(lambda: calls.append(1), 3) > 0 and len(calls) == 1


def test_in_libero_policies_train_for_twice_the_steps_and_half_of_paras_pictures_move_and_nothing_else_changes():
    small, there = SCALES["small"], pick_scale("small", "libero")
    assert (there.train_steps, there.eval_every) == (2 * small.train_steps, 2 * small.eval_every)
    assert (small.moved_share, there.moved_share) == (1.0, 0.5)
    assert recipes.PARA.config(there).augment == replace(recipes.PARA.config(small).augment, moved_share=0.5)
    assert recipes.ACT.config(there) == recipes.ACT.config(small)
    own = {name: getattr(small, name) for name in ("train_steps", "eval_every", "moved_share", "usual_policies")}
    assert replace(there, **own) == small
    assert pick_scale("small", "tabletop") == small and pick_scale("paper", "libero") == SCALES["paper"]
