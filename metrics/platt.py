# SPDX-License-Identifier: Apache-2.0
"""One class's map from posterior to probability: Platt's logistic regression or a temperature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit
from torch import Tensor

from ..utils import InputError

Array = TypeVar("Array", Tensor, np.ndarray)
Values = Tensor | np.ndarray

FLOOR = 1e-4
"""Posteriors are kept this far from 0 and 1 before the logit: the asymmetric loss gives exact zeros, and far
below its margin it does not tell 1e-6 from 1e-9, while each would pull at the slope by its logit."""

MIN_SLOPE = 0.01
_TEMPERATURES = (0.05, 20.0)


@dataclass(frozen=True, kw_only=True)
class PlattCalibrator:
    """Probability of one class, sigmoid(slope * logit(posterior) + intercept).

    It grows with the posterior, so that no ranking changes but for ties below 1e-4 and above 1 - 1e-4.

    Args:
        slope: > 0; 1 / T for a temperature T.
        intercept: moves all probabilities up or down, as another prevalence does.
        fitted: False is the identity: there was nothing to fit on.
        n_pos: number of held-out examples with the class.
        n_neg: number of held-out examples without it.

    Raises:
        InputError: if the slope is not positive or a number is not finite.
    """

    slope: float = 1.0
    intercept: float = 0.0
    fitted: bool = False
    n_pos: int = 0
    n_neg: int = 0

    def __post_init__(self) -> None:
        if not (0 < self.slope < math.inf and math.isfinite(self.intercept)):
            raise InputError(
                f"slope {self.slope} and intercept {self.intercept} make no probability that grows",
                remedy="Fit the calibration again.",
            )

    def apply(self, posterior: Array) -> Array:
        """Calibrated probability, of the posterior's kind and type and any shape; NaN stays NaN."""
        if not self.fitted:
            return posterior
        values = torch.as_tensor(posterior).double().clamp(FLOOR, 1 - FLOOR)
        probability = torch.sigmoid(self.slope * values.logit() + self.intercept)
        if isinstance(posterior, Tensor):
            return probability.to(posterior.dtype)
        return probability.numpy().astype(posterior.dtype)


def fit_platt(posterior: Values, label: Values, *, weights: Values | None = None) -> PlattCalibrator:
    """Fit slope and intercept by logistic regression of the label on the posterior's logit.

    Platt, Advances in Large Margin Classifiers, 1999: the targets are (n_pos + 1) / (n_pos + 2) and
    1 / (n_neg + 2) instead of 1 and 0, which keeps the fit finite where few examples separate perfectly. The
    slope is kept at 0.01 or above.

    Args:
        posterior: ``(n,)`` in [0, 1].
        label: ``(n,)``, 1 present, 0 absent, NaN left out.
        weights: ``(n,)`` >= 0, how many examples each counts as; None counts each once.

    Returns:
        The map; the identity, not fitted, if one of the two outcomes is missing.

    Raises:
        InputError: if shapes differ or a value cannot be used.
    """
    x, y, w = _examples(posterior, label, weights)
    counts = _counts(y, w)
    if not all(counts.values()):
        return PlattCalibrator(**counts)
    target = _targets(y, w)
    centre = float(np.average(x, weights=w))  # slope and intercept are then all but independent
    centred, share = x - centre, w / w.sum()

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        z = parameters[0] * centred + parameters[1]
        error = share * (expit(z) - target)
        value = (share * (np.logaddexp(0, z) - target * z)).sum()
        return float(value), np.array([(error * centred).sum(), error.sum()])

    bounds = [(MIN_SLOPE, None), (None, None)]
    options = {"ftol": 1e-14, "gtol": 1e-9}
    found = minimize(loss, [1.0, 0.0], jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    slope, height = (float(value) for value in found.x)
    return PlattCalibrator(slope=slope, intercept=height - slope * centre, fitted=True, **counts)


def fit_temperature(posterior: Values, label: Values, *, weights: Values | None = None) -> PlattCalibrator:
    """Fit one temperature T, probability sigmoid(logit(posterior) / T), by maximum likelihood.

    Guo et al., ICML 2017, https://arxiv.org/abs/1706.04599, with Platt's targets: few examples that separate
    perfectly would otherwise make every probability 0 or 1. T is sought from 0.05 to 20.

    Args:
        posterior: ``(n,)`` in [0, 1].
        label: ``(n,)``, 1 present, 0 absent, NaN left out.
        weights: ``(n,)`` >= 0, how many examples each counts as; None counts each once.

    Returns:
        The map, with slope 1 / T; the identity, not fitted, if one of the two outcomes is missing.

    Raises:
        InputError: if shapes differ or a value cannot be used.
    """
    x, y, w = _examples(posterior, label, weights)
    counts = _counts(y, w)
    if not all(counts.values()):
        return PlattCalibrator(**counts)

    target = _targets(y, w)

    def loss(log_slope: float) -> float:
        z = math.exp(log_slope) * x
        return float((w * (np.logaddexp(0, z) - target * z)).sum() / w.sum())

    bounds = tuple(sorted(-math.log(temperature) for temperature in _TEMPERATURES))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-8})
    return PlattCalibrator(slope=math.exp(found.x), fitted=True, **counts)


def _counts(y: np.ndarray, w: np.ndarray) -> dict[str, int]:
    return {"n_pos": int((y[w > 0] == 1).sum()), "n_neg": int((y[w > 0] == 0).sum())}


def _targets(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """What to aim at instead of 1 and 0: the posterior mean with one more example of the other outcome."""
    positive, negative = w[y == 1].sum(), w[y == 0].sum()
    return np.where(y == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))


def _examples(
    posterior: Values, label: Values, weights: Values | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits, labels and weights of the known examples, float64."""
    q, y = (_as_double(values) for values in (posterior, label))
    w = np.ones_like(y) if weights is None else _as_double(weights)
    if not (q.ndim == 1 and q.shape == y.shape == w.shape):
        raise InputError(
            f"posteriors {q.shape}, labels {y.shape} and weights {w.shape} are not one list of examples",
            remedy="Give one of each an example.",
        )
    known = ~np.isnan(y)
    q, y, w = q[known], y[known], w[known]
    sound = ((q >= 0) & (q <= 1)).all() and np.isin(y, (0, 1)).all() and ((w >= 0) & (w < np.inf)).all()
    if not sound:
        raise InputError(
            "calibration needs posteriors in [0, 1], labels 0 or 1 and finite weights >= 0",
            remedy="Look for NaN in the scores: the network may have diverged.",
        )
    q = q.clip(FLOOR, 1 - FLOOR)
    return np.log(q) - np.log1p(-q), y, w


def _as_double(values: Values) -> np.ndarray:
    tensor = torch.as_tensor(values).detach().cpu().double()
    return np.asarray(tensor.as_subclass(Tensor))
