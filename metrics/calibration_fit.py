# SPDX-License-Identifier: Apache-2.0
"""Fit a calibration and its thresholds on held-out patients."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..utils import InputError
from .calibration import ANY, LEVELS, METHODS, Calibration
from .platt import PlattCalibrator, Values, fit_platt, fit_temperature

_logger = logging.getLogger("tomobundles")


def fit_calibration(
    *,
    class_names: Sequence[str],
    raw: Tensor,
    context: Tensor,
    label: Tensor,
    patient: Tensor,
    patient_label: Tensor,
    method: str = "platt",
    beta: float = 2.0,
    note: str = "",
) -> Calibration:
    """Fit a map for each class and level, then the cut with the best F-beta of what the maps give.

    A class without examples of both outcomes keeps the identity and is named in a warning. Slices of one
    patient are alike: what counts is the number of patients.

    Args:
        class_names: the K classes without ``any``.
        raw: ``(K + 1, N)`` posteriors of N slices on their own, ``any`` last.
        context: ``(K + 1, N)`` posteriors of the same slices with their neighbours.
        label: ``(K + 1, N)`` of the slices, 1 present, 0 absent, NaN left out.
        patient: ``(K + 1, M)``, the highest posterior with context among each patient's slices.
        patient_label: ``(K + 1, M)``.
        method: "platt", "temperature", or "identity" for thresholds alone.
        beta: how many times as much recall counts as precision in the thresholds.
        note: what it is fitted on, in words.

    Raises:
        InputError: if the method is none, or shapes or values cannot be used.
    """
    if method not in METHODS:
        raise InputError(f"calibration method '{method}'", remedy=f"Use one of {', '.join(METHODS)}.")
    examples = {"raw": (raw, label), "context": (context, label), "patient": (patient, patient_label)}
    names = (*class_names, ANY)
    for level, (posterior, target) in examples.items():
        if posterior.shape != target.shape or len(posterior) != len(names):
            raise InputError(
                f"{level} posteriors {tuple(posterior.shape)} and labels {tuple(target.shape)}",
                remedy=f"Both need {len(names)} rows, the classes and 'any', and the same columns.",
            )
    maps = {level: _fit_rows(method, *pair) for level, pair in examples.items()}
    unset = (0.5,) * len(names)
    plain = Calibration(
        class_names=tuple(class_names),
        **maps,
        thresholds=unset,
        patient_thresholds=unset,
        method=method,
        note=note,
    )
    _warn(plain, method)
    return replace(
        plain,
        thresholds=_cuts(plain.apply("context", context.double()), label, beta),
        patient_thresholds=_cuts(plain.apply("patient", patient.double()), patient_label, beta),
    )


def f_beta_threshold(probability: Values, label: Values, *, beta: float = 2.0) -> float:
    """The cut with the highest F-beta on these examples; at or above it counts as present.

    On calibrated probabilities it comes near F* / (1 + beta^2), with F* the best F-beta itself (for F1:
    Lipton et al., 2014, https://arxiv.org/abs/1402.1892). Between two neighbouring values the middle is
    taken; of equally good cuts the highest.

    Args:
        probability: ``(n,)`` in [0, 1].
        label: ``(n,)``, 1 present, 0 absent, NaN left out.
        beta: how many times as much recall counts as precision.

    Returns:
        The cut, in [0, 1]; NaN if no known label is present or a probability that counts is NaN.
    """
    p, y = (np.asarray(torch.as_tensor(v).detach().cpu().double()) for v in (probability, label))
    p, y = p[~np.isnan(y)], y[~np.isnan(y)]
    if not y.any() or np.isnan(p).any():
        return math.nan
    order = np.argsort(-p, kind="stable")
    p, y = p[order], y[order]
    last = np.append(np.diff(p) != 0, True)  # a cut takes all equal values
    hits, taken = np.cumsum(y)[last], (np.arange(len(p)) + 1.0)[last]
    values = p[last]
    # (1 + b^2) TP + b^2 FN + FP is the number taken plus b^2 times the number present
    best = int(np.argmax((1 + beta**2) * hits / (taken + beta**2 * y.sum())))
    below = values[best + 1] if best + 1 < len(values) else values[best]
    return float((values[best] + below) / 2)


def _fit_rows(method: str, posterior: Tensor, label: Tensor) -> tuple[PlattCalibrator, ...]:
    fits: dict[str, Callable[[Tensor, Tensor], PlattCalibrator]] = {
        "platt": fit_platt,
        "temperature": fit_temperature,
        "identity": lambda q, y: replace(fit_temperature(q, y), slope=1.0, fitted=False),
    }
    return tuple(fits[method](row, target) for row, target in zip(posterior, label, strict=True))


def _cuts(probability: Tensor, label: Tensor, beta: float) -> tuple[float, ...]:
    cuts = [f_beta_threshold(row, target, beta=beta) for row, target in zip(probability, label, strict=True)]
    # nothing to learn it from: F* / (1 + beta^2) with the highest F* there is
    return tuple(1 / (1 + beta**2) if math.isnan(cut) else cut for cut in cuts)


def _warn(calibration: Calibration, method: str) -> None:
    if method == "identity":
        return
    for level in LEVELS:
        if names := calibration.not_fitted[level]:
            _logger.warning(
                "no %s calibration of %s: the held-out labels are all of one kind or unknown",
                level,
                ", ".join(names),
            )
