"""Laws of finding and reading pretrained weights: by name, folder or hub id, and what is said where they are not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file, save_file

from para.backbones import Dino, Dinov2Config, Dinov3Config
from para.backbones.pretrained import (
    HUB_IDS,
    find_folder,
    hash_weights,
    load_model,
    read_architecture,
    weights_follow,
    weights_on_this_machine,
)
from tests.tiny_weights import tiny_weights


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder of its own with DINOv2 weights, to be spoilt."""
    return Path(shutil.copytree(tiny_weights("dinov2", 8), tmp_path / "weights"))


@pytest.fixture
def hub(monkeypatch):
    """A hub that has been asked for the ids that this list holds, and gives what `answer` makes of them."""

    def install(answer) -> list[tuple[str, bool]]:
        asked = []

        def snapshot_download(repo_id, *, allow_patterns, local_files_only=False):
            asked.append((repo_id, local_files_only))
            return str(answer(repo_id, local_files_only))

        monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
        return asked

    return install


def nothing(repo_id: str, local_files_only: bool):
    raise LocalEntryNotFoundError("Got: ConnectError: Name or service not known\nPlease check your connection.")


@pytest.mark.parametrize(("family", "name"), [(family, name) for family, names in HUB_IDS.items() for name in names])
def test_a_name_stands_for_an_id_of_the_hub_and_what_is_on_this_machine_is_not_fetched(family, name, hub, folder):
    asked = hub(lambda repo_id, local_files_only: folder)
    assert find_folder(family, name) == folder == find_folder(family, HUB_IDS[family][name])
    assert asked == [(HUB_IDS[family][name], True)] * 2


def test_what_is_not_on_this_machine_is_fetched(hub, folder):
    asked = hub(lambda repo_id, local: nothing(repo_id, local) if local else folder)
    assert find_folder("dinov2", "someone/dinov2-of-theirs") == folder
    assert asked == [("someone/dinov2-of-theirs", True), ("someone/dinov2-of-theirs", False)]


@pytest.mark.parametrize(("family", "licence"), [("dinov2", False), ("dinov3", True)])
def test_without_weights_one_line_says_how_to_get_them(family, licence, hub):
    hub(nothing)
    with pytest.raises(FileNotFoundError) as error:
        find_folder(family, "vits")
    said = str(error.value)
    assert "\n" not in said and f"hf download {HUB_IDS[family]['vits']}" in said
    assert "small_conv needs no weights" in said
    assert (f"https://huggingface.co/{HUB_IDS[family]['vits']}" in said and "DINOv3 License" in said) == licence


def test_an_entry_of_the_hub_without_safetensors_is_refused(hub, tmp_path):
    hub(lambda repo_id, local_files_only: tmp_path)
    with pytest.raises(FileNotFoundError, match="someone/pickled holds no config.json with safetensors"):
        find_folder("dinov2", "someone/pickled")


def test_the_weights_on_this_machine_are_those_that_were_fetched(hub, folder):
    asked = hub(lambda repo_id, local: folder if repo_id.endswith("base") else nothing(repo_id, local))
    assert weights_on_this_machine("dinov2") == ["vitb", "vitb_registers"]
    assert all(local_files_only for _, local_files_only in asked), "looking asks no network"


def test_a_name_that_nobody_knows_gets_a_suggestion():
    with pytest.raises(ValueError, match="did you mean 'vits_registers'"):
        find_folder("dinov2", "vits_register")


@pytest.mark.parametrize("path", ["./absent", "/absent/weights", "~/absent", "a/b/c"])
def test_a_folder_that_is_not_there_is_not_asked_of_the_hub(path, hub):
    asked = hub(nothing)
    with pytest.raises(FileNotFoundError, match="no folder .*hf download facebook/dinov2-small"):
        find_folder("dinov2", path)
    assert asked == []


def test_a_folder_of_pickled_weights_is_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match="holds config.json, pytorch_model.bin; needed .*model.safetensors"):
        find_folder("dinov2", str(folder))


def test_weights_of_the_other_backbone_are_refused_by_its_name():
    weights = tiny_weights("dinov3_vit", 8)
    with pytest.raises(ValueError, match="type 'dinov3_vit', the backbone dinov2 needs .*choose the backbone dinov3"):
        Dino(Dinov2Config(weights=str(weights)), (48, 64))


def test_weights_that_lack_a_tensor_are_refused_and_never_made_up(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.mlp.fc1.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match="lack 1 tensors .*layer.1.mlp.fc1.weight"):
        load_model(folder, read_architecture(folder, "dinov2"))


def test_weights_cut_short_are_refused_in_one_line(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="cannot be read") as error:
        load_model(folder, read_architecture(folder, "dinov2"))
    assert "\n" not in str(error.value)


def test_the_published_half_precision_becomes_single(folder):
    weights = {name: tensor.half() for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    net = Dino(Dinov2Config(weights=str(folder)), (48, 64))
    assert {parameter.dtype for parameter in net.parameters()} == {torch.float32}


def test_options_are_completed_and_refuse_other_weights_later(folder):
    completed = Dino(Dinov2Config(weights=str(folder)), (48, 64)).config
    assert completed.weights_hash == hash_weights(folder) and completed.architecture["hidden_size"] == 16
    assert not {"transformers_version", "architectures", "dtype"} & set(completed.architecture)
    weights = {name: tensor + 1 for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=f"have the hash .* made with {completed.weights_hash}"):
        Dino(completed, (48, 64))


def test_where_weights_follow_options_must_say_which_network():
    with weights_follow(), pytest.raises(ValueError, match="architecture is empty"):
        Dino(Dinov3Config(), (48, 64))


@pytest.mark.slow
def test_a_torchvision_that_does_not_fit_torch_is_in_nobodys_way(tmp_path):
    # transformers imports it with every model where it is installed
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("raise RuntimeError('no operator torchvision::nms')")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from para.backbones import Dinov3Config, make_backbone
make_backbone(Dinov3Config(weights={str(tiny_weights("dinov3_vit", 8))!r}), (48, 64))
assert sys.modules.get("torchvision") is None
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
