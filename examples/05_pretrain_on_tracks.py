"""5. From videos without a robot to a robot's policy: tracks, pretraining, transfer, five demonstrations, rollouts.

    python examples/05_pretrain_on_tracks.py

The videos are made here: a fingertip (a disc of skin's colour) puts the bowl on the plate, and its pixels are written
as a tracker would write them. Yours would be films of a hand from a camera that stands still. Far too little of
everything to place bowls: it is there to show each step. Run it again and it finds everything done.
"""

from functools import partial
from pathlib import Path

import numpy as np
import torch

from para.backbones import SmallConvConfig
from para.datasets import ChunkDataset, Demonstrations, demonstrate, record, write_video
from para.datasets.circle_overlay import draw_disc
from para.datasets.tracks import import_tracks
from para.geometry import project
from para.interfaces import Scene
from para.policies import ParaConfig, make_policy
from para.rollout import RolloutConfig, predicted_chunk, rollout
from para.training import TrainConfig, start_from, train
from para.worlds import make_world

OUT = Path("runs/example_05")
SKIN = (214, 160, 134)
SIZE = (64, 64)
STEPS = 120
PLACES = [(-0.15, -0.30), (-0.15, 0.05), (0.0, -0.12), (0.12, -0.30), (0.12, 0.05), (0.0, 0.1)]


def film_a_fingertip(video: Path, scene: Scene) -> None:
    """A video of the task without a robot, and beside it a table of where the fingertip is: frame, u, v, visible."""
    world = make_world("tabletop", (96, 128), robot_visible=False)
    episode = demonstrate(world, scene)
    world.close()
    uv, _ = project(torch.from_numpy(episode.ee_position), episode.camera)
    frames = draw_disc(torch.from_numpy(episode.image).permute(0, 3, 1, 2), uv, 3.0, colour=SKIN)
    write_video(video, frames.permute(0, 2, 3, 1).numpy(), fps=20 / 3)
    hidden = range(4, 6)  # where a tracker lost it
    rows = [f"{k},{u:.2f},{v:.2f},{int(k not in hidden)}" for k, (u, v) in enumerate(uv.tolist())]
    video.with_suffix(".csv").write_text("\n".join(["frame,u,v,visible", *rows]))


def fit(name: str, config: ParaConfig, data: Demonstrations, start: Path | None = None):
    """Train a policy on demonstrations, from random weights or from those of another."""
    torch.manual_seed(0)
    policy, samples = make_policy(config), ChunkDataset(data, config.horizon)
    begun = ""  # what the starting weights are: trainings from others are other runs
    policy.fit_ranges(samples.actions(), data.camera(slice(None)))
    if start is not None:
        done, begun = start_from(policy, start)
        print(f"{name}: {done.describe()}")
    train(policy, samples, TrainConfig(steps=STEPS), OUT / name, data_hash=data.data_hash, start=begun)
    return policy


# 1. Videos with a tracked point. No camera is known, no height, no gripper.
videos = OUT / "videos"
videos.mkdir(parents=True, exist_ok=True)
for number, place in enumerate(PLACES):
    if not (videos / f"hand_{number}.csv").exists():
        film_a_fingertip(videos / f"hand_{number}.mp4", Scene(object_xy=place))
report = import_tracks(videos, OUT / "tracks", image_size=SIZE)
tracks = Demonstrations.open(OUT / "tracks")
_, chunk = ChunkDataset(tracks, horizon=8).batch([0])
told = {part: bool(getattr(chunk, f"{part}_known").any()) for part in ("pixel", "height", "gripper")}
print(f"{tracks.n_episodes} videos, {len(tracks)} frames; known of a step: {told}; hidden: "
      f"{int((~chunk.pixel_known).sum())} of its first 8 steps")  # fmt: skip

# 2. Pretraining: the heatmap alone, one height class and no gripper.
full = ParaConfig(image_size=SIZE, horizon=8, backbone=SmallConvConfig(channels=24, dilations=(1, 2, 4, 8)))
pixels = ParaConfig(image_size=SIZE, horizon=8, backbone=full.backbone, n_height_bins=1, n_gripper_bins=0)
fit("pretrained", pixels, tracks)

# 3. Five demonstrations of the robot, and the same policy from there and from scratch.
scenes = [Scene(object_xy=place) for place in PLACES[:5]]
record(partial(make_world, "tabletop", SIZE), scenes, OUT / "demonstrations", workers=1)
robot = Demonstrations.open(OUT / "demonstrations")
policies = {
    "fine_tuned": fit("fine_tuned", full, robot, start=OUT / "pretrained"),
    "scratch": fit("scratch", full, robot),
}

# 4. Evaluation, at places that neither shows.
elsewhere = [Scene(object_xy=place) for place in ((-0.05, -0.2), (0.05, -0.05))]
world = make_world("tabletop", SIZE)
for name, policy in policies.items():
    off = []
    for scene in elsewhere:
        obs, expert = world.reset(scene), world.expert()
        aim = []
        for _ in range(full.horizon):
            action = expert.act()
            aim.append(action.position)
            world.execute(action.position, action.gripper)
        predicted, _ = project(predicted_chunk(policy, obs).position, obs.camera.unsqueeze(1))
        wanted, _ = project(torch.tensor(np.array(aim), dtype=torch.float32), obs.camera.unsqueeze(1))
        off.append(float((predicted - wanted).norm(dim=-1).mean()))
    outcomes = [rollout(policy, world, scene, RolloutConfig(max_control_steps=200)).outcome for scene in elsewhere]
    print(f"{name}: the next steps are {np.mean(off):.1f} px off; {outcomes.count('placed')} of {len(outcomes)} placed")
world.close()
