"""Laws of checkpoints: what is saved comes back, replacing is safe, and every damage is told in one line."""

import errno
import json
import os
import re
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from para.backbones import BACKBONES, BackboneEntry, SmallConv, SmallConvConfig
from para.policies import ParaConfig, make_policy
from para.training import checkpoint, describe, load_policy, save_policy, weights_hash
from para.training.files import write_tensors
from tests.training.stubs import REGISTRY, Entry, StubConfig, StubData, make_stub


@dataclass(frozen=True)
class UsersConvConfig(SmallConvConfig):
    """Options of a backbone that a user's program registers."""

    theirs: int = 0


@pytest.fixture
def saved(tmp_path):
    policy = make_stub(limit=0.5, ranges=((0.0, 2.0),))
    policy.low.fill_(0.25)
    return save_policy(policy, tmp_path / "policy"), policy


def refusal(error, call, *args, **kwargs) -> str:
    """What a call is refused with, in one line."""
    with pytest.raises(error) as caught:
        call(*args, **kwargs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_loaded_policy_acts_as_the_saved_one(saved):
    folder, policy = saved
    loaded = load_policy(folder, registry=REGISTRY)
    obs, _ = StubData(4, 0).batch(range(4))
    assert not loaded.training and loaded.config == policy.config
    assert torch.equal(loaded.act(obs).position, policy.eval().act(obs).position)


def test_a_checkpoint_is_two_files_and_says_what_it_is(saved):
    folder, _ = saved
    assert sorted(os.listdir(folder)) == ["config.json", "model.safetensors"]
    values = json.loads((folder / "config.json").read_text())
    assert (values["policy"], values["format"]) == ("stub", 1) and "torch" in values["versions"]
    assert describe(folder).config["ranges"] == [[0.0, 2.0]]


def test_equal_weights_have_equal_hashes_and_others_do_not(saved, tmp_path):
    folder, policy = saved
    assert weights_hash(save_policy(policy, tmp_path / "again")) == weights_hash(folder)
    assert re.fullmatch("[0-9a-f]{12}", weights_hash(folder))
    policy.low.fill_(0.26)
    assert weights_hash(save_policy(policy, tmp_path / "other")) != weights_hash(folder)


def test_saving_again_replaces_weights_and_leaves_other_files(saved):
    folder, policy = saved
    (folder / "log.jsonl").write_text("{}")
    policy.low.fill_(9.0)
    save_policy(policy, folder)
    assert load_policy(folder, registry=REGISTRY).low.tolist() == [9.0] * 3
    assert sorted(os.listdir(folder)) == ["config.json", "log.jsonl", "model.safetensors"]


def test_a_save_that_fails_leaves_the_older_checkpoint_whole(saved, monkeypatch):
    folder, policy = saved
    before = weights_hash(folder)

    def full(partial, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("para.training.files.commit", full)
    with pytest.raises(OSError, match="No space left"):
        save_policy(policy, folder)
    assert weights_hash(folder) == before and sorted(os.listdir(folder)) == ["config.json", "model.safetensors"]
    load_policy(folder, registry=REGISTRY)


def test_what_the_system_says_when_it_cannot_write_comes_through(tmp_path):
    import resource

    # a full disk needs a disk of one's own; a limit on the size of files takes the same way through the code
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError) as caught:
            write_tensors(tmp_path / "w.safetensors", {"a": torch.zeros(5000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG and list(tmp_path.iterdir()) == []


def test_tied_weights_survive(tmp_path):
    @dataclass(frozen=True)
    class TiedConfig:
        width: int = 3

    class Tied(nn.Module):
        name = "tied"

        def __init__(self, config: Any):
            super().__init__()
            self.config, self.a, self.b = config, nn.Linear(3, 3), nn.Linear(3, 3)
            self.b.weight = self.a.weight

    policy = Tied(TiedConfig())
    loaded = load_policy(save_policy(policy, tmp_path), registry={"tied": Entry(TiedConfig, Tied)})
    assert torch.equal(loaded.b.weight, policy.a.weight)


def test_a_missing_folder_or_file_is_told(saved, tmp_path):
    folder, _ = saved
    assert "no checkpoint folder" in refusal(FileNotFoundError, load_policy, tmp_path / "nowhere", registry=REGISTRY)
    (folder / "model.safetensors").unlink()
    assert "no model.safetensors" in refusal(FileNotFoundError, load_policy, folder, registry=REGISTRY)
    assert "no model.safetensors" in refusal(FileNotFoundError, weights_hash, folder)
    (folder / "config.json").unlink()
    assert "no config.json" in refusal(FileNotFoundError, load_policy, folder, registry=REGISTRY)


def test_another_policy_than_expected_is_refused(saved):
    folder, _ = saved
    assert "holds the policy 'stub', needed 'para'" in refusal(
        ValueError, load_policy, folder, expect="para", registry=REGISTRY
    )


def test_an_unknown_policy_is_refused_with_the_nearest_name(saved):
    folder, _ = saved
    registry = {"stab": REGISTRY["stub"]}
    assert "unknown policy 'stub'; did you mean 'stab'?" in refusal(ValueError, load_policy, folder, registry=registry)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "has checkpoint format 2, this version reads 1"),
        ({"policy": None}, "needs 'policy' and 'config'"),
        ({"config": {"dropuot": 0.1}}, "has no option 'dropuot'; did you mean 'dropout'?"),
        ({"config": {"inner": {"widht": 3}}}, "StubConfig.inner has no option 'widht'; did you mean 'width'?"),
        ({"config": {"dropout": "lots"}}, "StubConfig.dropout must be float; got 'lots'"),
        ({"config": {"inner": {"width": 7}}}, "come from different saves, or the config was edited"),
    ],
)
def test_a_wrong_config_is_refused(saved, change, message):
    folder, _ = saved
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**values, **change}))
    assert message in refusal(ValueError, load_policy, folder, registry=REGISTRY)


def test_text_that_is_no_json_is_refused(saved):
    folder, _ = saved
    (folder / "config.json").write_text('{"policy": "stub"')
    assert "is no JSON" in refusal(ValueError, load_policy, folder, registry=REGISTRY)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.6])
def test_truncated_weights_are_refused(saved, share):
    folder, _ = saved
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: int(len(whole) * share)])
    assert "is truncated or no safetensors file" in refusal(ValueError, load_policy, folder, registry=REGISTRY)


def test_tensors_missing_extra_or_of_another_shape_are_refused(saved):
    folder, policy = saved
    state = policy.state_dict()
    bias = state.pop("head.bias")
    load = checkpoint.load_weights
    assert "1 missing (head.bias)" in refusal(ValueError, load, make_stub(), state, "here")
    assert "1 extra (more)" in refusal(
        ValueError, load, make_stub(), {**state, "head.bias": bias, "more": bias}, "here"
    )
    assert "head.bias is (8,), needed (9,)" in refusal(
        ValueError, load, make_stub(), {**state, "head.bias": bias[:-1]}, "here"
    )


def test_refused_weights_change_nothing():
    policy = make_stub()
    before = {name: tensor.clone() for name, tensor in policy.state_dict().items()}
    with pytest.raises(ValueError):
        checkpoint.load_weights(policy, {"low": torch.ones(3)}, "here")
    assert all(torch.equal(before[name], tensor) for name, tensor in policy.state_dict().items())


def test_a_pickle_in_the_place_of_weights_is_not_run(saved, tmp_path):
    folder, _ = saved
    torch.save({"low": torch.zeros(3)}, folder / "model.safetensors")
    assert "no safetensors file" in refusal(ValueError, load_policy, folder, registry=REGISTRY)


def test_the_stub_config_is_what_the_registry_builds():
    assert REGISTRY["stub"].config_type is StubConfig


def test_a_policy_on_a_backbone_that_was_registered_since_comes_back(tmp_path, monkeypatch):
    monkeypatch.setitem(BACKBONES, "of_a_user", BackboneEntry(UsersConvConfig, SmallConv))
    policy = make_policy(ParaConfig(image_size=(48, 64), horizon=2, backbone=UsersConvConfig(channels=8, theirs=3)))
    loaded = load_policy(save_policy(policy, tmp_path))
    assert loaded.config == policy.config and type(loaded.config.backbone) is UsersConvConfig
    monkeypatch.delitem(BACKBONES, "of_a_user")
    assert "theirs" in refusal(ValueError, load_policy, tmp_path)
