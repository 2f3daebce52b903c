import re

import numpy as np
import pytest

from para.datasets.video import read_video, write_video
from para.reports.figures import distance_bins, distance_figure, positions_figure
from para.reports.predictions import heatmap_image, heatmap_sheet, path_image
from para.reports.run_files import Prediction, RolloutVideo, read_run
from para.reports.style import OUTCOME_COLOURS, inline_svg, policy_colour, rgb
from para.reports.videos import HOLD_FRAMES, MAX_TILES, good_columns, video_grid
from tests.reports.synthetic_run import write_run

H, W, STRIDE = 48, 96, 4  # not square: rows and columns must not be mixed up


def prediction(pixel: tuple[float, float], **changes) -> Prediction:
    """A grey image, a heatmap whose brightest cell is the one that holds `pixel`."""
    heat = np.full((1, H // STRIDE, W // STRIDE), 1e-6, np.float32)
    heat[0, int(pixel[1] // STRIDE), int(pixel[0] // STRIDE)] = 1.0
    values = {
        "policy": "para",
        "name": "test_reach",
        "kind": "test",
        "title": "reaching",
        "step": 10,
        "image": np.full((H, W, 3), 120, np.uint8),
        "heatmaps": heat,
        "uv": np.array([pixel]),
        "position": np.array([[0.1, 0.2, 0.05]]),
        "gripper": np.array([1.0]),
        "demonstrated_uv": np.array([[80.0, 40.0]]),
        "demonstrated_position": np.array([[0.1, 0.2, 0.06]]),
        "ee_uv": np.array([10.0, 10.0]),
    }
    return Prediction(**{**values, **changes})


def centre_of(mask: np.ndarray) -> np.ndarray:
    """Mean (u, v) of the pixels that are set."""
    v, u = np.nonzero(mask)
    return np.array([u.mean(), v.mean()])


def near(image: np.ndarray, colour: tuple[int, int, int], tolerance: int = 40) -> np.ndarray:
    return np.abs(image.astype(int) - colour).max(axis=-1) < tolerance


def test_the_ring_stands_around_the_demonstrated_pixel_of_the_enlarged_image():
    uv, scale = np.array([62.0, 18.0]), 400 / W
    canvas = heatmap_image(prediction((5.0, 5.0), demonstrated_uv=uv[None]), 0, width=400)
    assert canvas.shape == (round(H * scale), 400, 3)
    found = centre_of(near(canvas, (255, 255, 255), 60))
    np.testing.assert_allclose(found, (uv + 0.5) * scale - 0.5, atol=0.7)


def test_the_dots_of_a_path_stand_at_its_predicted_pixels():
    uv, scale = np.array([62.0, 18.0]), 400 / W
    canvas = path_image(prediction(tuple(uv), demonstrated_uv=np.array([[5.0, 5.0]])), 400)
    corner = np.floor((uv + 0.5) * scale).astype(int) - 6  # so near that the dot outweighs the line that leads to it
    patch = canvas[corner[1] : corner[1] + 13, corner[0] : corner[0] + 13]
    found = centre_of(near(patch, rgb(policy_colour("para")))) + corner
    np.testing.assert_allclose(found, (uv + 0.5) * scale - 0.5, atol=1.0)


def test_the_heatmap_is_brightest_at_its_brightest_cell():
    uv = np.array([62.0, 18.0])
    shown = prediction(tuple(uv), demonstrated_uv=np.array([[5.0, 5.0]]))  # the ring is out of the way
    canvas = heatmap_image(shown, 0, width=W * 4).astype(int)
    glow = canvas[..., 0] - canvas[..., 2]  # red minus blue: grey has none
    glow[:60, :60] = 0
    cell_centre = (uv // STRIDE + 0.5) * STRIDE - 0.5  # the centre of cell j of stride 4 is at 4 j + 1.5
    found = centre_of(glow > 0.8 * glow.max())
    np.testing.assert_allclose(found, (cell_centre + 0.5) * 4 - 0.5, atol=2.0)


def test_paths_off_the_image_or_not_finite_are_drawn_without_failing():
    uv = np.array([[-1e9, 3.0], [np.nan, 5.0], [1e12, -1e12]])
    shown = prediction((62.0, 18.0), uv=uv, demonstrated_uv=uv)
    assert path_image(shown, 200).shape == (100, 200, 3)


def test_the_sheet_holds_every_step_in_rows():
    heat = np.random.default_rng(0).random((5, H // STRIDE, W // STRIDE)).astype(np.float32)
    many = prediction((1.0, 1.0), heatmaps=heat, uv=np.zeros((5, 2)), demonstrated_uv=np.zeros((5, 2)))
    assert heatmap_sheet(many, width=96, n_columns=3).shape == (2 * (48 + 4), 3 * (96 + 4), 3)


def test_the_error_of_a_prediction_is_in_millimetres():
    np.testing.assert_allclose(prediction((1.0, 1.0)).error_mm, [10.0])


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Three episodes of different lengths and outcomes, each of one grey level."""
    folder = tmp_path_factory.mktemp("clips")
    videos = []
    for index, (outcome, n) in enumerate([("placed", 4), ("grasped", 9), ("missed", 6)]):
        path = folder / f"test_{index:03d}.mp4"
        write_video(path, np.full((n, 64, 128, 3), 60 + 50 * index, np.uint8), fps=10)
        videos.append(RolloutVideo(path, "para", "test", index, outcome))
    return videos


def test_each_tile_of_a_grid_gets_the_colour_of_its_outcome_when_its_episode_is_over(clips, tmp_path):
    path = tmp_path / "grid.mp4"
    path.write_bytes(video_grid(clips))
    frames = read_video(path)
    assert len(frames) == 9 + HOLD_FRAMES
    assert good_columns(3) == 3
    H, W = frames.shape[1:3]
    for index, (video, n) in enumerate(zip(clips, (4, 9, 6))):
        centre = W // 2 + (index - 1) * 140  # a tile is 128 wide, framed by 4 on both sides, 4 away from the next
        border = frames[:, H // 2 - 35, centre - 20 : centre + 20].mean(axis=1)  # within the upper frame
        assert np.abs(border[0] - (225, 228, 233)).max() < 15  # still running: grey, whatever is to come
        for frame in (n - 1, -1):
            assert (
                np.abs(border[frame] - rgb(OUTCOME_COLOURS[video.outcome])).max() < 40
            )  # colour is stored at half the resolution
        inside = frames[:, H // 2 - 10 : H // 2 + 10, centre - 20 : centre + 20].mean(axis=(1, 2, 3))
        assert np.abs(inside - (60 + 50 * index)).max() < 6  # the last picture stays


def test_a_grid_holds_no_more_than_so_many_tiles(clips, tmp_path):
    grids = []
    for n in (MAX_TILES, 3 * MAX_TILES):
        path = tmp_path / f"{n}.mp4"
        path.write_bytes(video_grid((clips * n)[:n]))
        grids.append(read_video(path))
    np.testing.assert_array_equal(*grids)
    assert grids[0].shape[1] % 64 == 0 and grids[0].shape[2] % 64 == 0


def test_columns_leave_few_places_empty():
    assert [good_columns(n) for n in (1, 4, 12, 24)] == [1, 2, 4, 6]
    for n in range(1, 40):
        columns = good_columns(n)
        assert 1 <= columns <= n and -n % columns <= columns // 2


def test_bins_of_distance_hold_about_equally_many_trials():
    distance = np.concatenate([np.zeros(30), np.random.default_rng(0).uniform(0.01, 0.3, 50)])
    edges = distance_bins(distance)
    sizes = np.histogram(distance[distance > 0], edges)[0]
    assert len(sizes) == 6 and sizes.sum() == 50 and sizes.max() - sizes.min() <= 2
    assert len(distance_bins(np.zeros(5))) == 0
    assert len(distance_bins(np.array([0.1, 0.2, 0.3]))) == 2


def test_the_map_shows_every_scored_scene_once_per_policy(tmp_path):
    run = read_run(write_run(tmp_path, pictures=False, seeds=2))
    svg = positions_figure(run)
    scenes = sum(r.policy in ("para", "act") for r in run.records)
    # each mark of a scatter is one <use>; training positions are two lines of marks, ticks have no size
    marks = re.findall(r'<g id="PathCollection_\d+">.*?</g>\s*</g>', svg, flags=re.DOTALL)
    assert sum(part.count("<use ") for part in marks) == scenes


def test_no_known_distance_gives_no_figure_of_it(tmp_path):
    run = read_run(write_run(tmp_path, pictures=False))
    assert distance_figure(run) is not None
    for record in run.records:
        object.__setattr__(record, "boundary_distance_m", None)
    assert distance_figure(run) is None


def test_inlined_figures_have_ids_of_their_own_and_no_addresses():
    body = '<g id="a"/><use xlink:href="#a"/><path clip-path="url(#a)"/>'
    svg = f'<?xml?><svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{body}</svg>'
    one = inline_svg(svg, "one", "said")
    assert 'id="one-a"' in one and 'href="#one-a"' in one and "url(#one-a)" in one and "http" not in one
