"""Progress of long work: a bar with rate and time left, or plain lines where standard error is no terminal."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

PLAIN_LINE_EVERY_S = 10.0
"""Seconds between two plain lines."""


class PlainProgress:
    """The part of tqdm's interface that we use, as a line every few seconds: for logs and continuous integration."""

    def __init__(self, total: int, label: str, unit: str, initial: int = 0):
        self.total, self.label, self.unit, self.n = total, label, unit, initial
        self.initial, self.started = initial, time.monotonic()
        self.next_line, self.note = self.started + PLAIN_LINE_EVERY_S, ""

    def update(self, n: int = 1) -> None:
        """So many more are done."""
        self.n += n
        if time.monotonic() >= self.next_line or self.n == self.total:
            self.next_line = time.monotonic() + PLAIN_LINE_EVERY_S
            self.write()

    def set_postfix_str(self, note: str, refresh: bool = True) -> None:
        """Further figures for the next line."""
        self.note = note

    def write(self) -> None:
        """Print the line."""
        seconds = time.monotonic() - self.started
        rate = (self.n - self.initial) / max(seconds, 1e-9)
        left = f"{(self.total - self.n) / rate:.0f} s left" if rate > 0 else ""
        note = f", {self.note}" if self.note else ""
        line = f"{self.label}: {self.n}/{self.total} {self.unit}s, {seconds:.0f} s, {rate:.1f}/s, {left}{note}"
        print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, *exception) -> None:
        self.close()


def progress_bar(
    total: int, label: str, *, unit: str = "step", initial: int = 0, position: int = 0
) -> tqdm | PlainProgress:
    """A context manager with `update(n)` and `set_postfix_str(text)`.

    Args:
        total: how much work there is.
        label: what is being done.
        unit: of what, in the singular.
        initial: how much was done before, by an earlier run that this one goes on from.
        position: line of the bar on the terminal, where several processes show one each.
    """
    if sys.stderr.isatty():
        return tqdm(total=total, desc=label, unit=unit, initial=initial, position=position, dynamic_ncols=True)
    return PlainProgress(total, label, unit, initial)
