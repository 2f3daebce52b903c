"""What every registered world and experiment keeps, without a test of its own; see test_contracts.py for the others."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from para.experiments import EXPERIMENTS
from para.experiments.scale import SCALES
from para.geometry import pixel_rays, project
from para.interfaces import OUTCOMES, Observation, Scene, World
from para.policies import make_policy
from para.worlds import WORLDS, make_world
from tests.worlds.needs_libero import skip_without

# ---- worlds ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=WORLDS)
def world(request):
    try:
        built = make_world(request.param, (72, 96))
    except ImportError as error:
        skip_without(error)
    yield built
    built.close()
    built.close()  # may be called twice


@pytest.fixture
def scene(world, request) -> Scene:
    """With the object in the middle of where it may lie, seen from the side."""
    workspace = WORLDS[request.node.callspec.params["world"]].workspace
    x, y = (np.asarray(workspace.low) + np.asarray(workspace.high)) / 2
    return Scene(object_xy=(float(x), float(y)), view_theta_deg=12.0, view_phi_deg=75.0, seed=4)


def assert_equal_observations(a: Observation, b: Observation) -> None:
    assert torch.equal(a.image, b.image)
    for x, y in ((a.camera.K, b.camera.K), (a.camera.T_world_cam, b.camera.T_world_cam)):
        assert torch.equal(x, y)
    assert torch.equal(a.ee_position, b.ee_position) and torch.equal(a.gripper, b.gripper)


def test_a_world_shows_a_batch_of_one_with_an_arm_in_the_image(world, scene):
    assert isinstance(world, World)
    obs = world.reset(scene)
    assert len(obs) == 1 and tuple(obs.camera.image_size) == (72, 96)
    assert obs.ee_position.dtype == obs.gripper.dtype == obs.camera.K.dtype == torch.float32
    assert obs.image.float().std() > 5  # not a blank image
    uv, depth = project(obs.ee_position, obs.camera)
    assert depth.item() > 0 and 0 <= uv[0, 0] < 96 and 0 <= uv[0, 1] < 72
    assert 0.0 <= obs.gripper.item() <= 1.0 and world.n_steps == 0
    assert world.outcome() in OUTCOMES and world.outcome() != "placed"


def test_equal_scenes_and_equal_actions_give_equal_frames(world, scene):
    def play() -> list[Observation]:
        seen = [world.reset(scene)]
        start = seen[0].ee_position[0].double().numpy()
        return seen + [world.execute(start + [0.0, 0.02 * i, -0.03 * i], float(i % 2)) for i in (1, 2, 3)]

    first = play()
    world.reset(scene.with_(object_xy=(scene.object_xy[0] + 0.05, scene.object_xy[1] - 0.03), view_theta_deg=0.0))
    for a, b in zip(first, play()):
        assert_equal_observations(a, b)


def test_other_scenes_give_other_frames(world, scene):
    here = world.reset(scene).image
    moved = scene.with_(object_xy=(scene.object_xy[0] - 0.06, scene.object_xy[1] + 0.04))
    assert not torch.equal(here, world.reset(moved).image)
    assert not torch.equal(here, world.reset(scene.with_(view_theta_deg=0.0)).image)


def test_a_marker_renders_where_project_says(world, scene):
    if not hasattr(world, "show_marker"):
        pytest.skip("this world draws no markers")
    for theta, phi in ((0.0, 0.0), (25.0, 45.0), (14.0, 200.0)):
        obs = world.reset(scene.with_(view_theta_deg=theta, view_phi_deg=phi))
        H, W = obs.camera.image_size
        pixels = torch.tensor([[5.0, 4.0], [W - 6.0, 4.0], [5.0, H - 5.0], [W - 6.0, H - 5.0], [0.3 * W, 0.6 * H]])
        origin, direction = pixel_rays(pixels, obs.camera)
        for p_world in origin + 0.5 * direction:  # nearer to the camera than what could hide it
            marked = world.show_marker(p_world.numpy(), 0.01).image[0].float()
            change = (marked - obs.image[0].float()).abs().sum(dim=0)  # (H, W)
            v, u = torch.meshgrid(torch.arange(H), torch.arange(W), indexing="ij")
            seen = torch.stack([(u * change).sum(), (v * change).sum()]) / change.sum()
            assert (seen - project(p_world, obs.camera[0])[0]).norm() < 1.0


def test_the_end_effector_goes_to_a_target_in_reach(world, scene):
    start = world.reset(scene).ee_position[0].double().numpy()
    target = start + [0.03, -0.04, 0.02]
    for _ in range(3):
        obs = world.execute(target, 1.0)
    np.testing.assert_allclose(obs.ee_position[0].numpy(), target, atol=0.01)
    assert world.n_steps > 0


@pytest.mark.parametrize("bad", [[np.nan, 0, 0.2], [np.inf, 0, 0.2], [0.0, 0.2], [[0.0, 0.0, 0.2]]])
def test_a_target_that_is_no_point_is_an_error_and_never_a_miss(world, scene, bad):
    world.reset(scene)
    with pytest.raises(ValueError):
        world.execute(np.array(bad), 1.0)
    with pytest.raises(ValueError):
        world.execute(np.array([0.0, 0.0, 0.2]), float("nan"))


@pytest.mark.parametrize(
    "changes",
    [{"appearance": "plaid"}, {"distractors": ("no such thing",)}, {"task": "fly"}, {"object_xy": (9.0, 9.0)}],
)
def test_a_scene_that_cannot_be_shown_is_refused(world, scene, changes):
    with pytest.raises(ValueError):
        world.reset(scene.with_(**changes))


def test_the_expert_places_the_object_and_starts_anywhere(world, scene):
    obs = world.reset(scene)
    expert = world.expert()
    if expert is None:
        pytest.skip("this world has no expert")
    for target in ([0.05, -0.06, 0.02], [-0.04, 0.05, -0.03]):  # somewhere else, before the expert begins
        obs = world.execute(obs.ee_position[0].double().numpy() + target, 1.0)
    expert, phases = world.expert(), []
    while len(phases) < 200 and (action := expert.act()) is not None:
        phases.append(action.phase)
        world.execute(action.position, action.gripper)
    assert world.outcome() == "placed" and expert.act() is None
    assert phases == sorted(phases) and phases[0] >= 0


# ---- experiments -----------------------------------------------------------------------------------------------------


def scenes_of(experiment, scale: str, validation: bool = False):
    return experiment.scenes(WORLDS["tabletop"].workspace, SCALES[scale], validation)


def same_place(scene: Scene) -> Scene:
    """Without what makes a scene differ but for what a policy must generalise over (the seed places distractors)."""
    return scene.with_(seed=scene.seed if scene.distractors else 0, ee_start=None)


@pytest.fixture(params=EXPERIMENTS)
def experiment(request):
    assert EXPERIMENTS[request.param].name == request.param
    return EXPERIMENTS[request.param]


@pytest.mark.parametrize("scale", SCALES)
def test_scenes_for_training_measuring_choosing_and_reporting_are_disjoint(experiment, scale):
    reported, chosen = scenes_of(experiment, scale), scenes_of(experiment, scale, validation=True)
    assert chosen.train == reported.train and chosen.heldout == reported.heldout
    starts = [recipe.start for recipe in experiment.recipes if recipe.start is not None]
    used = {recipe.data for recipe in [*experiment.recipes, *starts]}
    trained = [scene for name in used for scene in reported.train[name].scenes]
    groups = {"train": trained, "heldout": reported.heldout}
    for prefix, scenes in (("test", reported), ("validation", chosen)):
        groups |= {f"{prefix}, {split}": [item.scene for item in items] for split, items in scenes.evaluation.items()}
    places = {name: {same_place(scene) for scene in scenes} for name, scenes in groups.items()}
    assert all(places.values())
    for a in places:
        for b in places:
            assert a == b or not places[a] & places[b], f"{a} and {b} share scenes"


@pytest.mark.parametrize("scale", SCALES)
def test_scenes_are_drawn_once_for_all_and_survive_json(experiment, scale):
    scenes = scenes_of(experiment, scale)
    assert scenes == scenes_of(experiment, scale)
    trained = [scene for data in scenes.train.values() for scene in data.scenes]
    for scene in [*trained, *(item.scene for items in scenes.evaluation.values() for item in items)]:
        assert Scene.from_dict(json.loads(json.dumps(scene.to_dict()))) == scene


@pytest.mark.parametrize("validation", [False, True])
def test_in_distribution_lies_where_training_does_and_test_scenes_elsewhere(experiment, validation):
    scenes = scenes_of(experiment, "small", validation)
    prefix = "validation_" if validation else ""
    known = {
        split.removeprefix(prefix): [item.boundary_distance_m for item in items]
        for split, items in scenes.evaluation.items()
        if items[0].boundary_distance_m is not None
    }
    one_set = len({recipe.data for recipe in experiment.recipes}) == 1 or experiment.name == "left_to_right"
    assert set(known) >= {"train", "test"} or experiment.axis != "position" or not one_set
    if {"train", "test"} <= set(known):
        assert max(known["train"]) < 0.02 and np.mean(known["test"]) > 0.03 and min(known["test"]) >= 0


@pytest.mark.parametrize("validation", [False, True])
def test_view_experiments_test_in_views_that_training_does_not_show(validation):
    for experiment in EXPERIMENTS.values():
        if experiment.axis != "view" or experiment.name == "inner_outer":
            continue
        scenes = scenes_of(experiment, "small", validation)
        used = [scenes.train[recipe.data] for recipe in experiment.recipes]
        trained = {(s.view_theta_deg, s.view_phi_deg) for data in used for s in data.scenes}
        for split, items in scenes.evaluation.items():
            seen = {(item.scene.view_theta_deg, item.scene.view_phi_deg) for item in items}
            assert seen <= trained if split.endswith("train") else not seen & trained


def test_comparisons_headlines_and_papers_numbers_are_of_what_is_run_and_have_a_source(experiment):
    names = {recipe.name + suffix for recipe in experiment.recipes for suffix in recipe.executions}
    splits = set(scenes_of(experiment, "tiny").evaluation)
    for a, b, split in experiment.comparisons:
        assert {a, b} <= names and a != b and split in splits, f"comparison ({a}, {b}, {split})"
    assert set(experiment.headline) <= names and set(experiment.headline_splits) <= splits
    for recipe in experiment.recipes:
        for trained in (recipe, recipe.start or recipe):
            assert trained.data in scenes_of(experiment, "tiny").train, f"{recipe.name} trains on '{trained.data}'"
        assert recipe.start is None or recipe.start.start is None, f"{recipe.name} starts from one that starts"
    for policy, numbers in experiment.paper.items():
        assert policy in names and set(numbers) <= splits
        assert all(0 <= number.rate <= 1 and len(number.source) > 10 for number in numbers.values())


@pytest.mark.parametrize("scale", SCALES)
def test_every_recipe_describes_a_policy_at_every_scale(experiment, scale):
    names = [recipe.name for recipe in experiment.recipes]
    assert len(set(names)) == len(names)
    for recipe in experiment.recipes:
        config = recipe.config(SCALES[scale])
        assert tuple(config.image_size) == SCALES[scale].image_size
        assert "" in recipe.executions and recipe.why
        if scale == "tiny":
            assert recipe.name.split("+")[0] == make_policy(config).name
