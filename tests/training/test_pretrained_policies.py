"""Laws of policies on pretrained backbones: what training moves, what a checkpoint holds, what is computed once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from para.backbones import Dinov2Config, Dinov3Config
from para.policies import ActConfig, ParaConfig, make_policy
from para.training import OptimConfig, TrainConfig, load_policy, save_policy, train
from para.training.optim import named_groups
from tests.conftest import random_batch
from tests.tiny import build
from tests.tiny_weights import tiny_weights
from tests.training.stubs import H, StubData, T, W

FAMILIES = {"dinov2": (Dinov2Config, "dinov2"), "dinov3": (Dinov3Config, "dinov3_vit")}
MODES = ("finetune", "lora", "frozen")

families = pytest.mark.parametrize("family", FAMILIES)
modes = pytest.mark.parametrize("mode", MODES)


def config(family: str = "dinov2", policy=ParaConfig, image_size: tuple[int, int] = (H, W), **changes):
    config_type, model_type = FAMILIES[family]
    backbone = config_type(**{"weights": str(tiny_weights(model_type, 4)), "lora_rank": 2} | changes)
    return policy(image_size=image_size, horizon=T, backbone=backbone)


def short(**changes) -> TrainConfig:
    base = {"steps": 6, "batch_size": 4, "optim": OptimConfig(lr=3e-2, weight_decay=0.1), "log_every": 2}
    return TrainConfig(**{**base, "eval_every": 3, "device": "cpu", "mixed_precision": "no", **changes})


def run(policy, folder: Path, **changes):
    data = StubData(9, 0)
    policy.fit_ranges(data.batch(range(9))[1], data.batch(range(9))[0].camera)
    return train(policy, data, short(**changes), folder, heldout=StubData(3, 1), show_progress=False)


@families
@modes
def test_training_moves_what_the_mode_says_and_the_heads(family, mode, tmp_path):
    policy = build(config(family, mode=mode))
    before = {name: parameter.detach().clone() for name, parameter in policy.named_parameters()}
    run(policy, tmp_path / "run")
    moved = {name for name, parameter in policy.named_parameters() if not torch.equal(parameter, before[name])}
    backbone = {name for name in before if name.startswith("backbone.")}
    assert moved >= set(before) - backbone
    expected = {"finetune": backbone, "frozen": set(), "lora": {name for name in backbone if "lora_" in name}}
    assert moved & backbone == expected[mode]


@families
@modes
@pytest.mark.parametrize("policy_type", [ParaConfig, ActConfig])
def test_a_checkpoint_loads_where_the_pretrained_weights_are_not(family, mode, policy_type, tmp_path):
    theirs = shutil.copytree(tiny_weights(FAMILIES[family][1], 4), tmp_path / "weights")
    policy = build(config(family, policy_type, (48, 64), mode=mode, weights=str(theirs), neck_channels=4))
    obs, actions = random_batch(T=T)
    policy.fit_ranges(actions, obs.camera)
    folder = save_policy(policy, tmp_path / "checkpoint")
    shutil.rmtree(theirs)
    loaded = load_policy(folder)
    assert loaded.config == policy.config and loaded.config.backbone.weights_hash
    ours, again = policy.eval().act(obs), loaded.act(obs)
    assert torch.equal(ours.position, again.position) and torch.equal(ours.gripper, again.gripper)
    with pytest.raises(FileNotFoundError, match="no folder"):
        make_policy(loaded.config)  # a new policy begins with the pretrained weights or not at all


def test_options_of_a_checkpoint_begin_a_new_policy_from_the_same_weights():
    policy = build(config())
    again = build(policy.config)
    assert again.config == policy.config
    for (name, ours), theirs in zip(policy.backbone.state_dict().items(), again.backbone.state_dict().values()):
        assert torch.equal(ours, theirs), name


def test_each_layer_has_its_rate_and_embeddings_do_not_decay():
    policy = build(config("dinov3", layer_decay=0.5, neck_channels=4))
    groups = named_groups(policy, OptimConfig(lr=1e-2, weight_decay=0.1, backbone_lr_scale=0.1))
    told = {name: (group["lr"], group["weight_decay"]) for group in groups for name in group["names"]}
    expected = {
        "backbone.embeddings.patch_embeddings.weight": (1e-3 / 8, 0.1),  # a convolution, whatever its name
        "backbone.embeddings.cls_token": (1e-3 / 8, 0.0),
        "backbone.layers.0.mlp.up_proj.weight": (1e-3 / 4, 0.1),
        "backbone.layers.1.mlp.up_proj.weight": (1e-3 / 2, 0.1),
        "backbone.norm.weight": (1e-3, 0.0),
        "backbone.neck.enter.weight": (1e-2, 0.1),
        "start.here": (1e-2, 0.0),
    }
    assert {name: told[name] for name in expected} == {name: pytest.approx(value) for name, value in expected.items()}
    assert set(told) == {name for name, _ in policy.named_parameters()}


def test_training_on_kept_features_understands_each_image_once_and_ends_where_training_without_them_does(tmp_path):
    options = config(mode="frozen", neck_channels=4, neck_dilations=(1,))
    plain, kept = build(options), build(options)
    run(plain, tmp_path / "plain", augment=False)
    result = run(kept, tmp_path / "kept", augment=False, feature_cache=str(tmp_path / "features"))
    assert len(list((tmp_path / "features").rglob("*.npy"))) == 9 + 3
    assert kept.backbone.cache is None, "rollouts keep nothing"
    for name, ours in plain.named_parameters():
        torch.testing.assert_close(kept.get_parameter(name), ours, rtol=0, atol=2e-2, msg=lambda m, n=name: f"{n}: {m}")
    again = run(build(options), tmp_path / "kept", augment=False, feature_cache=str(tmp_path / "elsewhere"))
    assert again.reused and again.weights == result.weights, "where features are kept is not a part of what a run is"
    with pytest.raises(ValueError, match="features_kept is True there, False here"):
        run(build(options), tmp_path / "kept", augment=False)


def test_features_are_kept_of_frozen_backbones_and_images_as_they_are(tmp_path):
    with pytest.raises(ValueError, match="set augment to False"):
        short(feature_cache=str(tmp_path))
    with pytest.raises(ValueError, match="mode='frozen'"):
        run(build(config()), tmp_path / "run", augment=False, feature_cache=str(tmp_path))
    with pytest.raises(ValueError, match="feature_cache is for frozen backbones"):
        run(build(ParaConfig(image_size=(H, W), horizon=T)), tmp_path / "other", augment=False, feature_cache="f")
