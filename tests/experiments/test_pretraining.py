"""Experiments with a past: what is trained before what, on what, and what their sets of scenes promise."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from para.datasets import Demonstrations
from para.datasets.tracks import import_tracks
from para.evaluation.protocol import WorldSpec
from para.experiments.few_shot import few_scenes
from para.experiments.fresh_policies import fresh_policy, off_the_nominal_plane
from para.experiments.pixel_errors import errors_of, export_pixel_errors
from para.experiments.plan import work_left
from para.experiments.position_sets import JITTER_M
from para.experiments.run import RunOptions, check_runs, config_of, plan_run
from para.files import read_json
from para.interfaces import ActionChunk, Scene
from para.training import save_policy
from para.worlds.scenes import TABLETOP
from tests.conftest import random_batch
from tests.datasets.track_videos import N as N_FRAMES
from tests.datasets.track_videos import write_csv, write_dot_video
from tests.tiny import build, policy_config

NAMES = (
    "track_pretraining",
    "track_pretraining_fair",
    "track_pretraining_apart",
    "cross_embodiment",
    "heatmap_transfer",
)


def plan(name: str, *recipes: str, shared: bool = False, seeds: int = 2):
    out = Path("runs") / name
    options = RunOptions(name, out, scale="tiny", recipes=recipes, train_seeds=seeds, shared=out if shared else None)
    return plan_run(options)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shared", [False, True])
def test_what_a_training_starts_from_is_trained_before_it_and_everything_once(name, shared):
    made = plan(name, shared=shared)
    trained = set()
    for wave in made.waves:
        for job in wave:
            assert job.start is None or job.start in trained
            assert job.start is None or job.start.name == f"seed{job.seed}"
        trained |= {job.folder for job in wave}
    jobs = [job for wave in made.waves for job in wave]
    assert len({job.folder for job in jobs}) == len(jobs) and {job.folder for job in made.jobs} <= trained
    assert work_left(made, set()).trainings == len(jobs)


def test_only_what_is_asked_for_is_pretrained():
    made = plan("track_pretraining", "para+2d+n5", "para+n5")
    assert [recipe.name for recipe in made.starts] == ["para+2d"]
    assert set(made.sets) == {"few5", "circles", "demonstrations_heldout"}
    assert plan("track_pretraining", "para+n5").starts == [] and len(plan("track_pretraining", "para+n5").waves) == 1


def test_recipes_told_pixels_alone_tilt_the_view_along_the_plane_of_their_labels_and_no_other_is_trained():
    jobs = {job.name: job for name in NAMES for job in plan(name).jobs + sum(plan(name).waves, [])}
    tilted = [job.config for job in jobs.values() if job.supervision == "pixels" and job.config.augment.view_tilt_deg]
    assert tilted and not any(off_the_nominal_plane(config) for config in tilted)
    other = replace(tilted[0], augment=replace(tilted[0].augment, view_plane_m=(0.02, 0.1)))
    told_all = SimpleNamespace(episode_infos=[])
    with pytest.raises(ValueError, match=r"planes 0.02 to 0.1 m high .*give --augment.view-plane-m 0.02 0.02"):
        fresh_policy(other, told_all, 0, supervision="pixels")


def test_points_high_in_the_picture_teach_a_regressor_though_their_plane_goes_far_beyond_its_workspace(tmp_path):
    uv = np.stack([np.linspace(30, 70, N_FRAMES), np.full(N_FRAMES, 6.0)], axis=-1)
    (tmp_path / "videos").mkdir()
    write_dot_video(tmp_path / "videos" / "a.mp4", uv)
    write_csv(tmp_path / "videos" / "a.csv", uv, np.ones(N_FRAMES, dtype=bool))
    import_tracks(tmp_path / "videos", tmp_path / "data", image_size=(48, 64), progress=False)
    data = Demonstrations.open(tmp_path / "data")
    config = policy_config("act", image_size=(48, 64))
    assert (data.action_position < config.workspace_low_m).any()
    assert fresh_policy(config, data, 0).state_mean.isfinite().all()


@pytest.mark.parametrize("half", [None, "near"])
def test_a_few_positions_are_those_of_the_experiments_and_fewer_are_among_more(half):
    three, ten = (few_scenes(TABLETOP, n, half, random_starts=1) for n in (3, 10))
    assert [s.object_xy for s in three[:3]] == [s.object_xy for s in ten[:3]]
    assert len(ten) == 20 and [s.object_xy for s in ten[:10]] == [s.object_xy for s in ten[10:]]
    assert all(s.ee_start is None for s in ten[:10]) and all(s.ee_start is not None for s in ten[10:])
    if half is None:
        experiments = plan("track_pretraining", "para+n3").sets["few3"].scenes
        assert [s.object_xy for s in experiments] == [s.object_xy for s in three[:3]]
    else:
        assert all(TABLETOP.boundary_distance(np.array(s.object_xy), half) == 0 for s in ten)
    n_all = 256 if half is None else 128
    assert len(few_scenes(TABLETOP, None, half)) == len(few_scenes(TABLETOP, n_all, half)) == n_all
    for n in (0, n_all + 1):
        with pytest.raises(ValueError, match=f"there are 1 to {n_all} positions"):
            few_scenes(TABLETOP, n, half)


def test_in_a_shared_folder_another_past_is_another_training():
    made = plan("track_pretraining", shared=True, seeds=1)
    folders = {job.name: job.folder for job in made.jobs}
    assert len(set(folders.values())) == len(folders)
    starts = {recipe.name: made.checkpoint(recipe, 0) for recipe in made.starts}
    assert len(set(starts.values())) == len(starts)
    same = plan("track_pretraining_fair", shared=True, seeds=1)
    assert made.checkpoint(made.starts[0], 0) != same.checkpoint(made.starts[0], 0), "circles of half the table"


def test_the_record_of_a_run_says_what_its_policies_started_from(tmp_path):
    made = plan_run(RunOptions("track_pretraining", tmp_path / "run", scale="tiny", recipes=("para+2d+n5", "para+n5")))
    starts = config_of(made)["starts"]
    assert set(starts) == {"para+2d+n5"} and starts["para+2d+n5"]["supervision"] == "pixels"
    assert starts["para+2d+n5"]["policy"]["n_height_bins"] == 1 and starts["para+2d+n5"]["data"] == "circles"
    assert "starts" not in config_of(plan_run(RunOptions("left_to_right", tmp_path / "other", scale="tiny")))


@pytest.mark.parametrize("name", NAMES[:4])
def test_sets_of_n_demonstrations_are_nested_and_have_n(name):
    train = plan(name).scenes.train
    sets = {int(key[3:]): [s.object_xy for s in data.scenes] for key, data in train.items() if key.startswith("few")}
    assert all(len(set(xy)) == n for n, xy in sets.items()) and len(sets) >= 3
    for smaller, larger in zip(sorted(sets), sorted(sets)[1:]):
        assert sets[larger][:smaller] == sets[smaller]


@pytest.mark.parametrize("validation", [False, True])
def test_the_fair_form_shows_nothing_of_the_half_in_which_it_is_tested(validation):
    options = RunOptions("track_pretraining_fair", Path("runs"), scale="small", validation=validation)
    scenes = plan_run(options).scenes
    shown = np.array([scene.object_xy for data in scenes.train.values() for scene in data.scenes])
    assert (TABLETOP.boundary_distance(shown, "left") == 0).all()
    tested = next(items for split, items in scenes.evaluation.items() if split.endswith("test"))
    assert (TABLETOP.boundary_distance(np.array([t.scene.object_xy for t in tested]), "right") == 0).all()
    assert len(scenes.train["circles"].scenes) == 128 and scenes.train["circles"].world == {"circles": True}


@pytest.mark.parametrize("validation", [False, True])
def test_with_bowl_and_plate_apart_no_test_scene_is_in_the_videos_and_the_near_ones_are_near(validation):
    options = RunOptions("track_pretraining_apart", Path("runs"), scale="small", validation=validation)
    made = plan_run(options).scenes
    assert made.train["circles"].world == {"circles": True} and len(made.train["circles"].scenes) == 256
    near, test = (
        [(*item.scene.object_xy, *item.scene.goal_xy) for item in items] for items in made.evaluation.values()
    )
    ten = [(*scene.object_xy, *scene.goal_xy) for scene in made.train["few10"].scenes]
    shown = {(*scene.object_xy, *scene.goal_xy) for data in made.train.values() for scene in data.scenes}
    assert not shown & {*near, *test} and len({*near, *test}) == 16 + 64
    off = np.abs(np.array(near)[:, None] - np.array(ten)[None]).max(axis=-1)
    assert off.min(axis=1).max() <= JITTER_M + 1e-4
    apart = np.linalg.norm(np.array(near + test)[:, :2] - np.array(near + test)[:, 2:], axis=-1)
    assert apart.min() >= TABLETOP.min_goal_distance - 1e-4


def test_the_other_arm_demonstrates_and_the_usual_one_is_tested():
    made = plan("cross_embodiment")
    assert made.scenes.train["other_arm"].world == {"arm": "printed"}
    assert dict(made.spec.options) == {} and not any(
        dict(how.world) for recipe in made.recipes for how in recipe.executions.values()
    )


class Beside(torch.nn.Module):
    """Predicts what is demonstrated, so many pixels to the right."""

    config = policy_config("para")

    def __init__(self, path, off: float):
        super().__init__()
        self.path, self.off = torch.as_tensor(path), off

    def act(self, obs):
        R = obs.camera.T_world_cam[0, :3, :3]
        depth = (self.path - obs.camera.T_world_cam[0, :3, 3]) @ R[:, 2]  # (T,)
        position = self.path + (self.off * depth / obs.camera.K[0, 0, 0]).unsqueeze(-1) * R[:, 0]
        T = len(position)
        return ActionChunk(position.unsqueeze(0), torch.ones(1, T), torch.zeros(1, T, dtype=torch.bool))


@pytest.mark.parametrize("off", [0.0, 3.0])
def test_pixel_errors_are_those_between_prediction_and_demonstration(off):
    obs, actions = random_batch(B=1)
    path = actions.position[0].numpy()
    errors = errors_of(Beside(path, off), [(obs, path), (obs, path[:2])])
    assert errors["looks"] == 2 and errors["median_px"] == pytest.approx(off, abs=1e-2)
    assert errors["median_px_by_step"] == pytest.approx([off] * 4, abs=1e-2)


def test_pixel_errors_are_measured_once_for_the_same_weights(tmp_path):
    spec = WorldSpec("tabletop", (48, 64))
    worlds = {"circles": spec.with_options({"circles": True}), "robot": spec}
    checkpoint = save_policy(build(policy_config("para")), tmp_path / "policy")
    export_pixel_errors(tmp_path, worlds, [("para+2d", 0, checkpoint)], [Scene((0.0, -0.1))])
    first = read_json(tmp_path / "pixel_errors.json")
    assert {(row["policy"], row["world"]) for row in first["rows"]} == {("para+2d", "circles"), ("para+2d", "robot")}
    missing = {name: replace(world, name="no such world") for name, world in worlds.items()}
    export_pixel_errors(tmp_path, missing, [("para+2d", 0, checkpoint)], [Scene((0.0, -0.1))])
    assert read_json(tmp_path / "pixel_errors.json")["rows"] == first["rows"]


def test_a_world_that_cannot_show_what_demonstrations_need_is_refused_before_anything_is_done(tmp_path):
    for name in NAMES:
        options = RunOptions(name, tmp_path / name, world="libero", scale="tiny")
        if name == "cross_embodiment":
            with pytest.raises(ValueError, match="world 'libero' has no option 'arm'"):
                check_runs([options])
        else:
            check_runs([options])
    assert not list(tmp_path.iterdir())
