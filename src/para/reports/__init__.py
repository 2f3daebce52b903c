"""Pictures and a page, made from the files of a run folder alone; no policy and no world is ever run here.

To add a picture, write a function from `RunFiles` to a figure in `figures.py` (plots), `predictions.py` (images) or
`videos.py`, and give it a section in `page.py`.
"""

from para.reports.page import build_report

__all__ = ["build_report"]
