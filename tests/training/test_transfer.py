"""Which tensors go from a pretrained policy into another, tensor by tensor, and what it then predicts."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from para.datasets.partial_supervision import pixels_only
from para.pixel_actions.targets import make_targets
from para.policies.augment import AugmentConfig
from para.training import TrainConfig, save_policy, start_from, train, transfer_weights
from tests.conftest import random_batch
from tests.tiny import TINY_BACKBONES, backbone_config, build, policy_config, train_on

CONV, VIT = TINY_BACKBONES["small_conv"], TINY_BACKBONES["vit"]
JOINT = policy_config("para", n_height_bins=8, n_gripper_bins=4)
FACTORISED = replace(JOINT, formulation="factorised")
ACT = policy_config("act")
HEADS = {"heads.gripper.weight", "heads.gripper.bias", "heads.gripper_start.weight"}
RANGES = {"height_bins.edges", "gripper_bins.edges"}
TILED = {"heads.height.weight", "heads.height.bias"}


def on_pixels(config):
    return replace(config, n_height_bins=1, n_gripper_bins=0)


def pretrained(config, partial: bool = True):
    """After a few steps, on other heights than those that it will be fine-tuned on."""
    policy = build(config, seed=1)
    obs, actions = random_batch(seed=5)
    obs, actions = pixels_only(obs, actions) if partial else (obs, actions)
    policy.fit_ranges(actions, obs.camera)
    train_on(policy, obs, actions, steps=3)
    return policy.eval()


def fresh(config):
    policy = build(config, seed=2)
    obs, actions = random_batch()
    policy.fit_ranges(actions, obs.camera)
    return policy.eval()


def state(policy):
    return {name: value.clone() for name, value in policy.state_dict().items()}


def test_from_pixels_to_all_heads_the_joint_head_is_tiled_and_only_the_gripper_is_new():
    source, policy = pretrained(on_pixels(JOINT)), fresh(JOINT)
    before, given = state(policy), state(source)
    done = transfer_weights(source, policy)
    after = state(policy)
    assert all(torch.equal(value, given[name]) for name, value in state(source).items())
    assert set(done.tiled) == TILED and set(done.reinitialised) == HEADS and set(done.kept) == RANGES
    assert set(done.copied) == set(after) - TILED - HEADS - RANGES
    assert all(name.split(".")[0] in ("backbone", "start") for name in done.copied)
    for name in done.copied:
        assert torch.equal(after[name], given[name])
    for name in (*done.reinitialised, *done.kept):
        assert torch.equal(after[name], before[name])
    for k in range(8):
        assert torch.equal(after["heads.height.weight"][:, k], given["heads.height.weight"][:, 0])
    bias = given["heads.height.bias"].expand(4, 8) - torch.tensor(8.0).log()
    torch.testing.assert_close(after["heads.height.bias"], bias)
    without = fresh(replace(JOINT, n_gripper_bins=0))
    assert not done.unused and transfer_weights(policy, without).unused == tuple(
        sorted(HEADS | {"gripper_bins.edges"}, key=list(before).index)
    )


@pytest.mark.parametrize("config", [JOINT, FACTORISED], ids=["joint", "factorised"])
def test_a_transferred_policy_has_the_heatmaps_that_it_was_pretrained_to(config):
    source, policy = pretrained(on_pixels(config)), fresh(config)
    transfer_weights(source, policy)
    obs, actions = random_batch()
    ours, theirs = policy.predict(obs), source.predict(obs)
    torch.testing.assert_close(ours.heatmap_logits.flatten(2).softmax(-1), theirs.heatmap_logits.flatten(2).softmax(-1))
    torch.testing.assert_close(ours.peak.uv, theirs.peak.uv, rtol=0, atol=1e-3)
    if config.formulation == "joint":
        tracks = pixels_only(obs, actions)
        torch.testing.assert_close(policy.loss(*tracks)["volume"], source.loss(*tracks)["volume"])


def test_the_factorised_forms_height_head_is_new_and_its_heatmap_copied():
    done = transfer_weights(pretrained(on_pixels(FACTORISED)), fresh(FACTORISED))
    assert set(done.reinitialised) == HEADS | TILED and not done.tiled
    assert {"heads.heatmap.weight", "heads.heatmap.bias"} <= set(done.copied)


@pytest.mark.parametrize("config", [JOINT, FACTORISED], ids=["joint", "factorised"])
def test_between_equal_heads_everything_is_copied_with_the_range_that_its_heights_mean(config):
    source, policy = pretrained(config, partial=False), fresh(config)
    assert not torch.equal(source.height_bins.edges, policy.height_bins.edges)
    done = transfer_weights(source, policy)
    assert set(done.copied) == set(state(policy)) and not (done.tiled or done.reinitialised or done.kept or done.unused)
    obs, _ = random_batch()
    assert torch.equal(policy.act(obs).position, source.act(obs).position)


def test_after_pixels_alone_act_takes_over_every_weight_and_keeps_the_statistics_of_its_own_state():
    source, policy = pretrained(ACT), fresh(ACT)
    before = state(policy)
    done = transfer_weights(source, policy)
    assert set(done.kept) == {"state_mean", "state_std"} and set(done.copied) == set(before) - set(done.kept)
    assert torch.equal(policy.state_mean, before["state_mean"])
    assert torch.equal(policy.mlp[0].weight, source.mlp[0].weight)


def test_after_full_supervision_the_statistics_of_the_state_go_over_with_the_weights_that_they_belong_to():
    source, policy = pretrained(ACT, partial=False), fresh(ACT)
    policy.state_std[:3] /= 12  # as of one demonstration, which tells next to nothing of the spread to come
    assert not transfer_weights(source, policy).kept
    obs, _ = random_batch()
    torch.testing.assert_close(policy.act(obs).position, source.act(obs).position)


def test_statistics_of_quite_other_inputs_are_not_taken_over():
    source, policy = pretrained(ACT, partial=False), fresh(ACT)
    policy.state_mean[2] += 7 * source.state_std[2]
    assert set(transfer_weights(source, policy).kept) == {"state_mean", "state_std"}


def test_a_regressed_height_stays_a_share_of_its_own_data_where_pretraining_knew_only_pixels():
    config = policy_config("soft_argmax")
    source, policy = pretrained(config), fresh(config)
    own = policy.height_range.clone()
    assert "height_range" in transfer_weights(source, policy).kept and torch.equal(policy.height_range, own)


def test_motion_tracks_take_over_the_spread_of_tracks_that_scales_their_outputs():
    config = policy_config("motion_tracks")
    source, policy = pretrained(config, partial=False), fresh(config)
    transfer_weights(source, policy)
    obs, _ = random_batch()
    torch.testing.assert_close(policy.act(obs).position, source.act(obs).position)


def test_a_policy_whose_outputs_could_not_reach_its_own_box_is_refused_and_keeps_its_weights():
    wider = policy_config("act", workspace_high_m=(1.2, 0.6, 0.8))
    policy = fresh(wider)
    before = state(policy)
    with pytest.raises(ValueError, match=r"outputs span \(.*\) m and .* to span .* to \(1.20, 0.60, 0.80\) m"):
        transfer_weights(pretrained(ACT), policy)
    assert all(torch.equal(value, before[name]) for name, value in state(policy).items())
    narrow = policy_config("act", output_range="training")
    with pytest.raises(ValueError, match="the same workspace_low_m, workspace_high_m and output_range"):
        transfer_weights(pretrained(narrow, partial=False), fresh(ACT))
    source = pretrained(wider)
    policy = fresh(ACT)
    transfer_weights(source, policy)  # what it can reach holds all that is asked for
    assert torch.equal(policy.high, source.high)


def lower(actions, to_m: float):
    """The same chunks, nowhere higher than that."""
    return replace(actions, position=actions.position.minimum(torch.tensor([9.0, 9.0, to_m])))


def taught_low(to_m: float, **options):
    """A policy whose demonstrations, of those of `random_batch`, went no higher than that."""
    policy = build(replace(JOINT, **options), seed=1)
    obs, actions = random_batch()
    policy.fit_ranges(lower(actions, to_m), obs.camera)
    return policy.eval()


@pytest.mark.parametrize("form", [{}, {"formulation": "factorised"}, {"third": "depth", "depth_margin_m": 0.01}])
def test_demonstrations_beyond_the_classes_that_would_go_over_are_refused_and_what_is_advised_lets_them_in(form):
    obs, actions = random_batch()
    policy = fresh(replace(JOINT, **form))
    third = form.get("third", "height")
    if third == "height":
        source = taught_low(0.06, **form)
    else:
        source = build(replace(JOINT, **form), seed=1)
        source.fit_ranges(replace(actions, position=actions.position[:1].expand(3, -1, -1)), obs.camera)
    before = state(policy)
    advice = rf"its {third}s span .* m .* but the demonstrations reach .* m: .* --{third}-margin-m ([\d.]+), or"
    with pytest.raises(ValueError, match=advice) as error:
        transfer_weights(source, policy)
    assert "\n" not in str(error.value) and all(torch.equal(v, before[n]) for n, v in state(policy).items())
    margin = float(re.search(advice, str(error.value))[1])
    low, high = (x.item() for x in source.height_bins.edges)
    wider = margin - getattr(source.config, f"{third}_margin_m")
    source.height_bins.set_range(low - wider, high + wider)  # as fitted to the same data with that margin
    assert "height_bins.edges" in transfer_weights(source, policy).copied
    if third == "height":  # and with one class
        assert transfer_weights(taught_low(0.06, n_height_bins=1, **form), fresh(replace(JOINT, **form)))


def test_a_little_beyond_the_demonstrations_of_the_pretraining_is_what_its_margin_is_for():
    highest = random_batch()[1].position[..., 2].max().item()
    for short, refused in ((0.019, False), (0.023, True)):
        source, policy = taught_low(highest - short), fresh(JOINT)
        assert source.config.height_margin_m == 0.02
        if refused:
            with pytest.raises(ValueError, match="--height-margin-m 0.03"):
                transfer_weights(source, policy)
        else:
            assert transfer_weights(source, policy).copied
            targets = make_targets(random_batch()[1], random_batch()[0].camera, supervise_padding=False)
            assert not policy.height_bins.outside(targets.height).any()


def test_more_inputs_make_the_first_layer_new_and_the_report_says_so():
    done = transfer_weights(pretrained(ACT), fresh(policy_config("act", use_camera=True)))
    assert set(done.reinitialised) == {"mlp.0.weight"} and "1 reinitialised (mlp.0.weight)" in done.describe()
    assert "tensors copied" in done.describe() and "\n" not in done.describe()


OTHER = {
    "channels": (replace(JOINT, backbone=replace(CONV, channels=12)), "small_conv: channels is 8 there, 12 here"),
    "dilations": (replace(JOINT, backbone=replace(CONV, dilations=(1, 1))),
                  r"dilations is \[1, 2\] there, \[1, 1\] here"),
    "padding": (replace(JOINT, backbone=replace(CONV, padding="zeros")), "padding is 'replicate' there, 'zeros' here"),
    "vit": (replace(JOINT, backbone=VIT), "small_conv there, vit here"),
    "images": (replace(JOINT, image_size=(32, 64)), r"image_size is \(48, 64\) there and \(32, 64\) here"),
    "horizon": (replace(JOINT, horizon=5), "horizon is 4 there and 5 here"),
    "formulation": (FACTORISED, "formulation is 'joint' there and 'factorised' here"),
    "depth": (replace(JOINT, third="depth"), "predicts height, to be fine-tuned is depth"),
    "heights": (replace(JOINT, n_height_bins=4), "8 classes of height, to be fine-tuned are 4: .* --n-height-bins 4"),
    "no heights": (replace(JOINT, n_height_bins=1), "these hold the heatmap, which would be lost"),
    "policy": (ACT, "holds the policy 'para', to be fine-tuned is 'act'"),
}  # fmt: skip


@pytest.mark.parametrize(
    "change, message",
    [
        ({"n_heads": 4}, "vit: n_heads is 2 there, 4 here"),
        ({"position": "random_offset"}, "position is 'learned' there, 'random_offset' here"),
    ],
)
def test_transformers_of_equal_tensors_but_other_options_are_refused(change, message):
    policy = build(replace(JOINT, backbone=replace(VIT, **change)))
    with pytest.raises(ValueError, match=message):
        transfer_weights(build(replace(JOINT, backbone=VIT)), policy)


def test_a_vector_that_is_read_otherwise_from_the_image_is_refused_though_its_tensors_fit():
    on_vit = replace(ACT, backbone=VIT)
    with pytest.raises(ValueError, match="readout is 'pooled' there and 'mean' here"):
        transfer_weights(build(on_vit), build(replace(on_vit, readout="mean")))


FROM_HERE = policy_config("para", backbone=backbone_config("dinov2"))


def test_where_pretrained_weights_lay_and_how_they_are_trained_may_differ(tmp_path):
    moved = Path(shutil.copytree(FROM_HERE.backbone.weights, tmp_path / "elsewhere"))
    others = replace(FROM_HERE.backbone, mode="frozen", layer_decay=0.5, lora_alpha=1.0, weights=str(moved))
    source, policy = build(FROM_HERE), build(replace(FROM_HERE, backbone=others))
    with torch.no_grad():
        source.backbone.norm.weight.mul_(2)
    done = transfer_weights(source, policy)
    assert torch.equal(policy.backbone.norm.weight, source.backbone.norm.weight) and not done.unused


@pytest.mark.parametrize(
    "change, message",
    [
        ({"position": "none"}, "dinov2: position is 'interpolated' there, 'none' here"),
        ({"neck_channels": 8}, "neck_channels is 0 there, 8 here"),
        ({"mode": "lora"}, "mode is 'finetune' there, 'lora' here"),
    ],
)
def test_what_is_computed_with_pretrained_weights_may_not(change, message):
    policy = build(FROM_HERE)
    policy.config = replace(policy.config, backbone=replace(policy.config.backbone, **change))
    with pytest.raises(ValueError, match=message):
        transfer_weights(build(FROM_HERE), policy)


def test_tensors_that_do_not_fit_though_options_are_the_same_are_counted_and_one_is_named():
    source = build(JOINT)
    source.backbone.embed[0].weight.data = torch.zeros(4, 3, 5, 5)
    with pytest.raises(ValueError, match=r"1 of its tensors have no place or another size here, as embed.0.weight"):
        transfer_weights(source, build(JOINT))


@pytest.mark.parametrize("case", OTHER)
def test_what_does_not_fit_is_refused_in_one_line_and_changes_nothing(case, tmp_path):
    config, message = OTHER[case]
    checkpoint = save_policy(pretrained(JOINT, partial=False), tmp_path / "pretrained")
    policy = fresh(config)
    before = state(policy)
    with pytest.raises(ValueError, match=f"cannot be started from: .*{message}") as error:
        start_from(policy, checkpoint)
    assert "\n" not in str(error.value) and all(torch.equal(v, before[n]) for n, v in state(policy).items())


class Batch:
    """One batch as data."""

    def __len__(self):
        return 3

    def batch(self, indices):
        obs, actions = random_batch()
        return obs[indices], actions[indices]


def test_runs_from_other_starting_weights_are_other_runs(tmp_path):
    config = TrainConfig(steps=2, batch_size=2, device="cpu")
    source = save_policy(pretrained(on_pixels(JOINT)), tmp_path / "pretrained")
    scratch = train(fresh(JOINT), Batch(), config, tmp_path / "scratch", show_progress=False)
    policy = fresh(JOINT)
    _, start = start_from(policy, source)
    tuned = train(policy, Batch(), config, tmp_path / "tuned", start=start, show_progress=False)
    assert tuned.weights != scratch.weights
    again = fresh(JOINT)
    assert train(again, Batch(), config, tmp_path / "tuned", start=start, show_progress=False).reused
    for folder, begun in (("tuned", ""), ("scratch", start), ("tuned", "another")):
        with pytest.raises(ValueError, match="holds another run .*start is"):
            train(fresh(JOINT), Batch(), config, tmp_path / folder, start=begun, show_progress=False)


def test_augmentation_may_differ_between_pretraining_and_fine_tuning():
    assert transfer_weights(pretrained(on_pixels(JOINT)), fresh(replace(JOINT, augment=AugmentConfig(max_shift=0.1))))
