"""The page's part on video models: from files alone."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from para.reports.pictures import Pictures
from para.reports.video import COLUMNS, video_section


def write_run(folder: Path, *, heatmaps: bool = True, seeds: int = 2) -> SimpleNamespace:
    """A run's files on video models, as `para.experiments.video_samples` writes them; 24 x 32 pictures."""
    generator = np.random.default_rng(0)
    rows = [
        {"policy": "video_para", "train_seed": seed, "checkpoint": "0" * 12, "looks": 9}
        | {key: 1.0 + seed + i for i, (key, _) in enumerate(COLUMNS)}
        for seed in range(seeds)
    ]
    (folder / "video_alignment.json").write_text(json.dumps({"image_size": [24, 32], "offsets": [4, 8], "rows": rows}))
    (folder / "video" / "video_para").mkdir(parents=True)
    for k in range(2):
        frames = {name: generator.integers(0, 256, (3, 24, 32, 3), dtype=np.uint8) for name in ("real", "generated")}
        points = {name: generator.uniform(2, 20, (2, 2)) for name in ("predicted_uv", "found_generated_uv")}
        maps = {"heatmaps": generator.random((2, 6, 8)).astype(np.float32)} if heatmaps else {}
        np.savez(
            folder / "video" / "video_para" / f"look{k}.npz", **frames, **points, **maps,
            ee_uv=generator.uniform(2, 20, (3, 2)), meta=np.array(json.dumps({"offsets": [4, 8]})),
        )  # fmt: skip
    return SimpleNamespace(folder=folder, config={"video": True})


@pytest.mark.parametrize("heatmaps", [True, False])
def test_the_page_shows_the_table_a_video_and_a_sheet_for_each_moment(tmp_path, heatmaps):
    pictures = Pictures()
    html = video_section(write_run(tmp_path, heatmaps=heatmaps), pictures)
    assert "PARA on video" in html and "1.5 (1.0 to 2.0)" in html and "<td>18</td>" in html
    assert html.count("data:video/mp4") == 1 and html.count("data:image/jpeg") == 2
    assert sorted(pictures.files) == ["video_video_para_0.jpg", "video_video_para_1.jpg"]
    sheet = cv2.imdecode(np.frombuffer(pictures.files["video_video_para_0.jpg"], np.uint8), cv2.IMREAD_COLOR)
    assert sheet.shape[1] == 3 * (150 + 4) and sheet.shape[0] > 4 * 100  # now and two later frames; four rows


def test_the_same_files_give_the_same_bytes(tmp_path):
    run = write_run(tmp_path)
    assert video_section(run, Pictures()) == video_section(run, Pictures())


def test_runs_without_a_video_model_have_no_such_part(tmp_path):
    assert video_section(SimpleNamespace(folder=tmp_path, config={}), Pictures()) is None
    assert video_section(SimpleNamespace(folder=tmp_path, config={"video": True}), Pictures()) is None


def test_a_damaged_sample_is_named(tmp_path):
    run = write_run(tmp_path)
    (tmp_path / "video" / "video_para" / "look1.npz").write_bytes(b"cut")
    with pytest.raises(ValueError, match="look1.npz is no sample"):
        video_section(run, Pictures())
