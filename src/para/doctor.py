"""What this machine can do, and how to mend what is missing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

EXTRAS = {
    "dino": ("transformers", "DINOv2 and DINOv3 backbones"),
    "lora": ("peft", "low-rank updates of the DINO backbones"),
    "diffusion": ("diffusers", "the policy diffusion"),
    "svd": ("diffusers", "the video-diffusion backbone"),
    "libero": ("hf-libero", "the LIBERO world"),
}
"""Extra -> (the package that tells whether it is installed, what it is for)."""


def examine() -> Iterator[str]:
    """One line per finding; lines that begin with `-` say what is missing and how to get it."""
    yield f"ok  python {sys.version.split()[0]}, {os.cpu_count()} CPUs, {free_gigabytes():.0f} GB free here"
    yield from packages()
    yield renderer()
    yield accelerator()
    yield from extras()
    yield from pretrained_weights()
    yield "ok  backbones small_conv and vit need no weights"


def free_gigabytes() -> float:
    """Disk space where the command runs."""
    return shutil.disk_usage(Path.cwd()).free / 1e9


def packages() -> Iterator[str]:
    """The core's packages."""
    names = ("torch", "mujoco", "numpy", "opencv-python-headless", "av", "pyarrow", "safetensors", "accelerate", "tyro")
    for name in names:
        try:
            yield f"ok  {name} {version(name)}"
        except PackageNotFoundError:
            yield f"-   {name} is missing: pip install {name}"


def renderer() -> str:
    """Whether a world can be drawn, by drawing one."""
    import time

    from para.interfaces import Scene
    from para.worlds import make_world

    try:
        world = make_world("tabletop", (128, 128))
        world.reset(Scene(object_xy=(0.0, 0.0)))
        started = time.perf_counter()
        for _ in range(5):
            world.look()
        milliseconds = (time.perf_counter() - started) / 5 * 1000
        world.close()
        return f"ok  rendering ({os.environ.get('MUJOCO_GL', 'default')}): {milliseconds:.1f} ms a frame at 128 x 128"
    except Exception as error:  # whatever breaks a renderer, the line says what to do
        return f"-   no rendering: {' '.join(str(error).split())}"


def accelerator() -> str:
    """What torch would compute on."""
    import torch

    from para.devices import gpu_models, trainings_at_a_time

    if models := gpu_models():
        n = trainings_at_a_time(os.cpu_count() or 1)
        return f"ok  accelerator: {models}; policies train there, {n} at a time, and act there"
    if torch.backends.mps.is_available():
        return "-   accelerator: Apple MPS, which lacks the float64 of warps: train with --training.device cpu"
    return (
        f"ok  no accelerator: scales tiny and small run on the CPU ({torch.get_num_threads()} threads); paper needs one"
    )


def extras() -> Iterator[str]:
    """Which optional parts are installed."""
    for extra, (package, purpose) in EXTRAS.items():
        try:
            yield f"ok  extra {extra} ({package} {version(package)}): {purpose}"
        except PackageNotFoundError:
            yield f"-   extra {extra} is not installed ({purpose}): in para's folder, pip install -e '.[{extra}]'"


def pretrained_weights() -> Iterator[str]:
    """Which pretrained backbones could be loaded without a network."""
    from para.backbones.pretrained import HUB_IDS, how_to_get, hub_id, weights_on_this_machine

    for family in HUB_IDS:
        names = weights_on_this_machine(family)
        if names:
            yield f"ok  weights of {family} on this machine: {', '.join(names)}"
        else:
            yield f"-   no weights of {family} on this machine: {how_to_get(family, hub_id(family))}"
