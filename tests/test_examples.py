"""Every example runs by itself, somewhere else than in the repository, and shows what it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import cv2
import pytest

ROOT = Path(__file__).parent.parent
TIME_LIMIT_S = 600
"""Far more than the minute that an example may take: tests run on shared cores."""

PROMISES = {
    "01_pixel_to_action.py": (
        "at (0.100, -0.250, 0.055) m",
        "the bowl is placed",
        "picture: runs/example_01/pixel_to_action.png",
    ),
    "02_record_and_train.py": ("recorded 16 demonstrations", "height classes", "trained: 200 steps", "move 8 of 8"),
    "03_evaluate_with_intervals.py": ("noise_0.4px placed 12/12", "exact McNemar p = ", "64/64: 94 to 100%"),
    "05_pretrain_on_tracks.py": (
        "6 videos",
        "known of a step: {'pixel': True, 'height': False, 'gripper': False}; hidden: 2",
        "34 tensors copied; 2 tiled",
        "scratch: the next steps are",
    ),
    "04_your_own_backbone.py": ("grid (1, 32, 12, 16)", "policy 'para' on colour_pyramid", "policy 'act'"),
}
"""What each example prints, besides numbers that training decides."""


@pytest.fixture(scope="module")
def printed_by(tmp_path_factory):
    """What an example prints, and the folder in which it ran; each runs once."""

    @cache
    def run(name: str) -> tuple[str, Path]:
        folder = tmp_path_factory.mktemp(Path(name).stem)
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT / "src"),
            "MPLCONFIGDIR": str(folder),
        }
        command = [sys.executable, str(ROOT / "examples" / name)]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIME_LIMIT_S
        )
        assert done.returncode == 0, f"{name} ended with {done.returncode}:\n{done.stderr[-2000:]}"
        return done.stdout, folder

    return run


def test_every_example_is_tested():
    assert sorted(path.name for path in (ROOT / "examples").glob("*.py")) == sorted(PROMISES)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PROMISES))
def test_an_example_runs_anywhere_and_prints_what_it_promises(name, printed_by):
    printed, _ = printed_by(name)
    for promise in PROMISES[name]:
        assert promise in printed


@pytest.mark.slow
def test_the_first_example_draws_its_picture(printed_by):
    _, folder = printed_by("01_pixel_to_action.py")
    assert cv2.imread(str(folder / "runs/example_01/pixel_to_action.png")).std() > 20


@pytest.mark.slow
def test_the_second_example_brings_the_pixels_nearer(printed_by):
    printed, _ = printed_by("02_record_and_train.py")
    before, after = (float(px) for px in re.findall(r"off by ([\d.]+) px", printed))
    assert after < before / 3
