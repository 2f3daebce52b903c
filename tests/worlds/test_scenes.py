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


def test_unknown_half_and_empty_regions_are_errors():
    with pytest.raises(ValueError, match="left, right, near, far"):
        scenes.TABLETOP.grid_half("top")
    with pytest.raises(ValueError, match="low <= high"):
        scenes.sample_object_xy((0, 1), (1, 0), 2, generator=np.random.default_rng(0))
    with pytest.raises(ValueError, match="n_theta"):
        scenes.viewpoint_cap(95.0)
