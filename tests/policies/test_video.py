"""Laws of policies on a video model: what is trained when, how losses are balanced, and two stages."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass, replace

import pytest
import torch

from para.backbones import SvdUnetConfig
from para.backbones.svd_video import autoencoder_loss
from para.interfaces import ActionChunk, Observation
from para.policies import VideoParaConfig, VideoRegressionConfig, make_policy
from para.policies.video_training import BALANCED, VideoObjective, VideoTraining
from para.training import OptimConfig, TrainConfig, train, transfer_weights
from para.training.checkpoint import load_policy, save_policy
from para.training.optim import lr_factor, named_groups
from tests.conftest import random_batch
from tests.tiny import HORIZON, IMAGE_SIZE, build, tiny_backbone

SQUARE = (32, 32)
BACKBONE = SvdUnetConfig(weights="scratch_tiny", n_frames=3, model_size=(12, 16), neck_channels=16, noise_aug=0.0)


def config(kind: type = VideoParaConfig, backbone: SvdUnetConfig = BACKBONE, **training):
    return kind(image_size=IMAGE_SIZE, horizon=HORIZON, backbone=backbone, video=VideoTraining(**training))


def video_batch(B: int = 2) -> tuple[Observation, ActionChunk]:
    obs, actions = random_batch(B)
    g = torch.Generator().manual_seed(7)
    frames = torch.randint(0, 256, (B, 2, 3, *IMAGE_SIZE), dtype=torch.uint8, generator=g)
    return obs, replace(actions, frames=frames)


def fitted(cfg):
    policy = build(cfg).train()
    obs, actions = video_batch()
    policy.fit_ranges(actions, obs.camera)
    return policy


def trained_parts(policy) -> set[str]:
    """Which parts the loss of one step has gradients for."""
    policy.zero_grad(set_to_none=True)
    policy.loss(*video_batch())["total"].backward()
    names = (n for n, p in policy.named_parameters() if p.grad is not None and p.grad.any())
    return {".".join(n.split(".")[:2]) if n.startswith("backbone.") else n.split(".")[0] for n in names}


UNET, NECK = {"backbone.unet", "backbone.image_encoder"}, {"backbone.neck", "backbone.norms"}
HEADS = {"heads", "start"}


@pytest.mark.parametrize(
    "training, mode, parts",
    [
        ({"objective": "video"}, "finetune", UNET),
        ({"objective": "joint"}, "finetune", UNET | NECK | HEADS),
        ({"objective": "actions"}, "finetune", UNET | NECK | HEADS),
        ({"objective": "actions"}, "frozen", NECK | HEADS),
        ({"objective": "video", "autoencoder_steps": 5}, "finetune", {"backbone.vae"}),
    ],
)
def test_each_objective_trains_its_own_parts(training, mode, parts):
    assert trained_parts(fitted(config(backbone=replace(BACKBONE, mode=mode), **training))) == parts


def test_the_autoencoder_is_trained_first_and_stays_then_and_the_policy_counts_for_itself():
    policy = fitted(config(objective="joint", autoencoder_steps=2))
    assert trained_parts(policy) == {"backbone.vae"} == trained_parts(policy)
    assert policy.backbone.latent_scale == 1.0
    assert trained_parts(policy) == UNET | NECK | HEADS
    scale = float(policy.backbone.latent_scale)
    latents = policy.backbone.latents(torch.cat([video_batch()[0].image, *video_batch()[1].frames]))
    assert scale != 1.0 and float((scale * latents).std()) == pytest.approx(1.0, abs=0.05)
    trained_parts(policy)
    assert float(policy.backbone.latent_scale) == scale and int(policy.video.steps_done) == 4


def test_every_weight_of_the_autoencoder_learns_to_give_pictures_back():
    backbone = tiny_backbone("svd_unet").train()
    backbone.vae.requires_grad_(True)
    torch.manual_seed(0)
    obs, actions = video_batch()
    autoencoder_loss(backbone, torch.cat([obs.image.unsqueeze(1), actions.frames], dim=1)).backward()
    idle = [n for n, p in backbone.vae.named_parameters() if p.grad is None]
    # diffusers makes an attention there and, in a decoder of one layer, does not call it
    assert all(n.startswith("decoder.mid_block.attentions.0.") for n in idle) and len(idle) < 12


def test_joint_losses_are_each_divided_by_their_own_running_magnitude():
    balance = VideoObjective(VideoTraining(balance_decay=0.5), tiny_backbone("svd_unet")).train()
    a, b = torch.tensor(8.0, requires_grad=True), torch.tensor(0.02, requires_grad=True)
    total = balance.balanced({"volume": a, "video": b})
    total.backward()
    torch.testing.assert_close(total.detach(), torch.tensor(2.0))
    torch.testing.assert_close(torch.stack([a.grad, b.grad]), torch.tensor([1 / 8, 50.0]))
    assert balance.balanced({"volume": torch.tensor(4.0)}) == pytest.approx(4 / 6)  # 0.5 * 8 + 0.5 * 4
    balance.eval()
    balance.balanced({"volume": torch.tensor(100.0)})
    assert balance.magnitudes[BALANCED.index("volume")] == 6


def test_a_joint_step_has_the_terms_of_both_and_actions_alone_are_paras():
    joint, alone = fitted(config(objective="joint")), fitted(config(objective="actions"))
    terms = joint.loss(*video_batch())
    assert {"video", "volume", "gripper", "total"} <= set(terms) and terms["total"].item() == pytest.approx(3.0)
    own = alone.loss(*video_batch())
    assert "video" not in own and torch.equal(own["total"], own["volume"] + own["gripper"])
    torch.testing.assert_close(own["volume"], terms["volume"])


@pytest.mark.parametrize("kind", [VideoParaConfig, VideoRegressionConfig])
def test_what_acts_has_seen_nothing_of_the_future(kind):
    policy = fitted(config(kind)).eval()
    obs, _ = video_batch()
    assert torch.equal(policy.act(obs).position, policy.act(obs).position)
    obs, actions = video_batch()
    other = replace(actions, frames=255 - actions.frames)
    now, then = (policy.loss(obs, future) for future in (actions, other))
    name = "volume" if kind is VideoParaConfig else "position"
    assert torch.equal(now[name], then[name]) and not torch.equal(now["video"], then["video"])
    assert policy.config.video_offsets == (2, 4) and config(kind, objective="actions").video_offsets == ()


def test_a_training_that_starts_from_anothers_weights_begins_at_its_own_first_step():
    pretrained, policy = fitted(config()), fitted(config(autoencoder_steps=10))
    for _ in range(3):
        pretrained.loss(*video_batch())
    transfer = transfer_weights(pretrained, policy)
    assert int(pretrained.video.steps_done) == 3 and int(policy.video.steps_done) == 0
    assert {"video.steps_done", "video.magnitudes"} <= set(transfer.kept)


def test_samples_without_frames_and_backbones_without_a_video_are_refused():
    with pytest.raises(ValueError, match="VideoChunkDataset"):
        fitted(config(objective="joint")).loss(*random_batch(2))
    with pytest.raises(ValueError, match="needs a video model, the backbone is a SmallConv"):
        make_policy(VideoParaConfig(image_size=IMAGE_SIZE, backbone=tiny_backbone("small_conv").config))
    for objective in ("joint", "video"):
        with pytest.raises(ValueError, match=f"'{objective}' trains the video model, and mode 'frozen' leaves it"):
            make_policy(config(backbone=replace(BACKBONE, mode="frozen"), objective=objective))
    for wrong in ({"objective": "both"}, {"balance_decay": 1.0}, {"objective": "actions", "autoencoder_steps": 1}):
        with pytest.raises(ValueError):
            VideoTraining(**wrong)


def test_learning_rates_go_to_the_video_model_and_to_what_reads_it():
    policy = fitted(config())
    groups = named_groups(policy, OptimConfig(lr=1e-4, backbone_lr_scale=0.01))
    rates = {name: group["lr"] for group in groups for name in group["names"]}
    assert set(rates) == {n for n, p in policy.named_parameters() if p.requires_grad}
    for name, rate in rates.items():
        slow = name.startswith(("backbone.unet.", "backbone.image_encoder."))
        assert rate == pytest.approx(1e-6 if slow else 1e-4), name
    assert not any(name.startswith("backbone.vae.") for name in rates)


@pytest.mark.parametrize("kind", [VideoParaConfig, VideoRegressionConfig])
def test_the_second_stage_begins_with_the_first_ones_video_model_and_nothing_else(kind, tmp_path):
    first = build(config(objective="video"), seed=1)
    deeper = replace(BACKBONE, mode="frozen", neck_dilations=(1, 2, 1), blocks=(2,), sigma=3.0)
    second, fresh = fitted(config(kind, deeper, objective="actions")), build(config(kind, deeper, objective="actions"))
    done = transfer_weights(load_policy(save_policy(first, tmp_path)), second)
    given, own, before = (p.state_dict() for p in (first, second, fresh))
    assert done.copied and all(name.startswith("backbone.") for name in done.copied)
    for name, value in own.items():
        if name.startswith(("backbone.unet.", "backbone.vae.", "backbone.image_encoder.")):
            assert torch.equal(value, given[name]), name
        elif name.startswith(("backbone.neck.", "heads.", "mlp.")):
            assert torch.equal(value, before[name]), name
    with pytest.raises(ValueError, match="video model is another one .svd_unet: n_frames is 3 there, 4 here"):
        transfer_weights(first, build(config(kind, replace(BACKBONE, n_frames=4), objective="actions")))
    later = replace(config(kind), horizon=2 * HORIZON)
    with pytest.raises(ValueError, match=r"frames are \(2, 4\) steps ahead .horizon 4., here they would be \(4, 8\)"):
        transfer_weights(first, build(later))
    with pytest.raises(ValueError, match="saw images of {} x {}, here they are {} x {}".format(*IMAGE_SIZE, *SQUARE)):
        transfer_weights(first, build(replace(config(kind), image_size=SQUARE)))
    with pytest.raises(ValueError, match="video model is another one .svd_unet there, small_conv here"):
        transfer_weights(first, build(replace(config(kind), backbone=tiny_backbone("small_conv").config,
                                              video=VideoTraining(objective="actions"))))  # fmt: skip


@dataclass
class Samples:
    """A few samples with frames."""

    n: int = 4

    def __len__(self) -> int:
        return self.n

    def batch(self, indices) -> tuple[Observation, ActionChunk]:
        obs, actions = video_batch(self.n)
        rows = torch.as_tensor(indices)
        return obs[rows], actions[rows]


def test_a_run_that_stopped_between_the_phases_ends_with_the_same_bytes(tmp_path):
    def run(folder, stop_at: int | None = None):
        def stop(record):
            if record["step"] == stop_at and record["split"] == "train":
                signal.raise_signal(signal.SIGINT)

        training = TrainConfig(
            steps=5, batch_size=2, log_every=1, eval_every=9, save_every=1, mixed_precision="no", device="cpu",
            optim=OptimConfig(lr=1e-3, backbone_lr_scale=0.1, ema_decay=0.9),
        )  # fmt: skip
        cfg = config(objective="joint", autoencoder_steps=2, video_samples=1)
        return train(fitted(cfg), Samples(), training, folder, on_progress=stop, show_progress=False)

    whole = run(tmp_path / "whole")
    for step in (1, 3):  # with the autoencoder, and with magnitudes that have begun to run
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / str(step), step)
        rest = run(tmp_path / str(step))
        assert rest.weights == whole.weights and rest.first_step == step
    log = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    rates = [record["lr"] for record in log if record["split"] == "train"]
    assert rates == [1e-3 * lr_factor(step, 5, OptimConfig(), first_phase=2) for step in range(5)]
    loaded = load_policy(tmp_path / "whole")
    assert int(loaded.video.steps_done) == 5 and loaded.video.magnitudes.count_nonzero() == 3
