"""Where the end effector is in a picture that no camera took: by the look of the gripper in one where that is known.

The gripper's surroundings in what was seen are searched for in a later, or generated, picture (normalised
cross-correlation). Nothing is known of the robot's colours, so this works in every world; and it has an error of its
own, which is measured on real later frames before anything is said of generated ones.
"""

from __future__ import annotations

import cv2
import numpy as np

HALF_SIDE = 1 / 8
"""Half a side of the template, as a share of the image's width: the hand with its fingers."""

ABOVE = 0.08
"""How far above the end effector's pixel the template's middle lies, as a share of the image's height: the gripper
comes down from there."""


def find_end_effector(seen: np.ndarray, ee_uv: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """The pixel in `picture` around which it looks most like `seen` does around the end effector.

    Args:
        seen: (H, W, 3) uint8, where the end effector's pixel is known.
        ee_uv: (2,) that pixel, (u, v).
        picture: (H, W, 3) uint8, the one to search.

    Returns:
        (2,) pixel (u, v): a whole number of pixels from `ee_uv`.

    Raises:
        ValueError: if the pictures differ in size, or the end effector is not in the first.
    """
    H, W = seen.shape[:2]
    if picture.shape != seen.shape:
        raise ValueError(f"both pictures must be of one size; got {seen.shape} and {picture.shape}")
    u, v = (int(round(float(c))) for c in ee_uv)
    if not (0 <= u < W and 0 <= v < H):
        raise ValueError(f"the end effector's pixel {(u, v)} does not lie in the {H} x {W} picture")
    half, up = max(2, round(HALF_SIDE * W)), round(ABOVE * H)
    margin = half + up  # templates may reach beyond the border, whose pixels go on
    edged = [cv2.copyMakeBorder(image, *[margin] * 4, cv2.BORDER_REPLICATE) for image in (seen, picture)]
    top, left = v - up - half + margin, u - half + margin
    template = edged[0][top : top + 2 * half + 1, left : left + 2 * half + 1]
    likeness = cv2.matchTemplate(edged[1], template, cv2.TM_CCOEFF_NORMED)
    row, column = np.unravel_index(int(np.nan_to_num(likeness, nan=-1.0).argmax()), likeness.shape)
    return np.asarray(ee_uv, dtype=float) + np.array([column - left, row - top], dtype=float)
