"""2. From demonstrations to a policy: record, look into the dataset, train, ask.

    python examples/02_record_and_train.py

Sixteen demonstrations at 64 x 64 pixels and two hundred steps of training: enough to see every part move, far too few
for a policy that places bowls. Run it again and it finds everything done; kill it anywhere and it goes on from there.
"""

from functools import partial
from pathlib import Path

import torch

from para.backbones import SmallConvConfig
from para.datasets import ChunkDataset, Demonstrations, episodes_where, record
from para.interfaces import Scene
from para.policies import ParaConfig, make_policy
from para.training.checkpoint import load_policy
from para.training.engine import train
from para.training.options import TrainConfig
from para.worlds import make_world
from para.worlds.scenes import TABLETOP

OUT = Path("runs/example_02")


@torch.no_grad()
def held_out_error(policy, samples: ChunkDataset) -> str:
    """How far a policy's moves lie from demonstrations that it has not seen, on average."""
    obs, demonstrated = samples.batch(range(0, len(samples), 3))
    pixels = policy.eval().loss(obs, demonstrated)["pixel_error_px"]
    away = (policy.act(obs).position - demonstrated.position)[~demonstrated.is_pad].abs().mean(dim=0)
    return f"{pixels:.1f} px: {100 * away[:2].mean():.1f} cm along the table, {100 * away[2]:.1f} cm in height"


# 1. The world's scripted expert acts in sixteen scenes: every fourth position, each way, of the 16 x 16 grid.
positions = TABLETOP.grid_positions()[::4, ::4].reshape(-1, 2)
scenes = [Scene(object_xy=(float(x), float(y))) for x, y in positions]
report = record(partial(make_world, "tabletop", (64, 64)), scenes, OUT / "demonstrations", workers=1)
print(f"recorded {report.recorded} demonstrations, {report.reused} were there already")

# 2. A dataset knows metres and cameras, and no pixels. A sample is what was seen, and the moves that followed.
demonstrations = Demonstrations.open(OUT / "demonstrations")
left = demonstrations.subset(episodes_where(demonstrations, lambda scene: scene.object_xy[1] < -0.1))
right = demonstrations.subset(episodes_where(demonstrations, lambda scene: scene.object_xy[1] >= -0.1))
print(f"train on {left.n_episodes} episodes ({len(left)} frames) at the left, hold out {right.n_episodes} at the right")

# 3. PARA makes its own targets: every future position is projected into the image in which it is to be predicted.
config = ParaConfig(image_size=(64, 64), horizon=8, backbone=SmallConvConfig(channels=24, dilations=(1, 2, 4, 8)))
policy = make_policy(config)
training, heldout = ChunkDataset(left, config.horizon), ChunkDataset(right, config.horizon)
# the height classes span the heights of the demonstrations, and a margin
policy.fit_ranges(training.actions(), left.camera(slice(None)))
low, high = (100 * float(edge) for edge in policy.height_bins.edges)
print(f"{config.n_height_bins} height classes from {low:.0f} to {high:.0f} cm above the table")
print(f"untrained, off by {held_out_error(policy, heldout)}")
result = train(policy, training, TrainConfig(steps=200, batch_size=16), OUT / "para", heldout=heldout)
print(f"{'trained before' if result.reused else 'trained'}: {result.steps} steps in {result.seconds:.0f} s")

# 4. The checkpoint is a folder of two files; the policy is a function of what is seen.
policy = load_policy(OUT / "para")
print(f"trained, off by {held_out_error(policy, heldout)}")
obs, _ = heldout.batch([0])
chunk = policy.act(obs)
for step in (0, config.horizon - 1):
    x, y, z = chunk.position[0, step].tolist()
    sure = 100 * float(chunk.peak_probability[0, step])
    print(f"move {step + 1} of {chunk.horizon}: ({x:.3f}, {y:.3f}, {z:.3f}) m, with {sure:.0f}% of the heatmap there")
