"""Demonstrations of one's own: what `para train` says of their pace and size, and that `para resample` mends both."""

from pathlib import Path

import numpy as np
import pytest

from para.backbones import make_backbone
from para.backbones.small_conv import SmallConvConfig
from para.files import read_json
from para.training.run_folder import SUMMARY_FILE
from tests.datasets.test_resample import SIZE, write
from tests.test_cli import para, refusal

TRAIN = ["--training.steps", "2", "--training.batch-size", "2", "--heldout-fraction", "0", "para"]
TINY = ["small-conv-config", "--channels", "8", "--dilations", "1", "2"]


def train(data: Path, out: Path, *policy: str):
    return para("train", "--data", data, "--out", out, *TRAIN, *policy, *TINY)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """Thirty frames a second, 64 x 96."""
    return write(tmp_path_factory.mktemp("own") / "recorded", lengths=(11, 9))


def test_training_says_what_is_unlike_the_defaults_data_and_resampled_it_is_silent(recorded, tmp_path):
    said = train(recorded, tmp_path / "a")
    assert said.code == 0, said
    assert "a chunk of 12 steps is 0.4 s long (in the experiments 1.8 s)" in said.out
    assert "of these pictures, 96 px long, a cell of the backbone sees 17 px to each side" in said.out
    assert para("resample", recorded, tmp_path / "small", "--step-s", "0.15", "--image-size", "16", "32").code == 0
    said = train(tmp_path / "small", tmp_path / "b")
    assert said.code == 0 and "in the experiments" not in said.out and "to each side" not in said.out


def test_training_on_several_tasks_says_that_they_are_mixed_and_one_of_them_can_be_chosen(recorded, tmp_path):
    said = train(recorded, tmp_path / "mixed")
    assert said.code == 0 and "are of 2 tasks ('task 0', 'task 1'), and no policy reads which is asked for" in said.out
    chosen = para("train", "--data", recorded, "--out", tmp_path / "one", "--task", "task 1", *TRAIN, *TINY)
    assert chosen.code == 0 and "no policy reads" not in chosen.out
    samples = [read_json(tmp_path / name / SUMMARY_FILE)["identity"]["samples"]["count"] for name in ("mixed", "one")]
    assert samples == [11 + 9, 9]
    line = refusal("train", "--data", recorded, "--out", tmp_path / "none", "--task", "task 2", *TRAIN, *TINY)
    assert "no episode of the task 'task 2'; its tasks: 'task 0', 'task 1'" in line and not (tmp_path / "none").exists()


def test_the_camera_to_train_on_can_be_named_and_an_unknown_one_is_refused_with_those_there_are(recorded, tmp_path):
    line = refusal("train", "--data", recorded, "--out", tmp_path / "a", "--camera", "wrist", *TRAIN, *TINY)
    assert "has no camera 'wrist'; it has front" in line and not (tmp_path / "a").exists()
    named = para("train", "--data", recorded, "--out", tmp_path / "a", "--camera", "front", *TRAIN, *TINY)
    assert named.code == 0 and "was trained before" not in named.out


def test_another_picture_size_than_the_datasets_is_refused_with_the_command_that_makes_it(recorded, tmp_path):
    line = refusal("train", "--data", recorded, "--out", tmp_path / "a", *TRAIN, "--image-size", "32", "48", *TINY)
    assert "has pictures of 64 x 96" in line and f"para resample {recorded} <new folder> --image-size 32 48" in line
    assert not (tmp_path / "a").exists()
    assert train(recorded, tmp_path / "a", "--image-size", *map(str, SIZE)).code == 0


def test_a_cell_sees_as_far_as_the_backbone_says():
    import torch

    backbone = make_backbone(SmallConvConfig(channels=8, dilations=(1, 2, 1)), (64, 128))
    image = torch.zeros(1, 3, 64, 128, dtype=torch.float32, requires_grad=True)
    backbone(image).grid[0, :, 8, 16].square().sum().backward()
    seen = np.flatnonzero(image.grad[0].abs().sum(dim=(0, 1)))
    centre = (16 + 0.5) * 4 - 0.5
    reach = max(centre - seen.min(), seen.max() - centre)
    assert reach == pytest.approx(backbone.reach_px, abs=0.5)
