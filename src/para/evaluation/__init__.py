"""Scenes to score policies on, records of what happened, and statistics of the records.

To add an interval or a test, put it in `statistics.py` (rates and pairs), `clusters.py`, `scores.py`,
`multiplicity.py`, `curves.py` or `power.py`, with a published example or its simulated coverage in its test; a field of
the record goes into `EpisodeRecord` (`records.py`) and into `docs/architecture.md`.
"""
