"""Progress of long work: a bar in a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

logger = logging.getLogger(__name__)
Item = TypeVar("Item")

SHOW_AFTER_S = 2.0
"""Work that is over sooner shows nothing."""

LOG_EVERY_S = 10.0


def progress_bar(items: Iterable[Item], what: str, *, unit: str, total: int | None = None, show: bool = True) -> Iterator[Item]:
    """Iterate over `items` and show how far it is, at which rate, and how long it will take."""
    if not show:
        yield from items
        return
    total = len(items) if total is None else total  # type: ignore[arg-type]
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, desc=what, unit=unit, total=total, delay=SHOW_AFTER_S, leave=False)
        return
    started = last = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now - last > LOG_EVERY_S:
            last, rate = now, done / (now - started)
            logger.info("%s: %d of %d, %.1f %ss/s, %.0f s left", what, done, total, rate, unit, (total - done) / rate)
        yield item
