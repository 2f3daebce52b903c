"""Laws of the loop in which a policy meets a world: when it looks, what it executes, how it ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from para.geometry import Camera, camera_towards, seen_from, tilted_camera
from para.interfaces import ActionChunk, Observation, Scene, World
from para.rollout import RolloutConfig, from_home, rollout
from tests.conftest import oblique_camera

SCENE = Scene(object_xy=(0.0, 0.0), seed=3)
HORIZON = 5
STEPS_PER_EXECUTE = 3


class FakeWorld:
    """Shows the number of steps that were executed in its image, and is where it was told to be."""

    def __init__(self, placed_after: int | None = None):
        self.placed_after, self.n_steps, self.executed = placed_after, 0, []

    def reset(self, scene: Scene) -> Observation:
        self.n_steps, self.executed, self.ee, self.gripper = 0, [], np.array([0.0, 0.0, 0.2]), 1.0
        return self.observe()

    def observe(self) -> Observation:
        image = torch.full((1, 3, 48, 64), len(self.executed), dtype=torch.uint8)
        ee = torch.tensor(self.ee, dtype=torch.float32).unsqueeze(0)
        return Observation(image, oblique_camera(batch=1), ee, torch.tensor([self.gripper]))

    def execute(self, position, gripper, rotation=None) -> Observation:
        assert np.shape(position) == (3,) and 0.0 <= gripper <= 1.0
        self.executed.append((np.array(position), gripper))
        self.ee, self.gripper = np.array(position), gripper
        self.n_steps += STEPS_PER_EXECUTE
        return self.observe()

    def outcome(self):
        return "placed" if self.placed_after is not None and len(self.executed) >= self.placed_after else "missed"

    def expert(self):
        return None

    def close(self):
        pass


class FakePolicy(nn.Module):
    """Each look draws a chunk of its own; `looks` are the steps at which it looked."""

    def __init__(self, position=None, gripper=None):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        g = torch.Generator().manual_seed(0)
        self.position = torch.randn(60, HORIZON, 3, generator=g) if position is None else position
        self.gripper = torch.rand(60, HORIZON, generator=g) if gripper is None else gripper
        self.looks = []

    def act(self, obs: Observation) -> ActionChunk:
        self.looks.append(int(obs.image[0, 0, 0, 0]))
        i = len(self.looks) - 1
        pad = torch.zeros(1, HORIZON, dtype=torch.bool)
        return ActionChunk(self.position[i : i + 1], self.gripper[i : i + 1], pad)


def run(config: RolloutConfig, policy=None, world=None, **options):
    policy, world = policy or FakePolicy(), world or FakeWorld()
    episode = rollout(policy, world, SCENE, config, **options)
    return episode, policy, world


def test_the_fake_keeps_the_worlds_contract():
    assert isinstance(FakeWorld(), World)


@pytest.mark.parametrize(
    ("execute_steps", "expected"),
    [(1, [0, 1, 2, 3, 4, 5, 6]), (2, [0, 2, 4, 6]), (4, [0, 4]), (0, [0, 5]), (99, [0, 5])],
)
def test_the_policy_looks_again_after_that_many_executed_steps(execute_steps, expected):
    episode, policy, world = run(RolloutConfig(execute_steps=execute_steps, max_control_steps=7 * STEPS_PER_EXECUTE))
    assert policy.looks == expected
    assert len(world.executed) == len(episode) - 1 == 7  # the last frame is what came of the last action


def test_the_steps_of_a_chunk_are_executed_in_order():
    _, policy, world = run(RolloutConfig(execute_steps=3, max_control_steps=6 * STEPS_PER_EXECUTE))
    expected = torch.cat([policy.position[0, :3], policy.position[1, :3]])
    np.testing.assert_array_equal(np.stack([p for p, _ in world.executed]), expected.numpy())
    opening = torch.cat([policy.gripper[0, :3], policy.gripper[1, :3]]) > 0.5
    assert [g for _, g in world.executed] == opening.float().tolist()


@pytest.mark.parametrize("decay", [0.0, 0.1, 1.5])
def test_ensembling_averages_what_all_earlier_chunks_said_of_a_step(decay):
    n = 9
    config = RolloutConfig(execute_steps=1, ensemble_decay=decay, max_control_steps=n * STEPS_PER_EXECUTE)
    _, policy, world = run(config)
    assert policy.looks == list(range(n))
    for step, (position, gripper) in enumerate(world.executed):
        ages = range(min(step, HORIZON - 1) + 1)
        weights = np.array([np.exp(-decay * age) for age in ages])
        said = np.stack([policy.position[step - age, age].numpy() for age in ages])
        opening = np.array([float(policy.gripper[step - age, age]) for age in ages])
        np.testing.assert_allclose(position, weights @ said / weights.sum(), atol=1e-6)
        assert gripper == float(weights @ opening / weights.sum() > 0.5)


def test_ensembling_needs_a_look_at_every_step():
    with pytest.raises(ValueError, match="execute_steps to 1"):
        RolloutConfig(execute_steps=4, ensemble_decay=0.1)


@pytest.mark.parametrize("ensemble_decay", [None, 0.1])
def test_a_gripper_is_opened_or_closed_unless_it_may_be_partly_open(ensemble_decay):
    steps = {"execute_steps": 4 if ensemble_decay is None else 1, "ensemble_decay": ensemble_decay}
    steps["max_control_steps"] = 8 * STEPS_PER_EXECUTE
    policy = FakePolicy(gripper=torch.full((60, HORIZON), 0.6))
    for partly, commanded in ((False, 1.0), (True, 0.6)):
        _, _, world = run(RolloutConfig(partly_open=partly, **steps), policy)
        assert [gripper for _, gripper in world.executed] == pytest.approx([commanded] * len(world.executed))
    with pytest.raises(ValueError, match="gripper_gate_m holds back a change between open and closed"):
        RolloutConfig(partly_open=True, gripper_gate_m=0.05)


def test_a_gated_gripper_changes_only_once_the_arm_is_where_the_change_was_predicted():
    # The arm goes down 10 cm, in steps of 4 cm; the policy wants to close two steps too early.
    heights = torch.tensor([0.16, 0.12, 0.10, 0.10, 0.10])
    position = torch.zeros(1, HORIZON, 3)
    position[0, :, 2] = heights
    gripper = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0]])
    config = {"execute_steps": 0, "max_control_steps": HORIZON * STEPS_PER_EXECUTE}
    closed = {}
    for gate in (None, 0.03):
        _, _, world = run(RolloutConfig(gripper_gate_m=gate, **config), FakePolicy(position, gripper))
        closed[gate] = [g for _, g in world.executed]
    assert closed[None] == [1, 0, 0, 0, 0]
    assert closed[0.03] == [1, 1, 0, 0, 0]  # at 0.16 m the place of the change is 4 cm away, at 0.12 m 2 cm


def test_an_episode_ends_once_the_object_is_placed():
    episode, _, world = run(RolloutConfig(execute_steps=4), world=FakeWorld(placed_after=6))
    assert episode.outcome == "placed" and len(world.executed) == 6
    assert episode.info["n_control_steps"] == 6 * STEPS_PER_EXECUTE


def test_a_scene_that_is_placed_already_needs_no_look():
    episode, policy, world = run(RolloutConfig(), world=FakeWorld(placed_after=0))
    assert policy.looks == [] and world.executed == [] and episode.outcome == "placed"


def test_an_episode_ends_once_its_control_steps_are_spent():
    episode, _, world = run(RolloutConfig(max_control_steps=10))
    assert episode.outcome == "missed"
    assert len(world.executed) == 4 and episode.info["n_control_steps"] == 12  # the step that passes 10 is finished


@pytest.mark.parametrize("what", ["position", "gripper"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_prediction_that_is_not_finite_raises_and_is_no_miss(what, bad):
    policy = FakePolicy()
    getattr(policy, what)[1, 2] = bad
    world = FakeWorld()
    with pytest.raises(ValueError, match="not finite"):
        rollout(policy, world, SCENE, RolloutConfig(execute_steps=2))
    assert len(world.executed) == 2


@pytest.mark.parametrize(
    ("what", "told"),
    [("ee_position", "position of the end effector"), ("gripper", "gripper"), ("camera", "camera's pose")],
)
def test_an_observation_that_is_not_finite_is_not_blamed_on_the_weights(what, told):
    class Broken(FakeWorld):
        def observe(self):
            obs = super().observe()
            if len(self.executed) < 2:
                return obs
            if what != "camera":
                return replace(obs, **{what: torch.full_like(getattr(obs, what), float("nan"))})
            T_world_cam = obs.camera.T_world_cam.clone()
            T_world_cam[..., 2, 3] = float("inf")
            return replace(obs, camera=Camera(obs.camera.K, T_world_cam, obs.camera.image_size))

    world = Broken()
    with pytest.raises(ValueError, match=f"the world showed a {told} that is not finite; mend the driver"):
        rollout(FakePolicy(), world, SCENE, RolloutConfig(execute_steps=2))
    assert len(world.executed) == 2


def test_an_episode_holds_frames_only_where_they_were_asked_for():
    config = RolloutConfig(execute_steps=2, max_control_steps=4 * STEPS_PER_EXECUTE)
    without, _, _ = run(config)
    assert without.image.shape == (0, 48, 64, 3) and len(without) == 5
    kept, _, _ = run(config, keep_frames=True)
    assert kept.image.shape == (5, 48, 64, 3)  # one before each action, and the last view
    assert kept.image[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]


def test_an_episode_tells_where_the_arm_was_and_what_it_was_told():
    episode, policy, world = run(RolloutConfig(execute_steps=0, max_control_steps=3 * STEPS_PER_EXECUTE))
    np.testing.assert_allclose(episode.action_position[:-1], [p for p, _ in world.executed], atol=1e-7)
    np.testing.assert_allclose(episode.ee_position[0], [0, 0, 0.2], atol=1e-7)
    np.testing.assert_allclose(episode.ee_position[1:], episode.action_position[:-1], atol=1e-7)
    assert episode.scene == SCENE and tuple(episode.camera.K.shape) == (4, 3, 3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"execute_steps": -1}, "or more"),
        ({"max_control_steps": 0}, "or more"),
        ({"home_view_m": float("nan")}, "height above the table"),
        ({"home_view_m": 20.0}, "height above the table in metres; got 20"),
        ({"home_view_m": 0.02, "home_view_within_deg": -1.0}, "an angle from 0 to 180"),
        ({"home_view_m": 0.02, "home_view_within_deg": float("nan")}, "an angle from 0 to 180"),
        ({"home_view_within_deg": 10.0}, "set home_view_m"),
    ],
)
def test_options_without_meaning_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        RolloutConfig(**options)


class StillWorld(FakeWorld):
    """Shows the same picture whatever happens."""

    def observe(self) -> Observation:
        obs = super().observe()
        return Observation(torch.full_like(obs.image, 9), obs.camera, obs.ee_position, obs.gripper)


def test_an_episode_in_which_nothing_moves_any_more_ends_early_and_says_so_in_its_steps():
    def still() -> FakePolicy:
        return FakePolicy(torch.full((60, HORIZON, 3), 0.1), torch.ones(60, HORIZON))

    config = RolloutConfig(execute_steps=1, stall_steps=7, max_control_steps=90)
    episode, _, world = run(config, still(), StillWorld())
    assert episode.outcome == "missed"
    assert len(world.executed) == 8  # one step to get there, seven without motion
    _, _, something_moves = run(config, still(), FakeWorld())
    assert len(something_moves.executed) == 30
    _, _, patient = run(RolloutConfig(execute_steps=1, stall_steps=0, max_control_steps=90), still(), StillWorld())
    assert len(patient.executed) == 30


def test_a_gripper_that_still_acts_or_an_arm_that_creeps_is_no_stall():
    still = torch.full((60, HORIZON, 3), 0.1)
    clapping = (torch.arange(60) % 2).float().unsqueeze(-1).expand(60, HORIZON)
    creeping = still + 0.003 * torch.arange(60).view(60, 1, 1)
    config = RolloutConfig(execute_steps=1, stall_steps=4, max_control_steps=60)
    for policy in (FakePolicy(still, clapping), FakePolicy(creeping, torch.ones(60, HORIZON))):
        _, _, world = run(config, policy, StillWorld())
        assert len(world.executed) == 20


class RotatingPolicy(FakePolicy):
    """Asks for a rotation as well."""

    def act(self, obs: Observation) -> ActionChunk:
        chunk = super().act(obs)
        return replace(chunk, rotation=torch.eye(3).expand(1, HORIZON, 3, 3))


def test_a_predicted_rotation_reaches_the_world_and_is_never_averaged():
    class Turning(FakeWorld):
        def execute(self, position, gripper, rotation=None):
            assert np.array_equal(rotation, np.eye(3))
            return super().execute(position, gripper)

    _, _, world = run(RolloutConfig(max_control_steps=6), RotatingPolicy(), Turning())
    assert len(world.executed) == 2
    with pytest.raises(ValueError, match="not rotations"):
        run(RolloutConfig(execute_steps=1, ensemble_decay=0.1), RotatingPolicy(), Turning())


class CameraPolicy(FakePolicy):
    """Remembers which cameras it was told."""

    def __init__(self):
        super().__init__()
        self.told: list[Camera] = []

    def act(self, obs: Observation) -> ActionChunk:
        self.told.append(obs.camera)
        return super().act(obs)


WRONG = {"camera_rotation_error_deg": 2.0, "camera_translation_error_mm": 30.0, "camera_focal_error_percent": 5.0}


def told(scene: Scene = SCENE, **errors) -> list[Camera]:
    """The cameras that a policy is told in an episode of five looks."""
    policy = CameraPolicy()
    config = RolloutConfig(execute_steps=1, max_control_steps=5 * STEPS_PER_EXECUTE, **errors)
    rollout(policy, FakeWorld(), scene, config)
    assert len(policy.told) == 5
    return policy.told


def equal(a: Camera, b: Camera) -> bool:
    return torch.equal(a.K, b.K) and torch.equal(a.T_world_cam, b.T_world_cam)


def test_a_policy_is_told_the_true_camera_unless_an_error_is_asked_for():
    assert all(equal(camera, oblique_camera(batch=1)) for camera in told())


def test_a_wrong_camera_is_off_by_the_sizes_asked_and_stays_the_same_throughout_an_episode():
    cameras, true = told(**WRONG), oblique_camera(batch=1)
    assert all(equal(camera, cameras[0]) for camera in cameras)
    wrong = cameras[0]
    R = true.T_world_cam[0, :3, :3].double().mT @ wrong.T_world_cam[0, :3, :3].double()
    degrees = torch.rad2deg(torch.acos(((R.trace() - 1) / 2).clamp(-1, 1)))
    assert float(degrees) == pytest.approx(2.0, abs=0.01)
    assert float((wrong.T_world_cam - true.T_world_cam)[0, :3, 3].norm()) == pytest.approx(0.030, abs=1e-6)
    assert abs(float(wrong.K[0, 0, 0] / true.K[0, 0, 0]) - 1) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize("name", WRONG)
def test_each_error_alone_makes_the_camera_wrong(name):
    assert not equal(told(**{name: WRONG[name]})[0], oblique_camera(batch=1))


def test_the_error_belongs_to_the_scene_and_not_to_the_policy_or_the_execution():
    first = told(**WRONG)[0]
    config = RolloutConfig(execute_steps=0, gripper_gate_m=0.01, max_control_steps=20, **WRONG)
    other = CameraPolicy()
    other.position = other.position + 1.0
    rollout(other, FakeWorld(), SCENE, config)
    assert equal(other.told[0], first)
    assert not equal(told(SCENE.with_(seed=SCENE.seed + 1), **WRONG)[0], first)
    assert not equal(told(SCENE.with_(object_xy=(0.0, 0.001)), **WRONG)[0], first)


def test_a_larger_error_points_the_same_way():
    shift = [
        told(camera_translation_error_mm=size)[0].T_world_cam[0, :3, 3] - oblique_camera().T_world_cam[:3, 3]
        for size in (10.0, 40.0)
    ]
    torch.testing.assert_close(shift[1], 4 * shift[0], rtol=0, atol=1e-6)


def test_a_wrong_camera_reaches_the_policy_alone_and_the_episode_keeps_the_true_one():
    config = RolloutConfig(execute_steps=1, max_control_steps=5 * STEPS_PER_EXECUTE)
    (true, _, _), (episode, _, world) = run(config), run(replace(config, **WRONG))
    assert equal(episode.camera, true.camera)
    np.testing.assert_array_equal(episode.ee_position, true.ee_position)
    assert world.outcome() == true.outcome


@pytest.mark.parametrize("name", WRONG)
def test_an_error_below_nothing_is_refused(name):
    with pytest.raises(ValueError, match="0 or more"):
        RolloutConfig(**{name: -1.0})


class Onlooker(FakePolicy):
    """Remembers what it was shown."""

    def __init__(self, home_camera=None):
        super().__init__()
        self.home_camera, self.shown = home_camera, []

    def act(self, obs: Observation) -> ActionChunk:
        self.shown.append(obs)
        return super().act(obs)


AT_HOME = RolloutConfig(execute_steps=2, home_view_m=0.02, max_control_steps=12)


def turned(camera: Camera) -> Camera:
    return tilted_camera(camera, torch.tensor([12.0]), torch.tensor([70.0]))


def test_a_policy_at_home_is_shown_the_camera_of_its_demonstrations_and_the_picture_that_belongs_to_it():
    home = turned(oblique_camera(batch=1))
    episode, policy, world = run(AT_HOME, Onlooker(home))
    for shown in policy.shown:
        assert torch.equal(shown.camera.K, home.K) and torch.equal(shown.camera.T_world_cam, home.T_world_cam)
    seen = world.reset(SCENE)
    image = torch.randint(0, 256, seen.image.shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    at_home = from_home(policy, replace(seen, image=image), 0.02)
    assert torch.equal(at_home.image, seen_from(image, seen.camera, home, torch.tensor([0.02])))
    assert not torch.equal(at_home.image, image) and torch.equal(at_home.ee_position, seen.ee_position)
    assert torch.equal(episode.camera.T_world_cam[0], seen.camera.T_world_cam[0])


def test_where_the_real_camera_is_that_of_the_demonstrations_being_at_home_changes_nothing():
    home = oblique_camera(batch=1)
    episode, policy, world = run(AT_HOME, Onlooker(home))
    usual, _, _ = run(replace(AT_HOME, home_view_m=None), Onlooker(home))
    assert np.array_equal(episode.action_position, usual.action_position)
    seen = world.reset(SCENE)
    assert from_home(policy, seen, 0.02).image is seen.image


def test_from_below_the_plane_a_policy_at_home_sees_what_there_is():
    seen = FakeWorld().reset(SCENE)
    assert from_home(Onlooker(turned(seen.camera)), seen, 50.0) is seen


@pytest.mark.parametrize("policy", [FakePolicy(), Onlooker(None)])
def test_a_policy_that_does_not_say_where_its_demonstrations_were_filmed_is_refused_at_home(policy):
    with pytest.raises(ValueError, match="home_view_m needs a policy that says from where"):
        run(AT_HOME, policy)


def test_a_policy_near_home_is_shown_a_camera_as_near_as_asked_and_what_is_as_near_as_it_is():
    seen = FakeWorld().reset(SCENE)
    policy = Onlooker(turned(seen.camera))
    shown = from_home(policy, seen, 0.02, within_deg=5.0)
    assert torch.equal(shown.camera.T_world_cam, camera_towards(policy.home_camera, seen.camera, 5.0).T_world_cam)
    assert not torch.equal(shown.camera.T_world_cam, seen.camera.T_world_cam)
    assert from_home(policy, seen, 0.02, within_deg=30.0).image is seen.image
