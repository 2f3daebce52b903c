"""One tabletop world for all tests of this room: building it takes longer than an episode."""

from __future__ import annotations

import pytest

from para.worlds import make_world


@pytest.fixture(scope="session")
def world():
    """Non-square on purpose."""
    world = make_world("tabletop", (72, 96))
    yield world
    world.close()


def run_expert(world, expert=None, max_frames: int = 120) -> list:
    """Let the expert act to the end; returns (observation before, action) per frame."""
    expert = expert or world.expert()
    frames, observation = [], world.look()
    while len(frames) < max_frames and (action := expert.act()) is not None:
        frames.append((observation, action))
        observation = world.execute(action.position, action.gripper)
    return frames
