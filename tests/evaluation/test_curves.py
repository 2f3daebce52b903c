import numpy as np
import pytest
from scipy import special, stats

from para.evaluation.curves import fit_logistic, fitted_curve

FAILED = [53, 56, 57, 70, 70, 70, 75]
SOUND = [63, 66, 67, 67, 67, 68, 69, 70, 72, 73, 75, 76, 76, 78, 79, 80, 81]
"""Launch temperatures with and without a failed O-ring: Montgomery and Runger, Applied Statistics and Probability for
Engineers, the example of logistic regression."""


def curve_data(rng, a: float, b: float, n_clusters: int, size: int, agreement: float):
    """x, outcomes and clusters: episodes of one scene share x and, with the chance `agreement`, their luck."""
    x = rng.uniform(0.0, 0.5, (n_clusters, 1))
    luck = np.where(
        rng.random((n_clusters, size)) < agreement, rng.random((n_clusters, 1)), rng.random((n_clusters, size))
    )
    placed = luck < special.expit(a + b * x)
    return np.repeat(x, size), placed.ravel(), np.repeat(np.arange(n_clusters), size)


def test_the_fit_agrees_with_a_published_example():
    fit = fit_logistic(FAILED + SOUND, [True] * len(FAILED) + [False] * len(SOUND))
    assert (fit.intercept, fit.slope) == pytest.approx((10.875, -0.17132), abs=5e-4)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx([5.703, 0.08344], abs=5e-4)
    assert fit.p_value == pytest.approx(stats.f.sf(5.944, 1, 23), abs=1e-4)  # G = 5.944
    assert fit.half_at == pytest.approx(10.875 / 0.17132, abs=0.01) and not fit.separated


def test_in_a_table_of_two_by_two_firths_estimate_adds_a_half_to_each_cell():
    # as the penalty, Jeffreys' prior, is known to do for log odds ratios (Firth 1993)
    fit = fit_logistic([0] * 10 + [1] * 10, [True] * 9 + [False] * 11)
    assert fit.separated
    assert fit.intercept == pytest.approx(np.log(9.5 / 1.5))
    assert fit.slope == pytest.approx(np.log(0.5 / 10.5) - np.log(9.5 / 1.5))


def test_complete_separation_gives_a_finite_slope_and_a_half_way_point_in_the_gap():
    x = np.linspace(0.0, 0.3, 40)
    fit = fit_logistic(x, x < 0.1)
    assert fit.separated and fit.slope_low < fit.slope < fit.slope_high < 0
    assert fit.half_low < 0.1 < fit.half_high and fit.half_at == pytest.approx(0.1, abs=0.01)
    assert fit.half_observed


@pytest.mark.parametrize("agreement", [0.0, 0.7])
def test_slope_half_way_point_and_band_cover_the_truth(agreement):
    a, b, runs = 3.0, -12.0, 150
    rng = np.random.default_rng(0)
    at = np.linspace(0.0, 0.5, 6)
    truth = special.expit(a + b * at)
    slope = half = band = 0.0
    for _ in range(runs):
        fit = fit_logistic(*curve_data(rng, a, b, 64, 3, agreement))
        slope += fit.slope_low <= b <= fit.slope_high
        half += fit.half_low <= -a / b <= fit.half_high
        _, low, high = fitted_curve(fit, at)
        band += np.mean((low <= truth) & (truth <= high))
    for covered in (slope, half, band):
        assert 0.90 < covered / runs  # 0.95 with a standard error of 1.8 %


def test_episodes_of_one_scene_that_always_agree_count_as_one():
    rng = np.random.default_rng(1)
    x, placed, _ = curve_data(rng, 3.0, -12.0, 60, 1, 0.0)
    once = fit_logistic(x, placed)
    thrice = fit_logistic(np.repeat(x, 3), np.repeat(placed, 3), np.repeat(np.arange(60), 3))
    naive = fit_logistic(np.repeat(x, 3), np.repeat(placed, 3))
    assert thrice.slope == pytest.approx(once.slope) and thrice.design_effect == pytest.approx(3, rel=0.3)
    assert thrice.slope_high - thrice.slope_low == pytest.approx(once.slope_high - once.slope_low, rel=0.15)
    assert naive.slope_high - naive.slope_low < 0.7 * (thrice.slope_high - thrice.slope_low)


def test_another_unit_changes_nothing_but_the_unit():
    rng = np.random.default_rng(2)
    x, placed, clusters = curve_data(rng, 3.0, -12.0, 64, 3, 0.5)
    metres, centimetres = fit_logistic(x, placed, clusters), fit_logistic(100 * x + 7, placed, clusters)
    assert centimetres.slope_low == pytest.approx(metres.slope_low / 100, rel=1e-5)
    assert centimetres.half_high == pytest.approx(100 * metres.half_high + 7, rel=1e-5)
    assert centimetres.p_value == pytest.approx(metres.p_value, rel=1e-4)
    np.testing.assert_allclose(fitted_curve(centimetres, [27.0]), fitted_curve(metres, [0.2]), rtol=1e-6)


def test_where_the_slope_may_be_nought_no_half_way_point_is_given():
    rng = np.random.default_rng(3)
    fit = fit_logistic(rng.random(60), rng.random(60) < 0.7)
    assert fit.slope_low < 0 < fit.slope_high and fit.p_value > 0.05
    assert (fit.half_at, fit.half_low, fit.half_high) == (None, None, None) and not fit.half_observed


def test_a_half_way_point_beyond_the_data_is_known_as_such():
    rng = np.random.default_rng(4)
    x = rng.uniform(0, 25, 400)
    fit = fit_logistic(x, rng.random(400) < special.expit(5 - 0.12 * x))
    assert fit.half_at > 30 and fit.x_high < 25 and not fit.half_observed
    assert fit.half_low < fit.half_at < fit.half_high


def test_the_band_lies_around_the_curve_within_nought_and_one_and_is_wider_beyond_the_data():
    fit = fit_logistic(FAILED + SOUND, [True] * len(FAILED) + [False] * len(SOUND))
    rate, low, high = fitted_curve(fit, [30, 60, 68, 76])
    assert ((low < rate) & (rate < high) & (low >= 0) & (high <= 1)).all()
    log_odds_width = special.logit(high) - special.logit(low)
    assert log_odds_width[0] > log_odds_width[1] > log_odds_width[2]


@pytest.mark.parametrize(
    ("x", "placed", "clusters"),
    [
        ([1, 1, 1, 1], [0, 1, 0, 1], None),  # x does not vary
        ([1, 2, 3, 4], [1, 1, 1, 1], None),  # all placed
        ([1, 2, 3, 4], [0, 1, 0, 1], [0, 0, 1, 1]),  # two clusters
    ],
)
def test_where_there_is_no_curve_to_fit_it_says_why(x, placed, clusters):
    with pytest.raises(ValueError, match="no curve to fit"):
        fit_logistic(x, placed, clusters)


def test_unfit_input_is_refused():
    with pytest.raises(ValueError, match="finite x"):
        fit_logistic([1, 2, float("nan")], [0, 1, 0])
    with pytest.raises(ValueError, match="finite x"):
        fit_logistic([1, 2, 3], [0, 1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        fit_logistic([1, 2, 3], [0, 1, 0], level=95)
