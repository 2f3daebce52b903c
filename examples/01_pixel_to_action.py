"""1. The idea: a pixel and a height above the table are a place in the world.

    python examples/01_pixel_to_action.py

A policy that regresses coordinates must learn camera geometry from examples. PARA predicts a pixel (where in the image
the end effector goes next) and a height (how far above the table), and leaves the rest to the camera's own geometry.
Here no network is involved yet: the demonstrator's moves are told as pixels and heights, and still place the bowl.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch

from para.geometry import lift_to_height, project
from para.interfaces import Scene
from para.worlds import make_world

world = make_world("tabletop", (240, 320), render_quality="nice")
scene = Scene(object_xy=(0.10, -0.25))

# A point in the world, seen by two cameras: another pixel, another depth, the same height.
rim = torch.tensor([0.10, -0.25, 0.055])  # the middle of the bowl's rim; metres, z up from the table
for view in (scene, scene.with_(view_theta_deg=25.0, view_phi_deg=180.0)):
    camera = world.reset(view).camera[0]
    uv, depth = project(rim, camera)
    back = lift_to_height(uv, rim[2], camera)
    print(
        f"camera tilted {view.view_theta_deg:4.1f} degrees: pixel ({uv[0]:5.1f}, {uv[1]:5.1f}), depth {depth:.3f} m, "
        f"height {rim[2]:.3f} m -> back at ({back[0]:.3f}, {back[1]:.3f}, {back[2]:.3f}) m"
    )

# A whole demonstration, every move of which is reduced to a pixel (rounded!) and a height, and lifted again.
obs = world.reset(scene)
first, expert, path, worst = obs, world.expert(), [], 0.0
while (action := expert.act()) is not None:
    position = torch.from_numpy(action.position).float()
    uv = project(position, obs.camera[0])[0].round()
    path.append(project(position, first.camera[0])[0])
    lifted = lift_to_height(uv, position[2], obs.camera[0])
    worst = max(worst, float((lifted - position).norm()))
    obs = world.execute(lifted.numpy(), action.gripper)
print(f"{len(path)} moves as pixels and heights, at most {1000 * worst:.1f} mm off: the bowl is {world.outcome()}")
world.close()

path = torch.stack(path)
plt.figure(figsize=(8, 6))
plt.imshow(first.image[0].permute(1, 2, 0))
plt.plot(path[:, 0], path[:, 1], color="white", linewidth=1)
plt.scatter(path[:, 0], path[:, 1], c=range(len(path)), cmap="viridis", s=24, zorder=2)
plt.title("Where the end effector goes, as pixels of the first image")
plt.axis("off")
picture = Path("runs/example_01/pixel_to_action.png")
picture.parent.mkdir(parents=True, exist_ok=True)
plt.savefig(picture, dpi=100, bbox_inches="tight")
print(f"picture: {picture}")
