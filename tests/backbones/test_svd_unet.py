"""Laws of the video backbone: shapes from the model, one deterministic pass, and weights in a pipeline's format."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
import torch
from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel

from para.backbones import SvdUnet, SvdUnetConfig, svd_model, svd_video
from para.backbones.conv_over_time import ConvOverTime, convolve_over_time
from para.backbones.edm import v_target
from para.backbones.pretrained import weights_follow
from tests.conftest import random_batch
from tests.tiny import tiny_backbone
from tests.tiny_weights import tiny_pipeline

SCRATCH = SvdUnetConfig(weights="scratch_tiny", n_frames=3, model_size=(20, 36), neck_channels=16)
SIZE = (48, 64)


def images(B: int = 2, F: int | None = None) -> torch.Tensor:
    shape = (B, 3, *SIZE) if F is None else (B, F, 3, *SIZE)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def built(config: SvdUnetConfig = SCRATCH, size: tuple[int, int] = SIZE) -> SvdUnet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SvdUnet(config, size).eval()


@pytest.fixture(scope="module")
def backbone() -> SvdUnet:
    return built()


def test_sizes_and_widths_that_are_reckoned_are_those_of_the_network():
    config = replace(SCRATCH, blocks=(0, 1, 2), model_size=(20, 36))
    backbone = built(config)
    with backbone.taps() as kept, torch.no_grad():
        latent = backbone.latents(images())
        assert latent.shape[-2:] == backbone.latent_size() == (10, 18)
        noisy = latent.unsqueeze(1).expand(-1, 3, -1, -1, -1)
        backbone.velocity(noisy, torch.ones(2), latent, backbone.embedding(images()))
    unet = backbone.config.architecture["unet"]
    sizes = svd_model_sizes(unet, (0, 1, 2), (10, 18))
    assert [tuple(kept[block].shape[1:]) for block in (0, 1, 2)] == sizes


def test_convolutions_over_time_are_the_networks_own_and_keep_its_tensors(backbone):
    theirs = UNetSpatioTemporalConditionModel.from_config(dict(backbone.config.architecture["unet"])).eval()
    theirs.load_state_dict(backbone.unet.state_dict())
    told = {"encoder_hidden_states": torch.randn(2, 1, 16), "added_time_ids": torch.ones(2, 3)}
    noisy = torch.randn(2, 3, 8, 10, 18, requires_grad=True)
    outputs = [unet(noisy, torch.ones(2), **told, return_dict=False)[0] for unet in (theirs, backbone.unet)]
    gradients = [torch.autograd.grad(out.square().sum(), noisy)[0] for out in outputs]
    assert sum(type(module) is ConvOverTime for module in backbone.unet.modules()) > 10
    assert not any(type(module) is torch.nn.Conv3d for module in backbone.unet.modules())
    for a, b in (outputs, gradients):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("changes", [{"stride": (2, 1, 1), "padding": (2, 0, 0), "dilation": (2, 1, 1)}, {"groups": 4}])
def test_a_convolution_over_time_is_as_before_whatever_its_stride_dilation_and_groups(changes):
    conv = torch.nn.Conv3d(8, 12, (3, 1, 1), **{"padding": (1, 0, 0)} | changes)
    x = torch.randn(2, 8, 7, 3, 5)
    expected = conv(x)
    convolve_over_time(conv)
    assert type(conv) is ConvOverTime
    torch.testing.assert_close(conv(x), expected)


@pytest.mark.parametrize("changes", [{"kernel_size": 3}, {"kernel_size": (3, 1, 1), "padding_mode": "circular"}])
def test_other_convolutions_stay_what_they_are(changes):
    conv = torch.nn.Conv3d(4, 4, **changes)
    convolve_over_time(conv)
    assert type(conv) is torch.nn.Conv3d


def svd_model_sizes(unet, blocks, latent_size):
    from para.backbones.svd_unet import decoder_sizes, decoder_widths

    return [(c, h, w) for c, (h, w) in zip(decoder_widths(unet, blocks), decoder_sizes(unet, blocks, latent_size))]


def test_the_published_networks_features_are_those_that_the_paper_names():
    unet = {"block_out_channels": [320, 640, 1280, 1280]}
    assert svd_model_sizes(unet, (1, 2), (40, 72)) == [(1280, 20, 36), (640, 40, 72)]


def test_the_pass_is_a_function_of_the_image_and_the_noises_seed(backbone):
    state = torch.random.get_rng_state()
    with torch.no_grad():
        first, second = backbone(images()), built()(images())
        other = built(replace(SCRATCH, noise_seed=1))(images())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert first.frames.shape[:3] == (2, 3, 16)
    assert torch.equal(first.frames, second.frames) and not torch.allclose(first.frames, other.frames, atol=1e-4)
    torch.testing.assert_close(first.grid, first.frames.mean(dim=1))


def test_the_noise_level_and_the_picture_change_the_features(backbone):
    with torch.no_grad():
        here = backbone(images()).frames
        louder = built(replace(SCRATCH, sigma=100.0))(images()).frames
        assert not torch.allclose(here[:, 1], here[:, 2], atol=1e-3)  # frames differ
    assert not torch.allclose(here, louder, atol=1e-4) and not torch.allclose(here[0], here[1], atol=1e-3)


def test_gradient_checkpointing_changes_no_feature_and_no_gradient():
    results = []
    for checkpointing in (False, True):
        backbone = built(replace(SCRATCH, gradient_checkpointing=checkpointing)).train()
        assert backbone.unet.is_gradient_checkpointing == checkpointing
        backbone(images()).frames.square().mean().backward()
        results.append({n: p.grad for n, p in backbone.named_parameters() if p.grad is not None})
    assert results[0].keys() == results[1].keys() and len(results[0]) > 100
    for name, gradient in results[0].items():
        torch.testing.assert_close(gradient, results[1][name], rtol=1e-4, atol=1e-7)


def test_what_is_frozen_gets_no_gradient_and_stays_in_evaluation():
    backbone = built(replace(SCRATCH, mode="frozen")).train()
    backbone(images()).grid.sum().backward()
    trained = {name.split(".")[0] for name, p in backbone.named_parameters() if p.requires_grad}
    assert trained == {"neck", "norms"} and not backbone.unet.training and backbone.neck.training
    assert all(p.grad is None for p in backbone.unet.parameters())


def test_a_perfectly_denoising_model_has_no_loss(backbone, monkeypatch):
    frames, seen = images(2, 3), {}
    pictures = backbone.pictures(frames.flatten(0, 1))
    clean = backbone.latent_scale * backbone.encode(pictures).unflatten(0, (2, 3))
    noisy_pictures = backbone.latents(frames.flatten(0, 1)).unflatten(0, (2, 3))
    assert not torch.allclose(noisy_pictures, clean / backbone.latent_scale, atol=1e-3)  # only what conditions is noisy

    def perfect(noisy, sigma, latent, embedding):
        seen["latent"] = latent
        return v_target(clean, noisy, sigma)

    monkeypatch.setattr(backbone, "velocity", perfect)
    assert svd_video.video_loss(backbone, frames) < 1e-10
    torch.testing.assert_close(seen["latent"], backbone.latents(frames[:, 0]), rtol=1e-4, atol=1e-5)


def test_videos_are_sampled_in_the_cameras_size_and_repeatably(backbone):
    first = svd_video.generate(backbone, images(), 2)
    assert first.shape == (2, 3, 3, *SIZE) and first.dtype == torch.uint8
    assert torch.equal(first, svd_video.generate(backbone, images(), 2))
    assert not torch.equal(first, svd_video.generate(backbone, images(), 2, seed=1))


def test_a_perfect_model_samples_what_its_autoencoder_makes_of_the_video(backbone, monkeypatch):
    frames = images(1, 3)
    clean = backbone.latent_scale * backbone.encode(backbone.pictures(frames[0])).unsqueeze(0)
    monkeypatch.setattr(backbone, "velocity", lambda noisy, sigma, *_: v_target(clean, noisy, sigma))
    monkeypatch.setattr(backbone, "config", replace(backbone.config, noise_aug=0.0))
    sampled = svd_video.generate(backbone, frames[:, 0], 4).float()
    assert (sampled - svd_video.reconstruct(backbone, frames).float()).abs().mean() < 0.01


def test_videos_of_another_length_are_refused(backbone):
    with pytest.raises(ValueError, match="has 3 frames, the samples 4"):
        svd_video.video_loss(backbone, images(1, 4))


# ---- weights ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path) -> Path:
    """A pipeline of its own, to be spoilt."""
    return Path(shutil.copytree(tiny_pipeline(), tmp_path / "pipeline"))


def from_folder(folder: Path, **changes) -> SvdUnetConfig:
    return replace(SCRATCH, weights=str(folder), **changes)


def test_a_pipeline_that_diffusers_saved_gives_its_networks(folder):
    from diffusers import StableVideoDiffusionPipeline

    backbone = built(from_folder(folder))
    pipeline = StableVideoDiffusionPipeline.from_pretrained(folder)
    for name in svd_model.NETWORKS:
        ours, theirs = getattr(backbone, name).state_dict(), getattr(pipeline, name).state_dict()
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert len(backbone.config.weights_hash) == 12 and float(backbone.latent_scale) == pytest.approx(0.18215)
    assert not any(p.requires_grad for part in (backbone.vae, backbone.image_encoder) for p in part.parameters())


def test_what_conditions_is_what_the_pipeline_makes_of_the_picture(folder):
    from diffusers import StableVideoDiffusionPipeline

    backbone = built(from_folder(folder, noise_aug=0.0), (20, 36))
    pipeline = StableVideoDiffusionPipeline.from_pretrained(folder)
    picture = torch.randint(0, 256, (1, 3, 20, 36), dtype=torch.uint8)
    image = pipeline.video_processor.preprocess(picture.float() / 255, height=20, width=36)
    theirs = pipeline._encode_vae_image(image, "cpu", 1, False)
    torch.testing.assert_close(backbone.latents(picture), theirs, rtol=1e-4, atol=1e-5)
    ids = pipeline._get_add_time_ids(7 - 1, 127, 0.0, torch.float32, 1, 1, False)
    torch.testing.assert_close(backbone.told.unsqueeze(0), ids)


def test_a_checkpoints_options_build_it_without_its_weights(folder):
    config = built(from_folder(folder)).config
    shutil.rmtree(folder)
    with weights_follow():
        assert SvdUnet(config, SIZE).config == config
    with pytest.raises(FileNotFoundError, match="no folder"):
        SvdUnet(config, SIZE)


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda f: shutil.rmtree(f / "vae"), "lacks vae/config.json"),
        (lambda f: (f / "unet" / "diffusion_pytorch_model.safetensors").unlink(), r"lacks unet/\*.safetensors"),
        (lambda f: shutil.copy(f / "vae" / "config.json", f / "unet" / "config.json"), "needs a UNetSpatioTemporal"),
        (lambda f: (f / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"cut"), "cannot be read"),
    ],
)
def test_a_pipeline_that_is_not_whole_is_refused_in_one_line(folder, spoil, message):
    spoil(folder)
    with pytest.raises((FileNotFoundError, ValueError), match=message) as refused:
        SvdUnet(from_folder(folder), SIZE)
    assert "\n" not in str(refused.value)


def test_weights_that_were_exchanged_are_refused(folder):
    with pytest.raises(ValueError, match="were made with 123456789012"):
        SvdUnet(from_folder(folder, weights_hash="123456789012"), SIZE)


def test_without_a_network_it_says_how_to_get_the_weights(monkeypatch):
    asked = []

    def snapshot_download(repo_id, **options):
        asked.append((repo_id, options.get("local_files_only", False)))
        raise OSError("Name or service not known\nand more")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(FileNotFoundError, match=r"Name or service not known\); get them .* `hf download stabilityai/"):
        SvdUnet(SvdUnetConfig(), SIZE)
    assert asked == [(svd_model.HUB_IDS["img2vid"], True), (svd_model.HUB_IDS["img2vid"], False)]
    with pytest.raises(ValueError, match="did you mean 'img2vid'"):
        svd_model.find_pipeline("img2vd")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"mode": "lora"}, "finetune or frozen"),
        ({"blocks": (2, 1)}, "rise"),
        ({"n_frames": 1}, "n_frames"),
        ({"sigma": 0.0}, "sigma"),
        ({"blocks": (1, 3)}, "3 decoder blocks, 0 to 2"),
        ({"model_size": (21, 36)}, "divide by 2; choose 20 x 36"),
    ],
)
def test_options_that_cannot_be_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        SvdUnet(replace(SCRATCH, **changes), SIZE)


def test_the_contracts_instance_has_cells_of_the_cameras_picture():
    assert tiny_backbone("svd_unet").stride == 8 and random_batch(B=1)[0].image.shape[-2:] == SIZE
