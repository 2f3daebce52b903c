"""Scenes to score policies on, records of what happened, and statistics of the records.

To add an interval or a test, put it in `statistics.py` with a published example in its test; a field of the record goes
into `EpisodeRecord` and into `docs/architecture.md`.
"""
