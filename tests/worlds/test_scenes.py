import numpy as np
import pytest

from para.interfaces import Scene
from para.worlds import scenes


def test_the_grid_is_16_by_16_and_39_by_60_cm():
    grid = scenes.TABLETOP.grid_positions()
    assert grid.shape == (16, 16, 2)
    np.testing.assert_allclose(grid[-1, -1] - grid[0, 0], [0.39, 0.60], atol=1e-12)
    assert (np.diff(grid[..., 0], axis=0) > 0).all() and (np.diff(grid[..., 1], axis=1) > 0).all()


@pytest.mark.parametrize("a, b, axis", [("left", "right", 1), ("near", "far", 0)])
def test_halves_split_the_grid_and_leave_a_gap_of_one_spacing(a, b, axis):
    both = np.concatenate([scenes.TABLETOP.grid_half(a), scenes.TABLETOP.grid_half(b)])
    assert len(np.unique(both, axis=0)) == 256
    spacing = np.unique(scenes.TABLETOP.grid_positions()[..., axis].round(9))
    gap = scenes.TABLETOP.region(b)[0][axis] - scenes.TABLETOP.region(a)[1][axis]
    assert gap == pytest.approx(spacing[1] - spacing[0])


@pytest.mark.parametrize("half, other", [("left", "right"), ("right", "left"), ("near", "far"), ("far", "near")])
def test_distance_from_a_half_is_zero_within_it_and_positive_beyond(half, other):
    generator = np.random.default_rng(0)
    inside = scenes.sample_object_xy(*scenes.TABLETOP.region(half), 50, generator=generator)
    beyond = scenes.sample_object_xy(*scenes.TABLETOP.region(other), 50, generator=generator)
    assert (scenes.TABLETOP.boundary_distance(inside, half) == 0).all()
    assert (scenes.TABLETOP.boundary_distance(beyond, half) > 0.02).all()
    assert (scenes.TABLETOP.boundary_distance(scenes.TABLETOP.grid_half(half), half) == 0).all()


def test_distance_from_the_boundary_is_metric():
    low, high = scenes.TABLETOP.region("left")
    assert scenes.TABLETOP.boundary_distance(np.array([0.0, high[1] + 0.05]), "left") == pytest.approx(0.05)


def test_sampled_positions_fill_the_region_and_follow_the_generator():
    low, high = scenes.TABLETOP.region(None)
    xy = scenes.sample_object_xy(low, high, 500, generator=np.random.default_rng(1))
    assert (xy >= low).all() and (xy <= high).all()
    np.testing.assert_allclose(xy.mean(axis=0), (np.array(low) + high) / 2, atol=0.03)
    np.testing.assert_array_equal(xy, scenes.sample_object_xy(low, high, 500, generator=np.random.default_rng(1)))


def test_the_cap_has_57_distinct_views_up_to_25_degrees():
    views = scenes.viewpoint_cap()
    assert len(views) == 57 == len(np.unique(views, axis=0))
    assert views[0].tolist() == [0, 0] and views[:, 0].max() == 25
    assert (np.bincount(np.unique(views[1:, 0], return_inverse=True)[1]) == 8).all()


def test_the_plate_follows_the_bowl_unless_it_is_placed():
    a, b = scenes.TABLETOP.goal_of(Scene((0.0, 0.0))), scenes.TABLETOP.goal_of(Scene((0.1, -0.2)))
    assert np.allclose(np.subtract(b, a), [0.1, -0.2])
    assert scenes.TABLETOP.goal_of(Scene((0.0, 0.0), goal_xy=(0.1, 0.2))) == (0.1, 0.2)


def test_the_default_position_lies_in_the_middle_and_so_does_the_pair_of_bowl_and_plate():
    xy = np.array(scenes.TABLETOP.default_xy)
    np.testing.assert_allclose(xy, scenes.TABLETOP.grid_positions().mean(axis=(0, 1)))
    assert np.mean([xy[1], scenes.TABLETOP.goal_of(Scene(tuple(xy)))[1]]) == pytest.approx(0)


@pytest.mark.parametrize("half", [None, *scenes.HALVES])
def test_independent_pairs_fill_their_region_and_are_never_too_near(half):
    low, high = scenes.TABLETOP.independent_region(half)
    pairs = scenes.sample_object_and_goal_xy(scenes.TABLETOP, half, 600, generator=np.random.default_rng(2))
    for xy in pairs:
        assert xy.shape == (600, 2) and (xy >= low).all() and (xy <= high).all()
        extent = np.subtract(high, low)
        assert (xy.min(axis=0) < low + 0.03 * extent).all() and (xy.max(axis=0) > high - 0.03 * extent).all()
    distance = np.linalg.norm(pairs[1] - pairs[0], axis=-1)
    assert distance.min() >= scenes.TABLETOP.min_goal_distance


def test_object_and_goal_of_independent_pairs_do_not_follow_each_other():
    bowl, plate = scenes.sample_object_and_goal_xy(scenes.TABLETOP, None, 2000, generator=np.random.default_rng(3))
    offset = plate - bowl
    assert np.abs(offset.mean(axis=0)).max() < 0.02, "the plate lies on every side of the bowl"
    for axis in (0, 1):
        # not quite 0: they are kept apart, which drives them to opposite ends
        assert abs(np.corrcoef(bowl[:, axis], plate[:, axis])[0, 1]) < 0.2


@pytest.mark.parametrize("a, b, axis", [("left", "right", 1), ("near", "far", 0)])
def test_independent_halves_share_no_place_and_together_span_all_places_of_bowl_and_plate(a, b, axis):
    (low_a, high_a), (low_b, high_b) = (scenes.TABLETOP.independent_region(half) for half in (a, b))
    low, high = scenes.TABLETOP.independent_region()
    assert high_a[axis] < low_b[axis] and low_a == low and high_b == high
    assert high_a[1 - axis] == high[1 - axis] and low_b[1 - axis] == low[1 - axis]
    np.testing.assert_allclose(low, np.minimum(scenes.TABLETOP.low, np.add(scenes.TABLETOP.low, [0, 0.16])))
    np.testing.assert_allclose(high, np.add(scenes.TABLETOP.high, [0, 0.16]))
    assert high_a[axis] - low_a[axis] == pytest.approx(high_b[axis] - low_b[axis])


def test_independent_pairs_follow_the_generator_and_more_of_them_begin_alike():
    def sample(n: int, seed: int = 4) -> np.ndarray:
        pairs = scenes.sample_object_and_goal_xy(scenes.TABLETOP, "left", n, generator=np.random.default_rng(seed))
        return np.concatenate(pairs, axis=-1)

    np.testing.assert_array_equal(sample(50)[:20], sample(20))
    assert not np.array_equal(sample(20), sample(20, seed=5))
    assert sample(0).shape == (0, 4)


def test_a_region_without_room_for_two_is_an_error_and_so_is_an_unknown_half():
    narrow = scenes.Workspace(low=(0.0, 0.0), high=(0.1, 0.1), goal_offset=(0.0, 0.05), min_goal_distance=0.3)
    for half, message in ((None, "no room"), ("left", "no room"), ("top", "left, right, near, far")):
        with pytest.raises(ValueError, match=message):
            scenes.sample_object_and_goal_xy(narrow, half, 1, generator=np.random.default_rng(0))


def test_unknown_half_and_empty_regions_are_errors():
    with pytest.raises(ValueError, match="left, right, near, far"):
        scenes.TABLETOP.grid_half("top")
    with pytest.raises(ValueError, match="low <= high"):
        scenes.sample_object_xy((0, 1), (1, 0), 2, generator=np.random.default_rng(0))
    with pytest.raises(ValueError, match="n_theta"):
        scenes.viewpoint_cap(95.0)
