"""Generated meshes for simulated worlds: surfaces of revolution, as MJCF text."""

from __future__ import annotations

import math

import numpy as np


def lathe(profile: list[tuple[float, float]], n_slices: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """The surface swept by a closed profile that turns about the z axis.

    Args:
        profile: (radius, z) points, metres, counter-clockwise where the radius is drawn to the right and z upwards (the
            material is on the left); first and last point are joined unless both lie on the axis.
        n_slices: facets around the axis.

    Returns:
        vertices: (V, 3) metres.
        faces: (F, 3) int, counter-clockwise seen from outside.
    """
    angles = np.arange(n_slices) * (2 * math.pi / n_slices)
    rings, vertices = [], []
    for radius, z in profile:
        start = len(vertices)
        if radius == 0:
            vertices.append((0.0, 0.0, z))
            rings.append([start] * n_slices)
            continue
        vertices += [(radius * math.cos(a), radius * math.sin(a), z) for a in angles]
        rings.append(list(range(start, start + n_slices)))
    closed = not (profile[0][0] == 0 and profile[-1][0] == 0)
    faces = []
    for lower, upper in zip(rings, rings[1:] + rings[:1] if closed else rings[1:]):
        for k in range(n_slices):
            n = (k + 1) % n_slices
            corners = [lower[k], lower[n], upper[n], upper[k]]
            for triangle in ((corners[0], corners[1], corners[2]), (corners[0], corners[2], corners[3])):
                if len(set(triangle)) == 3:
                    faces.append(triangle)
    return np.array(vertices), np.array(faces)


def mesh_asset(name: str, profile: list[tuple[float, float]], n_slices: int = 32) -> str:
    """An MJCF <mesh> element with the surface of revolution of a profile; see `lathe`."""
    vertices, faces = lathe(profile, n_slices)
    vertex = " ".join(f"{v:.5f}" for v in vertices.flatten())
    face = " ".join(str(i) for i in faces.flatten())
    return f'<mesh name="{name}" inertia="shell" vertex="{vertex}" face="{face}"/>'
