"""A small dataset for the tests of this room."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from para.datasets import DatasetWriter
from tests.datasets.fake_world import IMAGE_SIZE
from tests.datasets.spoiling import EPISODES


@pytest.fixture(scope="session")
def intact(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("intact") / "dataset"
    with DatasetWriter(root, image_size=IMAGE_SIZE, lossless=True) as writer:
        for episode in EPISODES:
            writer.add(episode)
    return root


@pytest.fixture
def root(intact, tmp_path) -> Path:
    """A dataset of three episodes, to be spoilt."""
    return Path(shutil.copytree(intact, tmp_path / "dataset"))
