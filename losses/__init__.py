# SPDX-License-Identifier: Apache-2.0
"""Losses: named terms on a network's dictionary and the class map or the labels of the centre slice."""

from .asymmetric import AsymmetricLoss
from .asymmetric_posterior import AsymmetricPosterior
from .cross_entropy import WeightedCrossEntropy
from .dice import ExponentialLogarithmicDice, SoftDice
from .labelled_bce import LabelledBCE
from .multi_task import MultiTaskLoss
from .presence import PresenceBCE

__all__ = [
    "AsymmetricLoss",
    "AsymmetricPosterior",
    "ExponentialLogarithmicDice",
    "LabelledBCE",
    "MultiTaskLoss",
    "PresenceBCE",
    "SoftDice",
    "WeightedCrossEntropy",
]
