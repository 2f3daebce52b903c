"""Files of tensors that are whole or absent: written beside their place, flushed to disk, then renamed."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from torch import Tensor


def flush_to_disk(path: Path) -> None:
    """Ask the system to put a file, or a folder's list of names, on the disk now."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def commit(partial: Path, path: Path) -> None:
    """Give a finished file or folder its name, in one step."""
    flush_to_disk(partial)
    os.replace(partial, path)
    flush_to_disk(path.parent)


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """A safetensors file, whole or not at all. Tensors that share memory are written out each."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    partial = path.with_name(f".{path.name}.partial")
    copies = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    try:
        save_file(copies, partial, metadata)
        commit(partial, path)
    except SafetensorError as error:
        # safetensors hides what the system said (a full disk, no permission) in the text of an error type of its own
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else errno.EIO, f"cannot write {path} ({error})") from error
    finally:
        partial.unlink(missing_ok=True)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, on the CPU.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is truncated or no safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise FileNotFoundError(f"no {path.name} in {path.parent}; was its saving or training finished?")
    try:
        return load_file(path)
    except SafetensorError as error:
        size = path.stat().st_size
        found = f"{path} is truncated or no safetensors file ({size} bytes, {error})"
        raise ValueError(f"{found}; save it again, or train again") from error
