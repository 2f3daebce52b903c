"""What pretrained policies see on circles, and on a robot that they were never shown: heatmaps and pixel errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from para.reports import predictions as pictures_of
from para.reports.family.marks import filter_attributes
from para.reports.pictures import Pictures, data_uri
from para.reports.run_files import Prediction, RunFiles
from para.reports.sections import stage_of
from para.reports.tables import table
from para.reports.wording import in_reading_order, policy_name

N_STEPS = 4
"""Heatmaps of so many steps, t+1 on, as in the original's figure."""

WIDTH = 200
"""Of a panel, pixels."""


def heatmap_transfer_section(run: RunFiles, pictures: Pictures) -> str | None:
    """The figure and the table of a run whose `config.json` has `heatmap_transfer`."""
    told = run.config.get("heatmap_transfer")
    if not told:
        return None
    parts = [errors_table(run)]
    shown = [p for p in run.predictions if p.kind == "test"]
    order = in_reading_order(p.policy for p in shown)
    for name in sorted({p.name for p in shown}, key=stage_of):
        of_scene = sorted((p for p in shown if p.name == name), key=lambda p: order.index(p.policy))
        if of_scene:
            title = of_scene[0].title.removeprefix("another scene, ")
            parts.append(f"<h3>{escape(title[:1].upper() + title[1:])}</h3>")
            parts += [_line(p, told["suffix"], pictures) for p in of_scene]
    return "".join(parts) or None


def errors_table(run: RunFiles) -> str:
    """Pixel errors of each policy among circles and among robots; empty where none were measured."""
    told = run.pixel_errors
    if not told:
        return ""
    rows: Sequence[Mapping[str, Any]] = told["rows"]
    lines = []
    for policy in dict.fromkeys(row["policy"] for row in rows):
        for world, words in (("circles", "a disc, as in pretraining"), ("robot", "a robot, never shown")):
            mine = [row for row in rows if (row["policy"], row["world"]) == (policy, world)]
            if not mine:
                continue
            medians = [row["median_px"] for row in mine]
            steps = np.mean([[row["median_px_by_step"][k] for k in range(N_STEPS)] for row in mine], axis=0)
            spread = f" ({min(medians):.1f} to {max(medians):.1f})" if len(mine) > 1 else ""
            mean = np.mean([row["mean_px"] for row in mine])
            cells = [escape(policy_name(policy)), words, f"{np.mean(medians):.1f}{spread}", f"{mean:.1f}"]
            cells += [f"{step:.1f}" for step in steps] + [str(sum(row["looks"] for row in mine))]
            body = "".join(f"<td>{cell}</td>" for cell in cells)
            lines.append(f"<tr{filter_attributes(policy=policy)}>{body}</tr>")
    steps_to_come = [f"t+{k + 1}" for k in range(N_STEPS)]
    heads = ["policy", "the picture shows", "median error, px", "mean error, px", *steps_to_come, "looks"]
    H, W = told["image_size"]
    several = len({row["train_seed"] for row in rows}) > 1
    note = (
        f'<p class="caption">Pixels of the {H} x {W} image between predicted and demonstrated end effector, along '
        f"demonstrations at places of the test.{' In brackets: the range over trainings.' if several else ''}</p>"
    )
    return table(heads, lines) + note


def _line(prediction: Prediction, suffix: str, pictures: Pictures) -> str:
    """Input with the start point, then the heatmaps of the next steps; for a regressor, its path alone."""
    on_circles = prediction.policy.endswith(suffix)
    name = policy_name(prediction.policy.removesuffix(suffix))
    errors = np.linalg.norm(prediction.uv - prediction.demonstrated_uv, axis=-1)
    panels = [(pictures_of.path_image(prediction, WIDTH), "input, start (cross), predicted path; white: the expert’s")]
    if prediction.heatmaps is not None:
        for k in range(min(N_STEPS, len(prediction.heatmaps))):
            panels.append((pictures_of.heatmap_image(prediction, k, WIDTH), f"t+{k + 1}: {errors[k]:.1f} px off"))
    sheet = np.hstack([image for image, _ in panels])
    pictures.files[f"transfer_{prediction.policy}_{prediction.name}.jpg"] = pictures_of.encode_image(sheet)
    figures = "".join(
        f'<figure><img src="{data_uri(pictures_of.encode_image(image), "image/jpeg")}" alt="{escape(said)}" '
        f'loading="lazy"><figcaption>{escape(said)}</figcaption></figure>'
        for image, said in panels
    )
    where = "a disc, as in pretraining" if on_circles else "a robot, never shown"
    head = f'<p class="caption">{escape(name)}; the picture shows {where}: {errors.mean():.1f} px off on average.</p>'
    return f'{head}<div class="strip">{figures}</div>'
