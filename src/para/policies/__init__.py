"""Policies: `Observation` to `ActionChunk`, and the loss that trains it.

To add one: a file with a frozen `...Config` dataclass and an `nn.Module` with `loss`, `act` and `fit_ranges` (read and
imitate `para.py` or `regression.py`), and one line in `POLICIES`. `tests/test_contracts.py` then covers it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import nn

from para.policies.diffusion import Diffusion, DiffusionConfig
from para.policies.motion_tracks import MotionTracks, MotionTracksConfig
from para.policies.para import Para, ParaConfig
from para.policies.regression import ActConfig, GlobalRegressionConfig, Regression
from para.policies.soft_argmax import SoftArgmax, SoftArgmaxConfig
from para.policies.video import VideoPara, VideoParaConfig, VideoRegression, VideoRegressionConfig
from para.registry import pick


class PolicyEntry(NamedTuple):
    """A registered policy: the type of its options, and how to build it from them."""

    config_type: type
    build: Callable[[Any], nn.Module]


POLICIES: dict[str, PolicyEntry] = {
    "para": PolicyEntry(ParaConfig, Para),
    "act": PolicyEntry(ActConfig, Regression),
    "global_regression": PolicyEntry(GlobalRegressionConfig, Regression),
    "motion_tracks": PolicyEntry(MotionTracksConfig, MotionTracks),
    "diffusion": PolicyEntry(DiffusionConfig, Diffusion),
    "soft_argmax": PolicyEntry(SoftArgmaxConfig, SoftArgmax),
    "video_para": PolicyEntry(VideoParaConfig, VideoPara),
    "video_regression": PolicyEntry(VideoRegressionConfig, VideoRegression),
}


def make_policy(config: Any) -> nn.Module:
    """The policy that `config` describes, with random weights. Raises ValueError for a config of no policy."""
    for entry in POLICIES.values():
        if type(config) is entry.config_type:
            return entry.build(config)
    raise ValueError(f"no policy takes a {type(config).__name__} (known: {', '.join(sorted(POLICIES))})")


def policy_entry(name: str) -> PolicyEntry:
    """The entry of a policy by name. Raises ValueError with the nearest name for an unknown one."""
    return pick(POLICIES, "policy", name)


__all__ = [
    "POLICIES",
    "ActConfig",
    "Diffusion",
    "DiffusionConfig",
    "GlobalRegressionConfig",
    "MotionTracks",
    "MotionTracksConfig",
    "Para",
    "ParaConfig",
    "PolicyEntry",
    "Regression",
    "SoftArgmax",
    "SoftArgmaxConfig",
    "VideoPara",
    "VideoParaConfig",
    "VideoRegression",
    "VideoRegressionConfig",
    "make_policy",
    "policy_entry",
]
