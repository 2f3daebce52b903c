"""Which demonstrations count as the same though they are not bit for bit."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from para.datasets import Demonstrations
from para.datasets.recording import record
from para.experiments.same_demonstrations import are_alike, summary_of, told_with
from para.interfaces import Scene
from para.worlds import make_world

SCENES = [Scene(object_xy=(-0.10, -0.20)), Scene(object_xy=(0.05, 0.05)), Scene(object_xy=(0.12, -0.31))]


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory):
    root = tmp_path_factory.mktemp("recorded") / "data"
    record(partial(make_world, "tabletop", (36, 48)), SCENES, root, workers=0, progress=False)
    return Demonstrations.open(root)


def moved(demonstrations, by):
    return replace(demonstrations, action_position=demonstrations.action_position + np.asarray(by, dtype=np.float32))


@given(seed=st.integers(0, 10_000), scale=st.floats(0, 1e-4))
def test_rounding_in_every_action_leaves_demonstrations_the_same(demonstrations, seed, scale):
    noise = np.random.default_rng(seed).uniform(-scale, scale, demonstrations.action_position.shape)
    assert are_alike(summary_of(demonstrations), summary_of(moved(demonstrations, noise)))


@given(axis=st.integers(0, 2), by=st.floats(0.0025, 0.5), sign=st.sampled_from([-1, 1]))
def test_demonstrations_that_lead_elsewhere_are_others(demonstrations, axis, by, sign):
    shift = np.zeros(3)
    shift[axis] = sign * by
    assert not are_alike(summary_of(demonstrations), summary_of(moved(demonstrations, shift)))


def test_one_demonstration_less_makes_others(demonstrations):
    assert not are_alike(summary_of(demonstrations), summary_of(demonstrations.subset([0, 1])))


def test_a_gripper_that_closes_otherwise_makes_others(demonstrations):
    always_open = replace(demonstrations, action_gripper=np.ones_like(demonstrations.action_gripper))
    assert not are_alike(summary_of(demonstrations), summary_of(always_open))


def test_trainings_that_are_all_done_anew_may_be_of_any_demonstrations(demonstrations):
    told = {"data_hash": {"few": "0"}, "data_summary": {"few": summary_of(demonstrations.subset([0]))}}
    entries = told_with(told, {"few": demonstrations}, joins=False)
    assert entries["data_hash"] == {"few": demonstrations.data_hash} and "earlier_data_hash" not in entries
    with pytest.raises(ValueError, match=r"'few': 1 episodes, .* recorded here: 3 episodes"):
        told_with(told, {"few": demonstrations}, joins=True)


def test_hashes_of_every_machine_are_kept_once(demonstrations):
    told = {"data_hash": {"few": "0"}}
    for _ in range(2):
        told |= told_with(told, {"few": demonstrations}, joins=True)
    assert told["earlier_data_hash"] == {"few": ["0"]}
