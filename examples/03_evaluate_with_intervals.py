"""3. Is the difference real? Rollouts, records, intervals and paired tests.

    python examples/03_evaluate_with_intervals.py

How exact must a pixel be? Three policies that need no training act in the same scenes: the world's demonstrator, with
every move's pixel off by more and more (one pixel is about 9 mm here). They go the way of every policy: `rollout` runs
an episode, each episode leaves one record, and everything that is said is computed from the records.
"""

from pathlib import Path

import numpy as np
import torch

from para.evaluation.results import EpisodeRecord, append_records, read_results, summarise
from para.evaluation.statistics import wilson_interval
from para.geometry import lift_to_height, project
from para.interfaces import ActionChunk, Observation, Scene
from para.rollout import RolloutConfig, rollout
from para.worlds import make_world
from para.worlds.scenes import TABLETOP, sample_object_xy

N_SCENES = 12


class NoisyDemonstrator(torch.nn.Module):
    """The expert's next move, its pixel displaced by noise. A real policy sees the observation alone."""

    def __init__(self, world, noise_px: float):
        super().__init__()
        self.world, self.noise_px = world, noise_px
        self.generator = torch.Generator().manual_seed(0)
        self.expert = None

    def act(self, obs: Observation) -> ActionChunk:
        """A chunk of one step."""
        if self.world.n_steps == 0:  # a new episode
            self.expert = self.world.expert()
        action = self.expert.act()
        position = torch.tensor(action.position if action else obs.ee_position[0], dtype=torch.float32).view(1, 1, 3)
        uv, _ = project(position, obs.camera.unsqueeze(1))
        uv = uv + self.noise_px * torch.randn(uv.shape, generator=self.generator)
        lifted = lift_to_height(uv, position[..., 2], obs.camera.unsqueeze(1))
        gripper = torch.tensor([[action.gripper if action else 1.0]])
        return ActionChunk(lifted, gripper, torch.zeros(1, 1, dtype=torch.bool))


world = make_world("tabletop", (128, 128))
low, high = TABLETOP.region()
positions = sample_object_xy(low, high, N_SCENES, generator=np.random.default_rng(7))
results = Path("runs/example_03/results.jsonl")
results.parent.mkdir(parents=True, exist_ok=True)
results.unlink(missing_ok=True)

for name, noise_px in (("noise_0.4px", 0.4), ("noise_0.8px", 0.8), ("noise_1.5px", 1.5)):
    policy = NoisyDemonstrator(world, noise_px)
    for index, (x, y) in enumerate(positions):
        scene = Scene(object_xy=(float(x), float(y)))
        episode = rollout(policy, world, scene, RolloutConfig(execute_steps=1, max_control_steps=250))
        record = EpisodeRecord(
            experiment="pixel_noise", world="tabletop", policy=name, train_seed=0, split="test", scene=scene.to_dict(),
            scene_index=index, outcome=episode.outcome, steps=world.n_steps, seconds=0.0, checkpoint="none",
        )  # fmt: skip
        append_records(results, [record])
world.close()

summary = summarise(
    read_results(results), experiment="pixel_noise", world="tabletop", scale="example",
    comparisons=[("noise_0.4px", "noise_0.8px", "test"), ("noise_0.4px", "noise_1.5px", "test")],
)  # fmt: skip
for row in summary["rows"]:
    print(
        f"{row['policy']} placed {row['placed']}/{row['trials']}, grasped {row['grasped']}, missed {row['missed']}: "
        f"{100 * row['rate']:.0f}%, 95% interval {100 * row['ci_low']:.0f} to {100 * row['ci_high']:.0f}%"
    )
for pair in summary["comparisons"]:
    print(
        f"{pair['a']} - {pair['b']}, {pair['n_pairs']} pairs: {100 * pair['difference']:+.0f} points, 95% interval "
        f"{100 * pair['ci_low']:+.0f} to {100 * pair['ci_high']:+.0f}, exact McNemar p = {pair['p_value']:.2g}: "
        + ("a difference" if pair["ci_low"] > 0 or pair["ci_high"] < 0 else "no difference shown: it takes more scenes")
    )
print("what few trials can say: 95% intervals of a policy that always succeeds")
for n in (5, 20, 64, 192):
    print(f"  {n}/{n}: {100 * wilson_interval(n, n).low:.0f} to 100%")
print(f"records: {results}")
