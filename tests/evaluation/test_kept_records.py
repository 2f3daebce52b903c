"""Which records a further command goes on from, and which it refuses to mix with its own."""

from pathlib import Path

import pytest

from para.evaluation.kept_records import check_same_run
from para.evaluation.protocol import Trial, WorldSpec
from para.evaluation.results import EpisodeRecord
from para.interfaces import Scene
from para.rollout import RolloutConfig

SCENES = [Scene((0.1, 0.0), seed=0), Scene((0.0, 0.1), seed=1)]


def test_a_world_is_not_asked_to_show_circles_and_the_robot_that_they_stand_for():
    spec = WorldSpec("tabletop", (48, 64)).with_options({"circles": True, "robot_visible": True})
    with pytest.raises(ValueError, match="leave robot_visible out, or circles"):
        spec.build()


def trial(policy: str = "para", split: str = "left", index: int = 0, weights: str = "aaa") -> Trial:
    spec = WorldSpec("tabletop", (48, 64))
    return Trial(policy, "somewhere", weights, 0, split, index, SCENES[index], spec, RolloutConfig(), None, None, None)


def record(of: Trial, **changes) -> EpisodeRecord:
    values = {
        "experiment": "evaluate", "world": "tabletop", "policy": of.policy, "train_seed": 0, "split": of.split,
        "scene": of.scene.to_dict(), "scene_index": of.scene_index, "outcome": "placed", "steps": 9, "seconds": 1.0,
        "checkpoint": of.weights, "execution": of.execution,
    }  # fmt: skip
    return EpisodeRecord(**values | changes)


def test_records_of_these_trials_and_of_other_policies_in_these_scenes_are_gone_on_from():
    theirs = [record(trial("act", weights="bbb")), record(trial("act", "right", 1, "bbb"))]
    check_same_run([trial(), trial(index=1)], [record(trial()), *theirs], Path("results.jsonl"))


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (record(trial(), checkpoint="zzz"), "left scene 0 made with weights zzz, now aaa"),
        (record(trial(split="right", index=1), checkpoint="zzz"), "right scene 1 made with weights zzz, now aaa"),
        (record(trial(), scene=SCENES[1].to_dict()), "para in left scene 0 made with another scene"),
        (record(trial("act"), scene=SCENES[1].to_dict()), "act in left scene 0 made with another scene"),
        (record(trial(), execution="otherwise"), "made with another execution or world"),
    ],
    ids=["weights", "weights in another split", "scene", "scene of another policy", "execution"],
)
def test_what_would_be_mixed_with_these_trials_is_refused(held, why):
    with pytest.raises(ValueError, match=why):
        check_same_run([trial()], [held], Path("results.jsonl"))
