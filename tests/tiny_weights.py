"""Weights of networks as small as can be, random, in folders as published ones are: what stands in for a download."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import torch

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 56}


@cache
def tiny_weights(model_type: str, patch: int, seed: int = 0) -> Path:
    """A folder that `save_pretrained` of transformers wrote; every tensor random, so that none can be left out unseen.

    Args:
        model_type: of transformers: dinov2, dinov2_with_registers or dinov3_vit.
        patch: pixels per patch.
        seed: of the weights.
    """
    from transformers import CONFIG_MAPPING, AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    sizes = SIZES | ({"intermediate_size": 24, "num_register_tokens": 3} if model_type == "dinov3_vit" else {})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModel.from_config(CONFIG_MAPPING[model_type](patch_size=patch, **sizes))
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, mean=1.0 if parameter.ndim == 1 else 0.0, std=0.2)
    folder = Path(tempfile.mkdtemp(prefix="para-tiny-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    model.save_pretrained(folder)
    return folder


@cache
def tiny_pipeline(seed: int = 0) -> Path:
    """A folder that `save_pretrained` of diffusers' StableVideoDiffusionPipeline wrote, with tiny networks in it."""
    from diffusers import StableVideoDiffusionPipeline
    from transformers import CLIPImageProcessor

    from para.backbones.svd_model import SCRATCH, build_parts, make_scheduler

    architecture = SCRATCH["scratch_tiny"] | {"vae": SCRATCH["scratch_tiny"]["vae"] | {"scaling_factor": 0.18215}}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet, vae, image_encoder = build_parts(architecture)
    pipeline = StableVideoDiffusionPipeline(
        vae=vae, image_encoder=image_encoder, unet=unet, scheduler=make_scheduler(architecture),
        feature_extractor=CLIPImageProcessor(),
    )  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="para-tiny-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    pipeline.save_pretrained(folder)
    return folder
