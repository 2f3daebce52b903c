"""What every registered backbone and policy keeps, without a test of its own; worlds and experiments: next file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from para.backbones import BACKBONES
from para.datasets import ChunkDataset, Demonstrations, record
from para.datasets.partial_supervision import pixels_only
from para.geometry import Camera
from para.interfaces import ActionChunk, Backbone, Observation, Policy
from para.policies import make_policy
from para.training.checkpoint import load_policy, save_policy
from tests.conftest import oblique_camera, random_batch
from tests.datasets.fake_world import IMAGE_SIZE as FAKE_SIZE
from tests.datasets.fake_world import fake_scenes, make_fake_world
from tests.tiny import HORIZON, IMAGE_SIZE, build, policy_configs, tiny_backbone, train_on

NOT_EQUIVARIANT = {"vit", "dinov2", "dinov3", "svd_unet"}
"""Backbones whose documentation says that what they are told of positions breaks equivariance."""

NOT_FOR_FEATURES = {"svd_unet": ("vae.", "unet.conv_norm_out.", "unet.conv_out.")}
"""Parts of a video model that learn from videos alone: features do not depend on them, or they stay as they are."""

POLICY_CONFIGS = policy_configs()


# ---- backbones -------------------------------------------------------------------------------------------------------


def patch_image(u: int, v: int, H: int = 96, W: int = 128) -> torch.Tensor:
    """A textured patch on a plain background, (1, 3, H, W)."""
    image = torch.full((1, 3, H, W), 90, dtype=torch.uint8)
    g = torch.Generator().manual_seed(3)
    image[:, :, v : v + 10, u : u + 14] = torch.randint(0, 256, (1, 3, 10, 14), dtype=torch.uint8, generator=g)
    return image


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbones_grid_has_a_cell_per_stride_and_its_channels(name):
    backbone = tiny_backbone(name)
    assert isinstance(backbone, Backbone)
    obs, _ = random_batch(B=2)
    features = backbone(obs.image)
    h, w = IMAGE_SIZE[0] // backbone.stride, IMAGE_SIZE[1] // backbone.stride
    assert features.grid.shape == (2, backbone.channels, h, w)
    assert features.pooled.shape == (2, backbone.pooled_channels)
    assert torch.isfinite(features.grid).all() and torch.isfinite(features.pooled).all()


@pytest.mark.parametrize("name", BACKBONES)
def test_what_a_backbone_is_told_of_the_start_is_added_and_acts_where_it_is(name):
    backbone = tiny_backbone(name)
    obs, _ = random_batch(B=1)
    plain = backbone(obs.image).grid
    start = torch.zeros_like(plain)
    torch.testing.assert_close(backbone(obs.image, start).grid, plain)
    # not the same in all channels, which layer norms would take away
    start[0, :, 2, 5] = 3 * torch.randn(backbone.channels, generator=torch.Generator().manual_seed(0))
    change = (backbone(obs.image, start).grid - plain).abs().sum(dim=1)[0]  # (h, w)
    assert change.argmax().item() == 2 * change.shape[1] + 5 and change.max() > 0.1


@pytest.mark.parametrize("name", BACKBONES)
def test_a_row_of_a_batch_has_the_features_that_it_has_alone(name):
    backbone = tiny_backbone(name)
    obs, _ = random_batch(B=3)
    together, alone = backbone(obs.image), backbone(obs.image[1:2])
    torch.testing.assert_close(together.grid[1:2], alone.grid, rtol=1e-4, atol=5e-5)
    torch.testing.assert_close(together.pooled[1:2], alone.pooled, rtol=1e-4, atol=5e-5)


@pytest.mark.parametrize("name", BACKBONES)
def test_moving_the_image_by_strides_moves_the_grid_by_cells(name):
    backbone = tiny_backbone(name, (96, 128))
    p = backbone.stride
    here, there = backbone(patch_image(56, 40)).grid, backbone(patch_image(56 + 2 * p, 40 + p)).grid
    difference = (there[..., 1:, 2:] - here[..., :-1, :-2]).abs().max().item()
    if name in NOT_EQUIVARIANT:
        assert difference > 1e-3, f"{name} keeps this law after all: take it off the list of exceptions"
    else:
        assert difference < 1e-5


@pytest.mark.parametrize("name", BACKBONES)
def test_an_image_that_does_not_divide_into_cells_is_refused_with_sides_that_do(name):
    with pytest.raises(ValueError, match=r"divisible by \d+; resize to \d+ x \d+"):
        tiny_backbone(name, (50, 67))


@pytest.mark.parametrize("name", BACKBONES)
def test_every_weight_of_a_backbone_is_trained(name):
    backbone = tiny_backbone(name)
    obs, _ = random_batch(B=2)
    parts = [part for part in backbone(obs.image) if part is not None]  # without frames where it sees one picture
    g = torch.Generator().manual_seed(0)
    weighted = [(part * torch.randn(part.shape, generator=g)).sum() for part in parts]
    sum(weighted).backward()
    left_out = [n for n, p in backbone.named_parameters() if p.grad is None or not p.grad.any()]
    assert [n for n in left_out if not n.startswith(NOT_FOR_FEATURES.get(name, ()))] == []


# ---- policies --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=POLICY_CONFIGS)
def policy(request):
    """Untrained, with the ranges of the batch."""
    built = build(POLICY_CONFIGS[request.param])
    obs, actions = random_batch()
    built.fit_ranges(actions, obs.camera)
    return built


def loss_and_gradients(policy, obs, actions) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)  # as the training loop does before every step: a loss may draw noise
    policy.zero_grad()
    total = policy.loss(obs, actions)["total"]
    total.backward()
    return {"total": total.detach()} | {n: p.grad.clone() for n, p in policy.named_parameters() if p.grad is not None}


def without_padding(policy):
    built = build(replace(policy.config, supervise_padding=False))
    obs, actions = random_batch()
    built.fit_ranges(actions, obs.camera)
    return built


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(
            a[name], b[name], rtol=1e-5, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_a_policy_keeps_the_protocol_and_its_name_finds_it(policy):
    assert isinstance(policy, Policy)
    assert type(make_policy(policy.config)) is type(policy)
    chunk = policy.eval().act(random_batch()[0])
    assert chunk.position.shape == (3, HORIZON, 3) and not chunk.is_pad.any() and not chunk.position.requires_grad
    assert ((chunk.gripper >= 0) & (chunk.gripper <= 1)).all()


def test_the_loss_is_finite_and_falls_on_one_tiny_batch(policy):
    obs, actions = random_batch()
    terms = policy.loss(obs, actions)
    assert all(term.ndim == 0 and torch.isfinite(term) for term in terms.values())
    totals = train_on(policy, obs, actions, steps=30)
    assert totals[-1] < 0.8 * totals[0]


def test_the_loss_is_a_function_of_its_generator_and_of_the_seed_that_training_sets(policy):
    obs, actions = random_batch()

    def total() -> torch.Tensor:
        torch.manual_seed(1)
        return policy.loss(obs, actions, generator=torch.Generator().manual_seed(5))["total"]

    first = total()
    assert torch.isfinite(first) and torch.equal(first, total())


def test_padded_steps_change_no_loss_and_no_gradient(policy):
    policy = without_padding(policy)
    obs, actions = random_batch()
    pad = torch.tensor([[False] * 4, [False, False, True, True], [True] * 4])
    g = torch.Generator().manual_seed(9)
    noise = 0.1 * torch.rand(3, 4, 3, generator=g)
    moved = torch.where(pad.unsqueeze(-1), actions.position + noise, actions.position)
    flipped = torch.where(pad, 1 - actions.gripper, actions.gripper)
    padded = loss_and_gradients(policy, obs, replace(actions, is_pad=pad))
    assert_same(padded, loss_and_gradients(policy, obs, ActionChunk(moved, flipped, pad)))
    assert padded["total"] != loss_and_gradients(policy, obs, ActionChunk(moved, flipped, ~pad))["total"]


def test_steps_of_which_nothing_is_known_change_no_loss_and_no_gradient(policy):
    policy = without_padding(policy)
    obs, actions = random_batch()
    pad = torch.tensor([[False] * 4, [False, False, True, True], [True] * 4])
    unknown = (~pad).unsqueeze(-1).expand(3, 4, 3)
    moved = torch.where(pad.unsqueeze(-1), actions.position + 0.05, actions.position)
    flipped = torch.where(pad, 1 - actions.gripper, actions.gripper)
    masked = loss_and_gradients(policy, obs, ActionChunk(moved, flipped, torch.zeros_like(pad), known=unknown))
    assert_same(masked, loss_and_gradients(policy, obs, replace(actions, is_pad=pad)))


def test_a_policy_learns_from_pixels_alone_exactly_if_it_says_so(policy):
    losses = loss_and_gradients(policy, *pixels_only(*random_batch()))
    gradients = [p.grad for p in policy.parameters() if p.grad is not None]
    assert torch.isfinite(losses["total"]) and all(torch.isfinite(gradient).all() for gradient in gradients)
    assert any(gradient.any() for gradient in gradients) == getattr(policy, "learns_from_pixels", False)


@pytest.mark.parametrize("what", ["position", "gripper"])
def test_steps_that_are_not_finite_are_masked_like_padding(policy, what):
    policy = without_padding(policy)
    obs, actions = random_batch()
    pad = torch.tensor([[False] * 4, [False, False, True, True], [False, True, False, False]])
    broken = getattr(actions, what).clone()
    broken[pad] = float("nan")
    masked = loss_and_gradients(policy, obs, replace(actions, **{what: broken}))
    assert_same(masked, loss_and_gradients(policy, obs, replace(actions, is_pad=pad)))


def test_a_saved_policy_acts_as_before(policy, tmp_path):
    obs, actions = random_batch()
    train_on(policy, obs, actions, steps=3)
    loaded = load_policy(save_policy(policy, tmp_path / "checkpoint"))
    assert loaded.config == policy.config
    ours, theirs = policy.act(obs), loaded.act(obs)
    assert torch.equal(ours.position, theirs.position) and torch.equal(ours.gripper, theirs.gripper)


def test_a_row_of_a_batch_gets_the_action_that_it_gets_alone(policy):
    obs, actions = random_batch()
    train_on(policy, obs, actions, steps=20)
    together = policy.act(obs)
    for row in range(3):
        alone = policy.act(obs[row])
        torch.testing.assert_close(alone.position[0], together.position[row], rtol=0, atol=1e-4)
        torch.testing.assert_close(alone.gripper[0], together.gripper[row], rtol=0, atol=1e-4)


def test_in_bfloat16_coordinates_are_not_rounded_to_its_steps(policy):
    obs, _ = random_batch(B=8)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        chunk = policy.eval().act(obs)
    y = chunk.position[..., 1].flatten()
    # of an output in bfloat16 at most half were distinct; a clamp at the edge of the range makes some the same
    assert len(y.unique()) > 0.7 * len(y) and y.dtype == chunk.gripper.dtype == torch.float32


def test_acting_is_deterministic_and_draws_nothing(policy):
    obs, _ = random_batch()
    policy.eval()
    state = torch.random.get_rng_state()
    first = policy.act(obs)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(1)
    assert torch.equal(policy.act(obs).position, first.position)


def odd_observations() -> dict[str, Observation]:
    obs, _ = random_batch(B=1)
    level = torch.tensor([[[0.0, 0, -1, 0.9], [1, 0, 0, 0.1], [0, -1, 0, 0.3], [0, 0, 0, 1]]])
    under = torch.tensor([[0.0, 0.0, -5.0]])
    black = torch.zeros_like(obs.image)
    camera = oblique_camera(*IMAGE_SIZE, batch=1)
    return {
        "a camera that looks along the horizon": replace(obs, camera=Camera(camera.K, level, IMAGE_SIZE)),
        "an arm off the image": replace(obs, ee_position=torch.tensor([[0.0, 3.0, 0.1]])),
        "an arm behind the camera": replace(obs, ee_position=torch.tensor([[5.0, -3.0, 4.0]])),
        "an arm at the camera": replace(obs, ee_position=camera.T_world_cam[:, :3, 3]),
        "an arm under the table": replace(obs, ee_position=under),
        "a black image": replace(obs, image=black),
    }


@pytest.mark.parametrize("what", odd_observations())
def test_actions_are_finite_whatever_is_seen(policy, what):
    chunk = policy.eval().act(odd_observations()[what])
    assert torch.isfinite(chunk.position).all() and torch.isfinite(chunk.gripper).all()


def test_training_on_what_cannot_be_seen_stays_finite(policy):
    _, actions = random_batch(B=1)
    for obs in odd_observations().values():
        results = loss_and_gradients(policy, obs, actions)
        assert all(torch.isfinite(value).all() for value in results.values())


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory) -> Demonstrations:
    """Two demonstrations in a world without physics, through a dataset on the disk."""
    root = tmp_path_factory.mktemp("contracts") / "data"
    record(make_fake_world, fake_scenes(2), root, workers=1, progress=False, lossless=True)
    return Demonstrations.open(root)


def four_frames(demonstrations: Demonstrations) -> tuple[Observation, ActionChunk]:
    last = int(demonstrations.episode_stop[0])
    return ChunkDataset(demonstrations, HORIZON).batch(np.linspace(0, last - 1, 4).astype(int))


@pytest.mark.parametrize("name", POLICY_CONFIGS)
def test_overfitting_one_demonstration_drives_the_actions_to_it(name, demonstrations):
    obs, actions = four_frames(demonstrations)
    policy = build(policy_configs(image_size=FAKE_SIZE)[name])
    policy.fit_ranges(actions, obs.camera)
    # a heatmap that is trained by distance sharpens more slowly than one that is trained as classes
    train_on(policy, obs, actions, steps=300 if name == "soft_argmax" else 150, lr=2e-2)
    chunk = policy.act(obs)
    # the paper's form decodes to cell centres: half a cell of 4 px is 2 px, at 2.2 cm per pixel of this small image
    tolerance = 0.07 if "paper" in name else 0.015
    assert (chunk.position - actions.position).norm(dim=-1).max() < tolerance
    assert torch.equal(chunk.gripper > 0.5, actions.gripper > 0.5)


def test_every_policy_sees_the_same_bytes_of_a_dataset_and_leaves_them_as_they_are(demonstrations):
    def bytes_of(batch: tuple[Observation, ActionChunk]) -> list[bytes]:
        obs, actions = batch
        tensors = (obs.image, obs.camera.K, obs.camera.T_world_cam, obs.ee_position, obs.gripper)
        return [t.numpy().tobytes() for t in (*tensors, actions.position, actions.gripper, actions.is_pad)]

    reference = bytes_of(four_frames(demonstrations))
    for config in policy_configs(image_size=FAKE_SIZE).values():
        batch = four_frames(demonstrations)
        assert bytes_of(batch) == reference
        policy = build(config)
        policy.fit_ranges(batch[1], batch[0].camera)
        policy.loss(*batch, generator=torch.Generator().manual_seed(0))["total"].backward()
        policy.eval().act(batch[0])
        assert bytes_of(batch) == reference
