"""Networks that others have trained: where their weights lie, what they are, and how they are read.

Everything goes through a folder as `save_pretrained` of `transformers` writes it and the hub holds it: `config.json`
and safetensors. Weights that are pickled are never read.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from torch import nn

from para.files import read_json
from para.registry import did_you_mean

HUB_IDS: dict[str, dict[str, str]] = {
    "dinov2": {
        "vits": "facebook/dinov2-small",
        "vitb": "facebook/dinov2-base",
        "vitl": "facebook/dinov2-large",
        "vits_registers": "facebook/dinov2-with-registers-small",
        "vitb_registers": "facebook/dinov2-with-registers-base",
        "vitl_registers": "facebook/dinov2-with-registers-large",
    },
    "dinov3": {
        "vits": "facebook/dinov3-vits16-pretrain-lvd1689m",
        "vits_plus": "facebook/dinov3-vits16plus-pretrain-lvd1689m",
        "vitb": "facebook/dinov3-vitb16-pretrain-lvd1689m",
        "vitl": "facebook/dinov3-vitl16-pretrain-lvd1689m",
    },
}
"""Backbone -> name of weights -> id on the hub. DINOv3's all have registers."""

MODEL_TYPES: dict[str, tuple[str, ...]] = {
    "dinov2": ("dinov2", "dinov2_with_registers"),
    "dinov3": ("dinov3_vit",),
}
"""Backbone -> the `model_type`s of `transformers` that it can be."""

FILES = ["config.json", "*.safetensors"]
"""What is needed of a folder."""

NOT_ARCHITECTURE = (
    "_name_or_path", "architectures", "dtype", "id2label", "label2id", "out_features", "out_indices", "stage_names",
    "torch_dtype", "transformers_version",
)  # fmt: skip
"""Entries of `config.json` that do not say which network it is."""

_weights_follow = ContextVar("weights_follow", default=False)


@contextlib.contextmanager
def weights_follow() -> Iterator[None]:
    """Within, networks are built without their pretrained weights: whoever builds them copies all weights in after it.

    So a policy's checkpoint can be loaded where the weights that its training began with are not.
    """
    token = _weights_follow.set(True)
    try:
        yield
    finally:
        _weights_follow.reset(token)


def weights_are_to_follow() -> bool:
    """Whether `weights_follow` is in force."""
    return _weights_follow.get()


def find_folder(family: str, weights: str) -> Path:
    """The folder that holds some weights, fetched from the hub where they are not on this machine.

    Args:
        family: a backbone of `HUB_IDS`.
        weights: one of its names there, a folder, or an id of the hub.

    Raises:
        ValueError: for a name that is none of these.
        FileNotFoundError: if the weights are not there and cannot be fetched; one line that says how to get them.
        ImportError: where huggingface_hub, which comes with transformers, is not installed.
    """
    folder = Path(weights).expanduser()
    if folder.is_dir():
        if not is_complete(folder):
            held = ", ".join(sorted(path.name for path in folder.iterdir())[:4]) or "nothing"
            raise FileNotFoundError(
                f"{folder} holds {held}; needed config.json and model.safetensors, as `hf download {hub_id(family)} "
                "--local-dir <folder>` leaves them"
            )
        return folder
    name = HUB_IDS[family].get(weights, weights)
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise FileNotFoundError(f"no folder {folder} with weights of {family}; {how_to_get(family, hub_id(family))}")
    if "/" not in name:
        hint = did_you_mean(weights, HUB_IDS[family])
        raise ValueError(f"no weights '{weights}' of {family}{hint}; a folder or an id of the hub will do, too")
    return _from_hub(family, name)


def _from_hub(family: str, name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise _missing_transformers() from error
    folder = _fetched_before(name)
    if folder is not None:
        return folder
    try:
        folder = Path(snapshot_download(name, allow_patterns=FILES))
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise FileNotFoundError(
            f"the weights {name} are not on this machine and could not be fetched ({reason}); "
            f"{how_to_get(family, name)}"
        ) from error
    if not is_complete(folder):
        raise FileNotFoundError(f"{name} holds no config.json with safetensors; {how_to_get(family, hub_id(family))}")
    return folder


def _fetched_before(name: str) -> Path | None:
    from huggingface_hub import snapshot_download

    with contextlib.suppress(OSError, ValueError):
        folder = Path(snapshot_download(name, allow_patterns=FILES, local_files_only=True))
        if is_complete(folder):
            return folder
    return None


def is_complete(folder: Path) -> bool:
    """Whether a folder has what is read of pretrained weights."""
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))


def weights_on_this_machine(family: str) -> list[str]:
    """The names of a backbone's weights that were fetched before. Empty where huggingface_hub is not installed."""
    if importlib.util.find_spec("huggingface_hub") is None:
        return []
    return [name for name, repository in HUB_IDS[family].items() if _fetched_before(repository) is not None]


def hub_id(family: str) -> str:
    """The id of a backbone's default weights."""
    return next(iter(HUB_IDS[family].values()))


def how_to_get(family: str, name: str) -> str:
    """What to do where weights are missing, in one sentence."""
    licence = ""
    if family == "dinov3":
        licence = (
            f" (DINOv3's weights are under the DINOv3 License: ask for access at https://huggingface.co/{name}, "
            "then `hf auth login`)"
        )
    return (
        f"get them where there is a network with `hf download {name} config.json model.safetensors`{licence}, or name "
        "a folder that has them; the backbone small_conv needs no weights"
    )


def read_architecture(folder: Path, family: str) -> dict[str, Any]:
    """Which network a folder's weights are of: its `config.json` without what is not about that, JSON-ready.

    Raises:
        ValueError: if it is no network of that backbone.
    """
    values = read_json(folder / "config.json")
    kind = values.get("model_type")
    if kind not in MODEL_TYPES[family]:
        others = [other for other, kinds in MODEL_TYPES.items() if kind in kinds]
        hint = f"; choose the backbone {others[0]}" if others else ""
        needed = " or ".join(MODEL_TYPES[family])
        raise ValueError(f"{folder} holds a model of type {kind!r}, the backbone {family} needs {needed}{hint}")
    return {name: value for name, value in values.items() if name not in NOT_ARCHITECTURE}


def hash_weights(folder: Path) -> str:
    """12 hex digits of the sha256 of a folder's safetensors."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:12]


def load_model(folder: Path, architecture: dict[str, Any]) -> nn.Module:
    """The network with its weights, in float32 on the CPU.

    Raises:
        ValueError: if a file is damaged, or tensors are missing or of other shapes.
        ImportError: where transformers is not installed.
    """
    transformers = import_transformers()
    from safetensors import SafetensorError

    try:
        with _without_progress_bars(transformers):
            model, report = transformers.AutoModel.from_pretrained(
                folder, config=_config(architecture), dtype="float32", use_safetensors=True, local_files_only=True,
                output_loading_info=True,
            )  # fmt: skip
    except (SafetensorError, RuntimeError, OSError) as error:
        raise ValueError(f"the weights in {folder} cannot be read ({_one_line(error)}); get them again") from error
    missing = sorted(name for name in report["missing_keys"] if "mask_token" not in name)
    if missing:
        raise ValueError(
            f"the weights in {folder} lack {len(missing)} tensors ({', '.join(missing[:2])}, ...) of the network that "
            "its config.json describes; get both again"
        )
    return model


def empty_model(architecture: dict[str, Any]) -> nn.Module:
    """The network with random weights, to copy others into. Raises ImportError where transformers is not installed."""
    transformers = import_transformers()
    return transformers.AutoModel.from_config(_config(architecture))


def _config(architecture: dict[str, Any]) -> Any:
    from transformers import CONFIG_MAPPING

    return CONFIG_MAPPING[architecture["model_type"]].from_dict(dict(architecture))


def import_transformers() -> Any:
    """The package, though a torchvision be installed that does not fit torch.

    `transformers` imports torchvision with every model where it finds one, though only image processors use it, and a
    build for another torch cannot be imported. Such a one is hidden, here and from whoever asks for it later.

    Raises:
        ImportError: where transformers is not installed; it names the extra.
    """
    if "torchvision" not in sys.modules and importlib.util.find_spec("torchvision") is not None:
        try:
            importlib.import_module("torchvision")
        except Exception:  # whatever a build for another torch raises
            sys.modules["torchvision"] = None
    try:
        import transformers
    except ImportError as error:
        raise _missing_transformers() from error
    return transformers


def _missing_transformers() -> ImportError:
    return ImportError("the backbones dinov2 and dinov3 need transformers: in para's folder, pip install -e '.[dino]'")


@contextlib.contextmanager
def _without_progress_bars(transformers: Any) -> Iterator[None]:
    logging = transformers.utils.logging
    enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if enabled:
            logging.enable_progress_bar()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
