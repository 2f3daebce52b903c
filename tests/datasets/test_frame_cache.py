"""The cache of decoded frames: fresh, whole, and rebuilt when it is not."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from para.datasets import DatasetError, DatasetWriter, Demonstrations, frame_cache
from para.locks import give_back, take
from tests.datasets.fake_world import IMAGE_SIZE, random_episode


@pytest.fixture
def root(tmp_path) -> Path:
    add(tmp_path / "dataset", 0, 1)
    return tmp_path / "dataset"


def add(root: Path, *seeds: int) -> None:
    with DatasetWriter.open_or_create(root, image_size=IMAGE_SIZE, lossless=True) as writer:
        for seed in seeds:
            writer.add(random_episode(seed))


def cache_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.npy"))


@pytest.fixture
def decoded(monkeypatch) -> list[Path]:
    """The videos decoded since the test began."""
    paths: list[Path] = []
    real = frame_cache.frames_at
    monkeypatch.setattr(frame_cache, "frames_at", lambda path, spans: (paths.append(path), real(path, spans))[1])
    return paths


def test_videos_are_decoded_once(root, decoded):
    first = np.asarray(Demonstrations.open(root).images)
    assert len(decoded) == 2
    np.testing.assert_array_equal(np.asarray(Demonstrations.open(root).images), first)
    assert len(decoded) == 2


def test_images_are_read_through_a_memory_map(root):
    images = Demonstrations.open(root).images
    assert isinstance(images._stored, np.memmap)
    assert images.shape == (10, *IMAGE_SIZE, 3) and images[3].shape == (*IMAGE_SIZE, 3)
    assert images[[1, 2]].shape == (2, *IMAGE_SIZE, 3) and images[2:5].shape == (3, *IMAGE_SIZE, 3)


def test_a_dataset_that_grew_is_decoded_again_and_its_old_cache_goes(root, decoded):
    Demonstrations.open(root)
    add(root, 2)
    images = Demonstrations.open(root).images
    np.testing.assert_array_equal(images[10:], random_episode(2).image)
    assert len(cache_files(root / ".frame_cache")) == 1


def test_a_moved_dataset_takes_its_cache_along_and_drops_one_that_has_its_old_place_in_its_name(root, decoded):
    before = np.asarray(Demonstrations.open(root).images)
    (cache,) = cache_files(root / ".frame_cache")
    moved = root.rename(root.with_name("elsewhere"))
    np.testing.assert_array_equal(np.asarray(Demonstrations.open(moved).images), before)
    assert len(decoded) == 2
    (moved / ".frame_cache" / f"main-0123abcd-{cache.name[-20:]}").write_bytes(b"")
    other = moved / ".frame_cache" / f"main-2-{cache.name[-20:]}"  # of a camera whose name begins alike
    other.write_bytes(b"")
    add(moved, 2)
    assert len(Demonstrations.open(moved).images) == 15
    (new,) = set(cache_files(moved / ".frame_cache")) - {other}
    assert new.name != cache.name


@pytest.mark.parametrize("n_bytes", [0, 60, 5000])
def test_a_truncated_cache_is_decoded_again(root, decoded, n_bytes):
    expected = np.asarray(Demonstrations.open(root).images)
    (path,) = cache_files(root / ".frame_cache")
    path.write_bytes(path.read_bytes()[:n_bytes])
    np.testing.assert_array_equal(np.asarray(Demonstrations.open(root).images), expected)
    assert len(decoded) == 4


def test_a_cache_folder_may_serve_several_datasets(tmp_path, root):
    add(tmp_path / "other", 5)
    cache = tmp_path / "cache"
    one, other = Demonstrations.open(root, cache), Demonstrations.open(tmp_path / "other", cache)
    assert len(cache_files(cache)) == 2 and not (root / ".frame_cache").exists()
    np.testing.assert_array_equal(one.images[0], random_episode(0).image[0])
    np.testing.assert_array_equal(other.images[0], random_episode(5).image[0])


def test_a_full_disk_leaves_no_cache_behind(root, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(frame_cache.os, "fsync", full)
    with pytest.raises(OSError, match="disk is full"):
        Demonstrations.open(root)
    assert [path.suffix for path in (root / ".frame_cache").iterdir()] == [".lock"]


def test_what_a_killed_decoding_left_is_removed_by_the_next(root):
    Demonstrations.open(root)
    (cache,) = cache_files(root / ".frame_cache")
    left_over = cache.with_name(f".{cache.name}.tmp")
    left_over.write_bytes(b"half")
    cache.unlink()
    Demonstrations.open(root)
    assert cache.exists() and not left_over.exists()


def test_a_decoding_waits_for_another_and_takes_its_frames(root, monkeypatch):
    before = Demonstrations.open(root)
    (cache,) = cache_files(root / ".frame_cache")
    hidden = cache.rename(cache.with_name("hidden"))
    held = take(cache.with_name(f".{cache.name.rsplit('-', 1)[0]}.lock"))
    monkeypatch.setattr("para.locks.PATIENCE_S", 0.01)
    monkeypatch.setattr(frame_cache, "_build", lambda *_: pytest.fail("it was decoded twice"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(Demonstrations.open, root)
        assert not waiting.done()
        hidden.rename(cache)
        give_back(held)
        np.testing.assert_array_equal(waiting.result().images[0], before.images[0])


def test_a_folder_that_cannot_be_written_asks_for_another(root, monkeypatch):
    def forbidden(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(frame_cache.os, "fsync", forbidden)
    with pytest.raises(DatasetError, match="cache_dir"):
        Demonstrations.open(root)
