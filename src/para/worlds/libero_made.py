"""Stand-ins for LIBERO's clean scene: arena, bowl and plate, in the layout of its asset folder. All of it is generated.

Sizes are those of LIBERO's collision shapes, so that a grasp that works on one works on the other; looks are our own.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from para.worlds.appearance import textures
from para.worlds.meshes import mesh_asset

CONTACT = 'solimp="0.998 0.998 0.001" solref="0.001 1" density="100" friction="0.95 0.3 0.1" group="0" rgba="0 0 0 0"'
"""Of every colliding shape: LIBERO's stiff contacts, and 100 kg/m^3, with which its bowl weighs 6 g."""

VISUAL = 'contype="0" conaffinity="0" group="1"'

BOWL_PROFILE = [
    (0.0, 0.0005), (0.024, 0.0005), (0.0295, 0.003), (0.038, 0.010), (0.0448, 0.018), (0.0495, 0.032),
    (0.0538, 0.0521), (0.0522, 0.0525), (0.0478, 0.0325), (0.043, 0.019), (0.036, 0.0115), (0.0275, 0.0052),
    (0.0, 0.0034),
]  # fmt: skip
PLATE_PROFILE = [
    (0.0, 0.0), (0.036, 0.0), (0.040, 0.0015), (0.055, 0.0065), (0.0686, 0.0150), (0.0680, 0.0166), (0.054, 0.0085),
    (0.040, 0.0045), (0.0, 0.0040),
]  # fmt: skip
PLATE_RADIUS = max(radius for radius, _ in PLATE_PROFILE)
PLATE_RIM_PROFILE = [(0.057, 0.0096), (0.064, 0.0136), (0.064, 0.0146), (0.057, 0.0105)]

SITES = """<site rgba="0 0 0 0" size="0.005" pos="0 0 -0.06" name="bottom_site"/>
  <site rgba="0 0 0 0" size="0.005" pos="0 0 0.04" name="top_site"/>
  <site rgba="0 0 0 0" size="0.005" pos="0.025 0.025 0" name="horizontal_radius_site"/>"""
"""By which robosuite places objects: LIBERO drops all of them from 6 cm."""


def object_file(name: str, assets: str, body: str, sites: str = SITES) -> str:
    """An object as robosuite reads it: assets, and the content of its body."""
    return f"""<mujoco model="{name}">
<asset>{assets}</asset>
<worldbody><body>
  <body name="object">{body}</body>
  {sites}
</body></worldbody>
</mujoco>
"""


def material(name: str, rgb: str, specular: float = 0.4) -> str:
    """A plain, slightly glossy colour."""
    return f'<material name="{name}" rgba="{rgb} 1" specular="{specular}" shininess="0.4"/>'


def mesh_geom(name: str) -> str:
    """The visible mesh of a name, in the material of that name."""
    return f'<geom type="mesh" mesh="{name}" material="{name}" {VISUAL}/>'


def cylinder(radius: float, height: float, half: float) -> str:
    """A colliding disc around the object's axis, its middle at a height; metres."""
    return f'<geom type="cylinder" pos="0 0 {height}" size="{radius} {half}" {CONTACT}/>'


def ring(n: int, radius: float, height: float, size: tuple[float, float, float], tilt_deg: float) -> str:
    """`n` colliding boxes of half sizes (outwards, around, along) about the axis, tipped outwards; metres."""
    geoms, half_tilt = [], math.radians(tilt_deg) / 2
    for angle in np.arange(n) * 2 * math.pi / n:
        half = angle / 2  # the product of a turn about z and the tilt about y, as a quaternion
        quat = (
            math.cos(half) * math.cos(half_tilt), -math.sin(half) * math.sin(half_tilt),
            math.cos(half) * math.sin(half_tilt), math.sin(half) * math.cos(half_tilt),
        )  # fmt: skip
        pos = (radius * math.cos(angle), radius * math.sin(angle), height)
        geoms.append(f'<geom type="box" pos="{numbers(pos)}" quat="{numbers(quat)}" size="{numbers(size)}" {CONTACT}/>')
    return "".join(geoms)


def numbers(values: tuple[float, ...]) -> str:
    """As MJCF writes a vector."""
    return " ".join(f"{value:.6f}" for value in values)


def bowl() -> str:
    """The bowl: 10.8 cm wide, 5.2 cm high, hollow for its contacts too."""
    walls = ring(15, 0.0336, 0.0097, (0.0007, 0.0099, 0.0085), 42) + ring(
        20, 0.0471, 0.0337, (0.0013, 0.0093, 0.0185), 13.5
    )
    lip = [(0.0505, 0.0500), (0.0540, 0.0500), (0.0540, 0.0527), (0.0505, 0.0527)]
    assets = (
        mesh_asset("bowl", BOWL_PROFILE, 48) + material("bowl", "0.05 0.05 0.055", 0.6)
        + mesh_asset("lip", lip, 48) + material("lip", "0.16 0.155 0.15", 0.5)
    )  # fmt: skip
    body = mesh_geom("bowl") + mesh_geom("lip") + cylinder(0.030, 0.0042, 0.0026) + walls
    return object_file("akita_black_bowl", assets, body)


def plate() -> str:
    """The plate: 13.7 cm wide, white with a red band."""
    assets = (
        mesh_asset("plate", PLATE_PROFILE, 48) + material("plate", "0.91 0.90 0.87")
        + mesh_asset("rim", PLATE_RIM_PROFILE, 48) + material("rim", "0.62 0.12 0.10")
    )  # fmt: skip
    walls = ring(12, 0.0483, 0.0070, (0.0191, 0.0170, 0.0025), -19.5)
    return object_file("plate", assets, mesh_geom("plate") + mesh_geom("rim") + cylinder(0.041, 0.0031, 0.0022) + walls)


def arena() -> str:
    """Floor, walls, table, lights and cameras, under the names that hf-libero looks for."""
    legs = "".join(
        f'<geom size="0.05 0.1" type="cylinder" {VISUAL} name="table_leg{i}_visual" material="table_texture"/>'
        for i in (1, 2, 3, 4)
    )
    walls = "".join(
        f'<geom pos="{pos}" quat="{quat}" size="3 1.5 0.01" type="box" {VISUAL} name="wall_{name}_visual" '
        'material="walls_mat"/>'
        for name, pos, quat in (
            ("rear", "-2 0 1.5", "0.5 0.5 0.5 0.5"),
            ("left", "1 3 1.5", "0.7071 0.7071 0 0"),
            ("right", "1 -3 1.5", "0.7071 -0.7071 0 0"),
            ("front", "3 0 1.5", "0.5 0.5 -0.5 -0.5"),
        )
    )
    lights = "".join(
        f'<light name="light{i}" diffuse=".8 .8 .8" dir="0 -.15 -1" directional="false" pos="{pos}" '
        'specular="0.3 0.3 0.3" castshadow="false"/>'
        for i, pos in ((1, "1 1 4"), (2, "-3 -3 4"))
    )
    cameras = "".join(
        f'<camera mode="fixed" name="{name}" pos="{pos}" quat="{quat}"/>'
        for name, pos, quat in (
            ("frontview", "1 0 1.45", "0.56 0.43 0.43 0.56"),
            ("birdview", "-0.2 0 3", "0.7071 0 0 0.7071"),
            ("agentview", "0.5 0 1.35", "0.653 0.271 0.271 0.653"),
            ("sideview", "0 1.3 1.5", "0.01 0.007 0.59 0.806"),
        )
    )
    # The file names of the last two textures are replaced by hf-libero, after the scene's style.
    return f"""<mujoco model="table_arena">
<asset>
  <texture builtin="gradient" height="64" width="64" rgb1=".9 .9 1" rgb2=".2 .3 .4" type="skybox"/>
  <texture file="../textures/table.png" type="2d" name="tex-table"/>
  <material name="table_texture" texture="tex-table" texrepeat="1 1" specular="0.2" shininess="0"/>
  <texture file="../textures/style.png" type="2d" name="texplane"/>
  <material name="floorplane" texrepeat="3 3" texture="texplane" texuniform="true" specular="0" shininess="0"/>
  <texture file="../textures/style.png" type="2d" name="tex-wall"/>
  <material name="walls_mat" texture="tex-wall" texrepeat="3 3" texuniform="true" specular="0.3" shininess="0.1"/>
</asset>
<worldbody>
  <geom condim="3" group="1" material="floorplane" name="floor" size="3 3 .125" type="plane"/>
  {walls}
  <body name="table" pos="0 0 0.4">
    <geom size="0.4 0.4 0.4" type="box" group="0" name="table_collision" friction="1 0.005 0.0001"/>
    <geom size="0.4 0.4 0.4" type="box" {VISUAL} name="table_visual" material="table_texture"/>
    <site pos="0 0 0.4" name="table_top" size="0.001 0.001 0.001" rgba="0 0 0 0"/>
    {legs}
  </body>
  {lights}{cameras}
</worldbody>
</mujoco>
"""


def write_scene(folder: Path) -> None:
    """Write the clean scene's assets into a folder."""
    import cv2

    files = {
        "scenes/libero_tabletop_base_style.xml": arena(),
        "stable_scanned_objects/akita_black_bowl/akita_black_bowl.xml": bowl(),
        "stable_scanned_objects/plate/plate.xml": plate(),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "textures").mkdir()
    looks = textures()
    for name, texture in (("table", "oak"), ("light-gray-plaster", "white"), ("light-gray-floor-tile", "concrete")):
        cv2.imwrite(str(folder / "textures" / f"{name}.png"), looks[texture][..., ::-1])
