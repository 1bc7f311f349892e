# SPDX-License-Identifier: Apache-2.0
"""The two-task score of a set of volumes: Dice of the mask, AUC of the presence in slices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..utils import InputError
from .dice import dice_from_counts, volume_dice_counts
from .presence import per_volume_auc, pooled_auc, presence_from_label, slice_auc

_FIELDS = ("intersection", "predicted", "reference", "scores", "targets")


@dataclass(kw_only=True)
class VolumeRecord:
    """What is kept of one volume; a field is None where the volume or the network does not give it.

    Args:
        name: the volume's name, or "".
        intersection: ``(K,)`` int64, voxels of a class in both maps.
        predicted: ``(K,)`` int64, voxels of a class in the prediction.
        reference: ``(K,)`` int64, voxels of a class in the label.
        scores: ``(K, D)`` float64 presence scores.
        targets: ``(K, D)`` float32 presence in the label, NaN unknown.
    """

    name: str = ""
    intersection: Tensor | None = None
    predicted: Tensor | None = None
    reference: Tensor | None = None
    scores: Tensor | None = None
    targets: Tensor | None = None

    @property
    def dice(self) -> Tensor | None:
        """``(K,)`` float64 Dice of each class, NaN where the label has none of it."""
        if self.intersection is None or self.predicted is None or self.reference is None:
            return None
        return dice_from_counts(self.intersection, self.predicted, self.reference)

    @property
    def auc(self) -> Tensor | None:
        """``(K,)`` float64 AUC of each class within the volume, NaN where the slices are one-sided."""
        return None if self.scores is None or self.targets is None else slice_auc(self.scores, self.targets)

    def as_lists(self) -> dict[str, Any]:
        """The record as plain numbers, exact, to send to another process as JSON."""
        tensors = {field: getattr(self, field) for field in _FIELDS}
        return {"name": self.name} | {key: None if t is None else t.tolist() for key, t in tensors.items()}

    @classmethod
    def from_lists(cls, lists: dict[str, Any]) -> VolumeRecord:
        """The record from what ``as_lists`` gave."""
        types = dict(zip(_FIELDS, [torch.int64] * 3 + [torch.float64, torch.float32], strict=True))
        given = {key: torch.tensor(lists[key], dtype=types[key]) for key in _FIELDS if lists[key] is not None}
        return cls(name=lists["name"], **given)


class SegmentationPresenceMetrics:
    """Dice by volume and AUC by slice, gathered over volumes as the AI Challenger 2018 did.

    Dice: each volume and class on its own, a volume without the class left out; mean over volumes, then over
    the classes that have a value. AUC: over all slices of all volumes pooled (``auc_pooled``), and within
    each volume, averaged over volumes (``auc_volume``); the score takes the latter, as the organisers did.

    Args:
        class_names: names of the classes 1 to K, background not among them.
        ignore_label: label value of pixels to leave out.

    Raises:
        ValueError: no class, or a name twice.
    """

    def __init__(self, class_names: Sequence[str], *, ignore_label: int = 255) -> None:
        if not class_names or len(set(class_names)) != len(class_names):
            raise ValueError(f"class_names must be one or more different names, not {list(class_names)}")
        self.class_names = list(class_names)
        self.ignore_label = ignore_label
        self.records: list[VolumeRecord] = []

    def reset(self) -> None:
        """Forget all volumes."""
        self.records = []

    def update(
        self,
        prediction: Tensor | None,
        label: Tensor | None,
        presence: Tensor | None = None,
        *,
        name: str = "",
    ) -> None:
        """Take in one volume.

        Args:
            prediction: class map, same shape as ``label``; None when the network gives no mask.
            label: ``(1, H, W, D)`` or ``(H, W, D)`` class map; None when the volume is unlabelled: it is kept
                by name and counts nowhere.
            presence: ``(K, D)`` scores; None when the network gives none.
            name: the volume's name in tables.

        Raises:
            ValueError: the presence is not ``(K, D)``, or shapes differ.
            InputError: the label holds a value that is no class.
        """
        record = VolumeRecord(name=name)
        options = {"num_classes": len(self.class_names), "ignore_label": self.ignore_label}
        if label is not None and prediction is not None:
            try:
                counts = volume_dice_counts(prediction, label, **options)
            except InputError as error:  # which file, is what the user needs to know
                raise InputError(error.problem, path=name or None, remedy=error.remedy) from None
            record.intersection, record.predicted, record.reference = counts
        if label is not None and presence is not None:
            expected = (len(self.class_names), label.shape[-1])
            if tuple(presence.shape) != expected:
                raise ValueError(
                    f"presence must be (classes, slices) = {expected}, not {tuple(presence.shape)}"
                )
            record.scores = presence.detach().as_subclass(Tensor).cpu().double()
            record.targets = presence_from_label(label, **options)
        self.records.append(record)

    def aggregate(self) -> dict[str, float]:
        """The means over all volumes, flat.

        Returns:
            ``dice_<class>`` and ``dice``, ``auc_pooled_<class>`` and ``auc_pooled``, ``auc_volume_<class>``
            and ``auc_volume``, ``score``. Dice or AUC are missing when no volume had what they need; a class
            without an example is NaN and left out of the mean over classes. NaN presence scores (a network
            that diverged) make the score NaN.
        """
        values: dict[str, float] = {}
        dice = [record.dice for record in self.records if record.dice is not None]
        if dice:
            values |= self._by_class("dice", torch.stack(dice).nanmean(dim=0))
        scores = [record.scores for record in self.records if record.scores is not None]
        targets = [record.targets for record in self.records if record.targets is not None]
        if scores:
            values |= self._by_class("auc_pooled", pooled_auc(scores, targets))
            values |= self._by_class("auc_volume", per_volume_auc(scores, targets))
        broken = any(bool(score.isnan().any()) for score in scores)
        parts = values.get("dice", math.nan), values.get("auc_volume", math.nan)
        values["score"] = math.nan if broken else contest_score(*parts)
        return values

    def _by_class(self, name: str, values: Tensor) -> dict[str, float]:
        classes = {f"{name}_{c}": float(v) for c, v in zip(self.class_names, values, strict=True)}
        return classes | {name: float(values.nanmean())}


def contest_score(dice: float, auc: float) -> float:
    """AI Challenger 2018: the mean of mean Dice and mean detection AUC.

    Args:
        dice: mean Dice in [0, 1], or NaN.
        auc: mean AUC in [0, 1], or NaN.

    Returns:
        The mean of the two; the one that exists when the other is NaN; NaN when neither does.
    """
    given = [value for value in (dice, auc) if not math.isnan(value)]
    return sum(given) / len(given) if given else math.nan
