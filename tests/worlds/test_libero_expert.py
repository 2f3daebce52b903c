"""LIBERO's own judge on the scripted demonstrator: over the grid, from random starts, among distractors, officially."""

from __future__ import annotations

import numpy as np
import pytest

from para.interfaces import Scene
from para.worlds import libero_assets, libero_scenes, make_world
from para.worlds.libero_scenes import LIBERO
from tests.worlds.conftest import run_expert
from tests.worlds.needs_libero import require_libero, skip_without

require_libero()

pytestmark = pytest.mark.libero


def build(**options):
    try:
        return make_world("libero", (32, 48), assets="generated", **options)
    except ImportError as error:
        skip_without(error)


@pytest.fixture(scope="module")
def world():
    world = build()
    yield world
    world.close()


def placed(world, scenes) -> int:
    n = 0
    for scene in scenes:
        world.reset(scene)
        run_expert(world)
        n += world.outcome() == "placed"
    return n


def test_the_expert_succeeds_at_the_corners_and_the_middle_of_the_grid(world):
    scenes = [Scene((float(x), float(y))) for x, y in LIBERO.grid_positions()[::5, ::5].reshape(-1, 2)]
    assert placed(world, scenes) == len(scenes) == 16


@pytest.mark.slow
def test_the_expert_succeeds_on_98_percent_of_the_training_grid(world):
    scenes = [Scene((float(x), float(y))) for x, y in LIBERO.grid_positions().reshape(-1, 2)]
    assert placed(world, scenes) >= 251  # of 256


def test_the_expert_succeeds_among_distractors(world):
    generator = np.random.default_rng(0)
    scenes = [
        Scene(tuple(generator.uniform(LIBERO.low, LIBERO.high)), distractors=tuple(libero_scenes.DISTRACTORS), seed=i)
        for i in range(3)
    ]
    assert placed(world, scenes) == 3


def test_the_expert_succeeds_with_robosuites_controller():
    world = build(servo="controller")
    assert placed(world, [Scene((-0.21, 0.0)), Scene((-0.1, -0.25))]) == 2
    world.close()


@pytest.mark.slow
def test_the_expert_succeeds_from_48_of_the_50_official_states(world):
    assert placed(world, libero_scenes.official_scenes()) >= 48


@pytest.mark.slow
def test_the_expert_succeeds_from_48_of_the_50_official_states_with_liberos_own_assets():
    assets = libero_assets.find_assets()
    if assets.kind == "generated":
        pytest.skip(f"no LIBERO assets here; {libero_assets.VARIABLE} names a folder of them")
    world = make_world("libero", (32, 48))
    assert placed(world, libero_scenes.official_scenes()) >= 48
    world.close()


def test_a_bowl_that_is_held_against_the_plate_is_not_placed_yet(world):
    world.reset(Scene((-0.21, 0.0)))
    expert = world.expert()
    while (action := expert.act()).gripper == 0.0 or world.outcome() == "missed":
        world.execute(action.position, action.gripper)
    for _ in range(3):
        world.execute(world.ee_position - [0.0, 0.0, 0.008], 0.0)  # it would have let go a little higher
    assert world.approved() and world.outcome() == "grasped"
    run_expert(world, expert)
    assert world.outcome() == "placed"


def test_a_bowl_that_is_dropped_beside_the_plate_is_grasped_and_not_placed(world):
    world.reset(Scene((-0.21, 0.0)))
    expert = world.expert()
    while world.outcome() != "grasped":
        action = expert.act()
        world.execute(action.position, action.gripper)
    world.execute(world.ee_position + [-0.1, 0.1, -0.02], 0.0)
    world.execute(world.ee_position, 1.0)
    assert world.outcome() == "grasped"
