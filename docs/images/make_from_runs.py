"""Make docs/images/heatmap_transfer.jpg and copy video_alignment.jpg from the files of two finished runs.

python docs/images/make_from_runs.py runs/heatmap_transfer runs/video_backbone
"""

import shutil
import sys
from pathlib import Path

import cv2
import numpy as np

from para.reports.predictions import heatmap_image, path_image
from para.reports.run_files import Prediction, read_run
from para.reports.wording import policy_name

HERE = Path(__file__).parent
ROWS = ("para+3d+on_circles", "para+2d+on_circles", "act+3d+on_circles", "para+3d", "para+2d", "act+3d", "act+2d")
MOMENT, N_STEPS, WIDTH, MARGIN = "test_grasp", 4, 200, 22


def main(transfer: Path, video: Path) -> None:
    """A row per policy and picture of one moment; the other figure is taken as it is."""
    found = {p.policy: p for p in read_run(transfer).predictions if p.name == MOMENT}
    sheet = np.vstack([row(found[policy]) for policy in ROWS])
    cv2.imwrite(str(HERE / "heatmap_transfer.jpg"), sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    shutil.copyfile(video / "figures" / "video_video_para_1.jpg", HERE / "video_alignment.jpg")


def row(prediction: Prediction) -> np.ndarray:
    """Input with start and path, then each step's heatmap, or for a regressor nothing; pixels off above each."""
    errors = np.linalg.norm(prediction.uv - prediction.demonstrated_uv, axis=-1)
    base = prediction.policy.removesuffix("+on_circles")
    shows = "robot" if base == prediction.policy else "disc"
    panels = [titled(path_image(prediction, WIDTH), f"{policy_name(base)}: a {shows}")]
    for k in range(N_STEPS):
        said = f"t+{k + 1}: {errors[k]:.1f} px off"
        blank = np.full_like(panels[0][MARGIN:], 255)
        panels.append(titled(blank if prediction.heatmaps is None else heatmap_image(prediction, k, WIDTH), said))
    return np.hstack(panels)


def titled(image: np.ndarray, text: str) -> np.ndarray:
    """The picture below a line of text."""
    head = np.full((MARGIN, image.shape[1], 3), 255, dtype=np.uint8)
    cv2.putText(head, text, (4, MARGIN - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (30, 30, 30), 1, cv2.LINE_AA)
    return np.vstack([head, image])


main(*map(Path, sys.argv[1:]))
