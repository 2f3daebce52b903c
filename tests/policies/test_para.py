"""Laws of the policy `para` beyond those that every policy keeps (tests/test_contracts.py)."""

from dataclasses import replace

import pytest
import torch
from scipy.spatial.transform import Rotation

from para.backbones import SmallConvConfig
from para.datasets.partial_supervision import pixels_only
from para.geometry import Camera, project
from para.interfaces import Observation
from para.pixel_actions.decoding import lift_or_hold
from para.pixel_actions.losses import spatial_loss
from para.pixel_actions.targets import make_targets
from para.policies import ParaConfig, make_policy
from para.policies.augment import AugmentConfig, augment
from para.policies.para import paper_form
from tests.conftest import random_batch
from tests.tiny import train_on

TINY = SmallConvConfig(channels=8, dilations=(1, 2), pooled_grid=2)
SMALL = {"image_size": (48, 64), "horizon": 4, "n_height_bins": 8, "n_gripper_bins": 4, "backbone": TINY}
CONFIG = ParaConfig(**SMALL, formulation="factorised")
FORMS = {
    "ours": ParaConfig(**SMALL),
    "factorised": CONFIG,
    "joint": replace(CONFIG, formulation="joint"),
    "joint, hard targets": replace(CONFIG, formulation="joint", soft_targets=False),
    "paper": replace(paper_form((48, 64), TINY), horizon=4),
    "depth": replace(CONFIG, third="depth"),
    "depth, joint": replace(CONFIG, third="depth", formulation="joint"),
    "depth, hard targets": replace(CONFIG, third="depth", soft_targets=False, heatmap_resolution="image"),
}


def build(config: ParaConfig):
    torch.manual_seed(0)
    return make_policy(config)


@pytest.mark.parametrize("margins", [{"height_margin_m": 0.0}, {"depth_margin_m": -0.1}])
def test_margins_must_be_positive(margins):
    with pytest.raises(ValueError, match="must be above 0"):
        ParaConfig(**margins)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_trains_and_acts(form):
    obs, actions = random_batch()
    policy = build(FORMS[form])
    policy.fit_ranges(actions, obs.camera)
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    before = policy.loss(obs, actions)["total"].item()
    for _ in range(25):
        optimizer.zero_grad()
        policy.loss(obs, actions)["total"].backward()
        optimizer.step()
    assert policy.loss(obs, actions)["total"].item() < 0.7 * before
    chunk = policy.eval().act(obs)
    assert torch.isfinite(chunk.position).all() and ((0 < chunk.peak_probability) & (chunk.peak_probability <= 1)).all()


def test_the_lifted_chunk_projects_to_the_predicted_pixel_at_the_predicted_height():
    obs, actions = random_batch()
    policy = build(CONFIG).eval()
    policy.fit_ranges(actions, obs.camera)
    prediction, chunk = policy.predict(obs), policy.act(obs)
    uv, _ = project(chunk.position, obs.camera.unsqueeze(1))
    torch.testing.assert_close(uv, prediction.peak.uv, rtol=0, atol=0.05)
    torch.testing.assert_close(chunk.position[..., 2], prediction.height, rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", ["depth", "depth, joint"])
def test_with_depths_the_chunk_projects_to_the_predicted_pixel_at_the_decoded_depth(form):
    obs, actions = random_batch()
    policy = build(FORMS[form]).eval()
    policy.fit_ranges(actions, obs.camera)
    prediction, chunk = policy.predict(obs), policy.act(obs)
    uv, depth = project(chunk.position, obs.camera.unsqueeze(1))
    torch.testing.assert_close(uv, prediction.peak.uv, rtol=0, atol=0.05)
    torch.testing.assert_close(depth, policy.height_bins.decode(prediction.height_logits), rtol=0, atol=1e-4)
    torch.testing.assert_close(prediction.height, chunk.position[..., 2])
    assert (depth - prediction.height).abs().min() > 0.05


@pytest.mark.parametrize("form", ["depth", "depth, joint", "depth, hard targets"])
def test_perfect_depth_classes_decode_to_the_demonstrated_chunk(form):
    obs, actions = random_batch()
    policy = build(FORMS[form])
    policy.fit_ranges(actions, obs.camera)
    uv, depth = project(actions.position, obs.camera.unsqueeze(1))
    share = policy.height_bins.split(depth)
    decoded = policy.height_bins.decode(share.clamp(min=1e-12).log())
    lifted, valid = lift_or_hold(uv, decoded, obs, policy.config.third)
    assert valid.all()
    torch.testing.assert_close(lifted, actions.position, rtol=0, atol=1e-3)


def test_depth_classes_span_the_training_depths_and_the_margin_whatever_the_heights():
    obs, actions = random_batch()
    policy = build(replace(CONFIG, third="depth", depth_margin_m=0.07))
    policy.fit_ranges(actions, obs.camera)
    _, depth = project(actions.position, obs.camera.unsqueeze(1))
    torch.testing.assert_close(policy.height_bins.edges, torch.stack([depth.min() - 0.07, depth.max() + 0.07]))


def test_depth_classes_cover_the_cameras_that_augmentation_makes():
    obs, actions = random_batch(B=60)
    # at the side of where the camera looks, so that its moves about that point change depths
    actions = replace(actions, position=0.2 * actions.position + torch.tensor([0.09, 0.16, 0.0]))
    warps = AugmentConfig(scale=(0.8, 1.1), view_tilt_deg=30.0)
    policy = build(replace(CONFIG, third="depth", augment=warps, depth_margin_m=0.02))
    policy.fit_ranges(actions, obs.camera)
    seen = augment(obs, warps, torch.Generator().manual_seed(5))
    targets = make_targets(actions, seen.camera)
    low, high = project(actions.position, obs.camera.unsqueeze(1))[1].aminmax()
    assert ((targets.depth < low - 0.02) | (targets.depth > high + 0.02)).any()
    assert policy.height_bins.outside(targets.depth)[targets.valid].float().mean() < 0.01


def test_depth_bins_learn_the_same_chunk_as_height_bins():
    obs, actions = random_batch(B=2)
    for third in ("height", "depth"):
        policy = build(replace(CONFIG, third=third, n_height_bins=16))
        policy.fit_ranges(actions, obs.camera)
        terms = policy.loss(obs, actions)
        assert third in terms and terms[f"{third}_outside_fraction"] == 0
        train_on(policy, obs, actions, steps=120, lr=2e-2)
        error = (policy.act(obs).position - actions.position).norm(dim=-1)
        assert error.max() < 0.02, third


def test_a_camera_that_looks_at_the_horizon_holds_the_arm_still_at_no_confidence():
    obs, _ = random_batch(B=1)
    level = torch.tensor([[[1.0, 0, 0, 0], [0, 0, 1, -0.9], [0, -1, 0, 0.5], [0, 0, 0, 1]]])
    # rays of the upper half of the image of a level camera never meet the table
    up = Observation(obs.image, Camera(obs.camera.K, level, (48, 64)), obs.ee_position, obs.gripper)
    policy = build(CONFIG).eval()
    policy.height_bins.set_range(0.0, 0.3)
    with torch.no_grad():
        policy.heads.heatmap.weight.zero_()
        policy.heads.heatmap.bias.zero_()  # uniform: the first cell, in the upper left corner, wins
    chunk = policy.act(up)
    torch.testing.assert_close(chunk.position, obs.ee_position.expand(1, 4, 3))
    assert (chunk.peak_probability == 0).all()


def test_rotations_are_learnt_and_read_at_the_pixel():
    obs, actions = random_batch(B=2)
    R = torch.from_numpy(Rotation.random(8, random_state=1).as_matrix()).float().view(2, 4, 3, 3)
    actions = replace(actions, rotation=R)
    policy = build(replace(CONFIG, n_rotation_bins=32))
    policy.fit_ranges(actions, obs.camera)
    optimizer = torch.optim.Adam(policy.parameters(), lr=2e-2)
    for _ in range(120):
        optimizer.zero_grad()
        policy.loss(obs, actions)["total"].backward()
        optimizer.step()
    decoded = policy.eval().act(obs).rotation
    cosine = ((decoded.transpose(-1, -2) @ R).diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    assert cosine.clamp(-1, 1).acos().max() < 0.35  # three half-bins of 11 degrees, and some


def test_a_warp_moves_the_camera_so_that_targets_follow_the_image():
    obs, actions = random_batch(B=4, H=96, W=128)
    # a bright dot where the first target is
    uv, _ = project(actions.position[:, 0], obs.camera)
    image = torch.zeros(4, 3, 96, 128, dtype=torch.uint8)
    v, u = torch.meshgrid(torch.arange(96), torch.arange(128), indexing="ij")
    for b in range(4):
        image[b] = (255 * torch.exp(-((u - uv[b, 0]) ** 2 + (v - uv[b, 1]) ** 2) / 8)).to(torch.uint8)
    obs = replace(obs, image=image)
    config = AugmentConfig(scale=(0.8, 1.1), max_rotation_deg=10, max_shift=0.05)
    warped = augment(obs, config, torch.Generator().manual_seed(0))
    moved, _ = project(actions.position[:, 0], warped.camera)
    weight = warped.image[:, 0].float()
    mass = weight.sum((-1, -2))
    seen = torch.stack([(weight * u).sum((-1, -2)) / mass, (weight * v).sum((-1, -2)) / mass], dim=-1)
    assert (moved - uv).norm(dim=-1).min() > 0.5
    torch.testing.assert_close(seen, moved, rtol=0, atol=0.3)


def test_augmentation_is_a_function_of_its_generator():
    obs, _ = random_batch()
    config = AugmentConfig(scale=(0.8, 1.1), max_rotation_deg=10, view_tilt_deg=20)
    a, b = (augment(obs, config, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(a.image, b.image) and torch.equal(a.camera.K, b.camera.K)


def test_the_joint_form_refuses_full_resolution():
    with pytest.raises(ValueError, match="308 MB"):
        ParaConfig(formulation="joint", heatmap_resolution="image")


def test_rotations_that_nobody_demonstrated_are_an_error_and_not_left_untrained():
    obs, actions = random_batch()
    with pytest.raises(ValueError, match="no rotation"):
        build(replace(CONFIG, n_rotation_bins=8)).loss(obs, actions)


@pytest.mark.parametrize("form", [form for form in FORMS if "depth" not in form])
def test_points_without_heights_teach_pixels_and_neither_height_nor_gripper(form):
    obs, actions = random_batch()
    policy = build(FORMS[form])
    policy.fit_ranges(actions, obs.camera)
    obs, tracks = pixels_only(obs, actions)
    noise = policy.loss(obs, replace(tracks, gripper=1 - actions.gripper))
    terms = policy.loss(obs, tracks)
    assert terms["gripper"] == 0 and torch.equal(terms["total"], noise["total"])
    terms["total"].backward()
    assert policy.heads.gripper.weight.grad.abs().max() == 0
    if policy.config.formulation == "joint":  # one head for pixels and heights: no height above another
        weight = policy.heads.height.weight.detach()
        with torch.no_grad():
            policy.heads.height.weight.copy_(weight[:, :1].expand_as(weight))
        policy.zero_grad()
        policy.loss(obs, tracks)["total"].backward()
        gradient = policy.heads.height.weight.grad
        torch.testing.assert_close(gradient, gradient[:, :1].expand_as(gradient))
    else:
        assert policy.heads.height.weight.grad.abs().max() == 0 and policy.heads.heatmap.weight.grad.abs().max() > 0


def test_without_gripper_classes_the_gripper_stays_as_it_is_and_with_one_height_the_table_is_flat():
    obs, actions = random_batch()
    policy = build(replace(FORMS["ours"], n_height_bins=1, n_gripper_bins=0))
    policy.fit_ranges(actions, obs.camera)
    assert not [name for name, _ in policy.named_parameters() if "gripper" in name and "start" != name.split(".")[0]]
    assert train_on(policy, *pixels_only(obs, actions), steps=40)[-1] < 2.5
    chunk = policy.act(obs)
    assert torch.equal(chunk.gripper, obs.gripper.unsqueeze(-1).expand(3, 4))
    torch.testing.assert_close(chunk.position[..., 2], policy.height_bins.centres.expand(3, 4))
    with pytest.raises(ValueError, match="or 0 for none"):
        replace(FORMS["ours"], n_gripper_bins=1)


def test_a_pixel_of_unknown_height_costs_the_joint_form_what_it_costs_its_heatmap():
    obs, actions = random_batch()
    policy = build(FORMS["joint"]).eval()
    policy.fit_ranges(actions, obs.camera)
    obs, actions = pixels_only(obs, actions)
    targets = make_targets(actions, obs.camera, supervise_padding=True)
    with torch.no_grad():
        heatmap = policy.heads.heatmap_logits(policy.features(obs))
        found = policy.loss(obs, actions)["volume"]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert policy.loss(obs, actions)["volume"].dtype == torch.float32
    expected = spatial_loss(heatmap, targets.uv, targets.valid, stride=policy.backbone.stride, soft=True)
    torch.testing.assert_close(found, expected)


def test_a_look_at_held_out_samples_asks_the_backbone_once():
    obs, actions = random_batch()
    policy, n_calls = build(CONFIG).eval(), []
    policy.fit_ranges(actions, obs.camera)
    policy.backbone.register_forward_hook(lambda *of: n_calls.append(1))
    losses = policy.loss(obs, actions)
    assert len(n_calls) == 1
    targets = make_targets(actions, obs.camera, supervise_padding=False)
    error = (policy.predict(obs).peak.uv - targets.uv).norm(dim=-1)[targets.valid]
    torch.testing.assert_close(losses["pixel_error_px"], error.mean())
