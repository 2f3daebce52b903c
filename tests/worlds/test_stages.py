import numpy as np
import pytest

from para.worlds import stages
from para.worlds.stages import BowlState, StageTracker

PLATE = np.array([0.1, 0.2])
PLATE_HEIGHT = 0.008
FREE, HELD = (False, False), (True, True)


def bowl(x=0.1, y=0.2, z=PLATE_HEIGHT, tilt_deg=0.0, speed=0.0, touching=FREE) -> BowlState:
    tilt = np.radians(tilt_deg)
    return BowlState(np.array([x, y, z]), np.array([np.sin(tilt), 0, np.cos(tilt)]), speed, touching)


def outcome_of(*states: BowlState) -> str:
    tracker = StageTracker(PLATE, PLATE_HEIGHT, start_height=0.0)
    for state in states:
        tracker.update(state)
    return tracker.outcome


LIFTED = bowl(x=-0.1, z=0.05, touching=HELD)


def test_lifted_then_released_at_rest_on_the_plate_is_placed():
    assert outcome_of(LIFTED, bowl(), bowl(), bowl()) == "placed"


def test_placed_is_latched():
    assert outcome_of(LIFTED, bowl(), bowl(), bowl(), bowl(x=0.5, z=-0.3)) == "placed"


def test_a_bowl_that_was_never_lifted_is_missed_wherever_it_ends():
    assert outcome_of(bowl(), bowl(), bowl(), bowl()) == "missed"


@pytest.mark.parametrize("state", [bowl(z=0.05), bowl(z=0.05, touching=(True, False)), bowl(z=0.039, touching=HELD)])
def test_it_is_grasped_only_above_4_cm_between_both_fingers(state):
    assert outcome_of(state) == "missed"


@pytest.mark.parametrize(
    "state",
    [
        bowl(touching=HELD),
        bowl(touching=(False, True)),
        bowl(z=0.05),
        bowl(z=0.0),
        bowl(x=0.1 + stages.PLACED_DISTANCE + 0.001),
        bowl(y=0.2 - stages.PLACED_DISTANCE - 0.001),
        bowl(tilt_deg=stages.PLACED_TILT_DEG + 1),
        bowl(tilt_deg=180),
        bowl(speed=stages.RESTING_SPEED + 0.01),
    ],
    ids=["held", "touched", "above", "below", "beside-x", "beside-y", "tilted", "upside-down", "moving"],
)
def test_lifted_but_not_released_upright_at_rest_on_the_plate_is_only_grasped(state):
    assert outcome_of(LIFTED, *[state] * 10) == "grasped"


def test_a_bowl_that_passes_the_plate_for_a_moment_is_not_placed():
    passing = [bowl(), bowl(), bowl(speed=1.0)] * 5
    assert outcome_of(LIFTED, *passing) == "grasped"


def test_the_description_names_the_thresholds():
    words = stages.describe_stages()
    assert f"{100 * stages.LIFTED_HEIGHT:g} cm above" in words
    assert f"within {100 * stages.PLACED_DISTANCE:g} cm" in words
