import numpy as np
import pytest

from para.interfaces import Scene
from para.worlds import scenes
from para.worlds.distractors import CLEARANCE, DISTRACTORS, place
from tests.worlds.conftest import run_expert

SMALL = tuple(name for name, d in DISTRACTORS.items() if not d.furniture)
FURNITURE = tuple(name for name, d in DISTRACTORS.items() if d.furniture)


@pytest.mark.parametrize("seed", range(20))
def test_distractors_stand_clear_of_the_task_and_of_each_other(seed):
    generator = np.random.default_rng(seed)
    bowl = scenes.sample_object_xy(*scenes.TABLETOP.region(), 1, generator=generator)[0]
    goal = np.array(scenes.TABLETOP.goal_of(Scene(tuple(bowl))))
    poses = place(SMALL + FURNITURE, bowl, goal, generator=generator)
    assert set(poses) == set(DISTRACTORS)
    path = bowl + np.linspace(0, 1, 50)[:, None] * (goal - bowl)
    for name, (x, y, _) in poses.items():
        assert np.linalg.norm(path - [x, y], axis=-1).min() > DISTRACTORS[name].radius + CLEARANCE - 1e-3
        for other, (x2, y2, _) in poses.items():
            assert name == other or np.hypot(x - x2, y - y2) > DISTRACTORS[name].radius + DISTRACTORS[other].radius


@pytest.mark.parametrize("seed", range(20))
def test_there_is_room_for_all_of_them_around_the_default_position_and_around_a_long_way(seed):
    default = np.array(scenes.TABLETOP.default_xy)
    pairs = scenes.sample_object_and_goal_xy(scenes.TABLETOP, None, 1, generator=np.random.default_rng(seed))
    for bowl, goal in ((default, np.array(scenes.TABLETOP.goal_of(Scene(tuple(default))))), (pairs[0][0], pairs[1][0])):
        poses = place(SMALL + FURNITURE, bowl, goal, generator=np.random.default_rng(seed))
        for name, (x, y, _) in poses.items():
            for end in (bowl, goal):
                assert np.hypot(x - end[0], y - end[1]) > DISTRACTORS[name].radius + CLEARANCE - 1e-3


def test_the_seed_places_them_and_nothing_else_does():
    bowl, goal = np.array([0.0, -0.08]), np.array([0.0, 0.08])
    a, b, c = (place(SMALL, bowl, goal, generator=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert a == b and a != c


@pytest.mark.parametrize("name", DISTRACTORS)
def test_each_is_seen_and_gone_again(world, name):
    scene = Scene((0.15, -0.3), seed=5)
    clean = world.reset(scene).image.float()
    shown = world.reset(scene.with_(distractors=(name,))).image.float()
    assert ((clean - shown).abs().sum(dim=1) > 30).sum() > 12  # pixels, at 72 x 96
    assert (world.reset(scene).image.float() == clean).all()


def test_the_task_is_done_among_all_of_them(world):
    world.reset(Scene((0.0, -0.1), distractors=SMALL + FURNITURE, seed=2))
    run_expert(world)
    assert world.outcome() == "placed"


def test_unknown_repeated_and_too_many_are_errors():
    bowl, goal = np.array([0.0, -0.08]), np.array([0.0, 0.08])
    for names in (("cat",), ("mug", "mug")):
        with pytest.raises(ValueError, match="distinct names among"):
            place(names, bowl, goal, generator=np.random.default_rng(0))
    with pytest.raises(ValueError, match="no room"):
        place(SMALL, np.array([-0.2, -0.5]), np.array([0.3, 0.5]), generator=NarrowGenerator())


class NarrowGenerator:
    """Proposes one place only, which is on the way."""

    def permutation(self, n):
        return np.arange(n)

    def random(self, n):
        return np.full(n, 0.5)

    def uniform(self, low, high):
        return 0.0
