# SPDX-License-Identifier: Apache-2.0
"""The loss of a nodule detector: positives, mined negatives, centres and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from monai.data import MetaTensor
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ..utils import InputError
from ..utils.spheres import NUMBERS
from .nodule_mining import draw_pool, hardest
from .nodule_targets import POSITIVE, NoduleTargets


class Weighting(Protocol):
    """Weights of logits of positives or of negatives."""

    def __call__(self, logits: Tensor, *, positive: bool) -> Tensor:
        """The same shape as the logits."""


class NoduleDetectionLoss(nn.Module):
    r"""Half the mean over positives, half the mean over hard negatives, and the error of centre and size.

    .. math:: L = \frac{1}{2 N^+} \sum_i w_i^+ \, [-\ln p_i] + \frac{1}{2 N^-} \sum_i w_i^- \, [-\ln(1 - p_i)]
              + \frac{\beta}{N^+} \sum_i \sum_{c=1}^{4} \mathrm{smooth}_{L1}(z_{ic} - t_{ic})

    All :math:`w` are one without ``weighting`` (Liao et al. 2019, https://arxiv.org/abs/1711.08324). With
    :class:`MisclassifiedWeights` it is the form of the last stage of training; the sums are divided by the
    number of examples, not of weights, so a batch of errors costs more. Smooth L1 has its bend at 1 (Girshick
    2015, https://arxiv.org/abs/1504.08083). Without a positive in the batch only the second term remains.

    Positives and ignored spheres are those of :class:`NoduleTargets`. Negatives are mined as in
    ``nodule_mining``: ``negative_pool`` are drawn from each crop, and of all these the hardest
    ``hard_negatives`` times the number of crops are taken, wherever they lie. In training mode torch's own
    generator draws; in evaluation mode the draw is the same every time. Computed in float32 whatever the
    network ran in.

    Args:
        anchors: sizes in voxels, in the order of the network's maps.
        stride: voxels a cell.
        positive_iou: see :class:`NoduleTargets`.
        ignore_iou: see :class:`NoduleTargets`.
        box_iou: see :class:`NoduleTargets`; the third term is then the mean over all that learn it.
        negative_pool: negatives drawn a crop.
        hard_negatives: negatives kept a crop; None keeps the pool.
        weighting: see above.
        box_weight: :math:`\beta`.
        seed: of the draw in evaluation mode.

    Attributes:
        terms: "positive", "negative" and "box" of the last call, before the factors 1/2, 1/2 and
            :math:`\beta`, detached scalars.

    Raises:
        InputError: for a pool or a number of hard negatives below 1, or see :class:`NoduleTargets`.
    """

    def __init__(
        self,
        anchors: Sequence[float],
        *,
        stride: int = 4,
        positive_iou: float = 0.5,
        ignore_iou: float = 0.02,
        box_iou: float | None = None,
        negative_pool: int = 800,
        hard_negatives: int | None = 2,
        weighting: Weighting | None = None,
        box_weight: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, count in (("negative_pool", negative_pool), ("hard_negatives", hard_negatives)):
            if count is not None and count < 1:
                raise InputError(f"{name} is {count}", remedy="Give 1 or more.")
        self.targets = NoduleTargets(
            anchors, stride=stride, positive_iou=positive_iou, ignore_iou=ignore_iou, box_iou=box_iou
        )
        self.negative_pool = negative_pool
        self.hard_negatives = hard_negatives
        self.weighting = weighting
        self.box_weight = box_weight
        self.seed = seed
        self.terms: dict[str, Tensor] = {}

    def forward(self, output: Tensor, label: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            output: (B, 5 * A, n0, n1, n2), see ``utils/spheres.py``.
            label: (B, K, 5), see :class:`NoduleTargets`; moved to the output's device.

        Returns:
            Scalar, float32, with a gradient in any case.

        Raises:
            InputError: if the shapes do not fit, or see :class:`NoduleTargets`.
        """
        maps = self._maps(output, label)
        assignment = self.targets(label.to(maps.device), maps.shape[2:5])
        logits = maps[..., 0]
        places = tuple(assignment.places.unbind(1))
        negatives = self._negatives(logits, assignment.state)
        positive = self._cross_entropy(logits[assignment.state == POSITIVE], positive=True)
        negative = self._cross_entropy(negatives, positive=False)
        box = _mean(F.smooth_l1_loss(maps[places][:, 1:], assignment.codes, reduction="none").sum(dim=1))
        self.terms = {
            "positive": positive.detach(),
            "negative": negative.detach(),
            "box": box.detach(),
        }
        return 0.5 * positive + 0.5 * negative + self.box_weight * box

    def _maps(self, output: Tensor, label: Tensor) -> Tensor:
        """(B, A, n0, n1, n2, 5) float32; a view where the output is float32."""
        anchors = len(self.targets.anchors)
        if output.ndim != 5 or output.shape[1] != NUMBERS * anchors or len(label) != len(output):
            raise InputError(
                f"output {tuple(output.shape)} and label {tuple(label.shape)} for {anchors} anchors",
                remedy="Give the network and the loss the same anchors, and a label for each image.",
            )
        output = output.as_tensor() if isinstance(output, MetaTensor) else output
        return output.float().unflatten(1, (anchors, NUMBERS)).movedim(2, -1)

    def _negatives(self, logits: Tensor, state: Tensor) -> Tensor:
        """Logits of the negatives that count."""
        generator = None if self.training else torch.Generator(logits.device).manual_seed(self.seed)
        pool = logits.flatten()[draw_pool(state, self.negative_pool, generator=generator)]
        return pool if self.hard_negatives is None else pool[hardest(pool, self.hard_negatives * len(state))]

    def _cross_entropy(self, logits: Tensor, *, positive: bool) -> Tensor:
        values = F.softplus(-logits if positive else logits)
        return _mean(values if self.weighting is None else values * self.weighting(logits, positive=positive))


def _mean(values: Tensor) -> Tensor:
    """The mean; of nothing a zero that still has a gradient, which distributed training needs."""
    return values.sum() / max(len(values), 1)
