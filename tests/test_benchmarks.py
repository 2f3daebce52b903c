"""The benchmark measures what it says: both kinds compute the same, and the volume costs what its size says."""

import json

import pytest
import torch

from benchmarks.head_cost import Case, Size, compare, in_fresh_process, peak_bytes, reset_peak
from benchmarks.view_errors import VIEWS, off_by, scenes_of
from para.geometry import Camera, lift_to_height, project
from tests.conftest import oblique_camera

SMALL = Size(batch=2, image=96, stride=8, channels=6, horizon=3, bins=5)


def test_both_kinds_give_the_same_loss_and_gradients():
    results = [(case := Case(SMALL)).results(case.forward_backward(kind)) for kind in ("materialised", "ours")]
    assert results[0].keys() == results[1].keys() and len(results[0]) == 6
    for name in results[0]:
        torch.testing.assert_close(results[0][name], results[1][name], rtol=1e-4, atol=1e-6)


def test_the_measured_peak_sees_memory_that_was_given_back():
    reset_peak()
    before = peak_bytes()
    torch.ones(20_000_000).sum()  # 80 MB
    assert 70e6 < peak_bytes() - before < 120e6


def test_a_case_in_a_fresh_process_reports_seconds_and_memory(tmp_path):
    tensors = tmp_path / "ours.safetensors"
    measured = in_fresh_process("ours", SMALL, repeats=2, tensors=tensors)
    assert measured["seconds"] > 0 and measured["peak_bytes"] >= 0
    assert tensors.exists()


@pytest.mark.slow
def test_reading_at_pixels_saves_ten_times_the_memory_and_twenty_times_the_time_at_the_papers_size():
    result = compare(Size(batch=4), {"materialised": 1, "ours": 10})
    json.dumps(result)
    assert result["memory_ratio"] >= 10
    assert result["time_ratio"] >= 20
    assert result["largest_gradient_difference"] <= 1e-5 * result["largest_gradient"]
    assert result["largest_loss_difference"] <= 1e-5


def test_what_a_point_is_off_by_is_all_of_the_pixels_where_heights_are_right_and_all_of_the_heights_where_pixels_are():
    camera = oblique_camera(batch=1)
    told = torch.tensor([[0.02, -0.03, 0.05], [-0.04, 0.01, 0.1]])
    beside = off_by(told + torch.tensor([0.006, 0.008, 0.0]), told, camera)
    assert torch.allclose(beside["over_the_table_mm"], torch.full((2,), 10.0), atol=0.01)
    assert torch.allclose(beside["by_pixels_mm"], torch.full((2,), 10.0), atol=0.05)
    assert beside["by_heights_mm"].max() < 0.05 and beside["pixels_px"].min() > 0.1
    cameras = Camera(camera.K.expand(2, 3, 3), camera.T_world_cam.expand(2, 4, 4), camera.image_size)
    along_the_ray = lift_to_height(project(told, cameras)[0], told[:, 2] + 0.01, cameras)
    higher = off_by(along_the_ray, told, camera)
    assert higher["by_pixels_mm"].max() < 0.05 and higher["pixels_px"].max() < 0.01
    assert torch.allclose(higher["by_heights_mm"], higher["over_the_table_mm"], atol=0.05)


def test_the_views_of_the_benchmark_are_among_the_validation_scenes():
    found = scenes_of("tabletop", VIEWS, 2)
    assert list(found) == list(VIEWS) and all(len(scenes) == 2 for scenes in found.values())
