"""Commands that turn other people's videos into data to pretrain on, and what is said of policies that know no more."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FINE_TUNE_FIRST = "fine-tune it on the robot's demonstrations before it is evaluated"

CIRCLES = "circles"
"""The option of a world (`para.evaluation.protocol.WorldSpec`) that puts a disc in the robot's place."""

NEVER_SAW_THE_ROBOT = f"never saw the robot, but a disc: {FINE_TUNE_FIRST}"

LOOK_FOR = (
    "the ring must be on the end effector; where it is not, import into another folder, with --track-size H W of the "
    "video that was tracked, another --point, or, where u and v were exchanged, tracks with both as they should be"
)


def not_predicted(options: Mapping[str, Any]) -> tuple[str, ...]:
    """What a policy of these options has no classes of, in the words of `never_told`: so are those to be pretrained."""
    lacks = {"heights": options.get("n_height_bins") == 1, "the gripper": options.get("n_gripper_bins") == 0}
    return tuple(what for what, is_lacking in lacks.items() if is_lacking)


def how_to_fine_tune(checkpoint: Path, policy: str) -> str:
    """The command that goes on from a pretrained checkpoint."""
    return (
        f"para train --pretrain {shlex.quote(str(checkpoint))} --data <demonstrations of the robot> --out ... {policy}"
    )


def said_of_points_off_the_image(off: Mapping[str, tuple[int, int]]) -> str:
    """In one line; `off`: video -> in how many of how many frames its visible point is."""
    n, of = (sum(counts) for counts in zip(*off.values()))
    names = ", ".join(list(off)[:3]) + (f", and {len(off) - 3} more" if len(off) > 3 else "")
    return (
        f"in {n} of {of} frames the visible point is off the image ({names}), and is no target there: were "
        "u and v exchanged, or was a copy of another size tracked (--track-size)?"
    )


@dataclass(frozen=True)
class Tracks:
    """Turn videos with a tracked point into a dataset to pretrain on: pixels alone, no heights, no gripper.

    Beside each video lies a file of its name with the tracks: CSV or Parquet (frame, u, v, visible), or CoTracker's,
    TAPIR's or TAP-Vid's arrays in an .npz. The camera stands still. For example:

        para tracks --videos hand/ --out data/hand
    """

    videos: Path
    """Folder of the videos and their tracks."""

    out: Path
    """The dataset's folder; the same command goes on from what is there."""

    image_size: tuple[int, int] = (128, 128)
    """(H, W), pixels: that of the robot's demonstrations which it is to be used with."""

    point: int | None = None
    """Which point is the end effector, where files hold several: its number in the column `point`, or its place in the
    arrays, from 0. Default: the only one."""

    track_size: tuple[int, int] | None = None
    """(H, W), pixels of the videos that were tracked, where those were resized copies, as most trackers want them: the
    tracks are scaled. Shares of the image need none. Default: the videos themselves were tracked."""

    step_s: float = 0.15
    """Seconds between frames: as in the robot's demonstrations; less where a hand is faster than the robot."""

    leaves_image: bool = False
    """The point does leave the image while its tracker still calls it visible, so that such frames are hidden ones.
    Default: a little of that is, and more than a tenth of the frames are taken for a mistake."""

    task: str = "follow the point"
    """What the videos show, in words."""

    def run(self) -> None:
        from para.datasets.tracks import import_tracks

        report = import_tracks(
            self.videos,
            self.out,
            image_size=self.image_size,
            point=self.point,
            track_size=self.track_size,
            step_s=self.step_s,
            leaves_image=self.leaves_image,
            task=self.task,
        )
        told = f"{report.frames} frames, {report.frames_known} of them with a known next place"
        print(f"{report.imported} videos imported ({told}), {report.reused} were there already")
        if report.frames_cut:
            kept = f"the middle part that --image-size {self.image_size[0]} {self.image_size[1]} keeps"
            print(f"in {report.frames_cut} frames the point is seen outside of {kept}, and is no target there")
        if report.off_image:
            print(said_of_points_off_the_image(report.off_image))
        if report.pictures:
            print(f"look at {', '.join(map(str, report.pictures))}: {LOOK_FOR}")
        options = "--n-height-bins 1 --n-gripper-bins 0"
        alone = " --heldout-fraction 0" if report.imported + report.reused == 1 else ""
        data = shlex.quote(str(self.out))
        print(f"next: para train --data {data} --out checkpoints/tracks{alone} para {options}")
