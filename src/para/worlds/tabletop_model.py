"""The `tabletop` world as one MJCF text: room, table, bowl, plate, distractors and arm. Everything is generated."""

from __future__ import annotations

import math

import numpy as np

from para.worlds import arm_model, distractors
from para.worlds.appearance import textures
from para.worlds.arms import ARMS
from para.worlds.meshes import mesh_asset

TIMESTEP = 0.005
"""Seconds per physics step: ten per control step. With the implicit integrator, contacts are calm at this size."""

BOWL_RADIUS = 0.060
BOWL_HEIGHT = 0.055
BOWL_WALL = 0.005
BOWL_MASS = 0.12
PLATE_RADIUS = 0.088
PLATE_THICKNESS = 0.008
"""Height of the plate's upper face, where the bowl comes to rest, metres."""

N_WALL_BOXES = 16
"""Flat boxes around the bowl's rim: contact needs convex pieces, and a bowl is hollow."""

TABLE_LOW = (-0.80, -0.66)
TABLE_HIGH = (0.42, 0.66)
"""Corners of the table top, (x, y) metres."""

CAMERA_TARGET = (-0.06, 0.0, 0.06)
"""The point that the camera looks at, world frame, metres."""

CAMERA_DISTANCE = 1.5
CAMERA_ELEVATION_DEG = 47.0
CAMERA_FOVY_DEG = 42.0

BOWL_PROFILE = [
    (0.0, 0.001), (0.030, 0.0), (0.034, 0.002), (0.045, 0.010), (0.0545, 0.024), (0.059, 0.040), (0.060, 0.055),
    (0.0555, 0.055), (0.0545, 0.041), (0.050, 0.026), (0.040, 0.013), (0.028, 0.007), (0.0, 0.006),
]  # fmt: skip
LINING_PROFILE = [
    (0.0, 0.0055), (0.028, 0.0065), (0.0398, 0.0127), (0.0497, 0.0259), (0.0542, 0.041), (0.0552, 0.0548),
    (0.0540, 0.0548), (0.0530, 0.041), (0.0485, 0.0264), (0.0390, 0.0138), (0.0275, 0.0078), (0.0, 0.0068),
]  # fmt: skip
LIP_PROFILE = [(0.0553, 0.0535), (0.0602, 0.0535), (0.0602, 0.0556), (0.0553, 0.0556)]
PLATE_PROFILE = [(0.0, 0.0005), (0.055, 0.0005), (0.074, 0.007), (0.074, 0.0095), (0.066, 0.008), (0.0, 0.008)]
RIM_PROFILE = [(0.073, 0.006), (0.088, 0.011), (0.088, 0.0135), (0.073, 0.0098)]


def default_eye() -> np.ndarray:
    """Where the camera stands in the default view. (3,) world frame, metres."""
    elevation = math.radians(CAMERA_ELEVATION_DEG)
    return np.array(CAMERA_TARGET) + CAMERA_DISTANCE * np.array([math.cos(elevation), 0.0, math.sin(elevation)])


def _bowl() -> str:
    low, middle = 0.024, BOWL_RADIUS - BOWL_WALL / 2
    half = (BOWL_HEIGHT - low) / 2
    width = middle * math.tan(math.pi / N_WALL_BOXES)
    boxes = []
    for k in range(N_WALL_BOXES):
        angle = 2 * math.pi * k / N_WALL_BOXES
        x, y = middle * math.cos(angle), middle * math.sin(angle)
        boxes.append(
            f'<geom class="bowl" name="wall{k}" type="box" size="{BOWL_WALL / 2} {width:.5f} {half}" '
            f'pos="{x:.5f} {y:.5f} {low + half}" euler="0 0 {math.degrees(angle)}"/>'
        )
    r, m = BOWL_RADIUS, BOWL_MASS
    inertia = f"{0.6 * m * r * r:.3e} {0.6 * m * r * r:.3e} {0.8 * m * r * r:.3e}"
    return f"""
    <body name="bowl">
      <freejoint name="bowl"/>
      <inertial pos="0 0 0.024" mass="{m}" diaginertia="{inertia}"/>
      <geom name="bowl" class="visual" type="mesh" mesh="bowl" material="bowl"/>
      <geom class="visual" type="mesh" mesh="lining" material="lining"/>
      <geom class="visual" type="mesh" mesh="lip" material="lip"/>
      <geom class="bowl" name="foot" type="cylinder" size="0.034 0.003" pos="0 0 0.003"/>
      <geom class="bowl" name="belly" type="cylinder" size="0.045 0.004" pos="0 0 0.017"/>
      {"".join(boxes)}
    </body>"""


def _plate() -> str:
    return f"""
    <body name="plate" mocap="true">
      <geom class="visual" type="mesh" mesh="plate" material="plate"/>
      <geom class="visual" type="mesh" mesh="rim" material="rim"/>
      <geom class="support" name="plate" type="cylinder" size="0.074 {PLATE_THICKNESS / 2}"
        pos="0 0 {PLATE_THICKNESS / 2}"/>
    </body>"""


def _room() -> str:
    (x0, y0), (x1, y1) = TABLE_LOW, TABLE_HIGH
    cx, cy, hx, hy = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2
    legs = "".join(
        f'<geom class="visual" type="box" size="0.03 0.03 0.35" pos="{x} {y} -0.39" material="legs"/>'
        for x in (x0 + 0.06, x1 - 0.06)
        for y in (y0 + 0.06, y1 - 0.06)
    )
    # Without them, views from 32 degrees on (from 21 in wide images) would look past the room, into black.
    side_walls = "".join(
        f'<geom class="visual" type="box" size="2.2 0.02 2" pos="0.97 {y} 1.25" material="wall"/>'
        for y in (-3.02, 3.02)
    )
    return f"""
    <light name="key" directional="true" pos="0 0 2" castshadow="true"/>
    <geom name="wall" class="visual" type="box" size="0.02 3 2" pos="-1.25 0 1.25" material="wall"/>
    {side_walls}
    <geom name="floor" class="visual" type="box" size="3 3 0.02" pos="0 0 -0.77" material="floor"/>
    <geom name="table_top" class="visual" type="box" size="{hx} {hy} 0.018" pos="{cx} {cy} -0.018" material="oak"/>
    <geom name="table_edge" class="visual" type="box" size="{hx - 0.02} {hy - 0.02} 0.02" pos="{cx} {cy} -0.056"
      material="legs"/>
    <geom name="table" class="support" type="box" size="{hx} {hy} 0.05" pos="{cx} {cy} -0.05"/>
    {legs}"""


def _assets(nice: bool) -> str:
    slices = 64 if nice else 28
    wood = "".join(
        f'<texture name="{name}" type="2d" file="{name}.png"/>'
        f'<material name="{name}" texture="{name}" texrepeat="1 1" specular="0.15" shininess="0.3"/>'
        for name in textures()
    )
    return f"""
    {mesh_asset("bowl", BOWL_PROFILE, slices)}
    {mesh_asset("lining", LINING_PROFILE, slices)}
    {mesh_asset("lip", LIP_PROFILE, slices)}
    {mesh_asset("plate", PLATE_PROFILE, slices)}
    {mesh_asset("rim", RIM_PROFILE, slices)}
    {wood}
    <material name="bowl" rgba="0.055 0.055 0.06 1" specular="0.7" shininess="0.6"/>
    <material name="lining" rgba="0.15 0.15 0.16 1" specular="0.5" shininess="0.5"/>
    <material name="lip" rgba="0.42 0.40 0.37 1" specular="0.5" shininess="0.6"/>
    <material name="plate" rgba="0.95 0.95 0.93 1" specular="0.4" shininess="0.6"/>
    <material name="rim" rgba="0.78 0.10 0.10 1" specular="0.4" shininess="0.6"/>
    <material name="arm_white" rgba="0.90 0.91 0.92 1" specular="0.4" shininess="0.5"/>
    <material name="arm_dark" rgba="0.20 0.22 0.25 1" specular="0.3" shininess="0.4"/>
    <material name="finger" rgba="0.96 0.62 0.12 1" specular="0.2" shininess="0.3"/>
    <material name="legs" rgba="0.33 0.30 0.28 1" specular="0.1"/>
    <material name="wall" rgba="0.8 0.8 0.8 1" specular="0" shininess="0"/>
    <material name="floor" rgba="0.4 0.4 0.4 1" specular="0" shininess="0"/>"""


def _visual(nice: bool, image_size: tuple[int, int]) -> str:
    # A software renderer at 128 x 128 takes 2 ms without shadows and multisampling, 35 ms with MuJoCo's defaults (a
    # 4096 shadow map and 4 samples): training and evaluation render tens of thousands of frames, pictures a few.
    H, W = image_size
    shadows, samples = (4096, 8) if nice else (0, 0)
    # MuJoCo's shadow bias is a share of the depth range: within a range that fits the table, surfaces shade themselves.
    far = 2000 if nice else 20
    slices, stacks = (48, 24) if nice else (16, 8)
    return f"""
    <visual>
      <global offheight="{H}" offwidth="{W}" fovy="{CAMERA_FOVY_DEG}"/>
      <quality shadowsize="{shadows}" offsamples="{samples}" numslices="{slices}" numstacks="{stacks}"/>
      <headlight ambient="0.3 0.3 0.3" diffuse="0.2 0.2 0.2" specular="0.05 0.05 0.05"/>
      <map znear="0.05" zfar="{far}" shadowclip="1.1"/>
    </visual>"""


def tabletop_mjcf(
    image_size: tuple[int, int], servo: str, render_quality: str, arm: str = "seven_joint"
) -> tuple[str, dict[str, bytes]]:
    """The world's MJCF text and its assets (PNG textures in memory).

    Args:
        image_size: (H, W) pixels of the offscreen buffer, which is exactly the image.
        servo: "teleport" or "controller"; sets the drive of the arm's joints.
        render_quality: "fast" (no shadows, no multisampling, few facets) or "nice" (all of them, for pictures).
        arm: a key of `ARMS`.

    Returns:
        xml, assets: as `mujoco.MjModel.from_xml_string` takes them.
    """
    import cv2

    nice = render_quality == "nice"
    drive = arm_model.TELEPORT_DRIVE if servo == "teleport" else arm_model.CONTROLLER_DRIVE
    robot = ARMS[arm]
    xml = f"""
    <mujoco model="tabletop">
      <compiler angle="degree" autolimits="true"/>
      <option timestep="{TIMESTEP}" integrator="implicitfast" cone="elliptic" impratio="10" tolerance="1e-12"/>
      <statistic center="0 0 0.2" extent="1"/>
      <size memory="4M"/>
      {_visual(nice, image_size)}
      <default>
        {arm_model.arm_defaults()}
        <default class="bowl">
          <geom group="3" contype="1" conaffinity="0" condim="4" friction="0.7 0.01 0.0001" mass="0"/>
        </default>
        <default class="support">
          <geom group="3" contype="0" conaffinity="1" condim="4" friction="0.7 0.01 0.0001"/>
        </default>
      </default>
      <asset>{_assets(nice)}{distractors.assets(64 if nice else 20)}{robot.materials}</asset>
      <worldbody>
        <camera name="agentview" fovy="{CAMERA_FOVY_DEG}"/>
        {_room()}{_plate()}{_bowl()}{distractors.bodies()}{robot.body(drive)}
      </worldbody>
      {arm_model.arm_actuators(drive, robot.joints)}
    </mujoco>"""
    images = {f"{name}.png": cv2.imencode(".png", image[..., ::-1])[1].tobytes() for name, image in textures().items()}
    return xml, images
