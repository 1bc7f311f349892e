# SPDX-License-Identifier: Apache-2.0
"""How good are the scores of single classes: ranking, cuts, probabilities; NaN where it is undefined."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from monai.metrics import calibration_binning, compute_average_precision
from monai.metrics.f_beta_score import compute_f_beta_score
from torch import Tensor

BINS = 15
LOG_LOSS_CLIP = 1e-6


def by_class(measure: Callable[[Tensor, Tensor], float], scores: Tensor, targets: Tensor) -> Tensor:
    """Apply a measure to each class, over the entries whose target is known.

    Args:
        measure: (scores, targets) -> number, for one class: two ``(n,)`` float64 tensors, targets 0 or 1.
        scores: ``(R, N)``.
        targets: ``(R, N)``, 1 present, 0 absent, NaN left out.

    Returns:
        ``(R,)`` float64; NaN where nothing is known or a score that counts is NaN.

    Raises:
        ValueError: the shapes differ.
    """
    if scores.shape != targets.shape:
        raise ValueError(f"scores {tuple(scores.shape)} and targets {tuple(targets.shape)} differ in shape")
    values = []
    for row, target in zip(scores.detach().cpu().double(), targets.detach().cpu().double(), strict=True):
        known = ~target.isnan()
        usable = bool(known.any()) and not bool(row[known].isnan().any())
        values.append(measure(row[known], target[known]) if usable else math.nan)
    return torch.tensor(values, dtype=torch.float64)


def average_precision(scores: Tensor, targets: Tensor) -> float:
    """Area under the precision-recall curve as a sum of steps, sum over cuts of (R_n - R_(n-1)) P_n.

    Args:
        scores: ``(n,)``, equal scores are one cut.
        targets: ``(n,)``, 0 or 1.

    Returns:
        In [0, 1]; NaN if all targets are of one kind.
    """
    return math.nan if _one_sided(targets) else float(compute_average_precision(scores, targets))


def f_beta(predicted: Tensor, targets: Tensor, *, beta: float = 2.0) -> float:
    """F-beta of decisions, (1 + b^2) TP / ((1 + b^2) TP + b^2 FN + FP); for F2, 5 TP / (5 TP + 4 FN + FP).

    Over several classes flattened together this is the micro average.

    Args:
        predicted: ``(n,)``, 0 or 1.
        targets: ``(n,)``, 0 or 1.
        beta: how many times as much recall counts as precision.

    Returns:
        In [0, 1]; NaN if nothing is present and nothing predicted.
    """
    hits = (predicted * targets).sum()
    false_alarms, misses = predicted.sum() - hits, targets.sum() - hits
    counts = torch.stack([hits, false_alarms, torch.zeros_like(hits), misses]).double()
    return float(compute_f_beta_score(counts, beta))


def sensitivity_at_specificity(scores: Tensor, targets: Tensor, *, specificity: float = 0.95) -> float:
    """The highest sensitivity of any cut that keeps at least this specificity.

    Args:
        scores: ``(n,)``, higher means more likely present; a cut takes all equal scores or none.
        targets: ``(n,)``, 0 or 1.
        specificity: in [0, 1].

    Returns:
        In [0, 1]; NaN if all targets are of one kind.
    """
    if _one_sided(targets):
        return math.nan
    order = scores.argsort(descending=True, stable=True)
    last_of_ties = torch.ones(len(order), dtype=torch.bool)
    last_of_ties[:-1] = scores[order].diff() != 0
    hits, alarms = targets[order].cumsum(0), (1 - targets[order]).cumsum(0)
    # counts are whole numbers: the small term keeps 0.95 * 20 = 19.000000000000004 from asking for 20
    allowed = math.floor((1 - specificity) * float(alarms[-1]) + 1e-9)
    kept = hits[last_of_ties & (alarms <= allowed)]
    return float(kept.max() / hits[-1]) if len(kept) else 0.0


def specificity_at_sensitivity(scores: Tensor, targets: Tensor, *, sensitivity: float = 0.95) -> float:
    """The highest specificity of any cut that keeps at least this sensitivity; see the reverse measure."""
    return sensitivity_at_specificity(-scores, 1 - targets, specificity=sensitivity)


def calibration_error(probability: Tensor, targets: Tensor, *, bins: int = BINS) -> float:
    """Expected calibration error of one class, sum over bins of n_b / n |mean probability - frequency|.

    Bins are of equal width on [0, 1]; Guo et al., ICML 2017, https://arxiv.org/abs/1706.04599, for the
    probability of the class rather than of the winning one. Where a class is rare most entries fall in the
    first bin: read it beside the Brier score.

    Args:
        probability: ``(n,)`` in [0, 1].
        targets: ``(n,)``, 0 or 1.
        bins: number of bins.

    Returns:
        In [0, 1].
    """
    mean, frequency, count = calibration_binning(probability[None, None], targets[None, None], num_bins=bins)
    return float(torch.nansum((mean - frequency).abs() * count) / count.sum())


def brier_score(probability: Tensor, targets: Tensor) -> float:
    """Mean squared difference between probability and outcome (Brier 1950), of one class.

    Args:
        probability: ``(n,)`` in [0, 1].
        targets: ``(n,)``, 0 or 1.

    Returns:
        In [0, 1].
    """
    return float((probability - targets).square().mean())


def weighted_log_loss(probability: Tensor, targets: Tensor, *, clip: float = LOG_LOSS_CLIP) -> float:
    """The RSNA 2019 challenge's log loss: weight 2 for ``any``, 1 for each class, mean over the weights.

    Args:
        probability: ``(K + 1, N)`` in [0, 1], ``any`` last.
        targets: ``(K + 1, N)``, 1 present, 0 absent, NaN left out; its weight then counts nowhere.
        clip: probabilities are kept this far from 0 and 1, in float64. The challenge clips at 1e-15, which
            lets one certain mistake outweigh a study.

    Returns:
        >= 0; NaN where nothing is known or a probability that counts is NaN.
    """
    p, target = probability.double(), targets.double()
    known = ~target.isnan()
    weights = torch.ones_like(p)
    weights[-1] = 2.0
    p = p.clamp(clip, 1 - clip)
    loss = -(target * p.log() + (1 - target) * torch.log1p(-p))
    return float((weights * loss)[known].sum() / weights[known].sum())


def _one_sided(targets: Tensor) -> bool:
    return bool((targets == targets[0]).all())
