"""Videos: what goes in comes out, and browsers can play it."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest

from para.datasets import read_video, write_video
from para.datasets.video import DATASET_ENCODING, LOSSLESS_ENCODING, VideoEncoding, frames_at, shown


def noise(N: int, H: int, W: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (N, H, W, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(32, 48), (33, 47), (128, 16)])
def test_lossless_frames_come_back_bit_for_bit(tmp_path, size):
    frames = noise(5, *size)
    write_video(tmp_path / "a.mp4", frames, 20 / 3, LOSSLESS_ENCODING)
    np.testing.assert_array_equal(read_video(tmp_path / "a.mp4"), frames)


@pytest.mark.parametrize("size, stored", [((32, 48), (32, 48)), ((33, 47), (34, 48))])
def test_a_rollout_plays_in_browsers(tmp_path, size, stored):
    write_video(tmp_path / "a.mp4", noise(40, *size), 20 / 3)
    content = (tmp_path / "a.mp4").read_bytes()
    assert content.find(b"moov") < content.find(b"mdat")  # the index comes first: it plays while it loads
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert float(stream.average_rate) == pytest.approx(20 / 3)
    assert read_video(tmp_path / "a.mp4").shape == (40, *stored, 3)


def test_dataset_frames_keep_odd_sizes_and_lie_at_their_index_over_the_frame_rate(tmp_path):
    still = noise(1, 33, 47).repeat(9, axis=0)  # frames of noise would all be coded as key frames
    write_video(tmp_path / "a.mp4", still, 7, DATASET_ENCODING)
    with av.open(str(tmp_path / "a.mp4")) as container:
        decoded = list(container.decode(container.streams.video[0]))
    assert [float(frame.time) for frame in decoded] == pytest.approx([i / 7 for i in range(9)], abs=1e-6)
    assert [frame.key_frame for frame in decoded[:4]] == [True, False, True, False]
    assert (decoded[0].height, decoded[0].width) == (33, 47)


def test_long_videos_have_room_for_their_index(tmp_path):
    write_video(tmp_path / "a.mp4", noise(1, 16, 16).repeat(3000, axis=0), 20, DATASET_ENCODING)
    assert len(read_video(tmp_path / "a.mp4")) == 3000


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_a_truncated_video_is_an_error_that_names_it(tmp_path, share):
    write_video(tmp_path / "a.mp4", noise(20, 32, 48), 7)
    content = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="a.mp4 .*truncated"):
        read_video(tmp_path / "a.mp4")


def cut_by_edit_list(source: Path, out: Path, first: int) -> None:
    """What `ffmpeg -ss ... -c copy` does: packets from the key frame before `first`, which an edit list hides."""
    options = {"avoid_negative_ts": "disabled", "movflags": "faststart"}
    with av.open(str(source)) as old, av.open(str(out), "w", options=options) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [packet for packet in old.demux(old.streams.video[0]) if packet.dts is not None]
        begin, key = packets[first].pts, max(i for i in range(first + 1) if packets[i].is_keyframe)
        for packet in packets[key:]:
            packet.pts, packet.dts, packet.stream = packet.pts - begin, packet.dts - begin, stream
            new.mux(packet)


@pytest.mark.skipif(not hasattr(av.stream.Stream, "index_entries"), reason="this PyAV does not show a video's index")
def test_a_video_that_was_cut_between_key_frames_has_the_frames_that_it_shows(tmp_path):
    frames = noise(1, 34, 48).repeat(20, axis=0)  # alike, or all would be key frames
    frames[:, :, :20] = 12 * np.arange(20, dtype=np.uint8)[:, None, None, None]  # their left parts tell them apart
    write_video(tmp_path / "whole.mp4", frames, 7, VideoEncoding(crf=10, keyframe_every=8))
    cut_by_edit_list(tmp_path / "whole.mp4", tmp_path / "a.mp4", 11)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].frames == 12  # 3 of them hidden
        last = container.streams.video[0].index_entries[-1].size  # bytes, at the end of the file
    seen = read_video(tmp_path / "a.mp4")
    assert [round(frame[:, :16].mean() / 12) for frame in seen] == list(range(11, 20))
    (tmp_path / "a.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:-last])
    with pytest.raises(ValueError, match="a.mp4 holds 8 of its 9 frames; it is truncated"):
        read_video(tmp_path / "a.mp4")


def test_a_missing_video_is_an_error_that_names_it(tmp_path):
    with pytest.raises(FileNotFoundError, match="a.mp4"):
        read_video(tmp_path / "a.mp4")


@pytest.mark.parametrize("frames", [np.zeros((0, 8, 8, 3), np.uint8), np.zeros((2, 8, 8, 3)), noise(1, 8, 8)[0]])
def test_what_is_no_video_is_refused(tmp_path, frames):
    with pytest.raises(ValueError, match="at least one"):
        write_video(tmp_path / "a.mp4", frames, 7)
    assert list(tmp_path.iterdir()) == []


def test_parts_of_a_video_are_its_frames_and_what_it_does_not_have_is_refused(tmp_path):
    frames = noise(11, 34, 48)
    write_video(tmp_path / "a.mp4", frames, 7, LOSSLESS_ENCODING)
    spans = [(0, 3), (3, 1), (6, 5)]
    for (first, length), part in zip(spans, frames_at(tmp_path / "a.mp4", spans), strict=True):
        np.testing.assert_array_equal(part, frames[first : first + length])
    assert shown(tmp_path / "a.mp4") == (11, (34, 48))
    with pytest.raises(ValueError, match="ends before frame 12"):
        list(frames_at(tmp_path / "a.mp4", [(0, 5), (5, 7)]))
    with pytest.raises(ValueError, match="one frame in two episodes"):
        list(frames_at(tmp_path / "a.mp4", [(4, 3), (6, 2)]))


def test_of_a_long_video_no_more_than_a_part_is_held(tmp_path):
    write_video(tmp_path / "a.mp4", np.zeros((400, 96, 128, 3), np.uint8), 7)
    tracemalloc.start()
    for part in frames_at(tmp_path / "a.mp4", [(40 * i, 40) for i in range(10)]):
        size = part.nbytes
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * size < 10 * size
