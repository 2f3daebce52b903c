"""A GPU for tests on machines without one: tensors that say they are there, and mix with no others.

Their numbers are computed on the CPU. As those of a GPU they cannot be an operation's arguments together with tensors
of the CPU (but for single numbers and indices), and numpy cannot read them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

GPU = torch.device("cuda")

ANYWHERE = {"to", "cpu", "copy_", "__getitem__", "__setitem__", "_has_compatible_shallow_copy_type"}
"""Take tensors of two devices."""

READ_BY_NUMPY = {"numpy", "__array__"}


class Far(torch.Tensor):
    """A tensor on the pretended GPU."""


class PretendGpu(TorchFunctionMode):
    """Within, "cuda" is a device."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(function, "__name__", "")
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        far = [tensor for tensor in tensors if isinstance(tensor, Far)]
        if function == torch.Tensor.device.__get__:
            return GPU if far else function(*args)
        if far and name in READ_BY_NUMPY:
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        if far and name not in ANYWHERE and any(t.ndim for t in tensors if not isinstance(t, Far)):
            raise RuntimeError(f"{name}: expected all tensors to be on the same device, but found cuda:0 and cpu")
        if name in ("to", "cpu"):
            return moved(name, args, kwargs)
        made_there = torch.device(kwargs.get("device") or "cpu").type == "cuda"
        if (far or made_there) and kwargs.get("generator") is not None:
            raise RuntimeError(f"{name}: expected a 'cuda' device type for generator but found 'cpu'")
        if made_there:
            return function(*args, **kwargs | {"device": "cpu"}).as_subclass(Far)
        made = function(*args, **kwargs)
        lost = far and type(made) is torch.Tensor  # of functions that know nothing of subclasses
        return made.as_subclass(Far) if lost else made


def moved(name: str, args: tuple, kwargs: dict) -> torch.Tensor:
    """`Tensor.to` and `Tensor.cpu`: a copy, unless it is there already."""
    tensor, *options = args
    options += kwargs.values()
    like = next((option for option in options if isinstance(option, torch.Tensor)), tensor)
    named = next((option for option in options if is_device(option)), "cuda" if isinstance(like, Far) else "cpu")
    kind = Far if name == "to" and torch.device(named).type == "cuda" else torch.Tensor
    dtype = next((option for option in options if isinstance(option, torch.dtype)), like.dtype)
    if kind is Far and isinstance(tensor, Far) and dtype == tensor.dtype:
        return tensor
    return tensor.as_subclass(torch.Tensor).to(dtype, copy=isinstance(tensor, Far) or kind is Far).as_subclass(kind)


def is_device(option: object) -> bool:
    return isinstance(option, torch.device) or (isinstance(option, str) and option in ("cpu", "cuda"))


@contextmanager
def pretend_gpu() -> Iterator[None]:
    """Within, policies find a GPU to act on. Trainings do not."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)  # else a parameter keeps its type when moved
    try:
        with pytest.MonkeyPatch.context() as patch, PretendGpu():
            patch.setattr("para.devices.gpus", lambda: ("0",))
            patch.setattr("torch.cuda.get_device_name", lambda gpu: "pretended")
            yield
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)
