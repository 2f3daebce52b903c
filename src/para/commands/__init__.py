"""The commands of `para`, each a frozen dataclass of its options with a `run()`; `para.cli` makes the command line.

To add one: a dataclass in the file of its kind, whose docstring and fields are its help, and a line in `para.cli`.
"""

from para.commands.datasets import Dataset, Resample
from para.commands.learning import Record, Train
from para.commands.pretraining import Tracks
from para.commands.reporting import Doctor, Report
from para.commands.running import Evaluate, Experiment

__all__ = ["Dataset", "Doctor", "Evaluate", "Experiment", "Record", "Report", "Resample", "Tracks", "Train"]
