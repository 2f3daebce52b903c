"""Videos with a tracked point become demonstrations of which only the pixels are known: the data to pretrain on.

A video of a hand, with its fingertip tracked, or of any arm, with its tool tracked: the camera stands still, and the
point is what the end effector will be. The result is a dataset like any other, on which `para train` trains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from para.datasets.imported_videos import MADE_FROM, imported_before, made_from, refuse_changed
from para.datasets.lerobot_v3_layout import STEP_S, DatasetError
from para.datasets.lerobot_v3_write import DatasetWriter
from para.datasets.partial_supervision import INFO_KEY, UNKNOWN_GRIPPER, nominal_points
from para.datasets.point_tracks import within
from para.datasets.track_files import read_track_file
from para.datasets.track_folders import video_and_track_files
from para.datasets.track_pictures import write_track_picture
from para.datasets.video import frames_of
from para.datasets.video_steps import step_frames
from para.geometry import Camera, look_at
from para.interfaces import Episode, Scene
from para.progress import progress_bar

MIN_FRAMES = 3
"""A shorter demonstration shows no motion."""

N_PICTURES = 3
"""Of the videos of one import, for people to look at."""

CUT_OFF, OFF_IMAGE = "para.cut_off", "para.off_image"
"""In an episode's info, where there are any: how many frames `TrackImport.frames_cut` counts, and `off_image`."""

NOWHERE = (float("nan"), float("nan"))
"""Where the object of a video is: nobody knows."""


@dataclass(frozen=True)
class TrackImport:
    """What a call of `import_tracks` did."""

    imported: int
    """Videos added now."""

    reused: int
    """Videos that were in the dataset already."""

    frames: int
    """Frames added now."""

    frames_known: int
    """Of these, those whose next place of the point is known."""

    frames_cut: int = 0
    """Frames, one a step, whose point is seen in the video, and not in the part that the images' proportion keeps."""

    off_image: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Of these videos, by name, those whose point is marked visible off the image: in how many frames, one a step, and
    of how many."""

    pictures: tuple[Path, ...] = ()
    """Of the first of these videos, with the point and its path; see `track_picture`."""


def nominal_camera(image_size: tuple[int, int]) -> Camera:
    """A camera as good as any where nobody measured one: it sees a table 1 m away, from 45 degrees above.

    Labels that are pixels need no true camera: they are lifted and projected by the same one. What it decides is how
    virtual moves of the camera warp the picture, so that it should look at the table as such cameras do; the focal
    length is that of phones and webcams, 53 degrees along the longer side.
    """
    H, W = image_size
    focal = float(max(H, W))
    K = torch.tensor([[focal, 0.0, (W - 1) / 2], [0.0, focal, (H - 1) / 2], [0.0, 0.0, 1.0]])
    eye = torch.tensor([0.5**0.5, 0.0, 0.5**0.5])
    return Camera(K, look_at(eye, torch.zeros(3)), (H, W))


def import_tracks(
    videos: str | Path,
    root: str | Path,
    *,
    image_size: tuple[int, int] = (128, 128),
    point: int | None = None,
    track_size: tuple[int, int] | None = None,
    step_s: float = STEP_S,
    leaves_image: bool = False,
    task: str = "follow the point",
    progress: bool = True,
) -> TrackImport:
    """Write the videos of a folder, each with a file of tracks of its own name beside it, as one dataset.

    Of every `step_s` seconds the frame whose time stamp is nearest is kept (all of them where frames are farther apart
    on average), from the first to the last in which the point is seen; the largest middle part of it that has the
    sides' proportion is resized. Where the point is hidden in between, or leaves that part, or no frame is within half
    a step, it is no target; what a policy is told of where it is now goes on along a straight line. Called again, it
    goes on. Of the first few videos it leaves pictures that show whether the point is where it should be.

    Args:
        videos: the folder.
        root: of the dataset; new, or one that this function began.
        image_size: (H, W) of its images: those of the robot's demonstrations that it is to be used with.
        point: which point, where files hold several.
        track_size: (H, W) of the videos that were tracked, where those were resized copies; None: these very ones.
        step_s: seconds between stored frames; as in the robot's demonstrations, or less where a hand is faster.
        leaves_image: whether the point is known to leave the image while its tracker calls it visible, for more than a
            tenth of the time, or far; else that is taken for a mistake.
        task: what the videos show, in words.
        progress: show how far it is.

    Raises:
        FileNotFoundError: if there is no video, or one without tracks.
        DatasetError: if tracks do not fit their video, or are damaged; or if `root` holds something else, or one of the
            videos from other tracks, or at another point, size or step, or tracked at another size.
        ValueError: if a video cannot be decoded, or an option has no meaning.
    """
    check_options(image_size, step_s, track_size)
    pairs = video_and_track_files(Path(videos))
    added, pictures = [], []
    with DatasetWriter.open_or_create(root, image_size=image_size, step_s=step_s, task=task) as writer:
        done = imported_before(Path(root), writer.rows)
        refuse_changed(Path(root), pairs, done, point, track_size)
        bar = progress_bar(len(pairs), "importing videos", unit="video") if progress else None
        for video, tracks in pairs:
            if video.name not in done:
                episode = read_episode(
                    video, tracks, image_size=image_size, point=point, track_size=track_size, step_s=step_s,
                    leaves_image=leaves_image,
                )  # fmt: skip
                writer.add(episode)
                if len(added) < N_PICTURES:
                    pictures.append(write_track_picture(root, episode))
                added.append((len(episode), episode.info))
            if bar is not None:
                bar.update()
        if bar is not None:
            bar.close()
    return _report(added, len(pairs), tuple(pictures))


def _report(added: list[tuple[int, dict[str, Any]]], n_videos: int, pictures: tuple[Path, ...]) -> TrackImport:
    """Of the lengths and infos of the episodes that were added, among so many videos."""
    infos = [info for _, info in added]
    return TrackImport(
        imported=len(added),
        reused=n_videos - len(added),
        frames=sum(length for length, _ in added),
        frames_known=sum(info[INFO_KEY]["pixel"].count("1") for info in infos),
        frames_cut=sum(info.get(CUT_OFF, 0) for info in infos),
        off_image={info["video"]: tuple(info[OFF_IMAGE]) for info in infos if OFF_IMAGE in info},
        pictures=pictures,
    )


def check_options(image_size: tuple[int, int], step_s: float, track_size: tuple[int, int] | None = None) -> None:
    """Raise ValueError where images, or those that were tracked, would have no pixels, or steps no duration."""
    for name, size in (("image_size", image_size), ("track_size", track_size)):
        if size is not None and min(size) < 1:
            raise ValueError(f"{name} must be (H, W), at least 1 pixel each; got {tuple(size)}")
    if not (math.isfinite(step_s) and step_s > 0):
        raise ValueError(f"step_s must be a number of seconds above 0, as {STEP_S}; got {step_s}")


def read_episode(
    video: Path,
    tracks: Path,
    *,
    image_size: tuple[int, int],
    point: int | None = None,
    track_size: tuple[int, int] | None = None,
    step_s: float = STEP_S,
    leaves_image: bool = False,
) -> Episode:
    """One video with its tracked point, as an episode of which only pixels are known; see `import_tracks`."""
    steps = step_frames(video, step_s)
    numbers, of_step = np.unique(steps.index, return_inverse=True)
    crop, kept = None, []
    for frame in frames_of(video, only=set(numbers.tolist())):
        crop = crop or Crop.of(frame.shape[:2], image_size)
        kept.append(crop.apply(frame))
    (H, W), (full_h, full_w) = image_size, crop.full_size
    file = read_track_file(tracks)
    track = file.point(point, steps.n_frames, crop.full_size, track_size, leaves_image=leaves_image)
    uv, in_video = crop.to_crop(track.uv[steps.index]), track.visible[steps.index] & steps.near
    visible = in_video & within(uv, image_size)
    seen, n_cut = np.flatnonzero(visible), int((in_video & ~visible).sum())
    n_off = int((track.off_image[steps.index] & steps.near).sum())
    if len(seen) < MIN_FRAMES:
        cut = f", and in {n_cut} others outside of the middle part that --image-size {H} {W} keeps" if n_cut else ""
        proportion = f"an --image-size of the video's proportion, {full_h} x {full_w}"
        smaller = proportion if len(seen) + n_cut >= MIN_FRAMES else "a smaller --step-s"
        raise DatasetError(
            f"{tracks}: of {len(visible)} frames, one every {step_s:g} s, the point is seen in {len(seen)}{cut}; at "
            f"least {MIN_FRAMES} are needed: choose {smaller}, or leave this video out"
        )
    span = slice(seen[0], seen[-1] + 1)
    info = {"video": video.name, MADE_FROM: made_from(video, tracks, point, track_size)}
    info |= ({CUT_OFF: n_cut} if n_cut else {}) | ({OFF_IMAGE: [n_off, len(visible)]} if n_off else {})
    goes_on = span.stop < len(visible)
    return _episode(np.stack(kept)[of_step[span]], uv[span], visible[span], info, goes_on)


def _episode(image: np.ndarray, uv: np.ndarray, visible: np.ndarray, info: dict[str, Any], goes_on: bool) -> Episode:
    """`goes_on`: the video does after these frames, and the point is hidden there, or off the image."""
    n, image_size = len(image), image.shape[1:3]
    camera = nominal_camera(image_size)
    frames, seen = np.arange(n), np.flatnonzero(visible)
    uv = np.stack([np.interp(frames, seen, uv[seen, axis]) for axis in (0, 1)], axis=-1)
    cameras = Camera(camera.K.expand(n, 3, 3), camera.T_world_cam.expand(n, 4, 4), image_size)
    position = nominal_points(torch.from_numpy(uv).float(), cameras).numpy().astype(np.float32)
    following = np.minimum(frames + 1, n - 1)
    told = visible[following]
    # where the point goes next is not known then; else the video's end is the task's, and to stay is the last action
    told[-1] &= not goes_on
    pixel = "".join("1" if known else "0" for known in told)
    gripper = np.full(n, UNKNOWN_GRIPPER, np.float32)
    return Episode(
        scene=Scene(object_xy=NOWHERE),
        image=image,
        camera=cameras,
        ee_position=position,
        gripper=gripper,
        action_position=position[following],
        action_gripper=gripper,
        phase=np.full(n, -1, np.int64),
        outcome="placed",
        info=info | {INFO_KEY: {"height": False, "gripper": False, "pixel": pixel}},
    )


@dataclass(frozen=True)
class Crop:
    """The largest middle part of an image with the proportion of another size, resized to that."""

    full_size: tuple[int, int]
    """(H, W) of the image."""

    top: int
    left: int
    height: int
    width: int
    size: tuple[int, int]
    """(H, W) of the result."""

    @staticmethod
    def of(full_size: tuple[int, int], size: tuple[int, int]) -> Crop:
        """For images of one size to another."""
        (H, W), (h, w) = full_size, size
        scale = min(H / h, W / w)
        height, width = max(1, round(h * scale)), max(1, round(w * scale))
        return Crop((H, W), (H - height) // 2, (W - width) // 2, height, width, (h, w))

    def apply(self, image: np.ndarray) -> np.ndarray:
        """The part of an image (H, W, 3) uint8, resized."""
        import cv2

        part = image[self.top : self.top + self.height, self.left : self.left + self.width]
        shrinks = self.size[0] <= self.height
        return cv2.resize(part, self.size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)

    def to_crop(self, uv: np.ndarray) -> np.ndarray:
        """Where pixels of the image are in the result. (..., 2) -> (..., 2)."""
        scale = np.array([self.size[1] / self.width, self.size[0] / self.height])
        return (uv - [self.left, self.top] + 0.5) * scale - 0.5
