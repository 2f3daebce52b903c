"""Pictures and a page, made from the files of a run folder alone; no policy and no world is ever run here.

To add a picture, write a function from `RunFiles` to a figure in `figures.py` (plots), `predictions.py` (images) or
`videos.py`, and give it a section in `page.py`. The page of a whole family of runs is made in `family/`.
"""

from para.reports.family.page import build_family_report
from para.reports.page import build_report

__all__ = ["build_family_report", "build_report"]
