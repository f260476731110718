"""What a person in a notebook uses: `fpho.fit` of images in memory, `fpho.open` of a run.

A fit is a run in a folder of its own: its inputs are written as the pipeline's files, and the stages of the
pipeline do the rest, so that both give the same numbers.
"""

from .fitting import fit
from .result import Fit
from .run import Run
from .run import open_run as open

__all__ = ["Fit", "Run", "fit", "open"]
