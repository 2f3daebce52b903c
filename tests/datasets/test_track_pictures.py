"""Pictures of imported tracks show the point where the dataset has it, so that tracks of another size are seen."""

import cv2
import numpy as np
import pytest

from para.datasets import check_dataset
from para.datasets.track_pictures import RING, track_picture
from para.datasets.tracks import N_PICTURES, import_tracks, read_episode
from tests.datasets.track_videos import N, dot_track, red_centre, write_csv, write_dot_video

SIZE = (48, 64)


def ring_centre(image):
    """(u, v) of what has the ring's colour."""
    v, u = np.nonzero((np.abs(image.astype(int) - RING) < 60).all(axis=-1))
    return np.array([u.min() + u.max(), v.min() + v.max()]) / 2


@pytest.mark.parametrize("shrunk", [False, True])
def test_rings_are_around_the_point_in_three_frames_and_off_it_where_the_tracks_are_of_another_size(tmp_path, shrunk):
    uv, hidden = dot_track(), np.isin(np.arange(N), [0, 1, 2, 12, 30])
    write_dot_video(tmp_path / "a.mp4", uv)
    write_csv(tmp_path / "a.csv", (uv + 0.5) * (0.7 if shrunk else 1) - 0.5, ~hidden)
    episode = read_episode(tmp_path / "a.mp4", tmp_path / "a.csv", image_size=SIZE)
    before = episode.image.copy()
    panels = np.split(track_picture(episode), 3, axis=1)
    assert all(panel.shape == (192, 256, 3) for panel in panels) and np.array_equal(episode.image, before)
    for panel, frame in zip((panels[0], panels[2]), (episode.image[0], episode.image[-1])):
        off = np.linalg.norm((ring_centre(panel) + 0.5) / 4 - 0.5 - red_centre(frame))
        assert off > 6 if shrunk else off < 0.7  # pixels of the small image


def test_an_import_leaves_a_few_pictures_which_are_no_fault_of_the_dataset(tmp_path):
    (tmp_path / "videos").mkdir()
    write_dot_video(tmp_path / "videos/a.mp4", dot_track())
    for name in ("b", "c", "d"):
        (tmp_path / f"videos/{name}.mp4").write_bytes((tmp_path / "videos/a.mp4").read_bytes())
    for name in ("a", "b", "c", "d"):
        write_csv(tmp_path / f"videos/{name}.csv", dot_track())
    pictures = import_tracks(tmp_path / "videos", tmp_path / "data", image_size=SIZE, progress=False).pictures
    names = [f"{name}.mp4.png" for name in ("a", "b", "c", "d")][:N_PICTURES]
    assert sorted((tmp_path / "data/meta/tracks").iterdir()) == list(pictures)
    assert [picture.name for picture in pictures] == names and cv2.imread(str(pictures[0])).shape == (192, 768, 3)
    assert check_dataset(tmp_path / "data") == []
    assert import_tracks(tmp_path / "videos", tmp_path / "data", image_size=SIZE, progress=False).pictures == ()
