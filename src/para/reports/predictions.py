"""What a policy saw and predicted: heatmaps over the image, the path in the image, and the path lifted to 3D."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from para.reports.figures import new_figure
from para.reports.run_files import Prediction
from para.reports.style import INK, RC, policy_colour, rgb, to_svg
from para.reports.wording import policy_name

SHIFT = 4
"""OpenCV draws at 1 / 2**SHIFT of a pixel."""


def encode_image(image: np.ndarray, quality: int = 88) -> bytes:
    """(H, W, 3) uint8 RGB as a JPEG file."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def path_image(prediction: Prediction, width: int = 440) -> np.ndarray:
    """The image with the end effector, the demonstrated path (white) and the predicted one, `width` pixels wide."""
    canvas, scale = _enlarged(prediction.image, width)
    start = prediction.ee_uv[None]
    for uv, colour, thickness in (
        (prediction.demonstrated_uv, (255, 255, 255), 2),
        (prediction.uv, rgb(policy_colour(prediction.policy)), 2),
    ):
        points = _drawable(np.concatenate([start, uv]), scale)
        cv2.polylines(canvas, [points], False, (20, 20, 20), thickness + 2, cv2.LINE_AA, SHIFT)
        cv2.polylines(canvas, [points], False, colour, thickness, cv2.LINE_AA, SHIFT)
    for uv in prediction.demonstrated_uv:
        _ring(canvas, uv, scale, 4, (255, 255, 255))
    for uv in prediction.uv:
        _dot(canvas, uv, scale, 4, rgb(policy_colour(prediction.policy)))
    _cross(canvas, prediction.ee_uv, scale, 9)
    return canvas


def heatmap_image(prediction: Prediction, step: int, width: int = 200) -> np.ndarray:
    """The heatmap of one step over the (dimmed) image, and a ring around the demonstrated pixel.

    Colours are relative to the brightest cell of that step, and show the cube root of the probability: trained heatmaps
    are so peaked that what else the policy deems possible would not be seen.
    """
    canvas, scale = _enlarged(prediction.image, width)
    canvas = heat_over(canvas, prediction.heatmaps[step])
    _ring(canvas, prediction.demonstrated_uv[step], scale, 8, (255, 255, 255))
    return canvas


def heat_over(canvas: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """A heatmap (h, w) over a picture (H, W, 3), which is dimmed; both uint8."""
    import matplotlib

    grey = canvas.mean(axis=-1, keepdims=True)
    dimmed = 0.40 * canvas + 0.30 * grey
    heat = cv2.resize(heatmap, canvas.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    heat = np.cbrt(np.clip(heat / max(float(heat.max()), 1e-12), 0, 1))
    colours = 255 * matplotlib.colormaps["inferno"](0.25 + 0.75 * heat)[..., :3]
    return (dimmed + heat[..., None] * (colours - dimmed)).round().astype(np.uint8)


def marked_picture(
    image: np.ndarray, width: int, *, heatmap: np.ndarray | None = None, ring: np.ndarray | None = None,
    dot: tuple[np.ndarray, str] | None = None, cross: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """A picture `width` pixels wide with a heatmap over it and marks at pixels (u, v) of the original.

    Args:
        ring, cross: where.
        dot: where, and of which policy's colour.
    """
    canvas, scale = _enlarged(image, width)
    canvas = canvas.copy() if heatmap is None else heat_over(canvas, heatmap)
    if ring is not None:
        _ring(canvas, ring, scale, 7, (255, 255, 255))
    if dot is not None:
        _dot(canvas, dot[0], scale, 3, rgb(policy_colour(dot[1])))
    if cross is not None:
        _cross(canvas, cross, scale, 6)
    return canvas


def heatmap_sheet(prediction: Prediction, width: int = 200, n_columns: int = 6) -> np.ndarray:
    """All heatmaps of a prediction as one picture, row by row from t+1."""
    panels = [heatmap_image(prediction, step, width) for step in range(len(prediction.heatmaps))]
    panels += [np.full_like(panels[0], 255)] * (-len(panels) % n_columns)
    framed = [np.pad(panel, ((2, 2), (2, 2), (0, 0)), constant_values=255) for panel in panels]
    return np.vstack([np.hstack(framed[i : i + n_columns]) for i in range(0, len(framed), n_columns)])


def trajectory_figure(predictions: Sequence[Prediction]) -> str:
    """Predicted and demonstrated paths of one scene in the world: from above as the camera sees it, and from its side.

    Args:
        predictions: of one scene, one per policy.
    """
    import matplotlib

    with matplotlib.rc_context(RC):
        figure, axes = new_figure(3.5, 4.2, 1, 2, sharex=True, height_ratios=[1.3, 1])
        above, side = axes[:, 0]
        demonstrated = 100 * predictions[0].demonstrated_position
        for axis, other in ((above, 0), (side, 2)):
            axis.plot(
                demonstrated[:, 1], demonstrated[:, other], "o--", color=INK, mfc="white", ms=5, lw=1, label="expert"
            )
            for prediction in predictions:
                _path(axis, prediction, other)
            axis.grid()
            axis.margins(0.12)
        above.invert_yaxis()
        above.set(title="From above", ylabel="x, away from the robot (cm)")
        side.set(title="From the camera's side", ylabel="height (cm)", xlabel="y (cm)")
        for axis in (above, side):
            _at_least(axis, 6.0)
        handles, labels = above.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        return to_svg(figure)


def _path(axis, prediction: Prediction, other: int) -> None:
    """A predicted path; steps with a closed gripper are filled."""
    position, colour = 100 * prediction.position, policy_colour(prediction.policy)
    closed = prediction.gripper < 0.5
    axis.plot(position[:, 1], position[:, other], "-", color=colour, lw=1.4)
    label = policy_name(prediction.policy)
    axis.plot(position[:, 1], position[:, other], "o", color=colour, mfc="white", ms=4.5, mew=1.3, label=label)
    axis.plot(position[closed, 1], position[closed, other], "o", color=colour, ms=4.5, mew=1.3)


def _at_least(axis, span_cm: float) -> None:
    """Widen the axes where all points lie within a few millimetres, so that noise does not look like movement."""
    for get, set_ in ((axis.get_xlim, axis.set_xlim), (axis.get_ylim, axis.set_ylim)):
        low, high = get()
        if abs(high - low) < span_cm:
            middle, half = (low + high) / 2, np.sign(high - low) * span_cm / 2
            set_(middle - half, middle + half)


def _enlarged(image: np.ndarray, width: int) -> tuple[np.ndarray, float]:
    scale = width / image.shape[1]
    height = round(image.shape[0] * scale)
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return cv2.resize(image, (width, height), interpolation=how), scale


def _drawable(uv: np.ndarray, scale: float) -> np.ndarray:
    """Pixels of the original image as fixed-point pixels of the enlarged one, within what OpenCV can draw."""
    enlarged = (np.nan_to_num(uv) + 0.5) * scale - 0.5
    return np.round(np.clip(enlarged, -2000, 4000) * 2**SHIFT).astype(np.int32)


def _dot(canvas: np.ndarray, uv: np.ndarray, scale: float, radius: int, colour: tuple[int, int, int]) -> None:
    centre = tuple(int(c) for c in _drawable(uv, scale))
    cv2.circle(canvas, centre, (radius + 1) << SHIFT, (255, 255, 255), -1, cv2.LINE_AA, SHIFT)
    cv2.circle(canvas, centre, radius << SHIFT, colour, -1, cv2.LINE_AA, SHIFT)


def _ring(canvas: np.ndarray, uv: np.ndarray, scale: float, radius: int, colour: tuple[int, int, int]) -> None:
    centre = tuple(int(c) for c in _drawable(uv, scale))
    cv2.circle(canvas, centre, radius << SHIFT, (20, 20, 20), 3, cv2.LINE_AA, SHIFT)
    cv2.circle(canvas, centre, radius << SHIFT, colour, 1, cv2.LINE_AA, SHIFT)


def _cross(canvas: np.ndarray, uv: np.ndarray, scale: float, radius: int) -> None:
    u, v = (int(c) for c in _drawable(uv, scale))
    arm = radius << SHIFT
    for colour, thickness in (((20, 20, 20), 5), ((255, 255, 255), 2)):
        cv2.line(canvas, (u - arm, v), (u + arm, v), colour, thickness, cv2.LINE_AA, SHIFT)
        cv2.line(canvas, (u, v - arm), (u, v + arm), colour, thickness, cv2.LINE_AA, SHIFT)
