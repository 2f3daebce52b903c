"""Commands that look into datasets, mend them, and make one of another."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from para.commands.converting import LiberoOptions, convert_libero


@dataclass(frozen=True)
class Dataset:
    """Look into a dataset, check it, mend what a crash left behind, make circles of it, or convert LIBERO's.

    For example:

        para dataset check data/left
        para dataset convert-libero libero_spatial/ data/libero
        para dataset circles data/masked data/circles
    """

    action: Annotated[Literal["info", "check", "repair", "circles", "convert-libero"], tyro.conf.Positional]
    """info: what is in it; check: list every problem; repair: drop unfinished episodes, rebuild the index; circles: of
    recordings in whose frames the robot is painted over, write others with an orange disc at its end effector;
    convert-libero: turn LIBERO's HDF5 files, or a LeRobotDataset made of them, into a dataset with camera geometry."""

    root: Annotated[Path, tyro.conf.Positional]
    """The dataset's folder; with convert-libero: a LeRobotDataset, or an HDF5 file of libero_spatial, or its folder."""

    out: Annotated[Path | None, tyro.conf.Positional] = None
    """With circles and convert-libero: folder of the new dataset; the same command goes on from what is there."""

    libero: Annotated[LiberoOptions, tyro.conf.arg(name="")] = field(default_factory=LiberoOptions)
    """With convert-libero: how."""

    def run(self) -> None:
        from para.datasets import check_dataset, describe_dataset, repair_dataset

        if self.action == "convert-libero":
            self._convert()
            return
        if self.action == "circles":
            self._circles()
            return
        if self.out is not None or self.libero != LiberoOptions():
            raise ValueError(f"`para dataset {self.action}` takes a dataset's folder and no more")
        if self.action == "info":
            print("\n".join(f"{name}: {value}" for name, value in describe_dataset(self.root).items()))
            return
        if self.action == "repair":
            print("\n".join(repair_dataset(self.root)))
        problems = check_dataset(self.root)
        print(*problems, sep="\n", end="\n" if problems else "")
        if problems:
            raise ValueError(f"{self.root} has {len(problems)} problems, listed above")
        print(f"{self.root}: no problems found")

    def _circles(self) -> None:
        from para.datasets import overlay_dataset

        if self.out is None or self.libero != LiberoOptions():
            raise ValueError("circles needs two paths and no more: recordings without the robot, and a new folder")
        done = overlay_dataset(self.root, self.out)
        print(f"{done.made} episodes written with a disc in each frame, {done.reused} were there already")
        out = shlex.quote(str(self.out))
        print(f"next: para dataset check {out}; para train --data {out} --out checkpoints/circles para")

    def _convert(self) -> None:
        if self.out is None:
            raise ValueError("convert-libero needs two paths: what to convert, and a folder for the new dataset")
        done = convert_libero(self.root, self.out, self.libero)
        print(
            f"{done.converted} demonstrations converted, {done.reused} were there already, {len(done.left_out)} left "
            "out that did not succeed"
        )
        print(f"next: para dataset info {self.out}; para train --data {self.out} --out checkpoints/para para")


@dataclass(frozen=True)
class Resample:
    """Write a dataset once more with fewer frames, smaller pictures, or both: what your own recordings need first.

    Most robots are recorded 30 times a second at 480 x 640. A chunk of 12 such steps is 0.4 s long (of the experiments'
    1.8 s), and most of such a picture lies beyond what the default backbone sees. The recording must have end-effector
    positions and a calibrated camera; joint angles do not work yet. For example:

        para resample data/mine data/mine_small --step-s 0.15 --image-size 96 128
    """

    source: Annotated[Path, tyro.conf.Positional]
    """A LeRobotDataset v3.0 with end-effector columns and camera geometry."""

    out: Annotated[Path, tyro.conf.Positional]
    """Folder of the new dataset; the same command goes on from what is there."""

    step_s: float | None = None
    """Seconds that a step shall take; the nearest multiple of the source's is taken. Default: as it is."""

    image_size: tuple[int, int] | None = None
    """(H, W) of the new pictures, pixels; K is scaled with them. Default: as they are."""

    camera: str | None = None
    """Name of the camera, the last part of its feature's name. Default: the first that has geometry."""

    def run(self) -> None:
        from para.datasets import resample

        done = resample(self.source, self.out, step_s=self.step_s, image_size=self.image_size, camera=self.camera)
        H, W = done.image_size
        kept = "every frame" if done.every == 1 else f"one in {done.every} frames"
        print(
            f"{done.made} episodes written, {done.reused} were there already: {kept}, {done.step_s:.3g} s apart, "
            f"{H} x {W} (H x W)"
        )
        print(f"next: para dataset check {self.out}; para train --data {self.out} --out checkpoints/para para")
