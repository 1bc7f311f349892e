# SPDX-License-Identifier: Apache-2.0
"""Weights for the last stage of a detector's training: more for what is misclassified."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..utils import InputError


class MisclassifiedWeights:
    r"""Weight of each positive and negative, by whether the network has it wrong.

    .. math:: w^- = 1 + \lambda p^\gamma \text{ if } p \geq 0.5, \text{ else } w_0, \qquad
              w^+ = 1 + \lambda (1 - p)^\gamma \text{ if } p < 0.5, \text{ else } w_0

    with p = sigmoid(logit) taken as a constant in the gradient. The slides of the Tianchi lung challenge's
    second place state only that misclassified examples weigh more and the others less; the formula is a
    reading of them. Unlike the focal loss it silences no easy example entirely. With ``lambda_=0`` and
    ``easy=1`` all weights are one.

    Args:
        lambda_: how much more, 0 or more.
        gamma: how fast it grows with the error, 0 or more.
        easy: weight :math:`w_0` of what is right, 0 or more.

    Raises:
        InputError: for a negative number.
    """

    def __init__(self, *, lambda_: float = 3.0, gamma: float = 1.0, easy: float = 0.5) -> None:
        for name, number in (("lambda_", lambda_), ("gamma", gamma), ("easy", easy)):
            if not 0 <= number < math.inf:
                raise InputError(f"{name} is {number}", remedy="Give a number of 0 or more.")
        self.lambda_ = lambda_
        self.gamma = gamma
        self.easy = easy

    def __call__(self, logits: Tensor, *, positive: bool) -> Tensor:
        """Weights, without gradient, of logits (N,) that are all of positives or all of negatives."""
        p = torch.sigmoid(logits.detach())
        wrong = p < 0.5 if positive else p >= 0.5
        error = 1 - p if positive else p
        return torch.where(wrong, 1 + self.lambda_ * error**self.gamma, self.easy)
