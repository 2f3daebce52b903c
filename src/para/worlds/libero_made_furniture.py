"""Stand-ins for LIBERO's distractors and furniture: cookie box, ramekin, cabinet with drawers, stove. All generated.

Names of joints and sites are LIBERO's, so that its task files and its official initial states fit.
"""

from __future__ import annotations

from pathlib import Path

from para.worlds.libero_made import CONTACT, VISUAL, cylinder, material, mesh_geom, object_file, ring
from para.worlds.meshes import mesh_asset

RAMEKIN_PROFILE = [
    (0.0, 0.0005), (0.034, 0.0005), (0.036, 0.003), (0.0415, 0.042), (0.0385, 0.042), (0.0335, 0.0075), (0.0, 0.0065),
]  # fmt: skip
FURNITURE_SITES = """<site rgba="0 0 0 0" size="0.05" pos="0 0 -0.045" name="bottom_site"/>
  <site rgba="0 0 0 0" size="0.05" pos="0 0 0.045" name="top_site"/>
  <site rgba="0 0 0 0" size="0.05" pos="0.045 0.045 0" name="horizontal_radius_site"/>"""


def box(pos: str, size: str, colour: str) -> str:
    """A box that is seen and one that collides; half sizes, metres."""
    shape = f'type="box" pos="{pos}" size="{size}"'
    return f'<geom {shape} material="{colour}" {VISUAL}/><geom {shape} {CONTACT}/>'


def region(name: str, pos: str, size: str) -> str:
    """A box in which LIBERO's tasks may put things; hf-libero reads all of these attributes."""
    return f'<site name="{name}" type="box" pos="{pos}" quat="1 0 0 0" size="{size}" group="0" rgba="0 0 0 0"/>'


def seen(kind: str, pos: str, size: str, colour: str, extra: str = "") -> str:
    """A shape that is only seen."""
    return f'<geom type="{kind}" pos="{pos}" size="{size}" material="{colour}" {VISUAL} {extra}/>'


def cookies() -> str:
    """A box of cookies, lying: 8.3 by 6.2 by 1.9 cm, the long side along its y, its middle at the origin."""
    assets = (
        material("carton", "0.72 0.12 0.10")
        + material("label", "0.90 0.78 0.42")
        + material("cookie", "0.55 0.34 0.16")
    )
    body = (
        box("0 0 0", "0.041 0.031 0.0094", "carton")
        + seen("box", "0.004 0 0.0094", "0.028 0.026 0.0004", "label")
        + "".join(
            seen("cylinder", f"{x} {y} 0.0096", "0.0095 0.0006", "cookie")
            for x in (-0.008, 0.016)
            for y in (-0.012, 0.012)
        )
    )
    return object_file("cookies", assets, body)


def ramekin() -> str:
    """A small porcelain bowl: 8.3 cm wide, 4.2 cm high."""
    assets = mesh_asset("ramekin", RAMEKIN_PROFILE, 48) + material("ramekin", "0.86 0.85 0.82", 0.6)
    walls = ring(12, 0.0382, 0.0217, (0.0026, 0.0095, 0.0208), 8.5)
    return object_file(
        "glazed_rim_porcelain_ramekin", assets, mesh_geom("ramekin") + cylinder(0.034, 0.0041, 0.0032) + walls
    )


def cabinet() -> str:
    """A cabinet of three drawers, 24 by 19 by 22 cm, which open towards its -y."""
    assets = (
        material("wood", "0.13 0.09 0.06", 0.2)
        + material("front", "0.17 0.115 0.08", 0.2)
        + material("steel", "0.45 0.45 0.46", 0.8)
    )
    shell = (
        box("0.004 0.1095 0.1138", "0.120 0.0021 0.1095", "wood")
        + box("0.004 0.0164 0.0069", "0.1228 0.0900 0.0020", "wood")
        + box("-0.1122 0.0163 0.1143", "0.0052 0.0950 0.1058", "wood")
        + box("0.1190 0.0163 0.1143", "0.0052 0.0950 0.1058", "wood")
        + box("0.004 0.0158 0.2216", "0.1273 0.0941 0.0014", "wood")
        + "".join(box(f"0.004 0.0187 {z}", "0.1117 0.0890 0.0009", "wood") for z in (0.0793, 0.1494))
    )
    drawers = "".join(
        drawer(name, height) for name, height in (("top", 0.18358), ("middle", 0.11400), ("bottom", 0.04525))
    )
    site = region("top_side", "0.0035 0.0157 0.2215", "0.125 0.094 0.0015")
    return object_file("wooden_cabinet", assets, f'<body name="base">{site}{shell}{drawers}</body>', FURNITURE_SITES)


def drawer(name: str, z: float) -> str:
    """One drawer with its handle; z is its middle's height."""
    return f"""<body name="cabinet_{name}">
    <inertial pos="0 0 0" mass="3" diaginertia="1 1 1"/>
    <joint name="{name}_level" type="slide" axis="0 1 0" limited="true" range="-0.16 0.01" damping="50"/>
    {region(f"{name}_region", f"0.0033 0.0113 {z + 0.002:.5f}", "0.102 0.0756 0.030")}
    {box(f"0.0033 -0.0718 {z}", "0.1093 0.0070 0.0327", "front")}
    {box(f"0.0033 0.0908 {z}", "0.1068 0.0036 0.0321", "wood")}
    {box(f"-0.1019 0.0110 {z}", "0.0024 0.0815 0.0316", "wood")}
    {box(f"0.1089 0.0110 {z}", "0.0024 0.0815 0.0313", "wood")}
    {box(f"0.0035 0.0105 {z - 0.0284:.5f}", "0.1070 0.0810 0.0040", "wood")}
    {box(f"-0.0028 -0.1016 {z}", "0.0445 0.0070 0.0070", "steel")}
    {box(f"0.0292 -0.0870 {z}", "0.0055 0.0106 0.0050", "steel")}
    {box(f"-0.0356 -0.0870 {z}", "0.0055 0.0106 0.0050", "steel")}
  </body>"""


def stove() -> str:
    """A flat stove: a plate 19 cm square with a burner, and a knob 15 cm beside it."""
    assets = (
        material("enamel", "0.80 0.80 0.80", 0.8)
        + material("iron", "0.14 0.14 0.15")
        + material("ember", "0.22 0.22 0.23")
    )
    rings = "".join(
        seen("cylinder", f"0 0 {0.0235 + 0.0008 * i}", f"{radius} 0.0035", colour)
        for i, (radius, colour) in enumerate(
            [(0.062, "iron"), (0.052, "ember"), (0.042, "iron"), (0.032, "ember"), (0.022, "iron"), (0.012, "ember")]
        )
    )
    body = f"""<body name="base">
    <body name="burner" pos="0.15 0 0">
      {region("cook_region", "0 0 0", "0.075 0.075 0.0025")}
      {box("0 0 0", "0.095 0.095 0.02", "enamel")}
      <geom size="0.062 0.0005" pos="0 0 0.0265" type="cylinder" {CONTACT}/>
      <body name="burner_plate">{rings}</body>
      <site name="burner" pos="0 0 0.022" size="0.0625 0.0005" rgba="0.9 0.05 0.05 0" type="cylinder"/>
    </body>
    <body name="button" quat="0.7071068 0 0 0.7071068">
      <inertial pos="0 0 0" mass="3" diaginertia="1 1 1"/>
      <joint name="button" type="hinge" axis="0 0 1" limited="true" range="-0.005 2.1" damping="1"/>
      {seen("cylinder", "0 0 0.0066", "0.047 0.006", "iron")}{seen("box", "0 0 0.0257", "0.012 0.042 0.013", "iron")}
      <geom type="cylinder" pos="0 0 0.0066" size="0.047 0.0062" {CONTACT}/>
      <geom type="box" pos="0 0 0.0257" size="0.012 0.042 0.013" {CONTACT}/>
    </body>
  </body>"""
    return object_file("flat_stove", assets, body, FURNITURE_SITES)


def write_furniture(folder: Path) -> None:
    """Write the distractors' and the furniture's assets into a folder."""
    files = {
        "stable_hope_objects/cookies/cookies.xml": cookies(),
        "stable_scanned_objects/glazed_rim_porcelain_ramekin/glazed_rim_porcelain_ramekin.xml": ramekin(),
        "articulated_objects/wooden_cabinet.xml": cabinet(),
        "articulated_objects/flat_stove.xml": stove(),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
