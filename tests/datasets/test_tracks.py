"""Videos with a tracked point become demonstrations whose labels stand on the point, to a fraction of a pixel."""

import json
import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet
import pytest
import torch

from para.datasets import ChunkDataset, DatasetError, Demonstrations, check_dataset, record
from para.datasets.imported_videos import MADE_FROM
from para.datasets.lerobot_v3_layout import EPISODE_INFO, INFO_FILE, episode_paths
from para.datasets.tracks import Crop, import_tracks, nominal_camera
from para.geometry import project
from para.interfaces import Observation
from para.policies.augment import AugmentConfig, augment
from tests.datasets.fake_world import fake_scenes, make_fake_world
from tests.datasets.track_videos import (
    FPS,
    N,
    dot_frames,
    dot_track,
    red_centre,
    write_csv,
    write_dot_video,
    write_timed_video,
)

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


@pytest.mark.parametrize(("last_seen", "stays"), [(N - 1, True), (18, False)])
def test_to_stay_is_a_target_at_the_end_of_the_video_and_not_where_the_point_is_lost_before(tmp_path, last_seen, stays):
    (tmp_path / "videos").mkdir()
    uv = dot_track()
    write_dot_video(tmp_path / "videos" / "a.mp4", uv)
    write_csv(tmp_path / "videos" / "a.csv", uv, np.arange(N) <= last_seen)
    import_tracks(tmp_path / "videos", tmp_path / "data", image_size=IMAGE_SIZE, progress=False)
    data = Demonstrations.open(tmp_path / "data")
    _, actions = ChunkDataset(data, horizon=4).batch([len(data) - 3])
    assert actions.is_pad.tolist() == [[False, False, False, True]]
    assert actions.pixel_known.tolist() == [[True, True, stays, stays]]


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


def test_labels_stand_on_the_point_where_a_shrunk_copy_of_the_video_was_tracked(tmp_path):
    (tmp_path / "videos").mkdir()
    uv = dot_track()
    write_dot_video(tmp_path / "videos/a.mp4", uv)
    copies = [cv2.resize(frame, (50, 20), interpolation=cv2.INTER_AREA) for frame in dot_frames(uv)]
    write_csv(tmp_path / "videos/a.csv", np.array([red_centre(copy) for copy in copies]))
    import_tracks(tmp_path / "videos", tmp_path / "data", image_size=IMAGE_SIZE, track_size=(20, 50), progress=False)
    data = Demonstrations.open(tmp_path / "data")
    seen, _ = project(torch.from_numpy(data.ee_position), data.camera(slice(None)))
    for image, pixel in zip(np.asarray(data.images), seen):
        np.testing.assert_allclose(red_centre(image), pixel, atol=0.5)  # the codec halves the colour planes


def two_points(folder):
    """A video whose tracks are of two points, the second 5 px to the right of the first."""
    folder.mkdir()
    uv = dot_track()
    write_dot_video(folder / "a.mp4", uv)
    rows = [f"{k},{p},{u + 5 * p},{v},1" for k, (u, v) in enumerate(uv) for p in (0, 1)]
    (folder / "a.csv").write_text("frame,point,u,v,visible\n" + "\n".join(rows))
    return folder


def test_other_tracks_points_sizes_or_steps_of_what_was_imported_are_refused_and_change_nothing(tmp_path):
    folder, root = two_points(tmp_path / "videos"), tmp_path / "dataset"
    options = {"image_size": IMAGE_SIZE, "point": 0, "progress": False}
    import_tracks(folder, root, **options)
    before = Demonstrations.open(root).data_hash
    for change, message in (
        ({"point": 1}, "holds a.mp4 at point 0, asked for is point 1; choose another folder, or remove this one"),
        ({"track_size": (30, 50)}, "a.mp4 tracked at the size of the video, asked for is --track-size 30 50; choose"),
        ({"image_size": (32, 32)}, r"holds frames of \(48, 64\)"),
        ({"step_s": 0.3}, "step_s = 0.15, not 0.3"),
    ):
        with pytest.raises(DatasetError, match=message):
            import_tracks(folder, root, **(options | change))
    assert import_tracks(folder, root, **options).reused == 1
    text = (folder / "a.csv").read_text()
    (folder / "a.csv").write_text(text.replace("\n12,0,", "\n12,0,1"))
    with pytest.raises(DatasetError, match="holds a.mp4 from an older .*a.csv; choose another folder") as error:
        import_tracks(folder, root, **options)
    assert str(root) in str(error.value) and "\n" not in str(error.value)
    (folder / "a.csv").write_text(text)
    write_dot_video(folder / "a.mp4", dot_track(), seed=3)
    with pytest.raises(DatasetError, match="holds another a.mp4; choose another folder"):
        import_tracks(folder, root, **options)
    assert Demonstrations.open(root).data_hash == before


@pytest.mark.parametrize("points", [(None, 3), (3, None)])
def test_the_only_point_of_a_file_is_the_same_one_called_by_its_name_or_not(tmp_path, points):
    folder, root = tmp_path / "videos", tmp_path / "dataset"
    folder.mkdir()
    write_dot_video(folder / "a.mp4", dot_track())
    rows = [f"{k},3,{u},{v},1" for k, (u, v) in enumerate(dot_track())]
    (folder / "a.csv").write_text("frame,point,u,v,visible\n" + "\n".join(rows))
    first, second = points
    import_tracks(folder, root, image_size=IMAGE_SIZE, point=first, progress=False)
    assert import_tracks(folder, root, image_size=IMAGE_SIZE, point=second, progress=False).reused == 1
    with pytest.raises(DatasetError, match="asked for is point 7"):
        import_tracks(folder, root, image_size=IMAGE_SIZE, point=7, progress=False)


def test_a_dataset_that_does_not_tell_what_it_was_made_from_opens_and_goes_on(folder, root, tmp_path):
    old = Path(shutil.copytree(root, tmp_path / "dataset"))
    for index in range(2):
        path = episode_paths(old, index, "main")[2]
        table = pyarrow.parquet.read_table(path)
        info = json.loads(table[EPISODE_INFO][0].as_py())
        assert set(info.pop(MADE_FROM)) == {"frames", "tracks", "point"}
        at = table.schema.get_field_index(EPISODE_INFO)
        pyarrow.parquet.write_table(table.set_column(at, EPISODE_INFO, [[json.dumps(info)]]), path)
    assert len(Demonstrations.open(old).scenes) == 2 and check_dataset(old) == []
    assert import_tracks(folder, old, image_size=IMAGE_SIZE, progress=False).reused == 2


def test_an_import_that_failed_at_its_first_video_binds_the_next_one_to_nothing(folder, tmp_path):
    root = tmp_path / "dataset"
    with pytest.raises(DatasetError, match="has no point 7"):
        import_tracks(folder, root, image_size=(32, 32), point=7, step_s=0.3, progress=False)
    assert json.loads((root / INFO_FILE).read_text())["total_episodes"] == 0
    assert import_tracks(folder, root, image_size=IMAGE_SIZE, progress=False).imported == 2
    assert check_dataset(root) == [] and Demonstrations.open(root).image_size == IMAGE_SIZE


def test_a_robots_demonstrations_are_not_added_to(folder, tmp_path):
    record(make_fake_world, fake_scenes(1), tmp_path / "robot", workers=1, progress=False)
    size = Demonstrations.open(tmp_path / "robot").image_size
    with pytest.raises(DatasetError, match="holds 1 demonstrations that are no imported videos"):
        import_tracks(folder, tmp_path / "robot", image_size=size, progress=False)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"image_size": (0, 64)}, r"image_size must be .*got \(0, 64\)"),
        ({"track_size": (60, 0)}, r"track_size must be .*got \(60, 0\)"),
        ({"step_s": 0.0}, "step_s must be a number of seconds above 0.*got 0.0"),
        ({"step_s": -0.1}, "step_s must be a number of seconds above 0.*got -0.1"),
        ({"step_s": float("nan")}, "step_s must be a number of seconds above 0.*got nan"),
    ],
)
def test_options_without_meaning_are_refused_before_anything_is_written(folder, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        import_tracks(folder, tmp_path / "dataset", progress=False, **options)
    assert not (tmp_path / "dataset").exists()


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


def test_files_that_begin_with_a_dot_are_no_videos_and_suffixes_may_be_in_capitals(folder, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    shutil.copy(folder / "a.mp4", videos / "a.MP4")
    shutil.copy(folder / "a.csv", videos / "a.CSV")
    (videos / "._a.MP4").write_bytes(b"what macOS leaves")
    report = import_tracks(videos, tmp_path / "data", image_size=IMAGE_SIZE, progress=False)
    assert report.imported == 1 and report.frames_cut == 0


def test_a_point_outside_of_the_part_that_is_kept_is_said_with_what_would_keep_it(tmp_path):
    videos, (H, W) = tmp_path / "videos", (100, 60)  # tall; of it the middle 60 x 60 is kept
    videos.mkdir()
    uv = np.stack([np.linspace(20, 40, N), np.linspace(50, 90, N)], axis=-1)  # it leaves that at the bottom
    write_dot_video(videos / "a.mp4", uv, (H, W))
    write_csv(videos / "a.csv", uv)
    report = import_tracks(videos, tmp_path / "half", image_size=(64, 64), progress=False)
    inside = (uv[::3, 1] < 80 - 0.5).sum()
    assert report.frames_cut == len(uv[::3]) - inside > 2 and report.frames == inside
    write_csv(videos / "a.csv", np.stack([uv[:, 0], np.linspace(85, 97, N)], axis=-1))
    message = r"in 0, and in 11 others outside .* --image-size 64 64 keeps; .* an --image-size of .*, 100 x 60"
    with pytest.raises(DatasetError, match=message) as error:
        import_tracks(videos, tmp_path / "none", image_size=(64, 64), progress=False)
    assert "\n" not in str(error.value)


def test_frames_with_the_visible_point_off_the_image_are_counted_by_video(tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    uv = np.stack([np.linspace(50, 102, N), np.full(N, 30.0)], axis=-1)  # of 100 columns
    for name, where in (("leaves", uv), ("stays", dot_track())):
        write_dot_video(videos / f"{name}.mp4", where)
        write_csv(videos / f"{name}.csv", where)
    report = import_tracks(videos, tmp_path / "data", image_size=(60, 100), progress=False)
    stored = uv[::3, 0]
    assert report.off_image == {"leaves.mp4": (int((stored >= 99.5).sum()), len(stored))} and stored[-1] >= 99.5
    again = import_tracks(videos, tmp_path / "data", image_size=(60, 100), progress=False)
    assert again.reused == 2 and not again.off_image


def turn_by_90_degrees(path):
    """Write into an MP4 file that it is to be shown turned, as phones do."""
    content, upright = path.read_bytes(), struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    at = content.index(upright, content.index(b"tkhd"))
    turned = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 60 << 16, 0, 1 << 30)
    path.write_bytes(content[:at] + turned + content[at + len(turned) :])


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
    elif what == "a pickle":
        (bad / "a.csv").rename(bad / "a.pkl")
    elif what == "a pickle of all":
        (bad / "a.csv").rename(bad / "tapvid_davis.pkl")
    elif what == "two tracks":
        (bad / "a.parquet").write_text("")
    elif what == "turned":
        (bad / "a.mp4").rename(bad / "my clip.mov")
        (bad / "a.csv").rename(bad / "my clip.csv")
        turn_by_90_degrees(bad / "my clip.mov")
    elif what == "two videos":
        (bad / "a.mov").write_bytes((folder / "a.mp4").read_bytes())
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
        ("a pickle", "found none but a.pkl; a pickle runs code when it is loaded"),
        ("a pickle of all", "found none but tapvid_davis.pkl; a pickle runs code when it is loaded"),
        ("two tracks", "found a.csv and a.parquet"),
        ("turned", r"own name, and track that: .* ffmpeg -i 'my clip.mov' 'upright/my clip.mp4'"),
        ("two videos", "two videos of one name, a.mov and a.mp4, .* rename one of them"),
        ("no videos", "holds no video"),
    ],
)
def test_a_video_that_cannot_be_used_is_named_in_one_line(folder, tmp_path, what, message):
    with pytest.raises((DatasetError, ValueError, FileNotFoundError), match=message) as error:
        import_tracks(spoil(folder, tmp_path, what), tmp_path / "dataset", image_size=IMAGE_SIZE, progress=False)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("fps", "step_s"), [(30, 0.15), (24, 0.15), (10, 0.15), (5, 0.15), (20, 0.15)])
def test_a_step_takes_the_time_that_the_dataset_says_whatever_the_videos_rate(tmp_path, fps, step_s):
    (tmp_path / "videos").mkdir()
    t = np.arange(5 * fps) / fps
    uv = np.stack([20 + 12 * t, np.full(len(t), 30.0)], axis=-1)  # 12 pixels in a second
    write_dot_video(tmp_path / "videos" / "a.mp4", uv, fps=fps)
    write_csv(tmp_path / "videos" / "a.csv", uv)
    import_tracks(tmp_path / "videos", tmp_path / "data", image_size=(60, 100), step_s=step_s, progress=False)
    data = Demonstrations.open(tmp_path / "data")
    seen, _ = project(torch.from_numpy(data.ee_position), data.camera(slice(None)))
    wanted = 20 + 12 * max(step_s, 1 / fps) * np.arange(len(data))
    np.testing.assert_allclose(seen[:, 0], wanted, atol=12 * 0.5 / fps + 0.05)  # to half a frame, however long it is


def import_timed(folder, times_ms, suffix=".mp4"):
    """The dataset of a video whose point goes 12 pixels in a second, shown at these times."""
    (folder / "videos").mkdir()
    t = np.array(times_ms) / 1000
    uv = np.stack([20 + 12 * t, np.full(len(t), 30.0)], axis=-1)
    write_timed_video((folder / "videos/a").with_suffix(suffix), dot_frames(uv), times_ms)
    write_csv(folder / "videos/a.csv", uv)
    import_tracks(folder / "videos", folder / "data", image_size=(60, 100), progress=False)
    return Demonstrations.open(folder / "data")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_step_takes_its_time_where_the_frame_rate_changes_within_a_video(tmp_path, suffix):
    data = import_timed(
        tmp_path, [round(k * 1000 / 30) for k in range(60)] + [2000 + 100 * k for k in range(20)], suffix
    )
    seen, _ = project(torch.from_numpy(data.ee_position), data.camera(slice(None)))
    assert len(data) == 27  # 3.9 s
    wanted = 20 + 12 * 0.15 * np.arange(27)
    np.testing.assert_allclose(seen[:14, 0], wanted[:14], atol=12 * 0.5 / 30 + 0.05)  # to half a frame
    np.testing.assert_allclose(seen[14:, 0], wanted[14:], atol=12 * 0.5 / 10 + 0.05)


def test_steps_in_a_gap_between_frames_are_no_targets_and_those_after_it_are_in_time(tmp_path):
    data = import_timed(tmp_path, [50 * k for k in range(25)] + [2100 + 50 * k for k in range(19)])  # 1.2 to 2.1 s
    obs, actions = ChunkDataset(data, horizon=len(data) - 1).batch([0])
    uv, _ = project(actions.position, obs.camera.unsqueeze(1))
    steps = 0.15 * np.arange(1, len(data))
    assert steps[~actions.pixel_known[0].numpy()] == pytest.approx([1.35, 1.5, 1.65, 1.8, 1.95])
    np.testing.assert_allclose(uv[0, :, 0], 20 + 12 * steps, atol=12 * 0.025 + 0.05)
