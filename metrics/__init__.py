# SPDX-License-Identifier: Apache-2.0
"""Metrics that MONAI lacks: Dice by whole volume, presence of a class in a slice, the score of both."""

from .comparison import is_better
from .dice import dice_from_counts, volume_dice_counts
from .presence import per_volume_auc, pooled_auc, presence_from_label, slice_auc
from .segmentation_presence import SegmentationPresenceMetrics, VolumeRecord, contest_score

__all__ = [
    "SegmentationPresenceMetrics",
    "VolumeRecord",
    "contest_score",
    "dice_from_counts",
    "is_better",
    "per_volume_auc",
    "pooled_auc",
    "presence_from_label",
    "slice_auc",
    "volume_dice_counts",
]
