"""Demonstrations: recorded to LeRobotDataset v3.0 with camera geometry, and read back as chunks in world metres.

To read another format, write a file that turns it into `Episode`s and give them to a `DatasetWriter`.
"""

from para.datasets.checks import check_dataset, describe_dataset
from para.datasets.chunks import ChunkDataset
from para.datasets.circle_datasets import overlay_dataset
from para.datasets.circle_overlay import circle_world, overlay_episode
from para.datasets.demonstrate import Perturbation, demonstrate
from para.datasets.demonstrations import Demonstrations
from para.datasets.lerobot_v3_layout import DatasetError
from para.datasets.lerobot_v3_write import DatasetWriter
from para.datasets.recording import RecordingReport, record
from para.datasets.repair import repair_dataset
from para.datasets.resample import resample
from para.datasets.splits import episodes_where, split_episodes
from para.datasets.video import read_video, write_video

__all__ = [
    "ChunkDataset",
    "DatasetError",
    "DatasetWriter",
    "Demonstrations",
    "Perturbation",
    "RecordingReport",
    "check_dataset",
    "circle_world",
    "demonstrate",
    "describe_dataset",
    "episodes_where",
    "overlay_dataset",
    "overlay_episode",
    "read_video",
    "record",
    "repair_dataset",
    "resample",
    "split_episodes",
    "write_video",
]
