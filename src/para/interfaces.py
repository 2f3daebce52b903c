"""The words of the project, as dataclasses and protocols. START HERE.

A `World` sets up a `Scene` and shows an `Observation` (an image, its `Camera`, where the end effector is). A `Policy`
turns it into an `ActionChunk`: where the end effector goes in the next T steps. `para.rollout.rollout` is the one loop
in which the two meet, and what happened is an `Episode` with an `Outcome`. A `Backbone` is the part of a policy that
turns the image into a grid of features.

The world frame: metres, z up, z = 0 on the table top; each world converts at its border. The gripper: 0 closed, 1 open.
Shapes: B batch, T horizon (steps of a chunk), C channels, H x W image rows and columns, h x w feature rows and columns.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from para.geometry import Camera

Outcome = Literal["placed", "grasped", "missed"]
"""How an episode ended: the object was placed; was lifted but not placed; was never lifted."""

OUTCOMES: tuple[Outcome, ...] = ("placed", "grasped", "missed")


@dataclass(frozen=True)
class Observation:
    """What a policy may see now."""

    image: Tensor
    """(B, 3, H, W) uint8 RGB, upright, consistent with `camera`."""

    camera: Camera
    """The camera that took each image: K (B, 3, 3) and T_world_cam (B, 4, 4)."""

    ee_position: Tensor
    """(B, 3) the end effector (the point between the fingertips), world frame, metres."""

    gripper: Tensor
    """(B,) how far the gripper is open: 0 closed, 1 open."""

    def __post_init__(self):
        B = self.image.shape[0]
        if self.image.ndim != 4 or self.image.shape[1] != 3 or self.image.dtype != torch.uint8:
            raise ValueError(f"image must be (B, 3, H, W) uint8; got {tuple(self.image.shape)} {self.image.dtype}")
        if tuple(self.image.shape[-2:]) != tuple(self.camera.image_size):
            raise ValueError(
                f"the image is {tuple(self.image.shape[-2:])} but its camera is for {self.camera.image_size} (H, W); "
                "resize image and camera together"
            )
        shapes = (tuple(self.ee_position.shape), tuple(self.gripper.shape), tuple(self.camera.K.shape[:-2]))
        if shapes != ((B, 3), (B,), (B,)):
            raise ValueError(f"ee_position, gripper and camera must be (B, 3), (B,), (B,) with B = {B}; got {shapes}")

    def __len__(self) -> int:
        return self.image.shape[0]

    def __getitem__(self, index) -> Observation:
        """Some of the batch; an integer keeps the batch dimension."""
        i = _keeping_batch(index, len(self))
        return Observation(self.image[i], self.camera[i], self.ee_position[i], self.gripper[i])

    def to(self, device: torch.device | str) -> Observation:
        """The same observation on another device."""
        return Observation(
            self.image.to(device), self.camera.to(device), self.ee_position.to(device), self.gripper.to(device)
        )


@dataclass(frozen=True)
class ActionChunk:
    """Where the end effector goes in the next T steps (t+1 .. t+T)."""

    position: Tensor
    """(B, T, 3) world frame, metres."""

    gripper: Tensor
    """(B, T) commanded opening: 0 closed, 1 open."""

    is_pad: Tensor
    """(B, T) bool; true where the step lies beyond the end of the demonstration (it then holds the last action)."""

    rotation: Tensor | None = None
    """(B, T, 3, 3) R_world_ee, or None where the tool keeps pointing down."""

    peak_probability: Tensor | None = None
    """(B, T) how sure the policy is of each step: the probability in the decoded peak. None in demonstrations."""

    entropy: Tensor | None = None
    """(B, T) entropy of each step's distribution over the image, in nats. None in demonstrations."""

    # The next two are for training on videos; a first reader can pass over them.
    known: Tensor | None = None
    """(B, T, 3) bool: of each step, whether its pixel, its height and its gripper are known; None: all of every step.
    Where the height is not, `position` is a point that projects to the pixel, at a nominal height
    (`para.datasets.partial_supervision`)."""

    frames: Tensor | None = None
    """(B, F, 3, H, W) uint8: what the camera saw later, at frames that the dataset chose
    (`para.datasets.video_chunks`). For what learns from videos; None otherwise."""

    def __post_init__(self):
        B, T = self.gripper.shape
        if self.frames is not None and (self.frames.ndim != 5 or len(self.frames) != B):
            raise ValueError(f"frames must be (B, F, 3, H, W) with B = {B}; got {tuple(self.frames.shape)}")
        if self.known is not None and tuple(self.known.shape) != (B, T, 3):
            raise ValueError(f"known must be (B, T, 3) as gripper is {(B, T)}; got {tuple(self.known.shape)}")
        if tuple(self.position.shape) != (B, T, 3) or tuple(self.is_pad.shape) != (B, T):
            raise ValueError(
                f"position, gripper and is_pad must be (B, T, 3), (B, T) and (B, T); got {tuple(self.position.shape)}, "
                f"{tuple(self.gripper.shape)} and {tuple(self.is_pad.shape)}"
            )

    def __len__(self) -> int:
        return self.gripper.shape[0]

    @property
    def horizon(self) -> int:
        """T, the number of future steps."""
        return self.gripper.shape[1]

    @property
    def pixel_known(self) -> Tensor:
        """(B, T) bool: where `position` projects to what was demonstrated."""
        return self._is_known(0)

    @property
    def height_known(self) -> Tensor:
        """(B, T) bool: where `position` is what was demonstrated, and not only its pixel."""
        return self._is_known(1)

    @property
    def gripper_known(self) -> Tensor:
        """(B, T) bool: where `gripper` is what was demonstrated."""
        return self._is_known(2)

    def _is_known(self, part: int) -> Tensor:
        return torch.ones_like(self.is_pad) if self.known is None else self.known[..., part]

    def map(self, function) -> ActionChunk:
        """`function` applied to every tensor that is present."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return ActionChunk(**{name: None if v is None else function(v) for name, v in values.items()})

    def __getitem__(self, index) -> ActionChunk:
        """Some of the batch; an integer keeps the batch dimension."""
        i = _keeping_batch(index, len(self))
        return self.map(lambda tensor: tensor[i])

    def to(self, device: torch.device | str) -> ActionChunk:
        """The same chunk on another device."""
        return self.map(lambda tensor: tensor.to(device))


@dataclass(frozen=True)
class Scene:
    """An initial condition. Equal scenes give equal frames, in every world that accepts them."""

    object_xy: tuple[float, float]
    """Centre of the object to be moved (the bowl), world frame, metres."""

    goal_xy: tuple[float, float] | None = None
    """Centre of the goal (the plate); None: at the world's fixed offset from the object, so that both move together."""

    view_theta_deg: float = 0.0
    """Angle of the camera off its default line of sight, about the point that it looks at."""

    view_phi_deg: float = 0.0
    """Direction of that tilt; without meaning where `view_theta_deg` is 0."""

    ee_start: tuple[float, float, float] | None = None
    """Where the end effector starts, world frame, metres; None: the world's home."""

    distractors: tuple[str, ...] = ()
    """Names of further objects of the world; `seed` places them."""

    appearance: str = "default"
    """Name of a look (table, wall, light) of the world."""

    task: str = ""
    """Which task of the world; empty: its only or first one."""

    seed: int = 0
    """Of everything else that is random in the scene."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values; `from_dict` inverts it."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Scene:
        """Inverse of `to_dict`. Raises ValueError for unknown or missing fields."""
        known = {f.name for f in fields(Scene)}
        unknown = sorted(set(values) - known)
        if unknown or "object_xy" not in values:
            raise ValueError(f"a scene needs object_xy and knows {sorted(known)}; got {sorted(values)}")
        as_tuple = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return Scene(**as_tuple)

    def with_(self, **changes) -> Scene:
        """The same scene but for some fields."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Episode:
    """What happened, from the first image on: N frames, each with the action that was carried out from there."""

    scene: Scene
    """The initial condition."""

    image: np.ndarray
    """(N, H, W, 3) uint8 RGB, what the camera saw before each action. Empty (0, H, W, 3) where frames were not kept."""

    camera: Camera
    """The camera at each frame: K (N, 3, 3), T_world_cam (N, 4, 4)."""

    ee_position: np.ndarray
    """(N, 3) float32, world frame, metres, at each frame."""

    gripper: np.ndarray
    """(N,) float32, observed opening at each frame: 0 closed, 1 open."""

    action_position: np.ndarray
    """(N, 3) float32, the commanded end-effector position of the step after each frame, metres."""

    action_gripper: np.ndarray
    """(N,) float32, the commanded opening of that step."""

    phase: np.ndarray
    """(N,) int64, which key pose each action is on the way to (0, 1, ...); -1 where no demonstrator said so."""

    outcome: Outcome
    """How it ended."""

    info: dict[str, Any] = field(default_factory=dict)
    """Anything else worth a record (steps, reasons), JSON-ready."""

    def __len__(self) -> int:
        return len(self.gripper)


class FeatureMap(NamedTuple):
    """What a backbone makes of an image."""

    grid: Tensor
    """(B, C, h, w) features with h = H / stride and w = W / stride."""

    pooled: Tensor
    """(B, D) one vector for the whole image: the CLS token, or what stands in for it."""

    frames: Tensor | None = None
    """(B, F, C, h, w) of a backbone that sees a video coming: frame 0 is the image, the others what it expects, and
    `grid` is their mean. None where features have no time axis."""


@runtime_checkable
class Backbone(Protocol):
    """Image to feature grid (and one pooled vector). An `nn.Module`; see `para.backbones`."""

    config: Any
    """Its options, completed by what it read from pretrained weights: with the policy's checkpoint they rebuild it."""

    channels: int
    """C, of the grid and of the patch embedding."""

    pooled_channels: int
    """D, of the pooled vector."""

    stride: int
    """Pixels per cell."""

    def __call__(self, image: Tensor, start: Tensor | None = None) -> FeatureMap:
        """Features of images.

        Args:
            image: (B, 3, H, W) uint8; each backbone normalises for itself.
            start: (B, C, h, w) or None, added to the patch embedding before the image is understood as a whole
                (`para.pixel_actions.start_keypoint`).

        Raises:
            ValueError: if a side of the image does not divide by `stride`; it names sides that do.
        """
        ...


@runtime_checkable
class Policy(Protocol):
    """`Observation` to `ActionChunk`, and the loss that trains it. A stateless `nn.Module`; see `para.policies`.

    One that learns something from points of which only the pixel is known says so by `learns_from_pixels = True`.
    """

    name: str
    """Its key in `para.policies.POLICIES`, by which checkpoints find it."""

    config: Any
    """A frozen dataclass; with the weights it is all that is needed to rebuild the policy. Its `backbone` is what the
    backbone says of itself (`Backbone.config`)."""

    def loss(
        self, obs: Observation, actions: ActionChunk, *, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """The loss to minimise under "total", and its parts and error measures (scalars) under their own names.

        `generator` feeds the augmentation of the training images; None: no augmentation.
        """
        ...

    def act(self, obs: Observation) -> ActionChunk:
        """The chunk for each observation of a batch. Deterministic, without gradients, finite."""
        ...

    def fit_ranges(self, actions: ActionChunk, camera: Camera) -> None:
        """Set the ranges of inputs and outputs (bins, statistics) from training actions; saved with the weights.

        Args:
            actions: (N, T) steps, world frame, metres; usually every action of the demonstrations once, (N, 1). Padded
                steps do not count.
            camera: batched (N,), the camera of the image from which each chunk is taken.

        Raises:
            ValueError: where there is no action to set ranges from.
        """
        ...


class ExpertAction(NamedTuple):
    """What the scripted demonstrator wants next."""

    position: np.ndarray
    """(3,) world frame, metres: at most one stored step away."""

    gripper: float
    """0 closed, 1 open."""

    phase: int
    """Which key pose it is on the way to: 0, 1, ..."""


class Expert(Protocol):
    """A scripted demonstrator with access to the simulator's state: a closed-loop rule that can start anywhere."""

    def act(self) -> ExpertAction | None:
        """The next step from the world's present state; None when the task is done."""
        ...


@runtime_checkable
class World(Protocol):
    """Sets up a scene, shows observations, carries out actions, tells the outcome; simulated or real."""

    n_steps: int
    """Control steps (of 0.05 s) since `reset`; `rollout` stops at its budget of them."""

    def reset(self, scene: Scene) -> Observation:
        """Set up a scene and show it, as a batch of one. Raises ValueError for a scene that this world cannot show."""
        ...

    def execute(self, position: np.ndarray, gripper: float, rotation: np.ndarray | None = None) -> Observation:
        """Servo the end effector to a world position (3,) in metres, with the gripper at an opening, and look again.

        Raises:
            ValueError: if the target is not finite or not of that shape. A silent target is an error, never a miss.
        """
        ...

    def outcome(self) -> Outcome:
        """How the episode stands; `placed` is latched once reached."""
        ...

    def expert(self) -> Expert | None:
        """The scripted demonstrator, or None where there is none."""
        ...

    def close(self) -> None:
        """Release the renderer or the robot. May be called twice."""
        ...


def _keeping_batch(index, n: int):
    """An index into a batch of n that leaves its dimension there. Raises IndexError for an integer beyond it."""
    if not isinstance(index, (int, np.integer)):
        return index
    i = range(n)[index]
    return slice(i, i + 1)
