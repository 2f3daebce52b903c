"""Losses: the paper's equations (1), (2) and the gripper term, factorised and joint, each a masked mean over steps."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from para.pixel_actions.start_keypoint import cell_index, cell_weights


def masked_mean(nll: Tensor, valid: Tensor) -> Tensor:
    """Mean over the valid steps; 0 if none is valid. (B, T), (B, T) bool -> ()."""
    return torch.where(valid, nll, torch.zeros_like(nll)).sum() / valid.sum().clamp(min=1)


def soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of a target distribution. (..., N), (..., N) -> (...), nats."""
    return -(target * logits.log_softmax(dim=-1)).sum(dim=-1)


def spatial_loss(heatmap_logits: Tensor, uv: Tensor, valid: Tensor, *, stride: float = 1, soft: bool = False) -> Tensor:
    """Cross-entropy of the demonstrated pixel over all cells (paper eq. 1; there, cells are the image's pixels).

    Args:
        heatmap_logits: (B, T, h, w).
        uv: (B, T, 2) the demonstrated pixel, as (u, v); need not be an integer.
        valid: (B, T) bool; false where the step is padding or projects outside the image.
        stride: pixels per cell of the heatmap.
        soft: share the target between the four nearest cells, instead of the one that holds the pixel.

    Returns:
        Scalar mean over valid steps, in nats; 0 if none is valid.
    """
    logits = heatmap_logits.flatten(2)  # (B, T, h * w)
    if not soft:
        return class_loss(logits, cell_index(uv, stride, tuple(heatmap_logits.shape[-2:])), valid)
    target = cell_weights(uv, stride, tuple(heatmap_logits.shape[-2:]))  # (B, T, h * w)
    return masked_mean(soft_cross_entropy(logits, target), valid)


def full_resolution_spatial_loss(heatmap_logits: Tensor, uv: Tensor, valid: Tensor, stride: int) -> Tensor:
    """The paper's literal eq. 1: logits upsampled to the image, cross-entropy over its H x W pixels. -> ()."""
    up = F.interpolate(heatmap_logits, scale_factor=stride, mode="bilinear", align_corners=False)  # (B, T, H, W)
    return spatial_loss(up, uv, valid)


def class_loss(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Cross-entropy of a class, or of a distribution over classes (paper eq. 2; height, gripper, rotation).

    Args:
        logits: (B, T, N) read at the demonstrated pixel (teacher forcing).
        target: (B, T) class indices, or (B, T, N) distributions.
        valid: (B, T) bool.
    """
    if target.dtype == torch.long:
        # by index: a one-hot target of a map at full resolution would be as large as the map
        nll = F.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="none")  # (B * T,)
        return masked_mean(nll.view_as(valid), valid)
    return masked_mean(soft_cross_entropy(logits, target), valid)


def joint_loss(
    volume_logits: Tensor,
    logits_at_pixel: Tensor,
    height: Tensor,
    valid: Tensor,
    *,
    height_known: Tensor | None = None,
    heatmap_at_pixel: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of the demonstrated voxel over all cells x heights (the paper's figure 3).

    A target that is shared between cells by bilinear weights asks for the logits interpolated at its pixel, which a
    linear head gives from the feature interpolated there: the volume itself is only needed for its normaliser.
    Where the height is not known, any will do at the pixel: its probability is the sum over heights, and its cells
    share the target as they do a heatmap's (`spatial_loss`), which is no linear function of the feature.

    Args:
        volume_logits: (B, T, N_H, h, w).
        logits_at_pixel: (B, T, N_H) the same logits read at the demonstrated pixel (or at its cell's centre, for a
            target that is all on one cell).
        height: (B, T, N_H) target distribution over height bins.
        valid: (B, T) bool.
        height_known: (B, T) bool; None: everywhere.
        heatmap_at_pixel: (B, T) the volume summed over heights (log-sum-exp) and then read at the demonstrated pixel;
            needed with `height_known`.
    """
    hit = (logits_at_pixel * height).sum(dim=-1)  # (B, T)
    if height_known is not None:
        hit = torch.where(height_known, hit, heatmap_at_pixel)
    return masked_mean(volume_logits.float().flatten(2).logsumexp(dim=-1) - hit, valid)
