"""On a GPU (a pretended one) every look at a trained policy is taken there, and all that is left behind is the same."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from para.evaluation import protocol
from para.evaluation.protocol import WorldSpec
from para.evaluation.results import read_results
from para.experiments import acting, single, video_samples
from para.experiments.acting import load_to_act, processes_to_act
from para.experiments.pixel_errors import export_pixel_errors
from para.experiments.run import RunOptions, run_experiment
from para.experiments.single import evaluate_checkpoint
from para.interfaces import Scene
from para.policies import Para
from para.policies.regression import Regression
from para.rollout import RolloutConfig
from para.training import save_policy
from para.training.checkpoint import WEIGHTS_FILE
from tests import sized_world, tiny
from tests.conftest import random_batch
from tests.pretend_gpu import pretend_gpu

POLICIES = ("para", "act")


def options(out: Path) -> RunOptions:
    return RunOptions("left_to_right", out, world="fake", scale="tiny", recipes=POLICIES, workers=0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A run of this machine's own."""
    out = tmp_path_factory.mktemp("acting") / "run"
    with pytest.MonkeyPatch.context() as patch:
        sized_world.register(patch)
        run_experiment(options(out))
    return out


@pytest.fixture
def folder(finished, tmp_path, monkeypatch) -> Path:
    """That run, whose trainings are kept, and of whose policies nothing is known yet."""
    out = Path(shutil.copytree(finished, tmp_path / "run"))
    (out / "results.jsonl").unlink()
    shutil.rmtree(out / "predictions")
    sized_world.register(monkeypatch)
    return out


@pytest.fixture
def looks(monkeypatch) -> list[str]:
    """On which device each observation is that a policy is shown."""
    seen = []
    for policy in (Para, Regression):

        def act(self, obs, own=policy.act):
            seen.append(obs.image.device.type)
            return own(self, obs)

        monkeypatch.setattr(policy, "act", act)
    protocol.cached_policy.cache_clear()
    yield seen
    protocol.cached_policy.cache_clear()


def met(folder: Path) -> list:
    records = read_results(folder / "results.jsonl")
    return [(r.policy, r.split, r.scene_index, r.outcome, r.error, r.ee_path) for r in records]


def test_a_runs_policies_act_on_the_gpu_and_its_records_and_pictures_are_those_of_the_cpu(folder, finished, looks):
    with pretend_gpu():
        run_experiment(options(folder))
    assert set(looks) == {"cuda"}
    assert met(folder) == met(finished)
    paths = sorted(path.relative_to(finished) for path in finished.glob("predictions/*/*.npz"))
    assert paths
    for path in paths:
        with np.load(finished / path) as ours, np.load(folder / path) as theirs:
            assert set(ours.files) == set(theirs.files)
            for name in ours.files:
                np.testing.assert_array_equal(ours[name], theirs[name])


def test_without_a_gpu_they_act_on_the_cpu(folder, looks):
    run_experiment(options(folder))
    assert set(looks) == {"cpu"}


def test_a_policy_by_itself_acts_on_the_gpu(folder, looks):
    with pretend_gpu():
        evaluate_checkpoint(
            folder / "checkpoints/act/seed0", folder.parent / "single", world="fake", half=None, n=1, seed=0,
            rollout=RolloutConfig(max_control_steps=60), n_videos=0, workers=0, world_options={},
        )  # fmt: skip
    assert set(looks) == {"cuda"}


def test_pixel_errors_are_measured_on_the_gpu_and_are_those_of_the_cpu(folder, looks):
    policies = [("para", 0, folder / "checkpoints/para/seed0")]
    told = []
    for device in ("cpu", "cuda"):
        out = folder.parent / device
        out.mkdir()
        with pretend_gpu() if device == "cuda" else nullcontext():
            export_pixel_errors(out, {"fake": WorldSpec("fake", (64, 64))}, policies, [Scene((0.0, 0.0))])
        told.append(json.loads((out / "pixel_errors.json").read_text()))
    assert told[0] == told[1] and set(looks) == {"cpu", "cuda"}


def test_videos_are_imagined_on_the_gpu_and_are_those_of_the_cpu(tmp_path, monkeypatch):
    backbone = tiny.backbone_config("svd_unet")
    config = tiny.policy_config("video_para", backbone=backbone)
    folder = save_policy(tiny.build(config), tmp_path / "policy")
    obs, _ = random_batch(B=1)
    H, W = config.image_size
    look = video_samples.Look(obs, np.zeros((2, H, W, 3), np.uint8), np.full((3, 2), 20.0))
    monkeypatch.setattr(video_samples, "DENOISING_STEPS", 2)
    expected = video_samples.sample(load_to_act(folder), look, (2, 4))
    generate, devices = video_samples.svd_video.generate, []

    def noted(backbone, image, n_steps):
        devices.append(image.device.type)
        return generate(backbone, image, n_steps)

    monkeypatch.setattr(video_samples.svd_video, "generate", noted)
    with pretend_gpu():
        found = video_samples.sample(load_to_act(folder), look, (2, 4))
    assert devices == ["cuda"] and set(found) == set(expected)
    for name in ("generated", "reconstructed"):  # attention adds up in another order, and rounds otherwise in places
        np.testing.assert_allclose(found[name].astype(int), expected[name].astype(int), atol=1)
    for name in ("predicted_uv", "heatmaps"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-3)


def test_on_a_gpu_a_process_keeps_one_policy_and_without_one_those_of_before(folder, looks):
    def kept() -> int:
        protocol.cached_policy.cache_clear()
        for name in POLICIES:
            protocol.cached_policy(load_to_act, str(folder / "checkpoints" / name / "seed0"), name)
        return protocol.cached_policy.cache_info().currsize

    assert kept() == len(POLICIES)
    with pretend_gpu():
        assert kept() == 1


def test_the_largest_policy_says_how_many_processes_there_is_room_for(tmp_path, monkeypatch):
    folders = []
    for name, size in (("small", 10), ("large", 3000)):
        folders.append(tmp_path / name)
        folders[-1].mkdir()
        (folders[-1] / WEIGHTS_FILE).write_bytes(b"0" * size)
    asked = []
    monkeypatch.setattr(acting, "acting_processes", lambda workers, size: asked.append(size) or workers - 1)
    assert processes_to_act([*folders, folders[0]], 4) == 3 and asked == [3000]


@pytest.mark.parametrize("module", ["para.experiments.run", "para.experiments.single"])
def test_that_many_processes_evaluate(folder, monkeypatch, module):
    class Asked(Exception):
        pass

    def evaluate(trials, run, *, workers):
        raise Asked(workers)

    monkeypatch.setattr(f"{module}.evaluate", evaluate)
    monkeypatch.setattr(acting, "acting_processes", lambda workers, size: 3)
    with pytest.raises(Asked, match="3"):
        if module.endswith("run"):
            run_experiment(options(folder))
        else:
            single.evaluate_checkpoint(
                folder / "checkpoints/act/seed0", folder.parent / "single", world="fake", half=None, n=1, seed=0,
                rollout=RolloutConfig(), n_videos=0, workers=0, world_options={},
            )  # fmt: skip
