# SPDX-License-Identifier: Apache-2.0
"""What a score trained with the asymmetric loss says about the posterior probability."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ..utils import InputError
from .asymmetric import check_asymmetry

Array = TypeVar("Array", Tensor, np.ndarray, float)

_HALVINGS = 60  # an interval of 1 comes down to 1e-18, below the spacing of float64


class AsymmetricPosterior:
    r"""Closed-form inverse of ``AsymmetricLoss``: score to posterior probability.

    A network that minimises the expected loss :math:`q L_+(p) + (1 - q) L_-(p)` at posterior q gives the p at
    which its derivative is 0. With :math:`u = 1 - p`, :math:`x = \max(p - m, 0)` and the slope

    .. math:: s(v, \gamma) = \frac{d}{dv} \left[ -v^\gamma \ln(1 - v) \right]
              = v^\gamma \left[ \frac{1}{1 - v} + \gamma\,\frac{-\ln(1 - v)}{v} \right]

    that is :math:`(1 - q)\,s(x, \gamma_-) = q\,s(u, \gamma_+)`, hence

    .. math:: q(p) = \frac{s(x, \gamma_-)}{s(x, \gamma_-) + s(u, \gamma_+)}

    s grows with v for every :math:`\gamma \ge 0`, so q grows with p and the minimum is the only one. Scores
    up to the margin m all say q = 0. With :math:`\gamma_+ = 0` and m > 0, q(1) < 1 (0.964 for 0, 4, 0.05):
    every posterior above it is driven to the score 1.

    With the defaults a score of 0.2 means 0.0005, 0.5 means 0.147 and 0.8 means 0.884. This is what the score
    says if the network fits its training data's posterior; how far it does on other patients is for a
    calibration on held-out ones.

    Args:
        gamma_pos: exponent for present labels the loss was used with, >= 0.
        gamma_neg: exponent for absent labels, >= 0.
        clip: margin m in [0, 1).
        detach_weight: whether the loss took its powers as constants; s then lacks the term with gamma.

    Raises:
        InputError: if an exponent or the margin cannot be used.
    """

    def __init__(
        self,
        *,
        gamma_pos: float = 1.0,
        gamma_neg: float = 4.0,
        clip: float = 0.05,
        detach_weight: bool = False,
    ) -> None:
        check_asymmetry(gamma_pos=gamma_pos, gamma_neg=gamma_neg, clip=clip)
        self.gamma_pos = gamma_pos
        self.gamma_neg = gamma_neg
        self.clip = clip
        self.detach_weight = detach_weight

    def __call__(self, score: Array) -> Array:
        """Posterior probability of a score.

        Args:
            score: sigmoid of the logit, in [0, 1], any shape; computed in float64.

        Returns:
            Posterior in [0, 1], of the score's kind and type; NaN stays NaN.

        Raises:
            InputError: if a score is outside [0, 1].
        """
        p = _as_double(score, "scores")
        return _like(self._posterior(p), score)

    def inverse(self, posterior: Array) -> Array:
        """Score of a posterior, by bisection: the largest one that says no more than it.

        Args:
            posterior: in [0, 1], any shape.

        Returns:
            Score in [``clip``, 1], of the posterior's kind and type; 1 above q(1); NaN stays NaN.

        Raises:
            InputError: if a posterior is outside [0, 1].
        """
        q = _as_double(posterior, "posteriors")
        low, high = torch.full_like(q, self.clip), torch.ones_like(q)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            below = self._posterior(middle) <= q
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        score = torch.where(self._posterior(torch.ones_like(q)) <= q, 1.0, low)
        return _like(torch.where(q.isnan(), q, score), posterior)

    def _posterior(self, p: Tensor) -> Tensor:
        absent = self._slope((p - self.clip).clamp(min=0), self.gamma_neg)
        present = self._slope(1 - p, self.gamma_pos)
        # as a ratio: one slope is infinite at p = 0, the other may be at p = 1
        return torch.where(p <= self.clip, 0.0, 1 / (1 + present / absent))

    def _slope(self, v: Tensor, gamma: float) -> Tensor:
        slope = 1 / (1 - v)
        if gamma > 0 and not self.detach_weight:
            slope = slope + gamma * torch.where(v > 0, -torch.log1p(-v) / v, 1.0)  # the ratio's limit at 0
        return v**gamma * slope


def _as_double(values: Array, name: str) -> Tensor:
    double = torch.as_tensor(values).double()
    if bool(((double < 0) | (double > 1)).any()):
        raise InputError(
            f"{name} from {double.min().item():g} to {double.max().item():g} are not all in [0, 1]",
            remedy="Give sigmoids of logits or probabilities, not logits.",
        )
    return double


def _like(values: Tensor, given: Array) -> Array:
    """The values in the kind and type of what was given; whole numbers give float32."""
    if isinstance(given, Tensor):
        return values.to(given.dtype if given.is_floating_point() else torch.float32)
    if isinstance(given, np.ndarray):
        return values.numpy().astype(given.dtype if given.dtype.kind == "f" else np.float32)
    return values.item()
