"""Ways to spoil a dataset, for the tests of what is said about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from para.datasets.lerobot_v3_encode import parquet_bytes
from para.datasets.lerobot_v3_read import as_arrays, read_table
from tests.datasets.fake_world import random_episode

VIDEO = "videos/observation.images.main/chunk-000/file-001.mp4"
DATA = "data/chunk-000/file-001.parquet"
ROW = "meta/episodes/chunk-000/file-001.parquet"
EPISODES = [random_episode(i) for i in range(3)]
"""What the fixture `root` holds."""


def edit_info(root: Path, change: Callable[[dict], None]) -> None:
    path = root / "meta/info.json"
    info = json.loads(path.read_text())
    change(info)
    path.write_text(json.dumps(info))


def edit_table(path: Path, change: Callable[[dict], None]) -> None:
    table = read_table(path)
    columns = (
        {k: v.copy() for k, v in as_arrays(table).items()}
        if "data" in path.parts
        else {k: [v] for k, v in table.to_pylist()[0].items()}
    )
    change(columns)
    path.write_bytes(parquet_bytes(columns))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def one_line(error: pytest.ExceptionInfo) -> str:
    message = str(error.value)
    assert "\n" not in message and len(message) < 500
    return message
