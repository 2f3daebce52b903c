"""Recording: the expert's loop, its perturbations, and going on after an interruption."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from para.datasets import (
    DatasetError,
    DatasetWriter,
    Demonstrations,
    Perturbation,
    check_dataset,
    demonstrate,
    describe_dataset,
    record,
)
from para.datasets.recording import recorded_in, recorded_with, scenes_done
from para.files import read_json
from para.geometry import project
from tests.datasets.fake_world import HOME, FakeWorld, fake_scenes, make_fake_world

N = 5


def recorded(root: Path, scenes=None, make_world: Callable = make_fake_world, **options):
    options = {"workers": 1, "progress": False, "lossless": True} | options
    return record(make_world, fake_scenes(N) if scenes is None else scenes, root, **options)


def files_of(root: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file() and p.name != "stats.json"
    }  # pooled statistics differ in the last digit after a restart


class DyingWorld(FakeWorld):
    """Raises in the scene with seed 3, as a kill there would."""

    def reset(self, scene):
        if scene.seed == 3:
            raise KeyboardInterrupt
        return super().reset(scene)


def test_each_frame_holds_what_was_seen_before_its_action():
    episode = demonstrate(FakeWorld(), fake_scenes(1)[0])
    np.testing.assert_allclose(episode.ee_position[0], HOME, atol=1e-6)
    np.testing.assert_allclose(episode.ee_position[1:], episode.action_position[:-1], atol=1e-6)
    np.testing.assert_array_equal(episode.gripper[1:], episode.action_gripper[:-1])
    uv, _ = project(torch.from_numpy(episode.ee_position), episode.camera)
    for image, (u, v) in zip(episode.image, uv.round().int().tolist()):
        assert (image[v, u] == 255).all()  # the dot is where the end effector was
    assert episode.phase.tolist() == sorted(episode.phase) and set(episode.phase) == {0, 1, 2, 3}
    assert episode.outcome == "placed" and episode.info == {}


def test_scenes_are_stored_in_their_order_and_only_where_the_expert_succeeds(tmp_path):
    scenes = fake_scenes(N)
    scenes[2] = scenes[2].with_(task="fail")
    report = recorded(tmp_path, scenes, max_dropped_share=0.2)
    assert (report.recorded, report.reused, report.dropped) == (4, 0, ((scenes[2], "missed"),))
    d = Demonstrations.open(tmp_path)
    assert d.scenes == [scenes[i] for i in (0, 1, 3, 4)]
    assert set(d.outcomes) == {"placed"}


def test_recording_again_does_nothing_and_repeats_no_failure(tmp_path):
    scenes = [scene.with_(task="fail" if i == 0 else "") for i, scene in enumerate(fake_scenes(N))]
    recorded(tmp_path, scenes, max_dropped_share=0.2)
    before = files_of(tmp_path)

    def no_world():
        raise AssertionError("a world was built although there was nothing to do")

    again = recorded(tmp_path, scenes, no_world, max_dropped_share=0.2)
    assert (again.recorded, again.reused, len(again.dropped)) == (0, N, 1)
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("perturbation", [None, Perturbation(start_m=0.03, mid_episode_probability=0.5)])
def test_going_on_after_an_interruption_leaves_the_same_dataset(tmp_path, perturbation):
    recorded(tmp_path / "once", perturbation=perturbation)
    with pytest.raises(KeyboardInterrupt):
        recorded(tmp_path / "twice", make_world=DyingWorld, perturbation=perturbation)
    assert Demonstrations.open(tmp_path / "twice", tmp_path / "cache").n_episodes == 3
    report = recorded(tmp_path / "twice", perturbation=perturbation)
    assert (report.recorded, report.reused) == (2, 3)
    assert files_of(tmp_path / "twice") == files_of(tmp_path / "once")


def test_two_processes_leave_the_same_dataset_as_one(tmp_path):
    recorded(tmp_path / "one")
    report = recorded(tmp_path / "two", workers=2)
    assert report.recorded == N
    assert files_of(tmp_path / "two") == files_of(tmp_path / "one")
    assert check_dataset(tmp_path / "two") == []


def test_an_error_in_a_worker_is_raised_and_keeps_what_was_recorded(tmp_path):
    scenes = fake_scenes(N)
    scenes[3] = scenes[3].with_(task="raise")
    with pytest.raises(ValueError, match="cannot be shown"):
        recorded(tmp_path, scenes, workers=2)
    assert Demonstrations.open(tmp_path).n_episodes == 3


def test_an_expert_that_fails_too_often_is_refused(tmp_path):
    scenes = [scene.with_(task="fail" if i in (1, 2) else "") for i, scene in enumerate(fake_scenes(10))]
    for _ in range(2):  # nor does it pass when it is asked again
        with pytest.raises(ValueError, match=r"failed in 2 of 10 scenes \(2 missed\), more than 10%"):
            recorded(tmp_path, scenes)
    assert Demonstrations.open(tmp_path).n_episodes == 1  # what came before stays


def test_equal_scenes_are_as_many_demonstrations_with_different_perturbations(tmp_path):
    scene = fake_scenes(1)[0]
    recorded(tmp_path, [scene] * 2, perturbation=Perturbation(start_m=0.05))
    report = recorded(tmp_path, [scene] * 3, perturbation=Perturbation(start_m=0.05))
    assert (report.recorded, report.reused) == (1, 2)
    d = Demonstrations.open(tmp_path)
    starts = d.ee_position[d.episode_start]
    assert len(np.unique(starts, axis=0)) == 3


def test_another_perturbation_is_refused_in_the_same_folder(tmp_path):
    recorded(tmp_path, perturbation=Perturbation(start_m=0.05))
    with pytest.raises(ValueError, match="recorded with perturbation"):
        recorded(tmp_path)


def test_other_assets_are_refused_in_the_same_folder_and_both_are_named(tmp_path):
    recorded(tmp_path, fake_scenes(2), assets="generated stand-ins (sha256 01)")
    assert describe_dataset(tmp_path)["assets"] == "generated stand-ins (sha256 01)"
    with pytest.raises(DatasetError, match="made with generated stand-ins.*go on with the user's"):
        recorded(tmp_path, assets="the user's")
    assert recorded(tmp_path, assets="generated stand-ins (sha256 02)").recorded == N - 2


def test_a_dataset_says_which_world_it_is_of_and_takes_no_demonstrations_of_another(tmp_path):
    recorded(tmp_path, fake_scenes(2), world="one")
    assert recorded_in(tmp_path) == "one"
    with pytest.raises(DatasetError, match="recorded in world 'one', not 'two'"):
        recorded(tmp_path, world="two")
    assert recorded(tmp_path).recorded == N - 2 and recorded_in(tmp_path) == "one"
    assert recorded_in(tmp_path / "of somebody else") == ""


def test_the_same_scenes_with_other_options_of_the_world_are_other_demonstrations(tmp_path):
    recorded(tmp_path, fake_scenes(2), world="one", options={"arm": "printed", "assets": "/a"})
    assert recorded_with(tmp_path) == {"arm": "printed"}
    for other in ({}, {"arm": "printed", "circles": True}):
        with pytest.raises(DatasetError, match="options {'arm': 'printed'}, not "):
            recorded(tmp_path, options=other)
    assert recorded(tmp_path, options={"arm": "printed", "assets": "/b"}).recorded == N - 2
    assert recorded_with(tmp_path / "of somebody else") == {}


def test_a_dataset_of_when_no_options_were_told_goes_on_and_tells_none(tmp_path):
    recorded(tmp_path, fake_scenes(2))
    assert recorded(tmp_path, options={"circles": True}).recorded == N - 2
    assert recorded_with(tmp_path) == {}


def test_a_dataset_of_when_no_assets_were_told_opens_and_goes_on_and_is_not_labelled(tmp_path):
    recorded(tmp_path, fake_scenes(2))
    assert set(read_json(tmp_path / "meta/para_recording.json")) == {"perturbation", "dropped"}
    assert recorded(tmp_path, assets="generated stand-ins").recorded == N - 2
    assert Demonstrations.open(tmp_path).n_episodes == N and "assets" not in describe_dataset(tmp_path)


def test_the_list_of_scenes_may_grow_but_not_change(tmp_path):
    recorded(tmp_path, fake_scenes(3))
    assert recorded(tmp_path, fake_scenes(4)).recorded == 1
    with pytest.raises(ValueError, match="1 scenes that are not among the 3 asked for"):
        recorded(tmp_path, fake_scenes(3))


def test_random_starts_lie_in_the_ball_and_above_the_table():
    rng = np.random.default_rng(0)
    low = fake_scenes(1)[0].with_(ee_start=(0.0, 0.0, 0.02))
    for scene, home in ((fake_scenes(1)[0], HOME), (low, np.array([0.0, 0.0, 0.02]))):
        starts = [demonstrate(FakeWorld(), scene, Perturbation(start_m=0.04), rng).ee_position[0] for _ in range(20)]
        offsets = np.array(starts) - home
        assert np.linalg.norm(offsets, axis=1).max() <= 0.04 + 1e-6
        assert np.std(offsets, axis=0)[:2].min() > 0.005
        assert np.min(np.array(starts)[:, 2]) >= min(0.05, home[2]) - 1e-6


def test_recovery_demonstrations_begin_displaced_in_the_middle_and_still_end_placed():
    scene, rng = fake_scenes(1)[0], np.random.default_rng(1)
    plain = demonstrate(FakeWorld(), scene)
    perturbation = Perturbation(mid_episode_probability=1.0, displacement_m=0.03)
    for _ in range(10):
        episode = demonstrate(FakeWorld(), scene, perturbation, rng)
        skip = episode.info["recorded_from_frame"]
        offset = np.array(episode.info["displacement"])
        assert 1 <= skip < len(plain) and 0 < np.linalg.norm(offset) <= 0.03 + 1e-6 and offset[2] >= -1e-6
        np.testing.assert_allclose(episode.ee_position[0], plain.ee_position[skip] + offset, atol=1e-5)
        np.testing.assert_allclose(episode.action_position[-1], plain.action_position[-1], atol=1e-6)
        assert episode.outcome == "placed" and episode.scene == scene


def test_a_world_may_displace_its_arm_itself():
    class WithDisplace(FakeWorld):
        displaced = 0

        def displace(self, offset):
            self.displaced += 1
            self.ee = self.ee + offset
            return self._look()

    world = WithDisplace()
    demonstrate(world, fake_scenes(1)[0], Perturbation(mid_episode_probability=1.0), np.random.default_rng(0))
    assert world.displaced == 1


def test_the_scene_on_record_is_the_one_asked_for_even_if_its_start_was_moved():
    scene = fake_scenes(1)[0]
    episode = demonstrate(FakeWorld(), scene, Perturbation(start_m=0.05), np.random.default_rng(0))
    assert episode.scene == scene
    np.testing.assert_allclose(episode.info["ee_start"], episode.ee_position[0], atol=1e-6)


def test_a_world_without_an_expert_is_refused():
    class Mute(FakeWorld):
        def expert(self):
            return None

    with pytest.raises(ValueError, match="Mute has no scripted expert"):
        demonstrate(Mute(), fake_scenes(1)[0])


def test_an_expert_that_never_ends_is_stopped():
    class Endless(FakeWorld):
        def expert(self):
            first = super().expert().act()
            return type("Endlessly", (), {"act": lambda self: first})()

    assert len(demonstrate(Endless(), fake_scenes(1)[0])) == 400


def build_nothing(message: str):
    raise ImportError(message)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_world_that_cannot_be_built_says_why_from_a_worker_too(tmp_path, workers):
    with pytest.raises(ImportError, match="no renderer"):
        recorded(tmp_path, make_world=partial(build_nothing, "no renderer"), workers=workers)


@pytest.mark.parametrize("options", [{"mid_episode_probability": 1.5}, {"start_m": -0.1}])
def test_impossible_perturbations_are_refused(options):
    with pytest.raises(ValueError):
        Perturbation(**options)


def test_what_another_process_recorded_meanwhile_is_not_recorded_twice(tmp_path):
    class Overtaken(FakeWorld):
        """While it demonstrates its first scene another process records all of them."""

        def reset(self, scene):
            if not (tmp_path / "meta/info.json").exists():
                recorded(tmp_path)
            return super().reset(scene)

    with pytest.raises(DatasetError, match="recorded into by another process meanwhile; run this again"):
        recorded(tmp_path, make_world=Overtaken)
    assert Demonstrations.open(tmp_path).n_episodes == N and check_dataset(tmp_path) == []
    again = recorded(tmp_path)
    assert (again.recorded, again.reused) == (0, N)


def test_what_is_done_of_a_recording_is_counted_by_scenes_with_those_in_which_the_expert_failed(tmp_path):
    scenes = [scene.with_(task="fail" if i == 1 else "") for i, scene in enumerate(fake_scenes(N))]
    assert scenes_done(tmp_path / "data") == 0
    DatasetWriter(
        tmp_path / "data", image_size=make_fake_world().reset(scenes[0]).camera.image_size, lossless=True
    ).close()
    assert scenes_done(tmp_path / "data") == 0
    recorded(tmp_path / "data", scenes, max_dropped_share=0.5)
    assert scenes_done(tmp_path / "data") == N
