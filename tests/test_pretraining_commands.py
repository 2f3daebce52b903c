"""A user's way by commands: videos and tracks, pretraining, a robot's demonstrations, fine-tuning, evaluation."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tests import sized_world
from tests.datasets.track_videos import dot_track, write_csv, write_dot_video
from tests.test_cli import TINY_POLICY, TRAINING, evaluate, para, refusal, train

HEATMAP_ALONE = ("--n-height-bins", "1", "--n-gripper-bins", "0")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """videos/, tracks/ and data/ of a robot in a world without physics, and a pretrained checkpoint/."""
    folder = tmp_path_factory.mktemp("pretraining")
    (folder / "videos").mkdir()
    for seed in (0, 1, 2):
        uv = dot_track(seed=seed)
        write_dot_video(folder / "videos" / f"hand{seed}.mp4", uv, seed=seed)
        write_csv(folder / "videos" / f"hand{seed}.csv", uv, np.arange(len(uv)) % 9 != 4)
    with pytest.MonkeyPatch.context() as patch:
        sized_world.register(patch)
        record = ["record", "--world", "fake", "--half", "left", "--image-size", "48", "64", "--workers", "1"]
        steps = {
            "tracks": tracks(folder),
            "record": para(*record, "--out", folder / "data"),
            "pretrain": train(folder / "tracks", folder / "pretrained", "para", *HEATMAP_ALONE),
        }
    for name, said in steps.items():
        assert said.code == 0, (name, said)
    return folder, steps


def tracks(folder, *more):
    return para("tracks", "--videos", folder / "videos", "--out", folder / "tracks", "--image-size", "48", "64", *more)


def fine_tune(folder, out, *before, start="pretrained"):
    data = ("--data", folder / "data", "--out", out, "--pretrain", folder / start)
    return para("train", *data, *before, *TRAINING, "para", *TINY_POLICY)


def test_each_step_says_what_it_did_and_what_comes_next(made):
    folder, steps = made
    assert "3 videos imported" in steps["tracks"].out and "0 were there already" in steps["tracks"].out
    assert f"next: para train --data {folder / 'tracks'}" in steps["tracks"].out
    assert " ".join(HEATMAP_ALONE) in steps["tracks"].out
    pictures = [folder / f"tracks/meta/tracks/hand{seed}.mp4.png" for seed in (0, 1, 2)]
    look = f"look at {', '.join(map(str, pictures))}: the ring must be on the end effector; where it is not"
    assert look in steps["tracks"].out and all(picture.is_file() for picture in pictures)
    again = tracks(folder).out
    assert "0 videos imported" in again and "look at" not in again
    assert f"next: para train --pretrain {folder / 'pretrained'}" in steps["pretrain"].out
    metrics = steps["pretrain"].out.split("held out: ")[1].split("\n")[0]
    assert "gripper" not in metrics and "error_mm" not in metrics and "pixel_error_px" in metrics
    told = para("dataset", "info", folder / "tracks").out
    assert "not_told: heights, the gripper" in told and "camera_is: nominal" in told
    assert "action_range_m" not in told and "outcomes" not in told
    assert "action_range_m" in para("dataset", "info", folder / "data").out
    assert "no problems found" in para("dataset", "check", folder / "tracks").out


def test_what_was_never_told_heights_and_gripper_is_to_be_fine_tuned_before_it_is_evaluated(
    made, tmp_path, monkeypatch
):
    sized_world.register(monkeypatch)
    folder, steps = made
    line = "never told heights and the gripper: fine-tune it on the robot's demonstrations"
    assert line in steps["pretrain"].out and "para evaluate" not in steps["pretrain"].out
    said = evaluate(folder / "pretrained", tmp_path / "run").out
    assert f"{folder / 'pretrained'} was {line}" in said and f"para train --pretrain {folder / 'pretrained'}" in said
    with_all_outputs = train(folder / "tracks", tmp_path / "act", "act").out
    assert line in with_all_outputs and f"next: para train --pretrain {tmp_path / 'act'}" in with_all_outputs
    assert f"{tmp_path / 'act'} was {line}" in evaluate(tmp_path / "act", tmp_path / "act_run").out


@pytest.mark.parametrize(
    ("policy", "options", "remedy"),
    [
        ("para", (), "there are 16 height classes (give --n-height-bins 1 --n-gripper-bins 0)"),
        ("act", ("--output-range", "training"), "output_range is 'training' (give --output-range workspace)"),
    ],
)
def test_what_would_learn_a_nominal_plane_as_its_range_of_heights_is_refused(made, tmp_path, policy, options, remedy):
    data = ("--data", made[0] / "tracks", "--out", tmp_path / "out")
    said = refusal("train", *data, *TRAINING, policy, *TINY_POLICY, *options)
    assert f"tell only pixels, but {remedy}: what is fine-tuned from it would stay in their plane" in said
    assert not (tmp_path / "out").exists()


VIEWS = ("--augment.view-tilt-deg", "10")
ON_THE_PLANE = (*VIEWS, "--augment.view-plane-m", "0.02", "0.02")


def test_virtual_views_that_labels_without_heights_do_not_follow_are_refused_alone_and_in_a_mixture(made, tmp_path):
    folder, out = made[0], ("--out", tmp_path / "out")
    alone = ("--data", folder / "tracks", *out, *TRAINING, "para", *TINY_POLICY, *HEATMAP_ALONE)
    also = ("--data", folder / "data", "--also", folder / "tracks", *out, *TRAINING, "para", *TINY_POLICY)
    for command in (alone, also):
        said = refusal("train", *command, *VIEWS)
        assert "tell only pixels, but virtual views are warped along planes 0 to 0.15 m high" in said
        assert "(give --augment.view-plane-m 0.02 0.02)" in said and not (tmp_path / "out").exists()
    assert para("train", *alone, *ON_THE_PLANE).code == 0
    robot = ("--data", folder / "data", "--out", tmp_path / "robot", *TRAINING, "para", *TINY_POLICY)
    assert para("train", *robot, *VIEWS).code == 0  # heights are known: any plane will do


@pytest.fixture
def videos(made, tmp_path):
    """A folder with videos/ of one hand, to be spoilt."""
    (tmp_path / "videos").mkdir()
    for name in ("hand0.mp4", "hand0.csv"):
        shutil.copy(made[0] / "videos" / name, tmp_path / "videos")
    return tmp_path


def npz_of(uv, **arrays):
    def write(folder):
        (folder / "videos/hand0.csv").unlink()
        np.savez(folder / "videos/hand0.npz", **{"tracks": uv, "visibles": np.ones(uv.shape[:2]), **arrays})

    return write


def cut_short(folder):
    npz_of(TRACK)(folder)
    content = (folder / "videos/hand0.npz").read_bytes()
    (folder / "videos/hand0.npz").write_bytes(content[: len(content) // 2])


TRACK = dot_track()[None]
SPOILT = {
    "cut short": (cut_short, "hand0.npz holds no plain arrays, or is damaged"),
    "words": (npz_of(TRACK, visibles=np.full(TRACK.shape[:2], "yes")), "hand0.npz: visibles must be flags"),
    "sizes": (npz_of(TRACK, width=np.array([100, 90]), height=60), "hand0.npz: width must be one whole number"),
    "utf-16": (lambda f: (f / "videos/hand0.csv").write_text("frame,u", encoding="utf-16"), "hand0.csv is no text in"),
    "pickle": (lambda f: (f / "videos/hand0.csv").rename(f / "videos/hand0.pkl"), "a pickle runs code when it is"),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILT)
def test_tracks_that_cannot_be_read_are_named_in_one_line_with_exit_code_2(case, videos):
    spoil, message = SPOILT[case]
    spoil(videos)
    assert message in refusal("tracks", "--videos", videos / "videos", "--out", videos / "tracks")


@pytest.mark.parametrize(
    "options, message",
    [
        (("--image-size", "0", "64"), "image_size must be"),
        (("--step-s", "0"), "step_s must be"),
        (("--step-s", "nan"), "step_s must be"),
    ],
)
def test_options_of_tracks_without_meaning_are_refused_in_one_line(options, message, videos):
    assert message in refusal("tracks", "--videos", videos / "videos", "--out", videos / "tracks", *options)


def test_corrected_tracks_are_not_taken_for_those_that_were_imported(videos):
    command = ("tracks", "--videos", videos / "videos", "--out", videos / "tracks", "--image-size", "48", "64")
    assert para(*command).code == 0
    write_csv(videos / "videos/hand0.csv", dot_track(seed=1))
    assert "holds hand0.mp4 from an older" in refusal(*command)


def test_tracks_of_a_resized_copy_are_scaled_and_no_others_are_added_to_them(videos):
    write_csv(videos / "videos/hand0.csv", (dot_track() + 0.5) / 2 - 0.5, width=50, height=30)
    command = ("tracks", "--videos", videos / "videos", "--out", videos / "tracks", "--image-size", "48", "64")
    assert "give --track-size 30 50" in refusal(*command)
    assert "as --track-size says" in refusal(*command, "--track-size", "60", "100")
    assert "1 videos imported" in para(*command, "--track-size", "30", "50").out
    assert "0 videos imported" in para(*command, "--track-size", "30", "50").out
    assert "hand0.mp4 tracked at --track-size 30 50, asked for is the size of the video" in refusal(*command)


def test_points_off_the_image_are_counted_with_what_may_be_wrong_and_an_option_says_that_they_leave(videos):
    uv = dot_track()
    uv[-2:, 0] = 101  # of 100 columns
    write_csv(videos / "videos/hand0.csv", uv)
    command = ("tracks", "--videos", videos / "videos", "--image-size", "60", "100", "--step-s", "0.05", "--out")
    said = para(*command, videos / "few").out
    assert f"in 2 of {len(uv)} frames the visible point is off the image (hand0.mp4), and is no target there: " in said
    assert "were u and v exchanged, or was a copy of another size tracked (--track-size)?" in said
    assert "u and v were exchanged" in said.split("look at")[1]
    uv[-8:, 0] = 101
    write_csv(videos / "videos/hand0.csv", uv)
    assert f"in 8 of {len(uv)} frames, as in frame 23 at (101, " in refusal(*command, videos / "many")
    assert "1 videos imported" in para(*command, videos / "many", "--leaves-image").out


def test_from_tracks_to_an_evaluated_policy(made, tmp_path, monkeypatch):
    sized_world.register(monkeypatch)
    said = fine_tune(made[0], tmp_path / "tuned")
    assert said.code == 0 and "2 tiled (heads.height.weight, heads.height.bias)" in said.out
    assert "was trained before" in fine_tune(made[0], tmp_path / "tuned").out
    assert "never told" not in said.out and "next: para evaluate" in said.out
    said = evaluate(tmp_path / "tuned", tmp_path / "run").out
    assert "/3" in said and "never told" not in said
    assert "start is" in refusal("train", "--data", made[0] / "data", "--out", tmp_path / "tuned", *TRAINING, "para",
                                 *TINY_POLICY)  # fmt: skip


def test_what_was_trained_on_discs_is_to_be_fine_tuned_and_discs_are_not_mixed_with_robots(tmp_path):
    record = ("record", "--positions", "2", "--workers", "0", "--image-size", "48", "64")
    assert para(*record, "--out", tmp_path / "circles", "--circles").code == 0
    assert "recorded with the world's options {'circles': True}" in refusal(*record, "--out", tmp_path / "circles")
    said = train(tmp_path / "circles", tmp_path / "out", "para").out
    assert "it never saw the robot, but a disc: fine-tune it" in said and "next: para train --pretrain" in said


def test_what_saw_the_robot_beside_discs_is_not_told_that_it_never_did(tmp_path, monkeypatch):
    sized_world.register(monkeypatch)
    record = ("record", "--positions", "2", "--workers", "0", "--image-size", "48", "64")
    for name, options in (("robot", ()), ("hidden", ("--world-options", "robot_visible=False"))):
        assert para(*record, "--out", tmp_path / name, *options).code == 0
    assert para("dataset", "circles", tmp_path / "hidden", tmp_path / "circles").code == 0
    circles = ("--data", tmp_path / "circles", *TRAINING)
    alone = para("train", "--out", tmp_path / "alone", *circles, "para", *TINY_POLICY).out
    assert "it never saw the robot, but a disc" in alone
    also = ("--also", tmp_path / "robot")
    both = para("train", "--out", tmp_path / "both", *circles, *also, "para", *TINY_POLICY).out
    assert "never saw" not in both and "next: para evaluate" in both
    assert "never saw the robot, but a disc" in evaluate(tmp_path / "alone", tmp_path / "run_alone").out
    said = evaluate(tmp_path / "both", tmp_path / "run_both")
    assert said.code == 0 and "never saw" not in said.out


def test_both_at_once(made, tmp_path):
    also = ("--also", made[0] / "tracks", "--also-share", "0.5")
    said = para("train", "--data", made[0] / "data", "--out", tmp_path / "both", *also, *TRAINING, "para", *TINY_POLICY)
    assert said.code == 0 and "gripper" in said.out and "next: para evaluate" in said.out
    assert "holds another run" in refusal("train", "--data", made[0] / "data", "--out", tmp_path / "both", *TRAINING,
                                          "para", *TINY_POLICY)  # fmt: skip


def test_each_further_dataset_may_have_a_share_of_its_own(made, tmp_path):
    also = ("--also", made[0] / "tracks", made[0] / "data", "--also-share", "0.2", "0.3")
    data = ("--data", made[0] / "data", "--out", tmp_path / "both")
    assert para("train", *data, *also, *TRAINING, "para", *TINY_POLICY).code == 0
    swapped = (*also[:-2], "0.3", "0.2")
    assert "holds another run" in refusal("train", *data, *swapped, *TRAINING, "para", *TINY_POLICY)
    for shares, said in ((("0.5", "0.5"), "below 1 in all"), (("0.1", "0.1", "0.1"), "one for each of --also (2)")):
        assert said in refusal("train", *data, *also[:-2], *shares, *TRAINING, "para", *TINY_POLICY)


@pytest.mark.parametrize(
    "backbone, message",
    [
        (("small-conv-config", "--dilations", *"111111"), "dilations is [1, 2, 4, 8, 4, 2] there, [1, 1, 1, 1, 1, 1]"),
        (("small-conv-config", "--padding", "zeros"), "padding is 'replicate' there, 'zeros' here"),
        (("vit-config", "--patch", "8", "--channels", "16", "--n-heads", "2"), "(small_conv there, vit here)"),
    ],
)
def test_another_backbone_than_was_pretrained_is_refused_in_one_line(backbone, message, made, tmp_path):
    data = ("--data", made[0] / "data", "--out", tmp_path / "out", "--pretrain", made[0] / "pretrained")
    said = refusal("train", *data, *TRAINING, "para", *TINY_POLICY, *backbone)
    assert "its backbone is another one" in said and message in said
    assert not (tmp_path / "out").exists()


def test_a_dataset_given_as_a_checkpoint_is_told_from_one(made, tmp_path):
    data = ("--data", made[0] / "data", "--out", tmp_path / "out", "--pretrain", made[0] / "tracks")
    said = refusal("train", *data, *TRAINING, "para", *TINY_POLICY)
    assert f"no config.json in {made[0] / 'tracks'}" in said and "it holds a dataset: train a policy on it" in said


def test_what_cannot_be_done_is_one_line_and_exit_code_2(made, tmp_path):
    folder, _ = made
    data = ("--data", folder / "data", "--out", tmp_path / "out")
    wrong = ("--pretrain", folder / "pretrained")
    policy = [option for option in TINY_POLICY if option not in ("--horizon", "4")]
    assert "horizon" in refusal("train", *data, *wrong, *TRAINING, "para", *policy, "--horizon", "3")
    assert "to be fine-tuned is 'act'" in refusal("train", *data, *wrong, *TRAINING, "act", *TINY_POLICY)
    assert "no checkpoint folder" in refusal("train", *data, "--pretrain", folder / "nothing", *TRAINING, "para",
                                             *TINY_POLICY)  # fmt: skip
    assert "also_share" in refusal("train", *data, "--also-share", "1.5", *TRAINING, "para", *TINY_POLICY)
    assert "no folder" in refusal("tracks", "--videos", folder / "nothing", "--out", tmp_path / "tracks")
    assert "no point 4" in refusal(
        "tracks", "--videos", folder / "videos", "--out", tmp_path / "tracks", "--point", "4"
    )
    on_tracks = ("--data", folder / "tracks", "--out", tmp_path / "out")
    for name in ("diffusion", "motion_tracks"):
        said = refusal("train", *on_tracks, *TRAINING, name, *TINY_POLICY)
        assert f"tell only pixels, from which '{name}' learns nothing" in said
        said = refusal("train", *data, "--also", folder / "tracks", *TRAINING, name, *TINY_POLICY)
        assert f"some of the further demonstrations tell only pixels, from which '{name}' learns nothing" in said
    small = para("tracks", "--videos", folder / "videos", "--out", tmp_path / "small", "--image-size", "32", "32")
    assert small.code == 0
    also = ("--also", tmp_path / "small")
    assert "images of one size" in refusal("train", *data, *also, *TRAINING, "para", *TINY_POLICY)
