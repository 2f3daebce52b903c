import itertools

import numpy as np
import pytest

from para.evaluation.multiplicity import holm


def test_holm_agrees_with_its_textbook_example():
    # the example of the article "Holm-Bonferroni method" and of R's p.adjust(method = "holm")
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_is_the_closed_test_of_bonferroni():
    """A hypothesis is rejected when Bonferroni rejects every set of hypotheses that contains it."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        p = rng.random(5) ** 3
        sets = [s for size in range(1, 6) for s in itertools.combinations(range(5), size)]
        closed = [max(min(1.0, len(s) * min(p[j] for j in s)) for s in sets if i in s) for i in range(5)]
        assert holm(p) == pytest.approx(closed)


def test_one_comparison_is_left_alone_and_none_give_none():
    assert holm([0.2]) == [0.2] and holm([]) == []


def test_the_order_of_the_comparisons_has_no_effect():
    p = [0.5, 0.001, 0.02, 0.02, 1.0]
    expected = dict(zip(p, holm(p)))
    for order in itertools.permutations(p):
        assert holm(order) == pytest.approx([expected[value] for value in order])


def test_a_family_of_true_nulls_is_falsely_called_no_more_often_than_alpha():
    rng = np.random.default_rng(1)
    shared = rng.random((4000, 1))
    for p in (rng.random((4000, 6)), np.broadcast_to(shared, (4000, 6)), np.hstack([shared, 1 - shared])):
        false_calls = np.mean([min(holm(row)) < 0.05 for row in p])
        assert false_calls < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 4000)


@pytest.mark.parametrize("wrong", [[0.1, 1.2], [-0.1], [float("nan")]])
def test_what_is_no_p_value_is_refused(wrong):
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm(wrong)
