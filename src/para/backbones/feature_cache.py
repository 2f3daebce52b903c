"""Features of a frozen network on the disk, each image's computed once: training what follows it costs little then.

A file's name is a hash of its image, its folder's a hash of the network, so nothing in it can go stale, several
trainings may share it, and no dataset need be known here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from para.files import TEMPORARY_SUFFIX, disk_error


class FeatureCache:
    """The tokens that one network makes of images, in float16: a rounding of 0.05 %, half the disk."""

    def __init__(self, folder: Path, network: str):
        """`network` tells the network, weights and all, from every other."""
        self.folder = folder / network

    def tokens(self, image: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
        """What `compute` makes of images, one after the other, or what it made of them before.

        Args:
            image: (B, 3, H, W) uint8.
            compute: (1, 3, H, W) -> (1, N, C) float.

        Returns:
            (B, N, C) float32 on the image's device, without gradients. Each image is computed alone, so that its
            features do not depend on its company.
        """
        rows = [self._row(one, compute) for one in image.split(1)]
        return torch.from_numpy(np.stack(rows)).to(image.device).float()

    def _row(self, image: Tensor, compute: Callable[[Tensor], Tensor]) -> np.ndarray:
        path = self._path(image)
        stored = _read(path)
        if stored is not None:
            return stored
        # in full precision whatever training computes in, so that trainings agree on what is stored
        with torch.no_grad(), torch.autocast(image.device.type, enabled=False):
            tokens = compute(image)[0].half().cpu().numpy()
        _write(path, tokens)
        return tokens

    def _path(self, image: Tensor) -> Path:
        pixels = image.cpu().contiguous().numpy()
        name = hashlib.blake2b(repr(pixels.shape).encode() + pixels.tobytes(), digest_size=16).hexdigest()
        return self.folder / name[:2] / f"{name}.npy"


def _read(path: Path) -> np.ndarray | None:
    """The array, or None where there is none or it was cut short."""
    try:
        return np.load(path, allow_pickle=False)
    except (FileNotFoundError, ValueError, EOFError):
        return None


def _write(path: Path, tokens: np.ndarray) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            np.save(file, tokens, allow_pickle=False)
        os.replace(temporary, path)
    except OSError as error:
        raise disk_error(error, path) from error
    finally:
        temporary.unlink(missing_ok=True)
