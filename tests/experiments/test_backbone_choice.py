"""Another backbone for every policy of an experiment: what is asked for is trained, and told apart from all else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from para.backbones import Dinov2Config, SmallConvConfig, VitConfig
from para.backbones.dino import find_weights
from para.cli import main
from para.evaluation.results import read_results
from para.experiments import EXPERIMENTS
from para.experiments.family import family_runs
from para.experiments.plan import describe_plan
from para.experiments.run import RunOptions, check_runs, plan_run
from para.experiments.run_options import takes_backbone
from para.experiments.scale import FINETUNING_LR, SCALES
from para.experiments.training_jobs import train_config
from para.training.checkpoint import load_policy
from tests import sized_world
from tests.tiny_weights import tiny_weights

TINY = SCALES["tiny"]
COMMAND = "experiment left_to_right --world fake --scale tiny --workers 0 --policies para act".split()
FROZEN = ["--mode", "frozen", "--neck-channels", "4"]
OWN = {"padding_and_position", "video_backbone", "video_features"}


def weights(patch: int = 16, seed: int = 0) -> str:
    return str(tiny_weights("dinov2", patch, seed))


def dinov2(**options) -> Dinov2Config:
    return find_weights(Dinov2Config(weights=weights(), **options))[0]


def load(path: Path):
    return json.loads(path.read_text())


@pytest.fixture
def fake(monkeypatch):
    sized_world.register(monkeypatch)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A finished run on a pretrained backbone, fine-tuned."""
    out = tmp_path_factory.mktemp("backbone") / "run"
    with pytest.MonkeyPatch.context() as patch:
        sized_world.register(patch)
        main([*COMMAND, "--out", str(out), "--backbone", "dinov2", "--weights", weights()])
    return out


@pytest.fixture
def refusal(fake, capsys):
    """The one line with which a command is refused before it says anything else."""

    def refused(*arguments: str) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([*COMMAND, *arguments])
        said = capsys.readouterr()
        assert (stop.value.code, said.out, said.err.count("\n")) == (2, "", 1), said
        return said.err

    return refused


def test_a_run_trains_and_evaluates_every_policy_on_the_backbone_that_was_asked_for(folder):
    records = read_results(folder / "results.jsonl")
    assert {record.policy for record in records} >= {"para", "act"} and not [r for r in records if r.error]
    for name in ("para", "act"):
        policy = load_policy(folder / "checkpoints" / name / "seed0")
        assert policy.backbone.config == dinov2() and policy.backbone.stride == 16
    scale = load(folder / "config.json")["scale"]
    assert scale["backbone"]["weights_hash"] == dinov2().weights_hash and scale["backbone"]["mode"] == "finetune"
    assert scale["backbone_lr_scale"] == FINETUNING_LR / TINY.lr
    assert f"backbone dinov2 with weights {weights()}, finetune at 0.02 of" in (folder / "report.html").read_text()


def test_the_same_command_again_trains_and_evaluates_nothing(folder, fake, caplog, capsys):
    before = (folder / "results.jsonl").stat().st_mtime_ns
    with caplog.at_level("INFO", logger="para"):
        main([*COMMAND, "--out", str(folder), "--backbone", "dinov2", "--weights", weights()])
    assert "trained 0 policies, 2 were there already" in caplog.text and "evaluated 0 episodes" in caplog.text
    assert (folder / "results.jsonl").stat().st_mtime_ns == before
    assert f"backbone dinov2 with weights {weights()}, finetune at 0.02 of the heads" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "differs"),
    [
        ([], "backbone, backbone_lr_scale"),
        (["--backbone", "dinov2", "--weights", "ELSE"], "backbone;"),
        (["--backbone", "dinov2", "--weights", "SAME", *FROZEN], "backbone, backbone_lr_scale"),
        (["--backbone", "dinov2", "--weights", "SAME", "--backbone-lr-scale", "0.5"], "backbone_lr_scale;"),
        (["--backbone", "small_conv"], "backbone, backbone_lr_scale"),
    ],
)
def test_a_folder_of_another_backbone_is_refused(folder, refusal, options, differs):
    paths = {"SAME": weights(), "ELSE": weights(seed=1)}
    said = refusal("--out", str(folder), *(paths.get(word, word) for word in options))
    assert said.startswith(f"para: {folder} holds another run (left_to_right, scale tiny, made by: ")
    assert f"with another {differs}" in said and "choose another --out" in said


def test_a_transformer_of_other_options_is_made_of_them_and_told_with_them(fake, tmp_path, capsys):
    options = (
        "--channels 8 --patch 8 --depth 1 --n-heads 2 --position random_offset --stem convolutions --cells-per-patch 2"
    )
    main([*COMMAND, "--out", str(tmp_path / "run"), "--backbone", "vit", *options.split()])
    for name in ("para", "act"):
        backbone = load_policy(tmp_path / "run" / "checkpoints" / name / "seed0").backbone
        assert backbone.config == VitConfig(8, 8, 1, 2, "random_offset", "convolutions", 2) and backbone.stride == 4
    told = "channels 8, patch 8, depth 1, n_heads 2, position random_offset, stem convolutions, cells_per_patch 2"
    assert f"backbone vit ({told}) from scratch" in capsys.readouterr().out


def test_weights_that_were_exchanged_in_their_folder_are_others(fake, tmp_path, refusal):
    place = tmp_path / "weights"
    shutil.copytree(weights(), place)
    out = ["--out", str(tmp_path / "run"), "--backbone", "dinov2", "--weights", str(place), *FROZEN]
    main([*COMMAND, *out, "--policies", "act"])
    shutil.copy(Path(weights(seed=1)) / "model.safetensors", place)
    assert "with another backbone; choose another --out" in refusal(*out, "--policies", "act")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("--backbone dinvo2", "no backbone 'dinvo2'; did you mean 'dinov2'"),
        ("--backbone svd_unet", "run the experiments that bring it: video_backbone"),
        ("--backbone vit --weights vits", "the backbone vit has no weights; it is an option of dinov2, dinov3"),
        ("--mode frozen", "mode: of which backbone?"),
        ("--backbone small_conv --position none", "small_conv has no position; it is an option of vit, dinov2, dinov3"),
        ("--backbone dinov2 --stem convolutions", "the backbone dinov2 has no stem; it is an option of vit"),
        (
            "--backbone vit --stem convolutions --patch 14",
            "patch (14) must be a power of two, from 2, that channels (384) divide by",
        ),
        ("--backbone vit --cells-per-patch 3", "cells_per_patch must divide patch (16)"),
        ("--backbone vit --position interpolated", "position must be learned, none, random_offset"),
        ("--backbone dinov2 --position learned", "position must be interpolated, none"),
        ("--backbone dinov2 --weights vitz", "no weights 'vitz' of dinov2; did you mean 'vit"),
        ("--backbone dinov2 --weights ./nowhere", "no folder nowhere with weights of dinov2; "),
        ("--backbone dinov3 --weights PATCH16", "the backbone dinov3 needs dinov3_vit; choose the backbone dinov2"),
        ("--backbone dinov2 --weights PATCH14", "the image is 64 x 64, but this backbone needs sides divisible by 14"),
        ("--backbone dinov2 --weights PATCH16 --layer-decay 2", "layer_decay must be above 0 and at most 1; got 2.0"),
        ("--backbone dinov2 --weights PATCH16 --mode forzen", "--mode"),
        (
            "--backbone dinov2 --weights PATCH14 --image-size 56 60",
            "image is 56 x 60, but this backbone needs",
        ),
        ("--image-size 0 64", "image_size must be at least 1 pixel a side; got (0, 64)"),
        ("--backbone-lr-scale -1", "backbone_lr_scale at least 0"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_before_anything_is_recorded(refusal, tmp_path, options, found):
    paths = {"PATCH14": weights(14), "PATCH16": weights()}
    words = [paths.get(word, word) for word in options.split()]
    assert found in refusal("--out", str(tmp_path / "run"), *words)
    assert list(tmp_path.iterdir()) == []


def test_images_of_another_size_fit_a_backbones_patches_and_are_another_run(fake, refusal, tmp_path):
    out = ["--out", str(tmp_path / "run"), "--policies", "act"]
    chosen = ["--image-size", "56", "70", "--backbone", "dinov2", "--weights", weights(14)]
    main([*COMMAND, *out, *chosen])
    folder = tmp_path / "run"
    assert load(folder / "config.json")["scale"]["image_size"] == [56, 70]
    assert load_policy(folder / "checkpoints/act/seed0").config.image_size == (56, 70)
    assert not [record for record in read_results(folder / "results.jsonl") if record.error]
    assert "with another image_size" in refusal(*out, "--image-size", "70", "70", *chosen[3:])


def test_a_size_that_one_of_several_backbones_of_a_family_does_not_divide_is_told_before_anything_is_run(tmp_path):
    def check(*size: int) -> None:
        chosen = {"backbone": find_weights(Dinov2Config(weights=weights(14)))[0], "image_size": size}
        check_runs(family_runs(RunOptions("control", tmp_path, scale="tiny", **chosen)))

    check(112, 112)
    with pytest.raises(ValueError, match="126 x 126, but this backbone needs sides divisible by"):
        check(126, 126)  # of padding_and_position, which brings its own


def test_a_backbone_is_trained_at_the_rate_that_suits_it_or_that_is_asked_for():
    paper = SCALES["paper"]
    assert paper.with_backbone(dinov2()).backbone_lr_scale == pytest.approx(FINETUNING_LR / paper.lr) == 0.1
    assert paper.with_backbone(dinov2(mode="lora")).backbone_lr_scale == paper.backbone_lr_scale
    assert paper.with_backbone(SmallConvConfig()).backbone_lr_scale == paper.backbone_lr_scale
    chosen = paper.with_backbone(dinov2(), 0.03)
    assert chosen.backbone == dinov2() and paper.with_backbone(lr_scale=0.03).backbone == paper.backbone
    recipe = EXPERIMENTS["left_to_right"].recipes[0]
    assert train_config(chosen, recipe, 0).optim.backbone_lr_scale == 0.03


def test_where_policies_bring_their_own_backbones_none_can_be_chosen(refusal, tmp_path):
    assert {name for name, e in EXPERIMENTS.items() if not takes_backbone(e, TINY)} == OWN
    for name in OWN:
        with pytest.raises(ValueError, match=f"experiment '{name}' brings its own backbones"):
            check_runs([RunOptions(name, tmp_path, scale="tiny", backbone=VitConfig())])
    text = describe_plan([RunOptions("padding_and_position", tmp_path, scale="tiny")], estimate=False)
    assert "brings its own backbones" in text and "from scratch" not in text


def test_in_a_family_those_experiments_are_as_ever_and_all_others_take_the_backbone(tmp_path):
    plain = {run.experiment: run for run in family_runs(RunOptions("all", tmp_path, scale="tiny"))}
    chosen = family_runs(RunOptions("all", tmp_path, scale="tiny", backbone=VitConfig(), backbone_lr_scale=0.5))
    assert [run.experiment for run in chosen] == list(plain)
    for run in chosen:
        if run.experiment in OWN:
            assert run == plain[run.experiment]
        else:
            assert (run.backbone, run.backbone_lr_scale) == (VitConfig(), 0.5)


def test_trainings_on_another_backbone_have_folders_of_their_own_and_those_of_a_scales_own_their_old_names(tmp_path):
    def names(scale: str, **choice) -> list[str]:
        options = RunOptions("left_to_right", tmp_path, scale=scale, shared=tmp_path, recipes=("para", "act"), **choice)
        return [job.folder.parent.name for job in plan_run(options).jobs]

    assert names("tiny") == ["para-7bad7f1e", "act-7cc2ddfd"]
    assert names("small") == ["para-3d63e8cc", "act-6b7917cd"]
    assert names("paper") == ["para-718aaa66", "act-620761ec"]
    choices = [
        {"backbone": dinov2()}, {"backbone": dinov2(), "backbone_lr_scale": 0.5}, {"backbone": dinov2(mode="frozen")},
        {"backbone": find_weights(Dinov2Config(weights=weights(seed=1)))[0]}, {"backbone": VitConfig()},
    ]  # fmt: skip
    assert len({*names("tiny"), *(name for choice in choices for name in names("tiny", **choice))}) == 12
