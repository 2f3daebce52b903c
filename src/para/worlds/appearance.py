"""Looks of the `tabletop` world: procedural textures (no files), and the table, wall, floor and light of each look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """What `Scene.appearance` names."""

    table: str
    """Name of a texture in `TEXTURES`."""

    wall: Colour
    """Colour of the wall behind the robot."""

    floor: Colour
    """Colour of the floor."""

    light: Colour
    """Of the key light."""

    light_direction: tuple[float, float, float]
    """Where the key light shines to, world frame."""

    ambient: float = 0.42
    """Grey level of the light from everywhere."""


LOOKS: dict[str, Look] = {
    "default": Look("oak", (0.80, 0.79, 0.76), (0.42, 0.40, 0.38), (0.50, 0.49, 0.46), (-0.45, 0.35, -0.9)),
    "workshop": Look("slate", (0.55, 0.62, 0.68), (0.30, 0.31, 0.33), (0.47, 0.50, 0.54), (-0.3, -0.5, -0.9)),
    "evening": Look("walnut", (0.72, 0.58, 0.46), (0.33, 0.26, 0.22), (0.60, 0.46, 0.32), (-0.7, 0.6, -0.8), 0.34),
    "laboratory": Look("white", (0.80, 0.83, 0.86), (0.52, 0.54, 0.56), (0.45, 0.46, 0.47), (-0.2, 0.1, -1.0), 0.45),
    "kitchen": Look("tiles", (0.70, 0.78, 0.70), (0.50, 0.44, 0.38), (0.50, 0.48, 0.45), (-0.5, -0.2, -0.9)),
    "garage": Look("concrete", (0.62, 0.60, 0.55), (0.26, 0.27, 0.28), (0.56, 0.54, 0.44), (0.3, -0.6, -0.8), 0.38),
    "studio": Look("felt", (0.86, 0.84, 0.80), (0.58, 0.50, 0.42), (0.52, 0.52, 0.52), (0.4, 0.4, -0.9)),
    "cafe": Look("terracotta", (0.48, 0.56, 0.50), (0.22, 0.18, 0.16), (0.58, 0.50, 0.42), (-0.6, -0.4, -0.8)),
    "office": Look("bamboo", (0.60, 0.66, 0.78), (0.36, 0.38, 0.44), (0.46, 0.48, 0.52), (0.2, 0.6, -0.9), 0.46),
}
"""To add a look, add a line; see `TEXTURES` for tables."""


def _smooth_noise(shape: tuple[int, int], cells: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Noise in [0, 1] of `cells` random values per side, interpolated bilinearly to `shape`, and periodic."""
    values = generator.random(cells)
    rows = np.arange(shape[0]) * (cells[0] / shape[0])
    columns = np.arange(shape[1]) * (cells[1] / shape[1])
    r0, c0 = rows.astype(int), columns.astype(int)
    fr, fc = (rows - r0)[:, None], (columns - c0)[None, :]
    r1, c1 = (r0 + 1) % cells[0], (c0 + 1) % cells[1]
    top = values[np.ix_(r0, c0)] * (1 - fc) + values[np.ix_(r0, c1)] * fc
    bottom = values[np.ix_(r1, c0)] * (1 - fc) + values[np.ix_(r1, c1)] * fc
    return top * (1 - fr) + bottom * fr


def _planks(base: Colour, contrast: float, n_planks: int, seed: int, size: int = 256) -> np.ndarray:
    generator = np.random.default_rng(seed)
    grain = 0.6 * _smooth_noise((size, size), (64, 4), generator) + 0.4 * _smooth_noise(
        (size, size), (128, 8), generator
    )
    plank = np.arange(size) * n_planks // size
    tone = generator.uniform(-1, 1, n_planks)[plank][:, None]  # (size, 1)
    seam = np.diff(plank, prepend=plank[-1])[:, None] != 0
    shade = 1 + contrast * (grain - 0.5) + 0.35 * contrast * tone - 0.35 * seam
    return _to_uint8(np.asarray(base) * shade[..., None])


def _speckled(base: Colour, contrast: float, seed: int, size: int = 256) -> np.ndarray:
    generator = np.random.default_rng(seed)
    clouds = _smooth_noise((size, size), (8, 8), generator) + 0.5 * _smooth_noise((size, size), (64, 64), generator)
    return _to_uint8(np.asarray(base) * (1 + contrast * (clouds / 1.5 - 0.5))[..., None])


def _tiles(base: Colour, grout: Colour, n_tiles: int, seed: int, size: int = 256) -> np.ndarray:
    generator = np.random.default_rng(seed)
    index = np.arange(size) * n_tiles // size
    tone = generator.uniform(0.94, 1.04, (n_tiles, n_tiles))[np.ix_(index, index)]
    edge = (np.arange(size) * n_tiles % size) < n_tiles * 5
    image = np.asarray(base) * tone[..., None]
    image[edge[:, None] | edge[None, :]] = grout
    return _to_uint8(image)


def _to_uint8(image: np.ndarray) -> np.ndarray:
    return (np.clip(image, 0, 1) * 255).round().astype(np.uint8)


def textures() -> dict[str, np.ndarray]:
    """The table tops by name, each (256, 256, 3) uint8 RGB, the same on every call."""
    return {
        "oak": _planks((0.80, 0.66, 0.48), 0.22, 5, seed=1),
        "walnut": _planks((0.45, 0.31, 0.22), 0.40, 6, seed=2),
        "slate": _speckled((0.36, 0.40, 0.44), 0.35, seed=3),
        "white": _speckled((0.74, 0.76, 0.77), 0.06, seed=4),
        "tiles": _tiles((0.62, 0.74, 0.78), (0.86, 0.86, 0.84), 8, seed=5),
        "concrete": _speckled((0.52, 0.51, 0.48), 0.45, seed=6),
        "felt": _speckled((0.24, 0.46, 0.33), 0.10, seed=7),
        "terracotta": _tiles((0.70, 0.42, 0.30), (0.55, 0.50, 0.45), 6, seed=8),
        "bamboo": _planks((0.78, 0.72, 0.45), 0.30, 14, seed=9),
    }
