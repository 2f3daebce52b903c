"""The only training loop: any policy, any chunk data, one folder that can be interrupted and gone on from.

Samples, augmentation and every other random number are functions of (seed, step), of several processes also of which
one, so on a CPU a run that was stopped and went on ends with the same weights, bit for bit, as one that never stopped.
It goes on with as many threads, which decide the order of sums, and with as many processes.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from para.interfaces import ActionChunk, Observation
from para.progress import progress_bar
from para.training.accelerators import LossModule, make_accelerator, precision, with_threads, without_denormals
from para.training.checkpoint import WEIGHTS_FILE, load_weights, save_policy, weights_hash
from para.training.ema import WeightAverage, averaged
from para.training.files import read_tensors
from para.training.finite import check_finite
from para.training.heldout import ChunkData, heldout_metrics, ignores_images
from para.training.interrupts import Interrupts
from para.training.kept_features import kept_features
from para.training.optim import first_phase_of, make_optimizer, named_groups, set_lr
from para.training.options import TrainConfig, TrainResult
from para.training.order import SampleOrder, generator_of, seed_of
from para.training.run_folder import RunFolder, run_identity
from para.training.state import Training, going_on_with, only_trainer, remove_state, restore_state, save_state

log = logging.getLogger(__name__)


def train(
    policy: nn.Module,
    data: ChunkData,
    config: TrainConfig,
    folder: str | Path,
    *,
    heldout: ChunkData | None = None,
    data_hash: str = "",
    start: str = "",
    on_progress: Callable[[dict[str, Any]], None] | None = None,
    show_progress: bool = True,
) -> TrainResult:
    """Train a policy, leave it in a folder, and have it in evaluation mode with its final weights.

    Called again with the same folder and options it goes on where it was, or returns at once if it had finished. Ctrl-C
    and SIGTERM save a state first.

    Args:
        policy: with `name`, `config`, `loss` and `act`, its ranges set (`fit_ranges`); it starts from its weights, and
            ends on the device that it was on. Of several processes each has the mean loss of its own samples.
        data, heldout: samples to train on, and others for the metrics, never trained on.
        config: of the training.
        folder: gets `config.json`, `model.safetensors`, `training.json`, `log.jsonl`, `snapshots/`; and, until it is
            finished, `training_state/`.
        data_hash, start: what tells the data and, unless random, the weights at first; parts of the run's identity.
        on_progress: called with each record of `log.jsonl`.
        show_progress: a bar, or plain lines, on stderr.

    Raises:
        ValueError: if the folder holds another run or another process trains there, there is no data, or a loss or
            gradient is not finite.
    """
    if len(data) == 0 or (heldout is not None and len(heldout) == 0):
        raise ValueError("training needs at least one sample, and so do held-out metrics; the dataset is empty")
    run_folder = RunFolder(Path(folder), run_identity(policy, config, data, data_hash, start), type(policy.config))
    if (summary := run_folder.summary()) is not None:
        return _reuse(policy, run_folder, summary)
    accelerator = make_accelerator(config.device, config.mixed_precision)
    with only_trainer(run_folder.path) if accelerator.is_main_process else nullcontext():
        if (summary := run_folder.check()) is not None:  # another one finished it, or began, since
            return _reuse(policy, run_folder, summary)
        run = _Run(policy, data, config, run_folder, heldout, on_progress, show_progress, accelerator)
        gpus = [run.accelerator.device] if run.accelerator.device.type == "cuda" else []
        kept = kept_features(policy, config.feature_cache)
        threads = with_threads(run.n_threads)
        with Interrupts() as interrupts, torch.random.fork_rng(gpus), kept, without_denormals(), threads:
            run.steps(interrupts)
            result = run.finish()
    if interrupts.received is not None:  # asked to stop when all was done but the writing
        raise interrupts.exception()
    return result


def _reuse(policy: nn.Module, run_folder: RunFolder, summary: dict[str, Any]) -> TrainResult:
    path = run_folder.path
    load_weights(policy, read_tensors(path / WEIGHTS_FILE), str(path / WEIGHTS_FILE))
    policy.eval()
    remove_state(path)
    log.info("%s is trained already (%d steps, %.0f s): reusing it", path, summary["steps"], summary["seconds"])
    return TrainResult(
        path, summary["steps"], summary["seconds"], summary["metrics"], weights_hash(path), reused=True,
        first_step=summary["steps"],
    )  # fmt: skip


class _Run:
    """A run in progress: what changes with each step, and what happens around the steps."""

    def __init__(self, policy, data, config, run_folder, heldout, on_progress, show_progress, accelerator):
        self.config, self.folder, self.data, self.heldout = config, run_folder, data, heldout
        self.on_progress, self.accelerator = on_progress, accelerator
        if config.batch_size % self.accelerator.num_processes:
            raise ValueError(
                f"batch_size {config.batch_size} does not divide by {self.accelerator.num_processes} processes; "
                "choose a multiple"
            )
        self.home = next(policy.parameters()).device
        policy.to(self.accelerator.device).train()
        optimizer = make_optimizer(policy, config.optim)
        names = [name for group in named_groups(policy, config.optim) for name in group["names"]]
        average = WeightAverage(policy, config.optim.ema_decay) if config.optim.ema_decay is not None else None
        self.state = Training(policy, optimizer, names, average)
        self.done, self.seconds, self.in_step = 0, 0.0, False
        self.precisions, self.n_threads = [precision(accelerator)], torch.get_num_threads()
        self._go_on()
        self.first_step, self._clock = self.done, time.monotonic()
        self.model, self.optimizer = self.accelerator.prepare(LossModule(policy), optimizer)
        self.parameters = [p for p in policy.parameters() if p.requires_grad]
        self.order = SampleOrder(len(data), config.batch_size, config.seed)
        self.sums, self.n_summed, self.sums_began = {}, 0, time.monotonic()
        self.note: dict[str, float] = {}
        shown = show_progress and self.accelerator.is_main_process
        self.bar = progress_bar(config.steps, f"train {policy.name}", initial=self.done) if shown else None

    def _go_on(self) -> None:
        values = restore_state(self.folder.path, self.state)
        if values is not None:
            self.done, self.seconds = values["step"], values["seconds"]
            before = values.get("precisions", self.precisions)
            self.precisions = before if before[-1:] == self.precisions else before + self.precisions
            self.n_threads = going_on_with(values, self.n_threads, self.accelerator.num_processes)
            log.info("going on with %s at step %d of %d", self.folder.path, self.done, self.config.steps)
        if self.accelerator.is_main_process:
            self.folder.trim_log(self.done)

    def steps(self, interrupts: Interrupts) -> None:
        """All steps that are left."""
        try:
            if self.done == 0 and 0 in self.config.snapshot_steps:
                self._snapshot()
            for step, (obs, actions) in self._batches():
                self.in_step = True
                self._step(step, obs, actions)
                self.done = step + 1
                self._after_step()
                self.in_step = False
                if self._all_stop(interrupts):
                    raise interrupts.exception()
        except (KeyboardInterrupt, SystemExit):
            # within a step weights and optimiser do not belong together, and what follows one (a snapshot, a line of
            # the log) is never made up for: the state saved before stands
            if not self.in_step:
                self._save()
            raise
        finally:
            if self.bar is not None:
                self.bar.close()

    def _batches(self) -> Iterator[tuple[int, tuple[Observation, ActionChunk]]]:
        """The batch of each step that is left, read one ahead in a thread of its own."""
        device, rank, n = self.accelerator.device, self.accelerator.process_index, self.accelerator.num_processes
        share = self.config.batch_size // n

        def read(step: int) -> tuple[Observation, ActionChunk]:
            return self.data.batch(self.order.indices(step)[rank * share : (rank + 1) * share])

        with ThreadPoolExecutor(1) as pool:
            following = pool.submit(read, self.done)
            for step in range(self.done, self.config.steps):
                obs, actions = following.result()
                if step + 1 < self.config.steps:
                    following = pool.submit(read, step + 1)
                yield step, (obs.to(device), actions.to(device))

    def _step(self, step: int, obs: Observation, actions: ActionChunk) -> None:
        config, rank, phase = self.config, self.accelerator.process_index, first_phase_of(self.state.policy)
        torch.manual_seed(seed_of("policy", config.seed, step, rank))
        generator = generator_of("augment", config.seed, step, rank) if config.augment else None
        self.lr = set_lr(self.state.optimizer, step, config.steps, config.optim, phase)
        terms = self.model(obs, actions, generator)
        self.accelerator.backward(terms["total"])
        norm = self.accelerator.clip_grad_norm_(self.parameters, config.optim.clip_norm or math.inf)
        check_finite(step, terms, norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.state.average is not None:
            self.state.average.update(step)
        for name, value in {**terms, "gradient_norm": norm}.items():
            self.sums[name] = self.sums.get(name, 0.0) + value.detach()
        self.n_summed += 1

    def _after_step(self) -> None:
        config, done, last = self.config, self.done, self.done == self.config.steps
        if done in config.snapshot_steps:
            self._snapshot()
        if done % config.log_every == 0 or last:
            self._log_training()
        if done % config.eval_every == 0 and not last:
            with averaged(self.state.average):
                self._log_heldout()
        if done % config.save_every == 0 and not last:
            self._save()
        if self.bar is not None:
            note = ", ".join(f"{name} {value:.3g}" for name, value in self.note.items())
            self.bar.set_postfix_str(note, refresh=False)
            self.bar.update(1)

    def _all_stop(self, interrupts: Interrupts) -> bool:
        """Whether any process was asked to stop; all must agree on the step."""
        received = interrupts.received is not None
        if self.accelerator.num_processes == 1:
            return received
        flag = torch.tensor(float(received), device=self.accelerator.device)
        return bool(self.accelerator.reduce(flag) > 0)

    def _seconds(self) -> float:
        return self.seconds + time.monotonic() - self._clock

    def _record(self, split: str, values: dict[str, float]) -> None:
        record = {"step": self.done, "split": split, "seconds": round(self._seconds(), 3), **values}
        if self.accelerator.is_main_process:
            self.folder.append_log(record)
        if self.on_progress is not None:
            self.on_progress(record)

    def _log_training(self) -> None:
        """The means since the last line."""
        means = {name: float(value) / self.n_summed for name, value in self.sums.items()}
        rate = self.n_summed * self.config.batch_size / max(time.monotonic() - self.sums_began, 1e-9)
        self.note["loss"] = means["total"]
        self._record("train", {"lr": self.lr, "samples_per_second": round(rate, 2), **means})
        self._restart_means()

    def _restart_means(self) -> None:
        self.sums, self.n_summed, self.sums_began = {}, 0, time.monotonic()

    def _log_heldout(self) -> dict[str, float]:
        """Held-out metrics of the policy as it is now; the time that they take is not counted as training speed."""
        began = time.monotonic()
        metrics: dict[str, float] = {}
        if self.heldout is not None and self.accelerator.is_main_process:
            config = self.config
            metrics = heldout_metrics(
                self.state.policy, self.heldout, n_samples=config.heldout_samples, batch_size=config.batch_size,
                device=self.accelerator.device,
            )  # fmt: skip
            told = {"held-out mm": "error_mm", "px": "pixel_error_px"}
            self.note.update({name: metrics[key] for name, key in told.items() if key in metrics})
            self._record("heldout", metrics)
        self.accelerator.wait_for_everyone()
        self.sums_began += time.monotonic() - began
        return metrics

    def _snapshot(self) -> None:
        with averaged(self.state.average):
            if self.accelerator.is_main_process:
                save_policy(self.state.policy, self.folder.path / "snapshots" / f"step_{self.done:06d}")

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            values = {"step": self.done, "seconds": self._seconds(), "identity": self.folder.identity}
            values |= {"precisions": self.precisions, "threads": self.n_threads}
            values["processes"] = self.accelerator.num_processes
            save_state(self.folder.path, self.state, values)
        self.accelerator.wait_for_everyone()

    def finish(self) -> TrainResult:
        """The last look at held-out samples, and the checkpoint; its weights are the commit, after all else."""
        policy, path, device = self.state.policy, self.folder.path, self.accelerator.device
        if self.state.average is not None:
            self.state.average.exchange()
        metrics = self._log_heldout()
        if self.accelerator.is_main_process:
            if ignores_images(policy, self.data if self.heldout is None else self.heldout, device=device):
                log.warning("the actions of %s stay the same when images are exchanged: it does not look", path)
            told = {"steps": self.done, "seconds": round(self._seconds(), 3)}
            told["precision"] = ", then ".join(self.precisions)
            self.folder.write_summary({**told, "metrics": metrics})
            save_policy(policy, path)
            remove_state(path)
        self.accelerator.wait_for_everyone()
        policy.to(self.home).eval()
        metrics = self.folder.summary()["metrics"]  # for the processes that did not look
        return TrainResult(path, self.done, self._seconds(), metrics, weights_hash(path), first_step=self.first_step)
