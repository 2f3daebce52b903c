import numpy as np
import pytest
from scipy import stats

from para.evaluation.power import PAPER_CONTRASTS, pairs_needed, power_of, power_table, trials_per_arm


def test_the_number_of_trials_agrees_with_the_documented_examples_of_power_prop_test():
    # R, ?power.prop.test: n = 76.7 for the first, power 0.740 for n = 50
    assert trials_per_arm(0.50, 0.75, power=0.90) == 77
    assert power_of(50, 0.50, 0.75) == pytest.approx(0.740, abs=5e-4)


def test_to_tell_71_from_68_takes_about_3700_episodes():
    assert trials_per_arm(0.71, 0.68) == 3697
    assert pairs_needed(0.71, 0.68) == pytest.approx(3700, abs=5)


def test_power_at_the_number_of_trials_is_what_was_asked_for():
    for p1, p2 in PAPER_CONTRASTS:
        n = trials_per_arm(p1, p2)
        assert power_of(n, p1, p2) >= 0.8 > power_of(n - 1, p1, p2)


def test_the_number_of_pairs_agrees_with_a_published_example_of_connors_formula():
    # Connor (1987) as computed on powerandsamplesize.com: p10 = 0.05, p01 = 0.45 takes 23 pairs; here as rates
    p1, p2, both = 0.25, 0.65, 0.20
    correlation = (both - p1 * p2) / np.sqrt(p1 * (1 - p1) * p2 * (1 - p2))
    assert pairs_needed(p1, p2, correlation=correlation) == 23


def test_mcnemars_test_finds_the_difference_as_often_as_the_formula_says():
    p1, p2, correlation = 0.75, 0.69, 0.4
    n = pairs_needed(p1, p2, correlation=correlation)
    both = p1 * p2 + correlation * np.sqrt(p1 * (1 - p1) * p2 * (1 - p2))
    cells = np.random.default_rng(0).multinomial(n, [both, p1 - both, p2 - both, 1 - p1 - p2 + both], size=4000)
    a_only, b_only = cells[:, 1], cells[:, 2]
    found = (a_only - b_only) ** 2 / (a_only + b_only) > stats.chi2.ppf(0.95, 1)
    assert found.mean() == pytest.approx(0.8, abs=0.02)  # the standard error is 0.006


def test_shared_scenes_save_episodes_the_more_the_policies_agree_on_them():
    needed = [pairs_needed(0.97, 0.90, correlation=rho) for rho in (-0.1, 0.0, 0.2, 0.5, 0.9, 1.0)]
    assert needed == sorted(needed, reverse=True) and needed[2] < needed[1]
    assert needed[-1] == needed[-2]  # no two policies with these rates can agree more
    assert pairs_needed(0.97, 0.90) == pytest.approx(trials_per_arm(0.97, 0.90), rel=0.02)


def test_swapping_the_rates_or_success_with_failure_changes_nothing():
    for count in (trials_per_arm, pairs_needed):
        assert count(0.6, 0.4) == count(0.4, 0.6) and count(0.9, 0.7) == count(0.1, 0.3)


def test_the_table_has_a_row_per_contrast_hardest_last():
    rows = power_table([(0.71, 0.68), (0.54, 0.01), (0.60, 0.40)])
    assert [(row["p1"], row["per_arm"]) for row in rows] == [(0.54, 10), (0.60, 97), (0.71, 3697)]
    assert all(row["pairs_correlated"] <= row["pairs"] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "options", "why"),
    [
        ((0.5, 0.5), {}, "two different rates"),
        ((1.2, 0.5), {}, "two different rates"),
        ((0.7, 0.5), {"power": 1.0}, "alpha and power"),
        ((0.7, 0.5), {"alpha": 0.0}, "alpha and power"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(arguments, options, why):
    for count in (trials_per_arm, pairs_needed):
        with pytest.raises(ValueError, match=why):
            count(*arguments, **options)


def test_impossible_correlations_and_certain_rates_are_refused():
    with pytest.raises(ValueError, match="correlation"):
        pairs_needed(0.7, 0.5, correlation=1.5)
    with pytest.raises(ValueError, match="other than 0 and 1"):
        power_of(10, 1.0, 0.0)
