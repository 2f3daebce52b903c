"""What reading logits at pixels saves over the paper's upsampled volume: time and peak memory, forward and backward.

    python -m benchmarks.head_cost

prints JSON. Each case runs in a fresh process: height and gripper logits of every step, cross-entropy at the target
pixel, backward to the features and the heads' weights. *Materialised* upsamples the logits of every cell to the image
(`para.pixel_actions.heads.materialised_logits`) and indexes the volumes at the target pixels, as the paper describes;
*ours* applies the heads to the features interpolated there. Peak memory is by how much the process's resident memory
rose above what it was before the case, after a small warm-up has loaded the kernels: `VmHWM` of Linux, reset before the
case, and `ru_maxrss` elsewhere.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from para.pixel_actions.heads import PixelHeads, materialised_logits
from para.pixel_actions.losses import class_loss

KINDS = ("materialised", "ours")

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Size:
    """What is computed; the defaults are the paper's."""

    batch: int = 4
    """B, images."""

    image: int = 448
    """Side of the image, pixels."""

    stride: int = 16
    """Pixels per cell: 28 x 28 cells."""

    channels: int = 384
    """C, of the features."""

    horizon: int = 12
    """T, steps."""

    bins: int = 32
    """N_H height and as many (N_G) gripper classes."""


class Case:
    """Heads, features and targets, the same for both kinds."""

    def __init__(self, size: Size):
        g = torch.Generator().manual_seed(0)
        self.size, cells, B, T = size, size.image // size.stride, size.batch, size.horizon
        torch.manual_seed(1)
        self.heads = PixelHeads(size.channels, T, size.bins, size.bins, formulation="factorised", read_start=False)
        self.grid = torch.randn(B, size.channels, cells, cells, generator=g).requires_grad_()
        self.uv = torch.randint(0, size.image, (B, T, 2), generator=g)  # whole pixels, since volumes are indexed
        self.target = torch.randint(0, size.bins, (2, B, T), generator=g)
        self.valid = torch.ones(B, T, dtype=torch.bool)

    def logits(self, kind: str) -> tuple[Tensor, Tensor]:
        """Height and gripper logits at the target pixels, (B, T, N) each."""
        stride = self.size.stride
        if kind == "ours":
            uv = self.uv.float()
            return self.heads.height_logits(self.grid, uv, stride), self.heads.gripper_logits(self.grid, uv, uv, stride)
        volumes = [materialised_logits(head, self.grid, stride) for head in (self.heads.height, self.heads.gripper)]
        b = torch.arange(self.size.batch).unsqueeze(1)
        t = torch.arange(self.size.horizon)
        height, gripper = (volume[b, t, :, self.uv[..., 1], self.uv[..., 0]] for volume in volumes)
        return height, gripper

    def forward_backward(self, kind: str) -> Tensor:
        """One loss and its gradients, which are left in `.grad`."""
        self.grid.grad = None
        self.heads.zero_grad(set_to_none=True)
        height, gripper = self.logits(kind)
        loss = class_loss(height, self.target[0], self.valid) + class_loss(gripper, self.target[1], self.valid)
        loss.backward()
        return loss.detach()

    def results(self, loss: Tensor) -> dict[str, Tensor]:
        """The loss and every gradient, by name."""
        named = {f"gradient of {name}": p.grad for name, p in self.heads.named_parameters() if p.grad is not None}
        return {"loss": loss, "gradient of features": self.grid.grad, **named}


def reset_peak() -> None:
    """Let the peak of resident memory begin at what is resident now, where the system can."""
    gc.collect()
    if CLEAR_REFS.exists():
        CLEAR_REFS.write_text("5")


def peak_bytes() -> int:
    """The peak of resident memory since `reset_peak` (or since the process began)."""
    if STATUS.exists():
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def run_case(kind: str, size: Size, repeats: int, tensors: Path) -> dict[str, float]:
    """Measure one kind in this process: seconds (the median) and peak bytes. Loss and gradients go into a file."""
    Case(Size(1, 2 * size.stride, size.stride, 8, 2, 4)).forward_backward(kind)
    case = Case(size)
    reset_peak()
    before, seconds = peak_bytes(), []
    loss = case.forward_backward(kind)
    peak = peak_bytes() - before
    for _ in range(repeats):
        started = time.perf_counter()
        case.forward_backward(kind)
        seconds.append(time.perf_counter() - started)
    save_file({name: value.contiguous() for name, value in case.results(loss).items()}, tensors)
    return {"seconds": statistics.median(seconds), "peak_bytes": peak}


def in_fresh_process(kind: str, size: Size, repeats: int, tensors: Path) -> dict[str, float]:
    """`run_case` in a process of its own, so that neither caches nor earlier peaks count."""
    options = json.dumps({"kind": kind, "size": asdict(size), "repeats": repeats, "tensors": str(tensors)})
    command = [sys.executable, "-m", "benchmarks.head_cost", "--case", options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[1])
    if done.returncode:
        raise RuntimeError(f"the case {kind} failed (batch {size.batch}; is there memory enough?): {done.stderr}")
    return json.loads(done.stdout)


def compare(size: Size, repeats: dict[str, int]) -> dict[str, float]:
    """Both kinds at one size: seconds, peak memory, their ratios, and how far loss and gradients differ."""
    with tempfile.TemporaryDirectory() as folder:
        files = {kind: Path(folder) / f"{kind}.safetensors" for kind in KINDS}
        measured = {kind: in_fresh_process(kind, size, repeats[kind], files[kind]) for kind in KINDS}
        theirs, ours = (load_file(files[kind]) for kind in KINDS)
    gradients = [name for name in theirs if name != "loss"]
    differences = {name: float((theirs[name] - ours[name]).abs().max()) for name in theirs}
    largest = max(gradients, key=differences.get)
    return {
        "batch": size.batch,
        **{f"{kind}_seconds": round(measured[kind]["seconds"], 6) for kind in KINDS},
        "time_ratio": round(measured["materialised"]["seconds"] / measured["ours"]["seconds"], 1),
        **{f"{kind}_peak_mb": round(measured[kind]["peak_bytes"] / 1e6, 2) for kind in KINDS},
        "memory_ratio": round(measured["materialised"]["peak_bytes"] / max(measured["ours"]["peak_bytes"], 1), 1),
        "largest_loss_difference": differences["loss"],
        "largest_gradient_difference": differences[largest],
        "largest_gradient": float(max(theirs[name].abs().max() for name in gradients)),
    }


def main() -> None:
    """Print the comparison for some batch sizes as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument(
        "--repeats", type=int, default=2, help="of the materialised volume; ours runs 20 times as often"
    )
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case is not None:
        case = json.loads(options.case)
        print(json.dumps(run_case(case["kind"], Size(**case["size"]), case["repeats"], Path(case["tensors"]))))
        return
    repeats = {"materialised": options.repeats, "ours": 20 * options.repeats}
    cells = Size.image // Size.stride
    report = {
        "what": "height and gripper heads, cross-entropy at the target pixel, forward and backward, float32",
        "image": [Size.image, Size.image],
        "features": [cells, cells, Size.channels],
        "horizon": Size.horizon,
        "bins": [Size.bins, Size.bins],
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "seconds": "median of the repeats after one warm-up",
        "peak_mb": "growth of resident memory over that before the case (Linux VmHWM, reset; elsewhere ru_maxrss)",
        "repeats": repeats,
        "results": [compare(Size(batch=batch), repeats) for batch in options.batch_sizes],
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
