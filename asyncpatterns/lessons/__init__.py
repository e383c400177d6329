"""What only the notebooks call: `predict` before a measurement, `race` for one, `check` after an exercise.

    from asyncpatterns.lessons import predict, race
    from asyncpatterns.lessons.check import chapter08 as check

`build` makes the learners' notebooks from the masters. Everything here speaks to a reader: results are sentences.
"""

from .debug_mode import debug_mode
from .figure import Figure, axes, figure
from .predict import Guess, predict
from .race import RaceResult, Standing, race
from .setup_check import SetupReport, callback_probe, setup_check

__all__ = [
    "Figure",
    "Guess",
    "RaceResult",
    "SetupReport",
    "Standing",
    "axes",
    "callback_probe",
    "debug_mode",
    "figure",
    "predict",
    "race",
    "setup_check",
]
