"""LIBERO's own demonstrations shown again: every recorded state drawn at any size, from any view, with any assets."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import numpy as np
import torch

from para.geometry import Camera
from para.interfaces import Scene
from para.worlds import libero_package
from para.worlds.libero_hdf5 import Demonstration
from para.worlds.libero_model import BOWL, DISTRACTORS, FURNITURE, PLATE
from para.worlds.libero_recordings import Recording, commands_between, kept_steps
from para.worlds.libero_scenes import xy_in_state

if TYPE_CHECKING:
    from para.worlds.libero import LiberoWorld

LEVEL = (1.0, 0.0, 0.0, 0.0)


def task_index_of(demonstration: Demonstration) -> int:
    """Which of libero_spatial's tasks a demonstration is of.

    Raises:
        ImportError: where hf-libero is not installed.
        ValueError: where this hf-libero has no such task.
    """
    names = libero_package.task_names()
    if demonstration.task_file not in names:
        raise ValueError(f"{demonstration.name} is of '{demonstration.task_file}', which this hf-libero does not have")
    return names.index(demonstration.task_file)


def scene_of(demonstration: Demonstration, view: tuple[float, float] = (0.0, 0.0)) -> Scene:
    """What is known of a demonstration's initial condition: the first state says where bowl and plate lie.

    Args:
        demonstration: read from a file; without the names of its objects, the places are NaN.
        view: theta and phi, degrees.
    """
    theta, phi = view
    places = {BOWL: (math.nan, math.nan), PLATE: (math.nan, math.nan)}
    if {BOWL, PLATE} <= set(demonstration.objects):
        places = {name: xy_in_state(demonstration.states[0], demonstration.objects.index(name)) for name in places}
    return Scene(
        places[BOWL],
        goal_xy=places[PLATE],
        view_theta_deg=theta,
        view_phi_deg=phi,
        distractors=tuple(DISTRACTORS),
    )


def furniture_in(model_file: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Where the furniture of a demonstration stands: our name -> position (3,) in LIBERO's frame and quaternion.

    LIBERO draws it anew within 2 cm for each demonstration, and not into the state. Empty for an empty text.

    Raises:
        ValueError: if the text is no XML.
    """
    if not model_file:
        return {}
    try:
        root = ET.fromstring(model_file)
    except ET.ParseError as error:
        raise ValueError(f"the attribute model_file is no XML ({error}); copy the file again") from error
    found = {}
    for name in FURNITURE:
        body = root.find(f".//body[@name='{DISTRACTORS[name]}_main']")
        if body is not None:
            position, quat = (
                np.array([float(x) for x in (body.get(key) or default).split()])
                for key, default in (("pos", "0 0 0"), ("quat", " ".join(map(str, LEVEL))))
            )
            found[name] = (position, quat)
    return found


def replay(world: LiberoWorld, demonstration: Demonstration, scene: Scene) -> tuple[Recording, Camera]:
    """Draw a demonstration's states.

    Args:
        world: of the demonstration's task.
        demonstration: read from a file.
        scene: whose view to take.

    Returns:
        The recording, thinned and upright, and the camera, not batched.

    Raises:
        ValueError: where the states are of another scene.
    """
    stands = furniture_in(demonstration.model_file)
    at = kept_steps(len(demonstration.states))
    try:
        seen = [world.show_state(state, scene, stands) for state in demonstration.states[at]]
    except ValueError as error:
        raise ValueError(f"{demonstration.name}: {error}") from error
    recording = Recording(
        torch.cat([obs.image for obs in seen]).permute(0, 2, 3, 1).numpy(),
        torch.cat([obs.ee_position for obs in seen]).double().numpy(),
        torch.cat([obs.gripper for obs in seen]).double().numpy(),
        commands_between(demonstration.command, at),
        demonstration.task,
    )
    return recording, seen[0].camera[0]
