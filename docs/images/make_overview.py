"""Draw docs/images/overview.png: the idea in three renders of the `tabletop` world. No policy is in it.

python docs/images/make_overview.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch

from para.geometry import Camera, lift_to_height, pixel_rays, project
from para.interfaces import Scene
from para.worlds import make_world

SIZE = 640
SCENE = Scene(object_xy=(0.10, -0.26), goal_xy=(0.10, -0.02))
TILTED = SCENE.with_(view_theta_deg=24.0, view_phi_deg=30.0)
SIDE = SCENE.with_(view_theta_deg=38.0, view_phi_deg=318.0)
HIGHLIGHT = 7
"""Which of the twelve steps is lifted in the middle panel."""

TARGET, STEPS, PLANE = "#ff2d87", "viridis", "#2f7fe0"


def demonstrated_path(world) -> torch.Tensor:
    """(12, 3) where the expert goes in the next twelve steps from the start, metres."""
    world.reset(SCENE)
    expert, path = world.expert(), []
    while len(path) < 12:
        action = expert.act()
        path.append(torch.from_numpy(action.position).float())
        world.execute(action.position, action.gripper)
    return torch.stack(path)


def show(axes, image: torch.Tensor, title: str, text: str) -> None:
    """An image with what it says above and below."""
    axes.imshow(image.permute(1, 2, 0))
    axes.set_xlim(-0.5, SIZE - 0.5)
    axes.set_ylim(SIZE - 0.5, -0.5)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_title(title, fontsize=17, fontweight="bold", pad=10)
    axes.set_xlabel(text, fontsize=13, labelpad=10)


def draw_steps(axes, path: torch.Tensor, camera: Camera) -> None:
    """The path as pixels of a camera, dark to bright, with the highlighted step larger."""
    uv, _ = project(path, camera)
    axes.plot(uv[:, 0], uv[:, 1], color="white", linewidth=1.5, alpha=0.8)
    axes.scatter(uv[:, 0], uv[:, 1], c=range(len(uv)), cmap=STEPS, s=42, edgecolors="white", linewidths=0.8, zorder=3)
    axes.scatter(*uv[HIGHLIGHT], s=170, facecolors="none", edgecolors=TARGET, linewidths=3, zorder=4)


def draw_line(axes, points: list, camera: Camera, **style) -> None:
    """Straight lines between world points, as a camera sees them."""
    uv, _ = project(torch.stack([torch.as_tensor(p, dtype=torch.float32) for p in points]), camera)
    axes.plot(uv[:, 0], uv[:, 1], **style)


def draw_plane(axes, height: float, middle: torch.Tensor, camera: Camera) -> None:
    """A horizontal square with a grid, around a point."""
    x, y = (np.linspace(float(middle[i]) - 0.24, float(middle[i]) + 0.24, 7) for i in (0, 1))
    corners = [(x[0], y[0]), (x[-1], y[0]), (x[-1], y[-1]), (x[0], y[-1])]
    uv, _ = project(torch.tensor([[a, b, height] for a, b in corners]).float(), camera)
    axes.fill(uv[:, 0], uv[:, 1], color=PLANE, alpha=0.22, linewidth=0)
    for a in x:
        draw_line(axes, [(a, y[0], height), (a, y[-1], height)], camera, color=PLANE, linewidth=0.8, alpha=0.7)
    for b in y:
        draw_line(axes, [(x[0], b, height), (x[-1], b, height)], camera, color=PLANE, linewidth=0.8, alpha=0.7)


def draw_lift(axes, uv: torch.Tensor, point: torch.Tensor, seen_by: Camera, camera: Camera) -> None:
    """The ray of a pixel of `seen_by`, the plane that it meets, and the height of the point."""
    origin, direction = pixel_rays(uv, seen_by)
    reach = float((point - origin).norm())
    draw_plane(axes, float(point[2]), point, camera)
    draw_line(axes, [origin + (reach - 0.75) * direction, point], camera, color=TARGET, linewidth=3)
    foot = torch.tensor([point[0], point[1], 0.0])
    draw_line(axes, [point, foot], camera, color="white", linewidth=2, linestyle=(0, (3, 2)))
    at, _ = project(point, camera)
    below, _ = project(foot, camera)
    axes.scatter(*at, s=110, color=TARGET, edgecolors="white", linewidths=1.5, zorder=4)
    axes.annotate(
        f"height {100 * float(point[2]):.0f} cm", at.lerp(below, 0.5).tolist(), xytext=(14, 0),
        textcoords="offset points",
        fontsize=13, color="white", va="center", bbox={"facecolor": "#00000090", "edgecolor": "none", "pad": 3},
    )  # fmt: skip


def main() -> None:
    world = make_world("tabletop", (SIZE, SIZE), render_quality="nice")
    path = demonstrated_path(world)
    first, side, tilted = (world.reset(scene) for scene in (SCENE, SIDE, TILTED))
    world.close()
    camera = first.camera[0]
    uv, _ = project(path[HIGHLIGHT], camera)
    point = lift_to_height(uv, path[HIGHLIGHT, 2], camera)

    figure, panels = plt.subplots(1, 3, figsize=(18, 7))
    show(
        panels[0],
        first.image[0],
        "1. Which pixel?",
        "where in the image will the gripper be\nat each of the next 12 steps?",
    )
    draw_steps(panels[0], path, camera)
    show(
        panels[1],
        side.image[0],
        "2. How high above the table?",
        "the pixel's ray meets the plane at that\nheight: a point in the world",
    )
    draw_lift(panels[1], uv, point, camera, side.camera[0])
    show(panels[2], tilted.image[0], "Another camera", "pixels move with what is seen,\nheights stay")
    draw_steps(panels[2], path, tilted.camera[0])
    figure.tight_layout(w_pad=2.0)
    figure.savefig(Path(__file__).with_name("overview.png"), dpi=75)


if __name__ == "__main__":
    main()
