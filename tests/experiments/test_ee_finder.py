"""Finding the end effector in a picture by its look."""

import numpy as np
import pytest

from para.experiments.ee_finder import find_end_effector


def pictures(
    move: tuple[int, int], noise: float = 0.0, at: tuple[int, int] = (40, 30)
) -> tuple[np.ndarray, np.ndarray]:
    """A textured patch on a shaded table, and the same moved by (u, v), 72 x 96."""
    generator = np.random.default_rng(0)
    patch = generator.integers(0, 256, (16, 12, 3))
    table = np.linspace(60, 140, 96)[None, :, None].repeat(72, 0).repeat(3, 2)

    def show(u: int, v: int) -> np.ndarray:
        image = table.copy()
        image[v : v + 16, u : u + 12] = patch
        return np.clip(image + noise * generator.standard_normal(image.shape), 0, 255).astype(np.uint8)

    return show(*at), show(at[0] + move[0], at[1] + move[1])


@pytest.mark.parametrize("move", [(0, 0), (7, -5), (-21, 18), (30, 9)])
def test_what_moved_is_found_where_it_went(move):
    seen, later = pictures(move, noise=6.0)
    ee_uv = np.array([45.3, 43.8])
    np.testing.assert_allclose(find_end_effector(seen, ee_uv, later), ee_uv + move, atol=1e-9)


def test_an_arm_at_the_border_is_found():
    seen, later = pictures((3, -2), at=(1, 55))
    np.testing.assert_allclose(find_end_effector(seen, np.array([4.2, 69.0]), later), [7.2, 67.0], atol=1e-9)


def test_pictures_of_two_sizes_and_an_arm_off_the_picture_are_refused():
    seen, _ = pictures((0, 0))
    with pytest.raises(ValueError, match="one size"):
        find_end_effector(seen, np.array([40.0, 40.0]), seen[:-1])
    with pytest.raises(ValueError, match="does not lie"):
        find_end_effector(seen, np.array([96.0, 40.0]), seen)
