"""What several commands take for granted."""

from __future__ import annotations

import os

DEFAULT_WORKERS = max(1, min(8, os.cpu_count() or 1))
"""Processes at a time."""
