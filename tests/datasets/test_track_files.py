"""Every published format of point tracks reads to the same pixels; what does not fit its video is said in one line."""

import pickle
import re
from pathlib import Path

import cv2
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch

from para.datasets import DatasetError, Demonstrations
from para.datasets.track_files import read_track_file
from para.datasets.tracks import import_tracks
from para.geometry import project
from tests.datasets.track_videos import SIZE, dot_frames, dot_track, red_centre, write_csv

H, W = SIZE
UV = dot_track(12)
VISIBLE = np.arange(12) % 5 != 3


def csv_file(path):
    write_csv(path.with_suffix(".csv"), UV, VISIBLE)
    return path.with_suffix(".csv")


def csv_with_a_second_point(path):
    path = path.with_suffix(".csv")
    rows = [f"{k},{p},{u + 5 * p},{v},{int(s)}" for k, ((u, v), s) in enumerate(zip(UV, VISIBLE)) for p in (0, 1)]
    path.write_text("frame,point,u,v,visible\n" + "\n".join(rows))
    return path


def parquet_file(path):
    path = path.with_suffix(".parquet")
    order = np.random.default_rng(0).permutation(12)  # rows may come in any order
    columns = {"frame": np.arange(12)[order], "u": UV[order, 0], "v": UV[order, 1], "visible": VISIBLE[order]}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def npz(path, **arrays):
    np.savez(path.with_suffix(".npz"), **arrays)
    return path.with_suffix(".npz")


def cotracker(path):
    """As `cotracker(video, ...)` returns them: B T N 2 and B T N."""
    return npz(path, pred_tracks=UV[None, :, None].astype(np.float32), pred_visibility=VISIBLE[None, :, None])


def cotracker_online(path):
    """The same with a last axis of one, and as probabilities."""
    seen = np.where(VISIBLE, 0.9, 0.2)[None, :, None, None]
    return npz(path, pred_tracks=UV[None, :, None], pred_visibility=seen)


def tapir(path):
    """N T 2 from the image's corner."""
    return npz(path, tracks=UV[None] + 0.5, visibles=VISIBLE[None])


def tap_vid(path):
    """N T 2 as shares of the image, from its corner, and what is hidden."""
    return npz(path, points=(UV[None] + 0.5) / [W, H], occluded=~VISIBLE[None])


FORMATS = (csv_file, csv_with_a_second_point, parquet_file, cotracker, cotracker_online, tapir, tap_vid)


@pytest.mark.parametrize("write", FORMATS)
def test_every_format_tells_the_same_pixels(write, tmp_path):
    track = read_track_file(write(tmp_path / "hand")).point(0, 12, SIZE)
    np.testing.assert_allclose(track.uv, UV, atol=1e-4)
    np.testing.assert_array_equal(track.visible, VISIBLE)


COPY = (30, 25)


def of_a_copy(write):
    """The same file as a tracker writes it that saw a copy of the video, shrunk to `COPY`."""

    def write_copy(path):
        path = write(path)
        scale = np.array([COPY[1] / W, COPY[0] / H])
        if path.suffix == ".npz":
            arrays = dict(np.load(path))
            if "pred_tracks" in arrays:
                arrays["pred_tracks"] = (arrays["pred_tracks"] + 0.5) * scale - 0.5  # pixel centres
            elif "tracks" in arrays:
                arrays["tracks"] = arrays["tracks"] * scale  # from the corner; and shares stay as they are
            return npz(path, **arrays)
        read = read_track_file(path)
        rows = [f"{k},{p},{u},{v},{int(read.visible[p, k])}" for p, track in enumerate((read.uv + 0.5) * scale - 0.5)
                for k, (u, v) in enumerate(track)]  # fmt: skip
        return text("frame,point,u,v,visible\n" + "\n".join(rows))(path)

    return write_copy


@pytest.mark.parametrize("write", FORMATS)
def test_every_format_tells_the_same_pixels_when_a_resized_copy_was_tracked(write, tmp_path):
    track = read_track_file(of_a_copy(write)(tmp_path / "hand")).point(0, 12, SIZE, COPY)
    np.testing.assert_allclose(track.uv, UV, atol=1e-4)
    np.testing.assert_array_equal(track.visible, VISIBLE)


def test_a_copys_size_in_the_file_must_be_the_one_that_is_given_and_asks_for_it_where_none_is(tmp_path):
    small = (UV + 0.5) / 2 - 0.5
    file = read_track_file(spoilt(small, width=W // 2, height=H // 2)(tmp_path / "a"))
    np.testing.assert_allclose(file.point(0, 12, SIZE, (H // 2, W // 2)).uv, UV, atol=1e-9)
    for given, message in (
        (None, r"for images of \(30, 50\) .*its video has \(60, 100\); .*give --track-size 30 50"),
        (COPY, r"for images of \(30, 50\) \(H, W\), and not of \(30, 25\), as --track-size says"),
    ):
        with pytest.raises(DatasetError, match=message) as error:
            file.point(0, 12, SIZE, given)
        assert "\n" not in str(error.value)


def test_points_off_the_image_count_as_not_visible_and_hidden_ones_may_hold_anything(tmp_path):
    uv = UV.copy()
    uv[3], uv[5], uv[6] = float("nan"), (W - 0.4, 10), (W + 20, 10)
    write_csv(tmp_path / "a.csv", uv, np.arange(12) != 3)
    track = read_track_file(tmp_path / "a.csv").point(
        None, 12, SIZE, leaves_image=True
    )  # of so few frames they are many
    assert np.flatnonzero(~track.visible).tolist() == [3, 5, 6]


def spoilt(uv=None, visible=None, **columns):
    def write(path):
        write_csv(path.with_suffix(".csv"), UV if uv is None else uv, visible, **columns)
        return path.with_suffix(".csv")

    return write


def text(content: str, suffix: str = ".csv", encoding: str = "utf-8"):
    return raw(content.encode(encoding), suffix)


def raw(content: bytes, suffix: str = ".csv"):
    def write(path):
        path.with_suffix(suffix).write_bytes(content)
        return path.with_suffix(suffix)

    return write


def tapir_with(**arrays):
    return lambda path: npz(path, **{"tracks": UV[None], "visibles": VISIBLE[None], **arrays})


def cotracker_with(**arrays):
    given = {"pred_tracks": UV[None, :, None], "pred_visibility": VISIBLE[None, :, None], **arrays}
    return lambda path: npz(path, **given)


def half_an_npz(path):
    tapir(path)
    return raw(path.with_suffix(".npz").read_bytes()[:400], ".npz")(path)


def npy_by_another_name(path):
    np.save(path.with_suffix(".npy"), UV)
    return raw(path.with_suffix(".npy").read_bytes(), ".npz")(path)


def other_width_in_row_5(path):
    write_csv(path.with_suffix(".csv"), UV, width=W, height=H)
    lines = path.with_suffix(".csv").read_text().split("\n")
    lines[6] = lines[6].replace(f",{W},", ",200,")
    return text("\n".join(lines))(path)


def table_with(path, **columns):
    given = {"frame": np.arange(12), "visible": np.ones(12), **columns}
    pyarrow.parquet.write_table(pyarrow.table(given), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


NAN = np.where(np.arange(12)[:, None] == 4, np.nan, UV)
FAR = np.where(np.arange(12)[:, None] == 4, 1e5, UV)
BAD = {
    "frames": (spoilt(UV[:11]), "tells of 11 frames, its video has 12"),
    "size": (spoilt(width=200, height=120), r"for images of \(120, 200\) \(H, W\), its video has \(60, 100\)"),
    "another size": (
        spoilt(2.5 * UV),
        "off the image in .* 60 x 100 .* copy of another size tracked .--track",
    ),
    "shares": (spoilt(UV / [W, H]), "within -1 to 1, as if in shares .* multiply shares from 0 to 1 by its width"),
    "shares from -1": (spoilt(2 * UV / [W, H] - 1), r"as if in shares .* take \(u \+ 1\) \* width / 2 - 0.5"),
    "shares that leave": (spoilt(2.2 * UV / [W, H] - 1.1), "as if in shares of the image"),
    "cotracker's shares": (
        lambda path: npz(path, pred_tracks=2 * UV[:, None] / [W, H] - 1, pred_visibility=VISIBLE[:, None]),
        "as if in shares of the image",
    ),
    "nan": (spoilt(NAN), "marked visible in frame 4 .1 such frames., where its pixel is not a number"),
    "far": (spoilt(FAR), r"the visible point is off the image in 1 of 12 .* frame 4 at \(100000, 100000\)"),
    "never": (spoilt(visible=np.zeros(12)), "visible in none of its 12 frames"),
    "visible": (spoilt(visible=np.full(12, 2)), "visible must be 0 or 1"),
    "columns": (text("frame,x,y\n0,1,2\n"), "frame, u, v, visible are needed"),
    "semicolons": (text("frame;u;v;visible\n0;1,5;2;1\n"), "separated by commas and not by semicolons: save it as CSV"),
    "tabs": (text("frame\tu\tv\tvisible\n0\t1\t2\t1\n"), "separated by commas and not by tabs"),
    "other words": (text("label,x,y\ntip,1,2\n"), "has columns .'label', 'x', 'y'.; frame, u, v, visible are needed$"),
    "empty": (text(""), "are needed"),
    "rows": (text("frame,u,v,visible\n"), "has no rows"),
    "words": (text("frame,u,v,visible\n0,left,2,1\n"), "numbers are needed below frame, u, v, visible"),
    "ragged": (text("frame,u,v,visible\n0,1\n"), "line 2 has 2 entries, the head 4"),
    "doubled": (text("frame,u,v,visible\n0,1,2,1\n0,1,2,1\n"), "one row for each frame is needed"),
    "from 1": (text("frame,u,v,visible\n1,1,2,1\n2,1,2,1\n"), "counts frames from 1; they are needed from 0"),
    "columns twice": (text("frame,u,v,visible,U\n0,1,2,1,9\n"), "has several columns u; which of them is meant"),
    "parquet columns twice": (
        lambda path: table_with(path, u=UV[:, 0], v=UV[:, 1], U=UV[:, 0] + 9),
        "has several columns u; which of them is meant",
    ),
    "fraction": (text("frame,u,v,visible\n0.5,1,2,1\n"), "frame must be whole numbers"),
    "not parquet": (text("nothing", ".parquet"), "no table of numbers in Parquet"),
    "not npz": (text("nothing", ".npz"), "holds no plain arrays"),
    "other arrays": (lambda path: npz(path, xy=UV), "points and occluded .TAP-Vid. are needed"),
    "shares in pixels": (
        lambda path: npz(path, points=UV[None], occluded=~VISIBLE[None]),
        "of it; shares from 0 to 1 are needed",
    ),
    "shapes": (lambda path: npz(path, tracks=UV[None], visibles=VISIBLE[None, :5]), "do not fit together"),
    "two points": (csv_with_a_second_point, "holds 2 points; say which one is the end effector: 0, 1"),
    "pickle": (text("x", ".pkl"), "runs code when it is loaded"),
    "binary csv": (raw(bytes(range(256))), "is no text in UTF-8 .*save it as CSV in UTF-8"),
    "utf-16": (text("frame,u,v,visible\n0,1,2,1\n", encoding="utf-16"), "is no text in UTF-8"),
    "utf-16 without a mark": (text("frame,u,v,visible\n0,1,2,1\n", encoding="utf-16-le"), "holds zero bytes"),
    "nan width": (spoilt(width=float("nan"), height=H), "width must be one whole number .* it holds nan"),
    "no width": (spoilt(width=0, height=H), "width must be one whole number .* it holds 0"),
    "widths": (other_width_in_row_5, r"width must be one whole number .* it holds 100\.0, 200\.0"),
    "width alone": (spoilt(width=640), r"of \(H, 640\) \(H, W\), its video has \(60, 100\); .* --track-size H 640, or"),
    "height alone": (tapir_with(height=120), r"of \(120, W\) \(H, W\), its video .* --track-size 120 W, or"),
    "truncated npz": (half_an_npz, "is damaged .*save them again with numpy.savez"),
    "npy": (npy_by_another_name, r"is a single array \(.npy\) under another name"),
    "nan height": (tapir_with(height=np.nan, width=W), "height must be one whole number"),
    "sizes": (tapir_with(height=np.array([H, 70]), width=W), "height must be one whole number .* it holds 60, 70"),
    "size in words": (tapir_with(height="60", width=W), "height must be one whole number"),
    "visible in words": (tapir_with(visibles=np.full((1, 12), "yes")), "visibles must be flags, .* of type <U3"),
    "tracks in words": (tapir_with(tracks=np.full((1, 12, 2), "1.5")), "tracks must be numbers; .* of type <U3"),
    "flat": (cotracker_with(pred_tracks=UV.ravel()), r"pred_tracks is of shape \(24,\); .* is needed"),
    "two videos": (cotracker_with(pred_tracks=np.stack([UV[:, None]] * 2)), r"of shape \(2, 12, 1, 2\)"),
    "turned": (cotracker_with(pred_tracks=np.ones((6, 2, 2)), pred_visibility=np.ones((2, 6))), "do not fit together"),
    "no points": (tapir_with(tracks=np.ones((0, 12, 2)), visibles=np.ones((0, 12))), "do not fit together"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_used_is_said_in_one_line(case, tmp_path):
    write, message = BAD[case]
    with pytest.raises(DatasetError, match=message) as error:
        read_track_file(write(tmp_path / "hand")).point(None, 12, SIZE)
    assert "\n" not in str(error.value) and str(tmp_path) in str(error.value)


def along_u(first: float, last: float, n: int = 100) -> np.ndarray:
    """(n, 2) a point that goes level from one column to another."""
    return np.stack([np.linspace(first, last, n), np.full(n, 30.0)], axis=-1)


def track_of(path, uv, **options):
    write_csv(path, uv)
    return read_track_file(path).point(None, len(uv), SIZE, **options)


def test_a_point_that_trackers_follow_a_little_off_the_image_is_hidden_there_and_counted(tmp_path):
    uv = along_u(50, 104)  # the last pixel's right edge is at 99.5
    track = track_of(tmp_path / "a.csv", uv)
    assert 5 < track.off_image.sum() < 10 and not (track.off_image & track.visible).any()
    np.testing.assert_array_equal(track.off_image, uv[:, 0] >= 99.5)


def test_more_off_the_image_than_trackers_do_is_a_mistake_unless_it_is_said_that_the_point_leaves(tmp_path):
    uv = along_u(60, 115)  # 28 % of its frames
    with pytest.raises(
        DatasetError, match=r"in 28 of 100 frames, .* u and v exchanged, .* give --leaves-image"
    ) as error:
        track_of(tmp_path / "a.csv", uv)
    assert "\n" not in str(error.value)
    assert track_of(tmp_path / "a.csv", uv, leaves_image=True).off_image.sum() == 28
    for gone in (along_u(80, 150), along_u(80, 250)):  # more than half, and by more than the image's size
        with pytest.raises(DatasetError, match="off the image in"):
            track_of(tmp_path / "a.csv", gone, leaves_image=True)


def test_exchanged_columns_are_told_by_that_all_would_be_inside_the_other_way_round(tmp_path):
    true = np.concatenate([along_u(40, 55, 95), along_u(55, 98, 5)])  # of the exchanged few are off, but far
    assert track_of(tmp_path / "a.csv", true).visible.all()
    with pytest.raises(DatasetError, match=r"in [1-5] of 100 .* as \(v, u\) it would .* exchange u, the column, and v"):
        track_of(tmp_path / "a.csv", true[:, ::-1])
    from_below = np.stack([np.full(100, 30.0), np.linspace(62, 20, 100)], axis=-1)  # a hand, into an image of 60 rows
    assert 0 < track_of(tmp_path / "a.csv", from_below).off_image.sum() < 10


def test_tracks_of_a_larger_copy_are_not_taken_for_the_videos(tmp_path):
    with pytest.raises(DatasetError, match="copy of another size tracked"):
        track_of(tmp_path / "a.csv", along_u(10, 90) * 4 / 3)


def test_a_point_is_asked_for_as_its_column_calls_it(tmp_path):
    rows = [f"{k},{p},{u + p},{v},1" for p in (3, 7) for k, (u, v) in enumerate(UV)]
    file = read_track_file(text("frame,point,u,v,visible\n" + "\n".join(rows))(tmp_path / "hand"))
    for name in (3, 7):
        np.testing.assert_allclose(file.point(name, 12, SIZE).uv, UV + [name, 0])
    for name, message in ((0, "has no point 0; it holds 3, 7"), (None, "which one is the end effector: 3, 7")):
        with pytest.raises(DatasetError, match=message):
            file.point(name, 12, SIZE)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_with_one_damaged_byte_reads_the_same_or_is_refused(save, tmp_path):
    path = tmp_path / "a.npz"
    save(path, tracks=UV[None], visibles=VISIBLE[None])
    whole, refused = path.read_bytes(), 0
    for k in range(0, len(whole), 7):
        path.write_bytes(whole[:k] + bytes([whole[k] ^ 0xFF]) + whole[k + 1 :])
        try:
            np.testing.assert_array_equal(read_track_file(path).uv, UV[None])
        except DatasetError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > len(whole) / 14  # most bytes are data, of which the archive holds a checksum


def test_columns_that_nobody_reads_may_hold_words_or_the_same_name(tmp_path):
    rows = [f"{k},{u},{v},{int(s)},fingertip,," for k, ((u, v), s) in enumerate(zip(UV, VISIBLE))]
    csv_path = text("frame,u,v,visible,label,,\n" + "\n".join(rows))(tmp_path / "a")
    words = table_with(tmp_path / "b", u=UV[:, 0], v=UV[:, 1], visible=VISIBLE, label=["fingertip"] * 12)
    for path in (csv_path, words):
        track = read_track_file(path).point(None, 12, SIZE)
        np.testing.assert_allclose(track.uv, UV)
        np.testing.assert_array_equal(track.visible, VISIBLE)


def test_a_width_alone_that_is_the_videos_or_that_of_the_tracked_copy_is_no_fault(tmp_path):
    assert read_track_file(spoilt(width=W)(tmp_path / "a")).point(None, 12, SIZE).visible.all()
    copy = read_track_file(spoilt(UV / 2, width=W // 2)(tmp_path / "a"))
    assert copy.point(None, 12, SIZE, (H // 2, W // 2)).visible.all()
    with pytest.raises(DatasetError, match=r"of \(H, 50\) \(H, W\), and not of \(20, 40\), as --track-size says"):
        copy.point(None, 12, SIZE, (20, 40))


def test_a_csv_may_begin_with_the_mark_that_excel_gives_it(tmp_path):
    plain = csv_file(tmp_path / "a")
    marked = text(plain.read_text(), encoding="utf-8-sig")(tmp_path / "b")
    np.testing.assert_array_equal(read_track_file(marked).uv, read_track_file(plain).uv)


def test_the_images_size_may_be_told_as_a_number_or_as_an_array_of_one(tmp_path):
    for height, width in ((H, W), (np.array([H]), np.array([[float(W)]])), (np.full(12, H), np.full(12, W))):
        assert read_track_file(tapir_with(height=height, width=width)(tmp_path / "a")).image_size == SIZE


def test_an_array_of_objects_is_never_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", tracks=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DatasetError, match="holds no plain arrays"):
        read_track_file(tmp_path / "a.npz")


def as_jpeg(frames):
    """Of Kinetics, frames are JPEG files."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
    return [cv2.imencode(".jpg", frame[..., ::-1], quality)[1].tobytes() for frame in frames]


@pytest.mark.parametrize(
    "pickled", [lambda entry: {"dot": entry}, lambda entry: [entry],
                lambda entry: [entry | {"video": as_jpeg(entry["video"])}]],
    ids=["DAVIS", "RGB-Stacking", "Kinetics"],
)  # fmt: skip
def test_an_entry_of_tap_vids_pickle_is_imported_as_the_document_says(tmp_path, monkeypatch, pickled):
    text = (Path(__file__).parents[2] / "docs" / "pretraining.md").read_text()
    snippet = next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "pickle" in block)
    monkeypatch.chdir(tmp_path)
    H, W = size = (61, 101)  # odd sides: a padded video would have other shares
    uv = dot_track(12, size)
    points = ((np.stack([uv[::-1], uv]) + 0.5) / [W, H]).astype(np.float32)  # shares from the image's corner
    entry = {"video": dot_frames(uv, size), "points": points, "occluded": np.zeros((2, 12), dtype=bool)}
    Path("tapvid_davis.pkl").write_bytes(pickle.dumps(pickled(entry)))
    exec(snippet, {})
    import_tracks("films/tapvid", "data", image_size=(48, 64), point=1, step_s=1 / 24, progress=False)
    data = Demonstrations.open("data")
    assert len(data) == 12
    shown, _ = project(torch.from_numpy(data.ee_position), data.camera(slice(None)))
    for k, image in enumerate(np.asarray(data.images)):
        np.testing.assert_allclose(red_centre(image), shown[k], atol=0.5)  # the codec halves the colour planes
