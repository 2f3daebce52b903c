"""Laws of the experiments on a video model: what is compared is alike, and a run leaves what the page shows."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from para.backbones import make_backbone
from para.commands.running import Experiment
from para.datasets import ChunkDataset, Demonstrations, record
from para.datasets.video_chunks import VideoChunkDataset
from para.experiments.plan import describe_plan
from para.experiments.run import RunOptions, plan_run, run_experiment
from para.experiments.scale import SCALES
from para.experiments.training_jobs import chunks_for, train_config
from para.experiments.video_backbone import SWEEP, VIDEO_BACKBONE
from para.experiments.video_recipes import (
    FROZEN,
    FROZEN_DEEPER,
    FROZEN_UNTRAINED,
    JOINT,
    REGRESSION,
    REGRESSION_FROZEN,
    REGRESSION_LONG,
    SIZES,
    TWO_STAGES,
    VIDEO_ONLY,
)
from para.experiments.video_samples import errors_of
from para.reports import build_report
from tests.datasets.fake_world import fake_scenes, make_fake_world

scales = pytest.mark.parametrize("scale", SCALES.values(), ids=lambda scale: scale.name)


@scales
def test_para_and_regression_have_the_same_features_start_and_joint_training(scale):
    para, regression = TWO_STAGES.config(scale), REGRESSION.config(scale)
    assert para.backbone == regression.backbone and para.video == regression.video
    assert train_config(scale, TWO_STAGES, 1) == train_config(scale, REGRESSION, 1)
    assert TWO_STAGES.start is REGRESSION.start is FROZEN.start is FROZEN_DEEPER.start is VIDEO_ONLY
    assert TWO_STAGES.executions == REGRESSION.executions


@scales
def test_frozen_heads_see_the_first_stages_features_and_the_deeper_ones_more_layers(scale):
    para, shallow, deep = (recipe.config(scale) for recipe in (TWO_STAGES, FROZEN, FROZEN_DEEPER))
    assert shallow.backbone == replace(para.backbone, mode="frozen") and shallow.video.objective == "actions"
    assert replace(deep.backbone, neck_dilations=para.backbone.neck_dilations) == shallow.backbone
    assert len(deep.backbone.neck_dilations) > len(shallow.backbone.neck_dilations)


@scales
def test_each_control_differs_from_its_recipe_in_one_thing(scale):
    assert FROZEN_UNTRAINED.config(scale) == FROZEN.config(scale)
    assert train_config(scale, FROZEN_UNTRAINED, 1) == train_config(scale, FROZEN, 1)
    start, usual = train_config(scale, FROZEN_UNTRAINED.start, 1), train_config(scale, VIDEO_ONLY, 1)
    assert FROZEN_UNTRAINED.start.config(scale) == VIDEO_ONLY.config(scale)
    assert start.steps == usual.steps - SIZES[scale.name].video_steps + 1  # the video model's own go, but for one
    heads = REGRESSION_FROZEN.config(scale)
    assert heads.backbone == FROZEN.config(scale).backbone and heads.video == FROZEN.config(scale).video
    assert train_config(scale, REGRESSION_FROZEN, 1) == train_config(scale, FROZEN, 1)
    assert REGRESSION_LONG.config(scale) == REGRESSION.config(scale) and REGRESSION_LONG.extra
    assert train_config(scale, REGRESSION_LONG, 1).steps > train_config(scale, REGRESSION, 1).steps


@pytest.mark.parametrize("name", ["small", "paper"])
def test_steps_have_the_papers_proportions_but_for_more_joint_ones_at_small(name):
    size = SIZES[name]
    steps = np.array([size.video_steps, size.scratch_steps, size.frozen_steps])
    np.testing.assert_array_equal(steps / size.video_steps, np.array([4, 10, 12]) / 4)
    thirds = size.joint_steps / size.video_steps * 4  # small: more, for heads that begin at random and see few samples
    assert thirds == (4.5 if name == "small" else 3)
    assert train_config(SCALES[name], JOINT, 0).steps == size.scratch_steps + size.autoencoder_steps


def test_at_the_papers_scale_rates_frames_and_grid_are_the_papers():
    paper = SCALES["paper"]
    optim, config = train_config(paper, TWO_STAGES, 0).optim, TWO_STAGES.config(paper)
    assert optim.lr == 1e-4 and optim.lr * optim.backbone_lr_scale == pytest.approx(1e-6)
    first = train_config(paper, VIDEO_ONLY, 0).optim
    assert first.lr * first.backbone_lr_scale == pytest.approx(1e-6)
    backbone = config.backbone
    assert (backbone.n_frames, backbone.model_size, backbone.blocks) == (7, (320, 576), (1, 2))
    assert config.video_offsets == (1, 2, 3, 4, 5, 6) and config.image_size[0] // backbone.grid_stride == 64


def test_what_the_published_model_needs_is_told_before_anything_is_done(tmp_path):
    text = describe_plan([RunOptions("video_backbone", tmp_path / "run", scale="paper")])
    assert "needs a GPU with about" in text and " GB " in text and "per seed about" in text
    assert "video_para 3000 of batch 4" in text
    assert VIDEO_BACKBONE.needs(SCALES["small"]) == ""


def test_it_is_told_also_where_the_weights_are_missing(tmp_path, monkeypatch, capsys):
    def weights_are_missing(runs, begin):
        raise FileNotFoundError("no weights here; get them")

    monkeypatch.setattr("para.experiments.run.check_runs", weights_are_missing)
    for name, told in (("video_backbone", "video_backbone needs a GPU with about"), ("left_to_right", "")):
        with pytest.raises(FileNotFoundError, match="no weights here"):
            Experiment(name, out=tmp_path / "run", scale="paper").run()
        out = capsys.readouterr().out
        assert out.startswith(told) and bool(out) == bool(told)
    assert not (tmp_path / "run").exists()


def test_the_sweep_changes_where_features_are_read_and_nothing_else():
    base, *others = (recipe.config(SCALES["small"]) for recipe in SWEEP)
    for config in others:
        usual = {name: getattr(base.backbone, name) for name in ("sigma", "blocks", "grid_stride")}
        assert config != base and replace(config, backbone=replace(config.backbone, **usual)) == base
    assert all(recipe.start is VIDEO_ONLY for recipe in SWEEP)


def test_whatever_block_the_sweep_reads_pixels_are_predicted_on_the_same_cells():
    configs = [recipe.config(SCALES["tiny"]) for recipe in SWEEP]
    assert len({make_backbone(config.backbone, config.image_size).stride for config in configs}) == 1


def test_a_policy_gets_frames_to_come_exactly_if_its_training_needs_them(tmp_path):
    record(make_fake_world, fake_scenes(1), tmp_path / "data", workers=1, progress=False, lossless=True)
    demonstrations = Demonstrations.open(tmp_path / "data")
    assert type(chunks_for(FROZEN.config(SCALES["small"]), demonstrations, "dense")) is ChunkDataset
    data = chunks_for(REGRESSION.config(SCALES["small"]), demonstrations, "dense")
    assert type(data) is VideoChunkDataset and data.offsets == (4, 8, 12)


def test_errors_of_samples_are_medians_of_distances_between_the_keypoints_they_name():
    real = np.zeros((3, 8, 9, 3), np.uint8)
    ee_uv = np.array([[4.0, 4.0], [4.0, 4.0], [4.0, 4.0]])

    def at(du: float, dv: float) -> np.ndarray:
        return ee_uv[1:] + [du, dv]

    sample = {
        "real": real, "generated": real + 10, "reconstructed": real + 1, "ee_uv": ee_uv, "predicted_uv": at(3, 4),
        "found_generated_uv": at(3, 0), "found_reconstructed_uv": at(0, 2), "found_real_uv": at(1, 0),
    }  # fmt: skip
    errors = errors_of([sample, sample])
    assert errors["heads_and_generated_px"] == 4 and errors["heads_and_true_px"] == 5
    assert errors["generated_and_true_px"] == 3 and errors["reconstructed_and_true_px"] == 2
    assert errors["finder_on_real_px"] == 1 and errors["moved_px"] == 0 and errors["looks"] == 2
    assert errors["psnr_generated_db"] == pytest.approx(10 * np.log10(255**2 / 100), abs=0.01)


@pytest.mark.slow
def test_a_run_leaves_generated_frames_their_keypoints_and_a_page_and_goes_on_from_them(tmp_path):
    out = tmp_path / "run"
    options = RunOptions("video_backbone", out, scale="tiny", recipes=("video_para", "video_para+frozen"), workers=0)
    summary = run_experiment(options)
    assert {(row["policy"], row["errors"]) for row in summary["rows"]} == {
        ("video_para", 0), ("video_para+frozen", 0)
    }  # fmt: skip
    told = json.loads((out / "video_alignment.json").read_text())
    assert [row["policy"] for row in told["rows"]] == ["video_para"]  # a frozen video model is another one's
    with np.load(out / "video" / "video_para" / "look0.npz") as look:
        assert look["real"].shape == look["generated"].shape == (3, 64, 64, 3) and len(look["heatmaps"]) == 2
    page = build_report(out).read_text()
    assert "What the video model imagines" in page and "the arm moved" in page
    assert "PARA on video, frozen" in page.split('id="video"')[0]  # in the table of results, not among variants
    assert any(path.name.startswith("video_video_para") for path in (out / "figures").iterdir())
    before = (out / "video_alignment.json").stat().st_mtime_ns
    assert run_experiment(options)["rows"] == summary["rows"]
    assert (out / "video_alignment.json").stat().st_mtime_ns == before
    assert not plan_run(options).starts[0].name.startswith("para")
