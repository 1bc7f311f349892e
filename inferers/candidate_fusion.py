# SPDX-License-Identifier: Apache-2.0
"""The detector's word and the second stage's as one probability."""

from __future__ import annotations

import torch
from torch import Tensor

from ..utils import InputError

FUSIONS = ("logit_mean", "mean", "product", "second")


def check_fusion(fusion: str, weight: float) -> None:
    """Refuse what :func:`fuse` does not know.

    Raises:
        InputError: an unknown fusion, or a weight outside 0-1.
    """
    if fusion not in FUSIONS:
        raise InputError(f"fusion is {fusion!r}", remedy=f"Give one of {', '.join(FUSIONS)}.")
    if not 0 <= weight <= 1:
        raise InputError(f"weight is {weight}", remedy="Give the second stage's share, 0 to 1.")


def fuse(detector: Tensor, classifier: Tensor, *, fusion: str = "logit_mean", weight: float = 0.5) -> Tensor:
    """Fuse probabilities, and rank those that the second stage has not seen behind.

    With d the detector's and c the second stage's probability and w the weight:
    "logit_mean" sigmoid((1 - w) logit d + w logit c), "mean" (1 - w) d + w c, "product" d c, "second" c.

    Candidates without a classifier's probability are those of which the detector was least sure. They get
    d * min(1, lowest / d_last), with the lowest fused probability of those seen and the detector's for the
    last of them: no more than the detector gave, in the same order, never above a candidate that was seen.

    Args:
        detector: (N,) 0-1, descending.
        classifier: (n,) 0-1, of the first n <= N.
        fusion: how.
        weight: of the classifier, 0-1; without effect on "product" and "second".

    Returns:
        (N,) float32.

    Raises:
        InputError: an unknown fusion, or a weight outside 0-1.
    """
    check_fusion(fusion, weight)
    seen, rest = detector.double().split([len(classifier), len(detector) - len(classifier)])
    fused = _fuse(seen, classifier.double(), fusion, weight)
    if len(fused):
        lowest = fused.min()
        rest = torch.minimum(rest * (lowest / seen[-1].clamp(min=1e-12)).clamp(max=1), lowest)
    return torch.cat([fused, rest]).float()


def _fuse(d: Tensor, c: Tensor, fusion: str, w: float) -> Tensor:
    if fusion == "mean":
        return (1 - w) * d + w * c
    if fusion == "product":
        return d * c
    if fusion == "second":
        return c
    return torch.sigmoid((1 - w) * d.logit(eps=1e-7) + w * c.logit(eps=1e-7))
