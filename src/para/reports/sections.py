"""The sections of the page that show images and videos."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from para.reports import predictions as pictures_of
from para.reports.pictures import Pictures, data_uri
from para.reports.run_files import Prediction, RolloutVideo, RunFiles
from para.reports.tables import coloured, legend
from para.reports.videos import MAX_TILES, good_columns, video_grid
from para.reports.wording import in_reading_order, split_name, splits_in_reading_order, variant_of

STAGES = ("reach", "grasp", "carry")
"""In the order in which they happen: predictions whose names end so are shown in that order."""

MAX_TILE_WIDTH = 300
"""Pixels of the page: a single clip is not as wide as that."""

N_STEPS_EARLY_LATE = 6
"""Of the heatmaps early and late in training, so many steps are shown."""


def rollouts_section(run: RunFiles, pictures: Pictures) -> str | None:
    """A grid of videos per policy: main policies side by side, one block per split, variants folded away."""
    if not run.videos:
        return None
    parts = [
        "<p>Each tile is one episode, played until it ends and then held with the frame and mark of its outcome: "
        f"{legend(run)}. Tiles at the same place of two grids are the same scene.</p>"
    ]
    for split in splits_in_reading_order(v.split for v in run.videos):
        of_split = [v for v in run.videos if v.split == split]
        policies = in_reading_order(v.policy for v in of_split)
        grids = {p: _grid([v for v in of_split if v.policy == p], p) for p in policies}
        main = "".join(html for p, html in grids.items() if not variant_of(p))
        other = "".join(html for p, html in grids.items() if variant_of(p))
        parts.append(f'<h3>{escape(split_name(split))}</h3><div class="pair">{main}</div>')
        if other:
            parts.append(f'<details><summary>Variants</summary><div class="pair">{other}</div></details>')
    return "".join(parts)


def _grid(videos: Sequence[RolloutVideo], policy: str) -> str:
    shown = videos[:MAX_TILES]
    counts = {outcome: sum(v.outcome == outcome for v in shown) for outcome in ("placed", "grasped", "missed")}
    said = ", ".join(f"{n} {outcome}" for outcome, n in counts.items() if n)
    source = data_uri(video_grid(shown), "video/mp4")
    widest = good_columns(len(shown)) * MAX_TILE_WIDTH
    scenes = f"{len(shown)} scene{'' if len(shown) == 1 else 's'}"
    return (
        f'<figure><video src="{source}" style="max-width:{widest}px" autoplay loop muted playsinline controls></video>'
        f"<figcaption>{coloured(policy)}: {scenes}; {said or 'none ran to its end'}.</figcaption></figure>"
    )


def predictions_section(run: RunFiles, pictures: Pictures) -> str | None:
    """For each scene: input, heatmaps, lifted path; then heatmaps early and late in training."""
    main = [p for p in run.predictions if not variant_of(p.policy)]
    scenes: dict[str, list[Prediction]] = {}
    for prediction in sorted(main, key=lambda p: (p.kind != "train", stage_of(p.name), p.name)):
        if prediction.kind in ("train", "test"):
            scenes.setdefault(prediction.name, []).append(prediction)
    if not scenes and not main:
        return None
    parts = [
        "<p>One look at a scene: the image that the policies got (cross: the end effector), the path that each "
        "predicts for the next steps, and what the expert would do from there (white in the image, black in plots). "
        "Then, for each step, the heatmap over the image: brighter is more likely (cube root of the probability, "
        "relative to the step’s brightest cell); the ring is around the expert’s pixel.</p>"
    ]
    parts += [_scene(group, pictures) for group in scenes.values()]
    for policy in in_reading_order(p.policy for p in main):
        parts.append(_early_and_late([p for p in main if p.policy == policy and p.kind in ("early", "late")]))
    return "".join(parts)


def stage_of(name: str) -> int:
    """Where a prediction of that name comes in the task."""
    last = name.rpartition("_")[2]
    return STAGES.index(last) if last in STAGES else len(STAGES)


def _scene(group: Sequence[Prediction], pictures: Pictures) -> str:
    order = in_reading_order(p.policy for p in group)
    group = sorted(group, key=lambda p: order.index(p.policy))
    looks = [
        f"<figure>{_image(pictures_of.path_image(p), f'Paths over the image, {p.policy}')}"
        f"<figcaption>{coloured(p.policy)}: {_errors_text(p)}</figcaption></figure>"
        for p in group
    ]
    looks.append(
        pictures.figure(
            f"path_{group[0].name}",
            pictures_of.trajectory_figure(group),
            "Filled marks: gripper closed.",
            "Predicted and demonstrated paths in the world",
        )
    )
    strips = []
    for prediction in group:
        if prediction.heatmaps is not None:
            sheet = pictures_of.heatmap_sheet(prediction)
            pictures.files[f"heatmaps_{prediction.policy}_{prediction.name}.jpg"] = pictures_of.encode_image(sheet)
            strips.append(_strip(prediction, range(len(prediction.heatmaps))))
    return f'<h3>{escape(_capital(group[0].title))}</h3><div class="look">{"".join(looks)}</div>{"".join(strips)}'


def _strip(prediction: Prediction, steps: Iterable[int]) -> str:
    panels = [
        f"<figure>{_image(pictures_of.heatmap_image(prediction, k), f'Heatmap of t+{k + 1}')}"
        f"<figcaption>t+{k + 1}: {prediction.error_mm[k]:.0f} mm off</figcaption></figure>"
        for k in steps
    ]
    return f'<div class="strip">{"".join(panels)}</div>'


def _early_and_late(predictions: Sequence[Prediction]) -> str:
    """Heatmaps of the same scene from little and from full training, one above the other."""
    shown = [p for kind in ("early", "late") for p in predictions if p.kind == kind and p.heatmaps is not None]
    if len(shown) < 2:
        return ""
    steps = np.unique(np.linspace(0, len(shown[0].heatmaps) - 1, N_STEPS_EARLY_LATE).round().astype(int))
    rows = "".join(
        f'<p class="caption">{escape(_capital(p.title))}: {_errors_text(p)}</p>{_strip(p, steps)}' for p in shown
    )
    return f"<h3>{coloured(shown[0].policy)}, early and late in training</h3>{rows}"


def _errors_text(prediction: Prediction) -> str:
    errors = prediction.error_mm
    return f"{errors.mean():.0f} mm from the expert on average over {len(errors)} steps, {errors.max():.0f} mm at most."


def _image(image: np.ndarray, description: str) -> str:
    source = data_uri(pictures_of.encode_image(image), "image/jpeg")
    return f'<img src="{source}" alt="{escape(description)}" loading="lazy">'


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
