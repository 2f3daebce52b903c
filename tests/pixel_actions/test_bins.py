"""Laws of bins: values survive, ends collect, counts tell."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from para.pixel_actions.bins import Bins

values = st.floats(-1.0, 2.0, allow_nan=False, width=32)


@given(value=values, n=st.integers(1, 40))
@settings(deadline=None, derandomize=True)
def test_a_value_inside_survives_bin_and_unbin_to_within_half_a_bin(value, n):
    bins = Bins(n, -1.0, 2.0)
    back = bins.to_value(bins.to_index(torch.tensor(value)))
    assert abs(float(back) - value) <= float(bins.width) / 2 + 1e-5


@given(value=values, n=st.integers(2, 40))
@settings(deadline=None, derandomize=True)
def test_a_split_value_is_its_own_expectation_between_the_outermost_centres(value, n):
    bins = Bins(n, -1.0, 2.0)
    weights = bins.split(torch.tensor(value))
    inside = min(max(value, float(bins.centres[0])), float(bins.centres[-1]))
    assert abs(float(weights.sum()) - 1) < 1e-5
    assert abs(float((weights * bins.centres).sum()) - inside) < 1e-4


def test_values_outside_go_to_the_end_bins_and_are_counted():
    bins = Bins(4, 0.0, 1.0)
    v = torch.tensor([-5.0, 0.1, 0.9, 7.0])
    assert bins.to_index(v).tolist() == [0, 0, 3, 3]
    assert bins.outside(v).tolist() == [True, False, False, True]


def test_decoding_does_not_average_two_separate_hypotheses():
    bins = Bins(10, 0.0, 1.0)
    logits = torch.full((10,), -20.0)
    logits[1], logits[8] = 1.0, 0.9
    assert abs(float(bins.decode(logits)) - float(bins.centres[1])) < 1e-3


def test_decoding_a_split_value_gives_it_back():
    bins = Bins(16, -0.02, 0.3)
    v = torch.linspace(0.0, 0.28, 23)
    torch.testing.assert_close(bins.decode(bins.split(v).clamp(min=1e-9).log()), v, rtol=0, atol=1e-5)


def test_a_fitted_range_spans_the_data_and_its_margin_and_is_saved():
    bins = Bins(8, 0.0, 1.0)
    bins.fit(torch.tensor([0.05, 0.2, float("nan")]), margin=0.02)
    again = Bins(8, 0.0, 1.0)
    again.load_state_dict(bins.state_dict())
    torch.testing.assert_close(again.edges, torch.tensor([0.03, 0.22]))


@pytest.mark.parametrize("low, high", [(1.0, 1.0), (0.0, float("nan")), (2.0, 1.0), (0.0, float("inf"))])
def test_a_range_must_be_finite_and_rise(low, high):
    with pytest.raises(ValueError, match="finite and rise"):
        Bins(4, 0.0, 1.0).set_range(low, high)


def test_no_values_is_an_error_not_a_range():
    with pytest.raises(ValueError, match="empty"):
        Bins(4, 0.0, 1.0).fit(torch.tensor([float("nan")]), margin=0.1)
