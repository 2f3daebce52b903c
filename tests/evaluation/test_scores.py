import numpy as np
import pytest

from para.evaluation.clusters import cluster_rate_interval
from para.evaluation.scores import weighted_score
from para.evaluation.statistics import wilson_interval
from para.interfaces import Scene
from tests.evaluation.made_records import record

LETTERS = {"p": "placed", "g": "grasped", "m": "missed", "e": None}


def records(text: str, seeds: int = 1):
    """A letter per scene, each at a position of its own, with the same outcome for every seed."""
    return [
        record(train_seed=seed, scene_index=i, scene=Scene((0.01 * i, 0.0)).to_dict(), outcome=LETTERS[letter],
               error=None if LETTERS[letter] else "ValueError: boom")
        for seed in range(seeds)
        for i, letter in enumerate(text)
    ]  # fmt: skip


def test_what_was_only_grasped_counts_half_and_what_raised_nothing_at_all():
    assert weighted_score(records("ppgme")).value == (2 + 1 / 2) / 4
    assert weighted_score(records("ee")) is None and weighted_score([]) is None


def test_without_grasps_a_score_and_its_interval_are_those_of_the_rate():
    text = "p" * 20 + "m" * 12
    assert weighted_score(records(text)) == (20 / 32, *cluster_rate_interval([c == "p" for c in text], range(32))[:2])
    assert weighted_score(records("p" * 32)) == (1.0, *wilson_interval(32, 32))


def test_equal_records_give_one_interval_in_any_order_and_seeds_that_agree_do_not_make_it_shorter():
    once = records("p" * 15 + "g" * 8 + "m" * 9)
    shuffled = [once[i] for i in np.random.default_rng(0).permutation(len(once))]
    assert weighted_score(once) == weighted_score(shuffled)
    assert weighted_score(records("p" * 15 + "g" * 8 + "m" * 9, seeds=3)) == pytest.approx(weighted_score(once))


@pytest.mark.parametrize("chances", [(0.3, 0.4, 0.3), (0.05, 0.6, 0.35), (0.93, 0.05, 0.02)])
def test_the_interval_covers_the_true_score(chances):
    rng, runs = np.random.default_rng(0), 150
    truth = chances[0] + chances[1] / 2
    scores = [weighted_score(records("".join(rng.choice(list("pgm"), size=64, p=chances)))) for _ in range(runs)]
    assert all(score.low <= score.value <= score.high for score in scores)
    # 0.95 with a standard error of 1.8 %; on the safe side where few scenes deviate
    assert np.mean([score.low <= truth <= score.high for score in scores]) > 0.9
