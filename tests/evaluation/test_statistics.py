import itertools

import numpy as np
import pytest
from scipy import stats

from para.evaluation.statistics import (
    PairedCounts,
    cochran_q_p,
    mcnemar_exact,
    newcombe_interval,
    newcombe_paired_interval,
    wilson_interval,
)


def test_the_wilson_interval_agrees_with_scipy_for_all_small_counts():
    for trials in (1, 2, 7, 20, 64):
        for successes in range(trials + 1):
            theirs = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
            np.testing.assert_allclose(wilson_interval(successes, trials), theirs, rtol=0, atol=1e-12)


def test_no_success_in_twenty_leaves_an_interval_that_does_not_end_at_zero():
    low, high = wilson_interval(0, 20)
    assert low == 0.0 and 0.16 < high < 0.162
    assert wilson_interval(20, 20) == pytest.approx((1 - high, 1.0))


def test_a_higher_level_gives_a_wider_interval():
    narrow, wide = wilson_interval(11, 20, 0.8), wilson_interval(11, 20, 0.99)
    assert wide.low < narrow.low < 11 / 20 < narrow.high < wide.high


@pytest.mark.parametrize(
    ("counts", "published"),
    [  # Newcombe, Statistics in Medicine 17 (1998) 873-890, table II, method 10
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((0, 10, 0, 10), (-0.2775, 0.2775)),
        ((10, 10, 0, 20), (0.6791, 1.0)),
        ((10, 10, 0, 10), (0.6075, 1.0)),
    ],
)
def test_independent_differences_agree_with_newcombes_published_examples(counts, published):
    assert newcombe_interval(*counts) == pytest.approx(published, abs=5.1e-5)


@pytest.mark.parametrize(
    ("counts", "published"),
    [
        # Newcombe, Statistics in Medicine 17 (1998) 2635-2650, method 10
        ((36, 12, 2, 0), (0.0569, 0.3404)),
        ((20, 12, 2, 16), (0.0562, 0.3292)),
        # Fagerland, Lydersen, Laake, Statistics in Medicine 33 (2014) 2850-2875: airway hyper-responsiveness, response
        ((1, 1, 7, 12), (-0.507, -0.026)),
        ((59, 6, 16, 80), (-0.1186, -0.0046)),
    ],
)
def test_paired_differences_agree_with_published_examples(counts, published):
    tolerance = 5.1e-5 if abs(published[0]) < 0.5 else 5.1e-4  # the digits that were printed
    assert newcombe_paired_interval(PairedCounts(*counts)) == pytest.approx(published, abs=tolerance)


def test_swapping_the_policies_mirrors_the_intervals():
    low, high = newcombe_interval(56, 70, 48, 80)
    assert newcombe_interval(48, 80, 56, 70) == pytest.approx((-high, -low))
    low, high = newcombe_paired_interval(PairedCounts(20, 12, 2, 16))
    assert newcombe_paired_interval(PairedCounts(20, 2, 12, 16)) == pytest.approx((-high, -low))


def test_pairs_that_agree_give_a_narrower_interval_than_independent_trials():
    paired = newcombe_paired_interval(PairedCounts(40, 10, 2, 12))
    independent = newcombe_interval(50, 64, 42, 64)
    assert independent.low < paired.low < paired.high < independent.high


def test_mcnemar_is_the_binomial_test_of_a_fair_coin_on_the_discordant_pairs():
    for a_only, b_only in itertools.product(range(8), range(8)):
        theirs = stats.binomtest(a_only, a_only + b_only, 0.5).pvalue if a_only + b_only else 1.0
        assert mcnemar_exact(a_only, b_only) == pytest.approx(theirs)
    assert mcnemar_exact(64, 0) == pytest.approx(2 * 0.5**64)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    n, runs = 40, 2000
    for p_a, p_b in [(0.9, 0.5), (0.6, 0.6), (0.97, 0.05)]:
        wilson = newcombe = paired = 0
        # each scene has a difficulty of its own, shared by both policies: that is what makes the pairs correlated
        difficulty = rng.random((runs, n))
        shared = rng.random((runs, n)) < 0.5
        a = np.where(shared, difficulty, rng.random((runs, n))) < p_a
        b = np.where(shared, difficulty, rng.random((runs, n))) < p_b
        for x, y in zip(a, b, strict=True):
            counts = PairedCounts(int((x & y).sum()), int((x & ~y).sum()), int((~x & y).sum()), int((~x & ~y).sum()))
            low, high = newcombe_paired_interval(counts)
            paired += low <= p_a - p_b <= high
            low, high = wilson_interval(int(x.sum()), n)
            wilson += low <= p_a <= high
            low, high = newcombe_interval(int(x.sum()), n, int(rng.binomial(n, p_b)), n)
            newcombe += low <= p_a - p_b <= high
        for covered in (wilson, newcombe, paired):
            # 0.95 but for the lattice of possible counts at n = 40 and 2000 runs (0.5 % standard error)
            assert 0.925 < covered / runs < 0.99


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (0, 0), (-1, 5), (6, 5)])
def test_counts_that_cannot_be_are_refused(successes, trials):
    with pytest.raises(ValueError, match=f"{successes} of {trials}"):
        wilson_interval(successes, trials)
    with pytest.raises(ValueError, match=f"{successes} of {trials}"):
        newcombe_interval(1, 2, successes, trials)


def test_impossible_pairs_and_levels_are_refused():
    for counts in (PairedCounts(0, 0, 0, 0), PairedCounts(3, -1, 0, 0)):
        with pytest.raises(ValueError, match="at least one pair"):
            newcombe_paired_interval(counts)
    with pytest.raises(ValueError, match="0 or more"):
        mcnemar_exact(-1, 2)
    with pytest.raises(ValueError, match="between 0 and 1"):
        wilson_interval(1, 2, level=95)


def test_cochrans_q_is_that_of_a_published_example():
    # SAS/STAT, PROC FREQ, "Cochran's Q Test": 46 patients, three drugs, each favourable or not; Q = 8.4706, p = 0.0145
    patients = {"FFF": 6, "FFU": 16, "FUF": 2, "FUU": 4, "UFF": 2, "UFU": 4, "UUF": 6, "UUU": 6}
    outcomes = [[answer == "F" for answer in drugs] for drugs, n in patients.items() for _ in range(n)]
    assert cochran_q_p(outcomes) == pytest.approx(stats.chi2.sf(8.4706, 2), abs=1e-6)
    assert round(cochran_q_p(outcomes), 4) == 0.0145


def test_cochrans_q_of_two_groups_is_mcnemars_chi_squared():
    outcomes = [[True, False]] * 15 + [[False, True]] * 5 + [[True, True]] * 30 + [[False, False]] * 10
    assert cochran_q_p(outcomes) == pytest.approx(stats.chi2.sf((15 - 5) ** 2 / (15 + 5), 1))


@pytest.mark.parametrize("spread", [0.0, 0.35])
def test_trainings_of_one_rate_are_said_to_differ_about_as_rarely_as_the_level_says(spread):
    """Whether scenes are equally hard, or some are easy for all trainings and some for none."""
    rng = np.random.default_rng(0)
    rates = np.clip(0.55 + spread * rng.choice([-1.0, 1.0], size=(2000, 64, 1)), 0, 1)
    draws = rng.random((2000, 64, 3)) < rates
    said = np.mean([cochran_q_p(draw.tolist()) < 0.05 for draw in draws])
    assert 0.035 < said < 0.065


def test_trainings_that_fail_in_the_same_scenes_are_told_apart_where_counts_alone_would_not():
    hard = [[False, False, False]] * 20 + [[True, True, True]] * 14
    outcomes = hard + [[False, True, True]] * 8
    counts = np.array([[14, 22, 22], [28, 20, 20]])
    assert cochran_q_p(outcomes) < 0.001 < 0.05 < stats.chi2_contingency(counts, correction=False).pvalue


def test_groups_that_never_differ_do_not_differ_and_rows_that_lack_outcomes_are_refused():
    assert cochran_q_p([[True, True]] * 4 + [[False, False]]) == cochran_q_p([[True]]) == cochran_q_p([]) == 1.0
    with pytest.raises(ValueError, match="an outcome in every group"):
        cochran_q_p([[True, False], [True]])
