"""Run by the interpreter of a LeRobot environment: opens our datasets with LeRobot, and writes one with it for us.

python lerobot_side.py read FOLDER... OUT    each dataset's frames, as OUT/<name>.npz, and ACT's loss on them
python lerobot_side.py write FOLDER          a dataset of LeRobot's own
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from lerobot.configs.types import FeatureType
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.act.modeling_act import ACTPolicy
from lerobot.policies.act.processor_act import make_act_pre_post_processors
from lerobot.utils.feature_utils import dataset_to_policy_features

HORIZON = 4
IMAGE = "observation.images.main"


def read(root: Path, out: Path) -> None:
    plain = LeRobotDataset("local/x", root=root, video_backend="pyav")
    steps = [i / plain.fps for i in range(HORIZON)]
    dataset = LeRobotDataset("local/x", root=root, video_backend="pyav", delta_timestamps={"action": steps})
    items = [dataset[i] for i in range(len(dataset))]
    arrays = {
        "image": torch.stack([item[IMAGE] for item in items]),
        "state": torch.stack([item["observation.state"] for item in items]),
        "action": torch.stack([item["action"] for item in items]),
        "is_pad": torch.stack([item["action_is_pad"] for item in items]),
        "phase": torch.stack([item["phase"] for item in items]),
        "episode_index": torch.stack([item["episode_index"] for item in items]),
        "image_mean": torch.as_tensor(dataset.meta.stats[IMAGE]["mean"]),
        "action_std": torch.as_tensor(dataset.meta.stats["action"]["std"]),
    }
    pose = "observation.camera.main.pose"
    if pose in dataset.features:
        arrays["pose"] = torch.stack([item[pose] for item in items])
    said = {
        "episodes": dataset.num_episodes,
        "frames": len(dataset),
        "tasks": sorted({item["task"] for item in items}),
        "camera": dataset.meta.features[IMAGE]["info"]["para.camera"],
        "placed": dataset.meta.filter_episodes(lambda row: row["para.outcome"] == "placed"),
        **act_loss(dataset),
    }
    np.savez(out / f"{root.name}.npz", said=json.dumps(said), **{name: t.numpy() for name, t in arrays.items()})


def act_loss(dataset: LeRobotDataset) -> dict[str, float]:
    """ACT's loss on a batch of the dataset, through LeRobot's own loader and normalisation, and its gradient's norm."""
    torch.manual_seed(0)
    features = dataset_to_policy_features(dataset.meta.features)
    outputs = {name: feature for name, feature in features.items() if feature.type is FeatureType.ACTION}
    config = ACTConfig(
        input_features={name: feature for name, feature in features.items() if name not in outputs},
        output_features=outputs,
        chunk_size=HORIZON,
        n_action_steps=HORIZON,
        dim_model=32,
        n_heads=2,
        dim_feedforward=32,
        pretrained_backbone_weights=None,
        device="cpu",
    )
    preprocess, _ = make_act_pre_post_processors(config, dataset_stats=dataset.meta.stats)
    policy = ACTPolicy(config)
    batch = next(iter(torch.utils.data.DataLoader(dataset, batch_size=4, shuffle=False)))
    loss, _ = policy(preprocess(batch))
    loss.backward()
    gradient = sum(float(p.grad.norm() ** 2) for p in policy.parameters() if p.grad is not None)
    return {"loss": float(loss), "gradient_norm": gradient**0.5}


def write(root: Path) -> None:
    """Two episodes of 5 and 7 frames in one file, with the camera block that `camera.json` beside the folder holds."""
    H, W = 32, 48
    axes = ["x", "y", "z", "gripper"]
    camera = json.loads(root.with_name("camera.json").read_text())
    features = {
        IMAGE: {"dtype": "video", "shape": (H, W, 3), "names": ["height", "width", "channels"], "info": camera},
        "observation.state": {"dtype": "float32", "shape": (4,), "names": axes},
        "action": {"dtype": "float32", "shape": (4,), "names": axes},
    }
    dataset = LeRobotDataset.create("local/x", fps=10, features=features, root=root, video_backend="pyav")
    for length in (5, 7):
        for frame in range(length):
            image = np.full((H, W, 3), 20 * frame + length, dtype=np.uint8)
            state = np.array([0.01 * frame, 0.001 * length, 0.05, 1.0], dtype=np.float32)
            dataset.add_frame({IMAGE: image, "observation.state": state, "action": state + 0.01, "task": "wave"})
        dataset.save_episode()
    dataset.finalize()


if __name__ == "__main__":
    verb, *paths = sys.argv[1:]
    if verb == "write":
        write(Path(paths[0]))
    else:
        for folder in paths[:-1]:
            read(Path(folder), Path(paths[-1]))
