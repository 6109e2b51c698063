"""Fit a forest on labelled customers, judge it by cross-validation, and package it; `train` is the way in.

For the `train_model` command: scikit-learn at the top of a module is allowed here and nowhere else, because scoring
must not wait for it.
"""

from .data import Labels, Scores, TrainingData, TrainingDataError
from .fitting import SETTINGS
from .trained import DEFAULT_SEED, Trained, save, train

__all__ = [
    "DEFAULT_SEED",
    "SETTINGS",
    "Labels",
    "Scores",
    "Trained",
    "TrainingData",
    "TrainingDataError",
    "save",
    "train",
]
