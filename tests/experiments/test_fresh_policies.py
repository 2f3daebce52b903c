"""What an untrained policy can put out, and demonstrations that it could not learn."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from para.datasets import DatasetWriter, Demonstrations
from para.experiments.fresh_policies import fresh_policy
from tests.datasets.fake_world import IMAGE_SIZE, random_episode
from tests.tiny import policy_config

CONFIG = policy_config("para", image_size=IMAGE_SIZE)


def reaching(root, height_m: float) -> Demonstrations:
    """Demonstrations whose actions rise from 5 cm to a height."""
    episode = random_episode(0)
    action = episode.action_position.copy()
    action[:, 2] = np.linspace(0.05, height_m, len(action))
    with DatasetWriter(root, image_size=IMAGE_SIZE, lossless=True) as writer:
        writer.add(replace(episode, action_position=action))
    return Demonstrations.open(root)


@pytest.fixture(scope="module")
def low(tmp_path_factory):
    return reaching(tmp_path_factory.mktemp("low") / "data", 0.15)


@pytest.fixture(scope="module")
def high(tmp_path_factory):
    return reaching(tmp_path_factory.mktemp("high") / "data", 0.30)


def test_further_demonstrations_higher_than_the_classes_are_refused_with_a_margin_that_works(low, high):
    with pytest.raises(ValueError, match=r"heights of further .* span 0.05 to 0.30 m, .* give 0.03 to 0.17 m") as said:
        fresh_policy(CONFIG, low, 0, also=[high])
    assert "exchange them" in str(said.value) and "--height-margin-m 0.15" in str(said.value)
    wide = fresh_policy(replace(CONFIG, height_margin_m=0.15), low, 0, also=[high])
    assert not bool(wide.height_bins.outside(torch.tensor([0.05, 0.30])).any())


def test_ranges_are_those_of_the_first_demonstrations_whatever_further_ones_there_are(low, high):
    alone, both = fresh_policy(CONFIG, high, 0), fresh_policy(CONFIG, high, 0, also=[low])
    assert all(torch.equal(a, b) for a, b in zip(alone.state_dict().values(), both.state_dict().values()))


def test_one_class_for_all_heights_and_outputs_over_the_workspace_take_either_way_round(low, high):
    flat = fresh_policy(replace(CONFIG, n_height_bins=1), low, 0, also=[high])
    assert flat.height_bins.edges.tolist() == pytest.approx([0.03, 0.17], abs=1e-4)  # those of --data alone
    act = fresh_policy(policy_config("act", image_size=IMAGE_SIZE), low, 0, also=[high])
    assert act.low.tolist() == pytest.approx(act.config.workspace_low_m)
    assert act.high.tolist() == pytest.approx(act.config.workspace_high_m)


def test_regressed_outputs_that_span_the_training_actions_do_not_reach_further_ones_beyond_them(low, high):
    config = policy_config("act", image_size=IMAGE_SIZE, output_range="training")
    with pytest.raises(ValueError, match="z of further demonstrations span 0.05 to 0.30 m"):
        fresh_policy(config, low, 0, also=[high])
