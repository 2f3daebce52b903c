"""Copy docs/images/heatmap_transfer.jpg and video_alignment.jpg from the pages of two finished runs.

python docs/images/make_from_runs.py runs/heatmap_transfer runs/video_backbone
"""

import shutil
import sys
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).parent
ROWS = ("para+3d+on_circles", "para+3d", "para+2d")


def main(transfer: Path, video: Path) -> None:
    """Stack the rows of one figure, and take the other as it is."""
    rows = [cv2.imread(str(transfer / "figures" / f"transfer_{row}_test_grasp.jpg")) for row in ROWS]
    cv2.imwrite(str(HERE / "heatmap_transfer.jpg"), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 88])
    shutil.copyfile(video / "figures" / "video_video_para_1.jpg", HERE / "video_alignment.jpg")


main(*map(Path, sys.argv[1:]))
