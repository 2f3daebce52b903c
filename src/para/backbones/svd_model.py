"""Stable Video Diffusion's three networks: where their weights lie, what they are, and how they are read or made.

Everything goes through a folder as `save_pretrained` of `diffusers`' pipeline writes it and the hub holds it:
`unet/`, `vae/`, `image_encoder/`, `scheduler/`, `feature_extractor/`, `model_index.json`. Small networks of the same
classes, with random weights, are known here by names of their own: what two CPU cores can train from scratch.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from para.backbones.conv_over_time import convolve_over_time
from para.backbones.pretrained import import_transformers
from para.files import read_json
from para.registry import did_you_mean

HUB_IDS = {
    "img2vid": "stabilityai/stable-video-diffusion-img2vid",
    "img2vid_xt": "stabilityai/stable-video-diffusion-img2vid-xt",
}
"""Name of weights -> id on the hub: trained on 14 and on 25 frames."""

NETWORKS = ("unet", "vae", "image_encoder")

FILES = ["model_index.json", "*/*.json", *(f"{name}/*.safetensors" for name in NETWORKS)]
"""What is needed of a repository."""

NOT_FILES = ["*.fp16.safetensors", "*/*.index.fp16.json"]

SCHEDULER = {
    "_class_name": "EulerDiscreteScheduler", "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085,
    "interpolation_type": "linear", "num_train_timesteps": 1000, "prediction_type": "v_prediction", "sigma_max": 700.0,
    "sigma_min": 0.002, "steps_offset": 1, "timestep_spacing": "leading", "timestep_type": "continuous",
    "use_karras_sigmas": True,
}  # fmt: skip
"""Of the published model."""

CLIP_PIXELS = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
"""Mean and deviation of the channels (0 to 1) that CLIP's image encoder expects."""


class Parts(NamedTuple):
    """The networks."""

    unet: nn.Module
    vae: nn.Module
    image_encoder: nn.Module


def small_architecture(width: int, latent_channels: int, vae_widths: list[int], clip: dict[str, int]) -> dict[str, Any]:
    """Networks of the published classes, small enough for a CPU; as an architecture that `read_architecture` gives."""
    return {
        "unet": {
            "in_channels": 2 * latent_channels, "out_channels": latent_channels,
            "down_block_types": [f"{kind}DownBlockSpatioTemporal" for kind in ("", "CrossAttn", "")],
            "up_block_types": [f"{kind}UpBlockSpatioTemporal" for kind in ("", "CrossAttn", "")],
            "block_out_channels": [width] * 3, "num_attention_heads": [2] * 3, "layers_per_block": 1,
            "cross_attention_dim": clip["projection_dim"], "addition_time_embed_dim": 32,
            "projection_class_embeddings_input_dim": 96,
        },
        "vae": {
            "block_out_channels": vae_widths, "down_block_types": ["DownEncoderBlock2D"] * len(vae_widths),
            "latent_channels": latent_channels, "layers_per_block": 1, "scaling_factor": 1.0,
        },
        "image_encoder": {"model_type": "clip_vision_model", "num_attention_heads": 2, **clip},
        "scheduler": SCHEDULER,
        "feature_extractor": CLIP_PIXELS,
    }  # fmt: skip


SCRATCH: dict[str, dict[str, Any]] = {
    "scratch_tiny": small_architecture(
        32, 4, [32, 32],
        {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "patch_size": 8, "image_size": 16,
         "projection_dim": 16},
    ),
    "scratch_small": small_architecture(
        64, 8, [32, 32, 64],
        {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "patch_size": 8, "image_size": 32,
         "projection_dim": 64},
    ),
}  # fmt: skip
"""Networks that begin from random weights: for tests, and for two CPU cores (UNet 2.9 M parameters)."""


def find_pipeline(weights: str) -> Path:
    """The folder of a published or saved pipeline, fetched from the hub where it is not on this machine.

    Args:
        weights: a name of `HUB_IDS`, a folder, or an id of the hub.

    Raises:
        ValueError: for a name that is none of these.
        FileNotFoundError: if the pipeline is not there and cannot be fetched, or is not whole; one line that says how
            to get it.
        ImportError: where huggingface_hub, which comes with diffusers, is not installed.
    """
    folder = Path(weights).expanduser()
    if folder.is_dir():
        if missing := missing_parts(folder):
            raise FileNotFoundError(f"{folder} lacks {', '.join(missing[:3])} of a pipeline; {how_to_get('img2vid')}")
        return folder
    name = HUB_IDS.get(weights, weights)
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise FileNotFoundError(f"no folder {folder} with a pipeline; {how_to_get('img2vid')}")
    if "/" not in name:
        hint = did_you_mean(weights, [*HUB_IDS, *SCRATCH])
        raise ValueError(f"no weights '{weights}' of svd_unet{hint}; a folder or an id of the hub will do, too")
    return _from_hub(name)


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise missing_extra() from error
    with contextlib.suppress(OSError, ValueError):
        folder = Path(snapshot_download(name, allow_patterns=FILES, ignore_patterns=NOT_FILES, local_files_only=True))
        if not missing_parts(folder):
            return folder
    try:
        folder = Path(snapshot_download(name, allow_patterns=FILES, ignore_patterns=NOT_FILES))
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise FileNotFoundError(
            f"the weights {name} are not on this machine and could not be fetched ({reason}); {how_to_get(name)}"
        ) from error
    if missing := missing_parts(folder):
        raise FileNotFoundError(f"{name} lacks {', '.join(missing[:3])} of a pipeline; {how_to_get('img2vid')}")
    return folder


def missing_parts(folder: Path) -> list[str]:
    """What is read of a pipeline's folder and is not there."""
    configs = {
        "unet": "config.json", "vae": "config.json", "image_encoder": "config.json",
        "scheduler": "scheduler_config.json", "feature_extractor": "preprocessor_config.json",
    }  # fmt: skip
    missing = [f"{name}/{file}" for name, file in configs.items() if not (folder / name / file).is_file()]
    return missing + [f"{name}/*.safetensors" for name in NETWORKS if not any((folder / name).glob("*.safetensors"))]


def how_to_get(weights: str) -> str:
    """What to do where weights are missing, in one sentence."""
    name = HUB_IDS.get(weights, weights)
    return (
        f"get them where there is a network with `hf download {name} --exclude '*.fp16.*' 'svd*'` (9 GB; accept its "
        "licence on its page first, then `hf auth login`), or name a folder that has them; --scale small needs none"
    )


def read_architecture(folder: Path) -> dict[str, Any]:
    """Which networks a pipeline's weights are of, JSON-ready.

    Raises:
        ValueError: if it is another pipeline's.
    """
    read = {
        name: read_json(folder / name / file)
        for name, file in (
            ("unet", "config.json"), ("vae", "config.json"), ("image_encoder", "config.json"),
            ("scheduler", "scheduler_config.json"), ("feature_extractor", "preprocessor_config.json"),
        )
    }  # fmt: skip
    needed = {"unet": "UNetSpatioTemporalConditionModel", "vae": "AutoencoderKLTemporalDecoder"}
    for name, kind in needed.items():
        if (found := read[name].get("_class_name")) != kind:
            raise ValueError(f"{folder / name} holds a {found}, svd_unet needs a {kind}; name a pipeline of SVD")
    pixels = {name: read["feature_extractor"].get(name, value) for name, value in CLIP_PIXELS.items()}
    dropped = ("_name_or_path", "_diffusers_version", "transformers_version", "architectures", "torch_dtype", "dtype")
    plain = {name: {k: v for k, v in read[name].items() if k not in dropped} for name in (*NETWORKS, "scheduler")}
    return plain | {"feature_extractor": pixels}


def hash_weights(folder: Path) -> str:
    """12 hex digits of the sha256 of a pipeline's safetensors."""
    digest = hashlib.sha256()
    for path in sorted(path for name in NETWORKS for path in (folder / name).glob("*.safetensors")):
        if ".fp16." not in path.name:
            with path.open("rb") as file:
                while block := file.read(1 << 22):
                    digest.update(block)
    return digest.hexdigest()[:12]


def build_parts(architecture: dict[str, Any]) -> Parts:
    """The networks with random weights. Raises ImportError where diffusers or transformers is not installed."""
    unet_type, vae_type, encoder_type, encoder_config = _classes()
    plain = json.loads(json.dumps(architecture))  # diffusers writes into what it is given
    encoder = encoder_type(encoder_config.from_dict(plain["image_encoder"]))
    unet, vae = unet_type.from_config(plain["unet"]), vae_type.from_config(plain["vae"])
    return Parts(convolve_over_time(unet), convolve_over_time(vae), encoder)


def load_parts(folder: Path) -> Parts:
    """The networks with their weights, in float32 on the CPU.

    Raises:
        ValueError: if a file is damaged, or tensors are missing or of other shapes.
        ImportError: where diffusers or transformers is not installed.
    """
    import torch
    from safetensors import SafetensorError

    unet_type, vae_type, encoder_type, _ = _classes()
    options = {"use_safetensors": True, "local_files_only": True, "output_loading_info": True}
    try:
        loaded = [
            unet_type.from_pretrained(folder / "unet", torch_dtype=torch.float32, **options),
            vae_type.from_pretrained(folder / "vae", torch_dtype=torch.float32, **options),
            encoder_type.from_pretrained(folder / "image_encoder", dtype=torch.float32, **options),
        ]
    except (SafetensorError, RuntimeError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"the weights in {folder} cannot be read ({reason}); get them again") from error
    for name, (_, report) in zip(NETWORKS, loaded):
        if missing := sorted(report["missing_keys"]):
            raise ValueError(
                f"the weights in {folder / name} lack {len(missing)} tensors ({', '.join(missing[:2])}, ...) of the "
                "network that its config.json describes; get both again"
            )
    return Parts(*(convolve_over_time(model) for model, _ in loaded))


def make_scheduler(architecture: dict[str, Any]) -> Any:
    """The pipeline's scheduler: Euler steps over noise levels."""
    _classes()
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

    return EulerDiscreteScheduler.from_config(dict(architecture["scheduler"]))


def _classes() -> tuple[Any, Any, Any, Any]:
    transformers = import_transformers()
    try:
        from diffusers.models.autoencoders.autoencoder_kl_temporal_decoder import AutoencoderKLTemporalDecoder
        from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
    except ImportError as error:
        raise missing_extra() from error
    encoder = transformers.CLIPVisionModelWithProjection
    return UNetSpatioTemporalConditionModel, AutoencoderKLTemporalDecoder, encoder, transformers.CLIPVisionConfig


def missing_extra() -> ImportError:
    """What is raised where the extra is not installed."""
    return ImportError(
        "the backbone svd_unet needs diffusers and transformers: in para's folder, pip install -e '.[svd]'"
    )
