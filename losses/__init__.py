# SPDX-License-Identifier: Apache-2.0
"""Losses: named terms on a multi-task network's dictionary and the class map of the centre slice."""

from .cross_entropy import WeightedCrossEntropy
from .dice import ExponentialLogarithmicDice, SoftDice
from .multi_task import MultiTaskLoss
from .presence import PresenceBCE

__all__ = [
    "ExponentialLogarithmicDice",
    "MultiTaskLoss",
    "PresenceBCE",
    "SoftDice",
    "WeightedCrossEntropy",
]
