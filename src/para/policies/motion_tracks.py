"""Motion Tracks, from one view: where points of the gripper go in the image, then where in the world that is.

The baseline `motion_tracks`. Its network regresses, from the same pooled vector as `act` and from where the points are
now, the 2D tracks of five points of the gripper (its centre and two on each finger) over the next T steps, and the
gripper; coordinates are then recovered from the tracks. The published method (Ren et al., "Motion Tracks", 2025)
predicts tracks in two calibrated views, by diffusion, and triangulates them. One view gives no triangulation, so what
is missing, how far along its ray the gripper is, comes from the tracks in one of two ways (`MotionTracksConfig.lift`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from para.backbones import BackboneConfig, SmallConvConfig, make_backbone
from para.geometry import Camera, pixel_rays, project
from para.geometry.camera import apply_to_vectors
from para.interfaces import ActionChunk, Observation
from para.pixel_actions.losses import masked_mean
from para.pixel_actions.targets import complete_steps
from para.policies.augment import AugmentConfig, augment
from para.policies.full_precision import FullPrecisionLinear
from para.policies.ranges import spread_of
from para.policies.readout import Readout, ReadoutKind

Lift = Literal["mlp", "least_squares"]
"""How tracks become world positions. `mlp`: a second MLP reads the rays through all tracks and says how far along the
ray of its centre the gripper is; trained. `least_squares`: the gripper keeps its orientation and its size is known, so
its position is where the five points come nearest to their rays; nothing is trained, but a hand of 8 cm seen from a
metre away says little of its distance."""

N_POINTS = 5
"""The centre, and two on each finger."""

FARTHEST = 1.0
"""Points may be learnt this far beyond the image's edge, in sides of the image; what is farther is masked."""


@dataclass(frozen=True)
class MotionTracksConfig:
    """Options of the policy `motion_tracks`."""

    image_size: tuple[int, int] = (128, 128)
    """(H, W) of the images, pixels."""

    horizon: int = 12
    """T, future steps predicted at once."""

    lift: Lift = "mlp"
    """How tracks become world positions."""

    finger_travel_m: float = 0.04
    """From the closed gripper to the open one, each finger, along world y: the tool keeps pointing down."""

    finger_heights_m: tuple[float, float] = (0.0, 0.06)
    """Of the two points on each finger, above the end effector: its tip and its root."""

    use_state: bool = True
    """Take where the points are now, in the image and (of the centre) in the camera's frame, and the gripper's opening
    as input."""

    readout: ReadoutKind = "pooled"
    """The one vector of each image that tracks are regressed from."""

    hidden: int = 256
    """Width of the MLPs."""

    supervise_padding: bool = True
    """Whether steps beyond a demonstration's end are targets ("stay there")."""

    backbone: BackboneConfig = field(default_factory=SmallConvConfig)
    """The backbone and its options."""

    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Variation of training images; tracks follow a warp, and so do the rays of the warped camera."""

    def __post_init__(self):
        if self.horizon < 1 or self.hidden < 1:
            raise ValueError("horizon and hidden must be at least 1")
        low, high = self.finger_heights_m
        if self.finger_travel_m <= 0 or not low < high:
            raise ValueError(
                f"finger_travel_m must be above 0 and finger_heights_m rise; got {self.finger_travel_m} and "
                f"{self.finger_heights_m}"
            )


def gripper_offsets(gripper: Tensor, config: MotionTracksConfig) -> Tensor:
    """The five points relative to the end effector: centre, left tip, left root, right tip, right root.

    Args:
        gripper: (...) opening, 0 closed to 1 open.

    Returns:
        (..., 5, 3) world frame, metres.
    """
    y = config.finger_travel_m * gripper
    low, high = (torch.full_like(y, height) for height in config.finger_heights_m)
    zero = torch.zeros_like(y)
    points = [(zero, zero, zero), (zero, y, low), (zero, y, high), (zero, -y, low), (zero, -y, high)]
    return torch.stack([torch.stack(point, dim=-1) for point in points], dim=-2)


def position_from_rays(origin: Tensor, direction: Tensor, offsets: Tensor, nominal: Tensor) -> Tensor:
    """The end effector whose points come nearest to their rays, by linear least squares.

    With P_i = 1 - d_i d_i^T the part across ray i, p minimises the sum of |P_i (p + o_i - c_i)|^2.

    Args:
        origin, direction: (..., 5, 3) of the rays, world frame; directions of unit length.
        offsets: (..., 5, 3) of the points from the end effector, world frame, metres.
        nominal: (...) metres along the mean ray: what is answered where all rays are parallel and nothing is known.

    Returns:
        (..., 3) world frame, metres.
    """
    origin, direction, offsets = origin.double(), F.normalize(direction.double(), dim=-1), offsets.double()
    across = torch.eye(3, dtype=torch.float64, device=origin.device) - direction.unsqueeze(-1) * direction.unsqueeze(-2)
    mean_ray = F.normalize(direction.mean(dim=-2), dim=-1)
    expected = (origin - offsets).mean(dim=-2) + nominal.double().unsqueeze(-1) * mean_ray  # (..., 3)
    # A pull towards `expected`, a millionth of what five rays over 8 cm say of the distance, keeps this solvable.
    weak = 1e-9
    A = across.sum(dim=-3) + weak * torch.eye(3, dtype=torch.float64, device=origin.device)  # (..., 3, 3)
    b = apply_to_vectors(across, origin - offsets).sum(dim=-2) + weak * expected  # (..., 3)
    return torch.linalg.solve(A, b)


class RayLift(nn.Module):
    """How far along the ray of its centre the gripper is, read from the rays through all tracks: an MLP.

    Its inputs and output belong to the camera's frame, so that a warp of the image together with its camera, which
    moves pixels and leaves rays, changes nothing for it.
    """

    def __init__(self, config: MotionTracksConfig):
        super().__init__()
        n_inputs = config.horizon * (3 * N_POINTS + 1) + (3 if config.use_state else 0)
        self.mlp = nn.Sequential(
            FullPrecisionLinear(n_inputs, config.hidden), nn.GELU(),
            nn.Linear(config.hidden, config.hidden), nn.GELU(),
            FullPrecisionLinear(config.hidden, config.horizon),
        )  # fmt: skip
        self.register_buffer("mean", torch.tensor([0.0, 0.0, 1.0]))
        self.register_buffer("std", torch.ones(3))

    def fit(self, p_cam: Tensor) -> None:
        """Statistics of training positions in the camera's frame, (N, 3) metres."""
        self.mean.copy_(p_cam.mean(dim=0))
        self.std.copy_(spread_of(p_cam))

    def forward(self, direction_cam: Tensor, gripper: Tensor, ee_cam: Tensor | None) -> Tensor:
        """(B, T, 5, 3) unit rays, (B, T) opening, (B, 3) metres or None, all camera frame -> (B, T) metres."""
        reach = self.mean.norm()
        # Rays as offsets, on the sphere of the mean distance, from the mean position: of the size of the positions.
        rays = (reach * direction_cam - self.mean) / self.std  # (B, T, 5, 3)
        parts = [rays.flatten(1), 2 * gripper - 1]
        if ee_cam is not None:
            parts.append((ee_cam - self.mean) / self.std)
        spread = self.std.norm() / reach
        return reach * torch.exp(spread * self.mlp(torch.cat(parts, dim=-1)))


class MotionTracks(nn.Module):
    """The policy `motion_tracks`; see the module's docstring and `para.interfaces.Policy`."""

    name = "motion_tracks"

    def __init__(self, config: MotionTracksConfig):
        super().__init__()
        self.backbone = make_backbone(config.backbone, config.image_size)
        self.config = replace(config, backbone=self.backbone.config)  # with what it read from its weights
        self.readout = Readout(config.readout, self.backbone)
        n_state = 2 * N_POINTS + 3 + 1 if config.use_state else 0
        self.mlp = nn.Sequential(
            FullPrecisionLinear(self.readout.channels + n_state, config.hidden), nn.GELU(),
            nn.Linear(config.hidden, config.hidden), nn.GELU(),
            FullPrecisionLinear(config.hidden, config.horizon * (2 * N_POINTS + 1)),
        )  # fmt: skip
        self.lift = RayLift(config) if config.lift == "mlp" else None
        self.register_buffer("distance", torch.tensor(1.0))
        self.register_buffer("points_mean", torch.full((N_POINTS, 2), 0.5))
        self.register_buffer("points_std", torch.full((N_POINTS, 2), 0.5))
        self.register_buffer("position_mean", torch.tensor([0.0, 0.0, 1.0]))
        self.register_buffer("position_std", torch.ones(3))

    def fit_ranges(self, actions: ActionChunk, camera: Camera) -> None:
        """Where the training positions lie in the image, the scale of the state and of the tracks, and in the camera's
        frame, that of the lift."""
        keep = ~actions.is_pad
        if not keep.any():
            raise ValueError("there are no training actions to set ranges from; is the dataset empty?")
        p_cam = to_camera(actions.position, camera.unsqueeze(1))[keep]  # (N, 3)
        self.distance.copy_(p_cam.norm(dim=-1).mean())
        tracks = self.tracks_of(actions.position, actions.gripper, camera)[0][keep]  # (N, 5, 2)
        self.points_mean.copy_(tracks.mean(dim=0))
        self.points_std.copy_(spread_of(tracks))
        self.position_mean.copy_(p_cam.mean(dim=0))
        self.position_std.copy_(spread_of(p_cam))
        if self.lift is not None:
            self.lift.fit(p_cam)

    def tracks_of(self, position: Tensor, gripper: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
        """Where the gripper's points are seen, as shares of the image (0 to 1 spans it), and which can be learnt.

        (B, T, 3), (B, T), camera (B,) -> (B, T, 5, 2), (B, T) bool.
        """
        points = position.unsqueeze(-2) + gripper_offsets(gripper, self.config)  # (B, T, 5, 3)
        uv, depth = project(points, camera.unsqueeze(1).unsqueeze(1))
        tracks = (uv + 0.5) / size_uv(camera)
        near = (tracks > -FARTHEST).all(dim=-1) & (tracks < 1 + FARTHEST).all(dim=-1) & (depth > 0)  # (B, T, 5)
        return tracks.clamp(-FARTHEST, 1 + FARTHEST), near.all(dim=-1)

    def outputs(self, obs: Observation) -> tuple[Tensor, Tensor]:
        """Tracks as shares of the image, and gripper logits. -> (B, T, 5, 2), (B, T).

        A track starts where its point is now, so the network says how far it goes; without the state, where it is.
        """
        x, start = self.readout(self.backbone(obs.image)), 0.5
        if self.config.use_state:
            start, _ = self.tracks_of(obs.ee_position.unsqueeze(1), obs.gripper.unsqueeze(1), obs.camera)
            points = (start.squeeze(1) - self.points_mean) / self.points_std  # (B, 5, 2)
            here = (to_camera(obs.ee_position, obs.camera) - self.position_mean) / self.position_std  # (B, 3)
            x = torch.cat([x, points.flatten(1), here, 2 * obs.gripper.unsqueeze(-1) - 1], dim=-1)
        out = self.mlp(x).unflatten(-1, (self.config.horizon, 2 * N_POINTS + 1))
        return start + self.points_std * out[..., :-1].unflatten(-1, (N_POINTS, 2)), out[..., -1]

    def positions(self, tracks: Tensor, gripper: Tensor, obs: Observation) -> Tensor:
        """World positions from tracks and openings. (B, T, 5, 2), (B, T) -> (B, T, 3) metres."""
        camera = obs.camera
        uv = tracks * size_uv(camera) - 0.5
        origin, direction = pixel_rays(uv, camera.unsqueeze(1).unsqueeze(1))  # (B, T, 5, 3) each
        if self.lift is None:
            offsets = gripper_offsets((gripper > 0.5).to(uv), self.config)
            return position_from_rays(origin, direction, offsets, self.distance.expand_as(gripper)).to(uv)
        R_cam_world = camera.T_world_cam[:, None, None, :3, :3].mT
        direction_cam = apply_to_vectors(R_cam_world, direction)
        ee_cam = to_camera(obs.ee_position, camera) if self.config.use_state else None
        distance = self.lift(direction_cam, gripper, ee_cam)  # (B, T)
        return origin[:, :, 0] + distance.unsqueeze(-1) * direction[:, :, 0]

    def loss(
        self, obs: Observation, actions: ActionChunk, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """L1 of the tracks, binary cross-entropy of the gripper, and with the trained lift L1 of the position.

        The lift learns from the tracks as they are predicted, and teaches them nothing: tracks are learnt in pixels
        alone.
        """
        if generator is not None:
            obs = augment(obs, self.config.augment, generator)
        tracks, gripper_logits = self.outputs(obs)
        valid = complete_steps(actions)
        valid = valid if self.config.supervise_padding else valid & ~actions.is_pad
        position, gripper = torch.nan_to_num(actions.position), torch.nan_to_num(actions.gripper).clamp(0, 1)
        target, visible = self.tracks_of(position, gripper, obs.camera)
        # ten times the share of the image, as `act` has ten times the metres: a picture is about a metre wide
        error = 10 * (tracks - target).abs().sum(dim=-1).mean(dim=-1)  # (B, T)
        opening = F.binary_cross_entropy_with_logits(gripper_logits, gripper, reduction="none")
        losses = {"tracks": masked_mean(error, valid & visible), "gripper": masked_mean(opening, valid)}
        if self.lift is not None:
            found = self.positions(tracks.detach(), gripper_logits.detach().sigmoid(), obs)
            losses["position"] = 10 * masked_mean((found - position).abs().sum(dim=-1), valid)
        losses["total"] = sum(losses.values())
        with torch.no_grad():
            pixels = ((tracks - target) * size_uv(obs.camera)).norm(dim=-1).mean(dim=-1)
            losses["track_error_px"] = masked_mean(pixels, valid & visible & ~actions.is_pad)
        return losses

    @torch.no_grad()
    def act(self, obs: Observation) -> ActionChunk:
        """The chunk that the predicted tracks stand for. A regressor has no confidence to offer."""
        tracks, gripper_logits = self.outputs(obs)
        gripper = gripper_logits.sigmoid()
        position = self.positions(tracks, gripper, obs)
        return ActionChunk(position, gripper, torch.zeros_like(gripper, dtype=torch.bool))


def size_uv(camera: Camera) -> Tensor:
    """(W, H) of the image, pixels. -> (2,)."""
    H, W = camera.image_size
    return camera.K.new_tensor([W, H])


def to_camera(p_world: Tensor, camera: Camera) -> Tensor:
    """Points in the camera's frame. (..., 3) -> (..., 3) metres, batch dimensions broadcasting."""
    return apply_to_vectors(camera.T_world_cam[..., :3, :3].mT, p_world - camera.T_world_cam[..., :3, 3])
