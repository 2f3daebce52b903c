"""Videos with a tracked point become demonstrations whose labels stand on the point, to a fraction of a pixel."""

import numpy as np
import pytest
import torch

from para.datasets import ChunkDataset, DatasetError, Demonstrations, check_dataset
from para.datasets.tracks import Crop, import_tracks, nominal_camera
from para.geometry import project
from para.interfaces import Observation
from para.policies.augment import AugmentConfig, augment
from tests.datasets.track_videos import FPS, N, dot_frames, dot_track, red_centre, write_csv, write_dot_video

IMAGE_SIZE = (48, 64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two videos of other proportions than the images; in the second the point is hidden for a while."""
    folder = tmp_path_factory.mktemp("videos")
    for name, seed in (("a", 0), ("b", 1)):
        uv = dot_track(seed=seed)
        write_dot_video(folder / f"{name}.mp4", uv, seed=seed)
        hidden = np.isin(np.arange(N), [0, 1, 12, 13, 14]) & (name == "b")
        write_csv(folder / f"{name}.csv", np.where(hidden[:, None], 0.0, uv), ~hidden)
    return folder


@pytest.fixture(scope="module")
def root(folder, tmp_path_factory):
    root = tmp_path_factory.mktemp("tracks") / "dataset"
    report = import_tracks(folder, root, image_size=IMAGE_SIZE, progress=False)
    assert (report.imported, report.reused) == (2, 0)
    return root


def test_it_is_a_dataset_without_faults_and_every_frame_shows_the_point_where_it_says(root):
    assert check_dataset(root) == []
    data = Demonstrations.open(root)
    every = round(FPS * 0.15)
    assert len(data) == len(range(0, N, every)) + len(range(every, N, every))  # b is hidden in its first frame
    uv, _ = project(torch.from_numpy(data.ee_position), data.camera(slice(None)))
    hidden = {int(data.episode_start[1]) + 3}  # frame 12 of b
    for k, image in enumerate(np.asarray(data.images)):
        if k not in hidden:
            np.testing.assert_allclose(red_centre(image), uv[k], atol=0.5)  # the codec halves the colour planes


def test_labels_are_the_points_next_places_hidden_ones_teach_nothing_and_heights_are_not_known(root):
    data = Demonstrations.open(root)
    obs, actions = ChunkDataset(data, horizon=3).batch([0])
    uv, _ = project(actions.position, obs.camera.unsqueeze(1))
    for k in range(3):
        np.testing.assert_allclose(red_centre(np.asarray(data.images)[k + 1]), uv[0, k], atol=0.5)
    assert not actions.height_known.any() and not actions.gripper_known.any() and actions.pixel_known.all()
    first = int(data.episode_start[1])  # b: frames 3, 6, 9, 12 (hidden), 15, ...
    _, actions = ChunkDataset(data, horizon=4).batch([first])
    assert actions.pixel_known.tolist() == [[True, True, False, True]]


AFFINE = {"max_rotation_deg": 20.0, "scale": (0.7, 0.9)}
TILT = {"view_tilt_deg": 25.0, "view_plane_m": (0.02, 0.02)}


@pytest.mark.parametrize("moves", [AFFINE, TILT])
def test_labels_follow_every_warp_of_the_picture(root, moves):
    data = ChunkDataset(Demonstrations.open(root), horizon=1)
    obs, actions = data.batch([0, 2, 4, 6])
    shown = Observation(obs.image, obs.camera, obs.ee_position, obs.gripper)
    moved = augment(shown, AugmentConfig(**moves), torch.Generator().manual_seed(1))
    assert not torch.equal(moved.camera.K, obs.camera.K) or not torch.equal(
        moved.camera.T_world_cam, obs.camera.T_world_cam
    )
    uv, _ = project(moved.ee_position, moved.camera)
    for image, pixel in zip(moved.image.permute(0, 2, 3, 1).numpy(), uv):
        np.testing.assert_allclose(red_centre(image), pixel, atol=0.6)


def test_importing_goes_on_where_it_stopped_and_gives_the_same_dataset(folder, root, tmp_path):
    again = import_tracks(folder, root, image_size=IMAGE_SIZE, progress=False)
    assert (again.imported, again.reused) == (0, 2)
    one = tmp_path / "one"
    one.mkdir()
    for name in ("a.mp4", "a.csv"):
        (one / name).write_bytes((folder / name).read_bytes())
    import_tracks(one, tmp_path / "dataset", image_size=IMAGE_SIZE, progress=False)
    for name in ("b.mp4", "b.csv"):
        (one / name).write_bytes((folder / name).read_bytes())
    import_tracks(one, tmp_path / "dataset", image_size=IMAGE_SIZE, progress=False)
    np.testing.assert_array_equal(
        Demonstrations.open(tmp_path / "dataset").ee_position, Demonstrations.open(root).ee_position
    )


@pytest.mark.parametrize("full, size", [((60, 100), (48, 64)), ((100, 60), (64, 64)), ((30, 40), (60, 80))])
def test_a_crop_is_from_the_middle_without_distortion_and_pixels_follow(full, size):
    crop = Crop.of(full, size)
    assert abs(size[0] / crop.height - size[1] / crop.width) < 0.02 * size[0] / crop.height
    middle = np.array([(full[1] - 1) / 2, (full[0] - 1) / 2])
    np.testing.assert_allclose(crop.to_crop(middle), [(size[1] - 1) / 2, (size[0] - 1) / 2], atol=1.0)
    assert crop.apply(np.zeros((*full, 3), np.uint8)).shape == (*size, 3)


@pytest.mark.parametrize("size", [(48, 64), (90, 90)])
def test_what_a_crop_shows_is_where_it_says_to_a_tenth_of_a_pixel(size):
    uv = dot_track(5)
    for frame, pixel in zip(dot_frames(uv), uv):
        crop = Crop.of(frame.shape[:2], size)
        np.testing.assert_allclose(red_centre(crop.apply(frame)), crop.to_crop(pixel), atol=0.1)


def test_the_nominal_camera_sees_the_plane_in_every_pixel_of_wide_and_tall_images():
    for size in ((48, 64), (64, 48), (64, 64)):
        camera = nominal_camera(size)
        corners = torch.tensor([[-0.5, -0.5], [size[1] - 0.5, size[0] - 0.5], [size[1] - 0.5, -0.5]])
        rays = torch.cat([corners, torch.ones(3, 1)], dim=-1) @ torch.linalg.inv(camera.K).T
        assert ((rays @ camera.T_world_cam[:3, :3].T)[:, 2] < -0.1).all()


def spoil(folder, tmp_path, what: str):
    bad = tmp_path / "bad"
    bad.mkdir()
    for name in ("a.mp4", "a.csv"):
        (bad / name).write_bytes((folder / name).read_bytes())
    if what == "truncated":
        (bad / "a.mp4").write_bytes((folder / "a.mp4").read_bytes()[:2000])
    elif what == "no video":
        (bad / "a.mp4").write_text("this is text")
    elif what == "frames":
        write_csv(bad / "a.csv", dot_track(N - 2))
    elif what == "hardly seen":
        write_csv(bad / "a.csv", dot_track(), np.arange(N) < 5)
    elif what == "no tracks":
        (bad / "a.csv").unlink()
    elif what == "two tracks":
        (bad / "a.parquet").write_text("")
    elif what == "no videos":
        (bad / "a.mp4").unlink()
    return bad


@pytest.mark.parametrize(
    "what, message",
    [
        ("truncated", "a.mp4"),
        ("no video", "a.mp4 cannot be decoded"),
        ("frames", f"tells of {N - 2} frames, its video has {N}"),
        ("hardly seen", "the point is seen in 2; at least 3 are needed"),
        ("no tracks", "needs one file of tracks .a.csv, .parquet or .npz.; found none"),
        ("two tracks", "found a.csv and a.parquet"),
        ("no videos", "holds no video"),
    ],
)
def test_a_video_that_cannot_be_used_is_named_in_one_line(folder, tmp_path, what, message):
    with pytest.raises((DatasetError, ValueError, FileNotFoundError), match=message) as error:
        import_tracks(spoil(folder, tmp_path, what), tmp_path / "dataset", image_size=IMAGE_SIZE, progress=False)
    assert "\n" not in str(error.value)
