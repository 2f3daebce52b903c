"""A mixture has each dataset's share, loses no sample, and is a pure function of the number asked for."""

import signal
from collections import Counter
from dataclasses import replace

import pytest
import torch

from para.datasets.mixture import Mixture
from para.datasets.partial_supervision import PixelsOnly
from para.training import TrainConfig, train
from para.training.order import SampleOrder
from tests.conftest import random_batch
from tests.tiny import build, policy_config


class Numbered:
    """Samples of which the gripper's opening is the number, in thousandths of a dataset's own base."""

    def __init__(self, n: int, base: float, **batch):
        self.n = n
        self.obs, self.actions = random_batch(B=n, seed=int(base * 10), **batch)
        self.obs = replace(self.obs, gripper=base + torch.arange(n) / 1000)

    def __len__(self):
        return self.n

    def batch(self, indices):
        rows = torch.tensor(indices)
        return self.obs[rows], self.actions[rows]


@pytest.mark.parametrize("sizes, weights", [((7, 40), (1, 1)), ((30, 5, 11), (0.7, 0.2, 0.1)), ((3, 100), (9, 1))])
def test_an_epoch_has_every_sample_and_each_dataset_its_share(sizes, weights):
    mixture = Mixture([Numbered(n, 0.1 * k) for k, n in enumerate(sizes)], weights)
    places = Counter(mixture.place(i) for i in range(len(mixture)))
    for k, n in enumerate(sizes):
        counts = [places[k, i] for i in range(n)]
        assert min(counts) >= 1 and max(counts) - min(counts) <= 1
        assert sum(counts) / len(mixture) == pytest.approx(weights[k] / sum(weights), abs=1 / len(mixture) + 1e-9)


def test_a_batch_has_its_samples_in_the_order_asked_for_whichever_dataset_they_are_from():
    first, second = Numbered(5, 0.0), Numbered(9, 0.5)
    mixture = Mixture([first, second], (1, 2))
    asked = [len(mixture) - 1, 0, 7, 3, 12]
    obs, actions = mixture.batch(asked)
    for row, index in enumerate(asked):
        which, sample = mixture.place(index)
        alone, chunk = (first, second)[which].batch([sample])
        assert torch.equal(obs.gripper[row : row + 1], alone.gripper) and torch.equal(obs.image[row], alone.image[0])
        assert torch.equal(actions.position[row], chunk.position[0])
    assert actions.known is None


def test_datasets_that_tell_less_keep_saying_so_beside_those_that_tell_all():
    mixture = Mixture([Numbered(4, 0.0), PixelsOnly(Numbered(4, 0.5))], (1, 1))
    _, actions = mixture.batch([0, 5, 1, 7])
    assert actions.height_known[:, 0].tolist() == [True, False, True, False] and actions.pixel_known.all()


def run(folder, stop: int | None = None):
    data = Mixture([Numbered(6, 0.0), PixelsOnly(Numbered(9, 0.5))], (0.4, 0.6))
    policy = build(policy_config("para", n_height_bins=4))
    policy.fit_ranges(*(lambda obs, actions: (actions, obs.camera))(*Numbered(6, 0.0).batch(range(6))))

    def on_progress(record):
        if record["step"] == stop:
            signal.raise_signal(signal.SIGINT)

    config = TrainConfig(steps=8, batch_size=4, log_every=1, device="cpu")
    return train(policy, data, config, folder, on_progress=on_progress, show_progress=False)


def test_co_training_goes_on_after_an_interruption_with_the_same_bytes(tmp_path):
    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", stop=3)
    rest = run(tmp_path / "parts")
    assert (rest.weights, rest.first_step) == (whole.weights, 3)


def test_batches_of_a_training_have_the_shares_on_average():
    mixture = Mixture([Numbered(8, 0.0), Numbered(50, 0.5)], (3, 1))
    order = SampleOrder(len(mixture), 16, seed=0)
    drawn = Counter(mixture.place(index)[0] for step in range(100) for index in order.indices(step))
    assert drawn[0] / drawn.total() == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize(
    "datasets, weights, message",
    [
        ([(4, {}), (4, {})], (1,), "2 datasets need as many weights"),
        ([(4, {}), (4, {})], (1, 0), "must be above 0"),
        ([(4, {}), (4, {"H": 32})], (1, 1), "images of one size"),
        ([(4, {}), (4, {"T": 6})], (1, 1), "chunks of one horizon; got .4, 6."),
    ],
)
def test_what_cannot_be_mixed_is_refused(datasets, weights, message):
    with pytest.raises(ValueError, match=message):
        mixture = Mixture([Numbered(n, 0.1, **options) for n, options in datasets], weights)
        mixture.batch([0, len(mixture) - 1])
