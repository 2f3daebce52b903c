import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from para.evaluation.clusters import (
    BOOTSTRAP,
    FEW_DEVIATE_DIFFERENCE,
    FEW_DEVIATE_RATE,
    cluster_difference_interval,
    cluster_rate_interval,
    sign_flip_test,
)
from para.evaluation.statistics import PairedCounts, mcnemar_exact, newcombe_paired_interval, wilson_interval


def outcomes(rng, rate: float, n_clusters: int, size: int, agreement: float) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes and clusters of episodes; each follows its scene's own draw with the chance `agreement`."""
    of_scene = rng.random((n_clusters, 1))
    own = rng.random((n_clusters, size))
    placed = np.where(rng.random((n_clusters, size)) < agreement, of_scene, own) < rate
    return placed.ravel(), np.repeat(np.arange(n_clusters), size)


@pytest.mark.parametrize("rate", [0.5, 0.8, 0.97])
@pytest.mark.parametrize("agreement", [0.0, 0.8, 1.0])
def test_the_interval_covers_the_truth_however_much_the_episodes_of_a_scene_agree(rate, agreement):
    rng = np.random.default_rng(0)
    runs = 200
    covered = sum(
        low <= rate <= high
        for low, high, *_ in (cluster_rate_interval(*outcomes(rng, rate, 64, 3, agreement)) for _ in range(runs))
    )
    # 0.95 with a standard error of 1.5 %; on the safe side where few scenes deviate
    assert covered / runs > 0.91


def test_an_interval_for_independent_trials_would_cover_too_rarely():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        placed, _ = outcomes(rng, 0.8, 64, 3, 0.9)
        low, high = wilson_interval(int(placed.sum()), len(placed))
        covered += low <= 0.8 <= high
    assert covered / 200 < 0.88


@pytest.mark.parametrize("rates", [(0.9, 0.5), (0.6, 0.6), (0.97, 0.03)])
def test_the_interval_of_a_difference_covers_the_truth(rates):
    rng = np.random.default_rng(1)
    runs = 200
    covered = 0
    for _ in range(runs):
        state = rng.bit_generator.state
        a, clusters = outcomes(rng, rates[0], 48, 3, 0.7)
        rng.bit_generator.state = state  # both policies meet the same scenes
        b, _ = outcomes(rng, rates[1], 48, 3, 0.7)
        low, high, *_ = cluster_difference_interval(a, b, clusters)
        covered += low <= rates[0] - rates[1] <= high
    assert covered / runs > 0.91


def test_episodes_that_always_agree_count_as_one():
    rng = np.random.default_rng(2)
    once, scenes = outcomes(rng, 0.7, 60, 1, 0.0)
    thrice, seeds = np.repeat(once, 3), np.repeat(scenes, 3)
    assert cluster_rate_interval(thrice, seeds)[:3] == pytest.approx(cluster_rate_interval(once, scenes)[:3])
    low, high, *_ = cluster_rate_interval(once, scenes)
    assert (low, high) == pytest.approx(wilson_interval(int(once.sum()), 60), abs=0.03)


def test_where_all_are_equal_each_cluster_counts_as_one_trial():
    placed, clusters = np.ones(192, bool), np.repeat(np.arange(64), 3)
    assert cluster_rate_interval(placed, clusters) == (*wilson_interval(64, 64), 64, FEW_DEVIATE_RATE)
    difference = cluster_difference_interval(placed, ~placed, clusters)
    assert difference == (*newcombe_paired_interval(PairedCounts(0, 64, 0, 0)), 64, FEW_DEVIATE_DIFFERENCE)


def test_few_deviations_do_not_make_the_interval_shorter_than_none():
    clusters = np.repeat(np.arange(64), 3)
    lows = []
    for failures in range(5):
        placed = np.ones((64, 3), bool)
        placed[:failures, 0] = False
        low, high, n_clusters, method = cluster_rate_interval(placed.ravel(), clusters)
        assert n_clusters == 64 and method == FEW_DEVIATE_RATE and low < 1 - failures / 192 <= high
        lows.append(low)
    assert lows == sorted(lows, reverse=True)
    placed[:5, 0] = False
    assert cluster_rate_interval(placed.ravel(), clusters).method == BOOTSTRAP


def test_equal_episodes_give_equal_intervals_in_any_order():
    rng = np.random.default_rng(3)
    placed, clusters = outcomes(rng, 0.6, 40, 3, 0.5)
    order = rng.permutation(len(placed))
    first = cluster_rate_interval(placed, clusters)
    assert first == cluster_rate_interval(placed, clusters) == cluster_rate_interval(placed[order], clusters[order])
    assert first[:2] == pytest.approx(cluster_rate_interval(placed, clusters, seed=1)[:2], abs=0.02)


def test_swapping_the_policies_mirrors_the_interval():
    rng = np.random.default_rng(4)
    a, clusters = outcomes(rng, 0.8, 60, 3, 0.5)
    b, _ = outcomes(rng, 0.5, 60, 3, 0.5)
    low, high, *_ = cluster_difference_interval(a, b, clusters)
    assert cluster_difference_interval(b, a, clusters)[:2] == pytest.approx((-high, -low), abs=0.02)  # other resamples


def test_with_one_pair_per_cluster_the_sign_flip_test_is_mcnemars():
    for a_only, b_only in [(0, 0), (1, 0), (5, 2), (9, 9), (38, 0)]:
        a = [True] * a_only + [False] * b_only + [True] * 4
        b = [False] * a_only + [True] * b_only + [True] * 4
        assert sign_flip_test(a, b, range(len(a))) == pytest.approx(mcnemar_exact(a_only, b_only))


def test_pairs_that_share_a_cluster_are_not_counted_as_independent_evidence():
    a, b = [True] * 12, [False] * 12
    assert sign_flip_test(a, b, range(12)) == pytest.approx(2 * 0.5**12)
    assert sign_flip_test(a, b, [i // 3 for i in range(12)]) == pytest.approx(2 * 0.5**4)


def test_the_sign_flip_test_errs_no_more_often_than_it_says():
    rng = np.random.default_rng(5)
    false_calls = naive = 0
    for _ in range(400):
        a, clusters = outcomes(rng, 0.6, 30, 3, 0.95)
        b, _ = outcomes(rng, 0.6, 30, 3, 0.95)
        false_calls += sign_flip_test(a, b, clusters) < 0.05
        naive += mcnemar_exact(int((a & ~b).sum()), int((b & ~a).sum())) < 0.05
    assert false_calls / 400 < 0.075 < naive / 400  # 0.05 with a standard error of 1.1 %; pairs taken as independent


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40), st.integers(1, 4))
def test_pairs_in_however_few_clusters_have_an_interval_that_holds_their_difference(pairs, n_clusters):
    a, b = zip(*pairs)
    low, high = cluster_difference_interval(a, b, [i % n_clusters for i in range(len(pairs))])[:2]
    difference = (sum(a) - sum(b)) / len(pairs)
    assert -1 <= low <= difference + 1e-6 and difference - 1e-6 <= high <= 1


def test_what_is_no_set_of_clusters_is_refused():
    for wrong in (([], []), ([True], [1, 2])):
        with pytest.raises(ValueError, match="a cluster each"):
            cluster_rate_interval(*wrong)
    with pytest.raises(ValueError, match="as many outcomes"):
        cluster_difference_interval([True], [True, False], [1, 2])
    with pytest.raises(ValueError, match="as many outcomes"):
        sign_flip_test([True], [True, False], [1, 2])
    with pytest.raises(ValueError, match="between 0 and 1"):
        cluster_rate_interval([True, False] * 10, range(20), level=95)
