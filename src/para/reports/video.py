"""What video models imagine beside what came, and whether the heads' keypoints lie on the arm that is imagined."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from para.datasets.video import encode_video
from para.reports import predictions as pictures_of
from para.reports.family.marks import filter_attributes
from para.reports.pictures import Pictures, data_uri
from para.reports.run_files import RunFiles, read_object
from para.reports.tables import table
from para.reports.videos import ENCODING, SIDE_MULTIPLE
from para.reports.wording import in_reading_order, policy_name

WIDTH = 150
"""Of a panel, pixels."""

GAP = 4
FPS = 2
"""Of the video of few frames."""

COLUMNS = (
    ("heads_and_generated_px", "heads to the imagined arm, px"),
    ("heads_and_true_px", "heads to the true place, px"),
    ("generated_and_true_px", "imagined arm to the true place, px"),
    ("reconstructed_and_true_px", "finder on reconstructed frames, px"),
    ("finder_on_real_px", "finder on real frames, px"),
    ("moved_px", "the arm moved, px"),
    ("psnr_generated_db", "imagined frames, dB"),
    ("psnr_reconstructed_db", "autoencoder alone, dB"),
    ("psnr_still_db", "standing still, dB"),
)
"""Of `video_alignment.json`, and how the table calls them."""


def video_section(run: RunFiles, pictures: Pictures) -> str | None:
    """The table, and for each policy with a video model its frames; None where a run has none."""
    told = alignment_errors(run)
    if not told:
        return None
    parts = [alignment_table(told)]
    for policy in in_reading_order(row["policy"] for row in told["rows"]):
        looks = [read_look(path) for path in sorted((run.folder / "video" / policy).glob("look*.npz"))]
        if looks:
            parts.append(f"<h3>{escape(policy_name(policy))}</h3>")
            parts.append(_clip(policy, looks))
            parts += [_sheet(policy, k, look, pictures) for k, look in enumerate(looks)]
    return "".join(parts)


def alignment_errors(run: RunFiles) -> dict[str, Any] | None:
    """`video_alignment.json` of a run whose policies have a video model; None where there is none."""
    return read_object(run.folder / "video_alignment.json") if run.config.get("video") else None


def alignment_table(told: Mapping[str, Any]) -> str:
    """Errors of each policy, the mean of its training runs and their range."""
    rows: Sequence[Mapping[str, Any]] = told["rows"]
    lines = []
    for policy in in_reading_order(row["policy"] for row in rows):
        mine = [row for row in rows if row["policy"] == policy]
        cells = [escape(policy_name(policy)), str(sum(row["looks"] for row in mine))]
        for key, _ in COLUMNS:
            values = [row[key] for row in mine]
            spread = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
            cells.append(f"{np.mean(values):.1f}{spread}")
        body = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(f"<tr{filter_attributes(policy=policy)}>{body}</tr>")
    H, W = told["image_size"]
    steps = ", ".join(f"t+{offset}" for offset in told["offsets"])
    note = (
        f'<p class="caption">Medians of distances in pixels of the {H} x {W} picture, over the frames to come '
        f"({steps}) at moments along demonstrations at places of the test. Heads: the keypoints that the policy "
        "predicts. Imagined arm: the end effector as it is found in generated frames by its look; the finder’s own "
        "error is that on real frames, and on real frames that went through the autoencoder. Pictures: peak "
        "signal-to-noise ratio against what came, of generated frames, of the autoencoder alone, and of showing the "
        "present frame again. In brackets: the range over training seeds.</p>"
    )
    return table(["policy", "looks", *(words for _, words in COLUMNS)], lines) + note


def read_look(path: Path) -> dict[str, Any]:
    """One file of `video/`. Raises ValueError where it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            look = {name: arrays[name] for name in arrays.files}
        return look | {"offsets": json.loads(str(look["meta"]))["offsets"]}
    except (OSError, KeyError, ValueError, EOFError) as error:
        raise ValueError(
            f"{path} is no sample of a video ({error!r}); remove it, and run the experiment again"
        ) from error


def _clip(policy: str, looks: Sequence[Mapping[str, Any]]) -> str:
    """All looks beside one another, what came above what was imagined, as a video."""
    n = len(looks[0]["real"])
    frames = [
        np.hstack([np.vstack([_panel(look[kind][f]) for kind in ("real", "generated")]) for look in looks])
        for f in range(n)
    ]
    H, W = (-(-side // SIDE_MULTIPLE) * SIDE_MULTIPLE for side in frames[0].shape[:2])
    video = np.full((n + 1, H, W, 3), 255, np.uint8)
    for f, frame in enumerate([*frames, frames[-1]]):
        video[f, : frame.shape[0], : frame.shape[1]] = frame
    source = data_uri(encode_video(video, FPS, ENCODING), "video/mp4")
    return (
        f'<figure><video src="{source}" autoplay loop muted playsinline controls></video><figcaption>Above what came, '
        f"below what was imagined from its first frame, {len(looks)} moments ({escape(policy)}).</figcaption></figure>"
    )


def _panel(image: np.ndarray, **marks: Any) -> np.ndarray:
    marked = pictures_of.marked_picture(image, WIDTH, **marks)
    return np.pad(marked, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)


def _sheet(policy: str, number: int, look: Mapping[str, Any], pictures: Pictures) -> str:
    """The alignment figure of a moment: what came, what was imagined, and both with heatmap and keypoints."""
    heatmaps, true, said = look.get("heatmaps"), look["ee_uv"], look["predicted_uv"]
    rows = [
        [_panel(look["real"][0], cross=true[0]), *(_panel(frame) for frame in look["real"][1:])],
        [_panel(frame) for frame in look["generated"]],
    ]
    for kind, found in (("real", None), ("generated", look["found_generated_uv"])):
        blank = np.full_like(rows[0][0], 255)
        rows.append([blank])
        for k, frame in enumerate(look[kind][1:]):
            heat = None if heatmaps is None else heatmaps[k]
            cross = None if found is None else found[k]
            rows[-1].append(_panel(frame, heatmap=heat, ring=true[k + 1], dot=(said[k], policy), cross=cross))
    picture = pictures_of.encode_image(np.vstack([np.hstack(row) for row in rows]))
    pictures.files[f"video_{policy}_{number}.jpg"] = picture
    steps = ", ".join(f"t+{offset}" for offset in look["offsets"])
    off = np.linalg.norm(said - look["found_generated_uv"], axis=-1)
    caption = (
        f"Columns: now (cross: the end effector), {steps}. Rows: what came; what was imagined; what came, and what was "
        "imagined, with the heatmap, the predicted keypoint (dot), the true one (ring) and the end effector found in "
        f"the imagined picture (cross): {', '.join(f'{value:.1f}' for value in off)} px from the predicted one."
    )
    return (
        f'<figure><img src="{data_uri(picture, "image/jpeg")}" alt="Generated and true frames with keypoints" '
        f'loading="lazy"><figcaption>{escape(caption)}</figcaption></figure>'
    )
