# SPDX-License-Identifier: Apache-2.0
"""Metrics that MONAI lacks: Dice by whole volume, classes by slice and patient, calibration, intervals."""

from .bootstrap import Interval, bootstrap_auc, bootstrap_f_beta, bootstrap_interval
from .calibration import Calibration, load_calibration
from .calibration_fit import f_beta_threshold, fit_calibration
from .classification_scores import (
    average_precision,
    brier_score,
    by_class,
    calibration_error,
    f_beta,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
    weighted_log_loss,
)
from .comparison import is_better
from .dice import dice_from_counts, volume_dice_counts
from .platt import PlattCalibrator, fit_platt, fit_temperature
from .presence import per_volume_auc, pooled_auc, presence_from_label, slice_auc
from .segmentation_presence import SegmentationPresenceMetrics, VolumeRecord, contest_score
from .slice_classification import SliceClassificationMetrics
from .slice_records import SliceRecord, study_label_from_slices

__all__ = [
    "Calibration",
    "Interval",
    "PlattCalibrator",
    "SegmentationPresenceMetrics",
    "SliceClassificationMetrics",
    "SliceRecord",
    "VolumeRecord",
    "average_precision",
    "bootstrap_auc",
    "bootstrap_f_beta",
    "bootstrap_interval",
    "brier_score",
    "by_class",
    "calibration_error",
    "contest_score",
    "dice_from_counts",
    "f_beta",
    "f_beta_threshold",
    "fit_calibration",
    "fit_platt",
    "fit_temperature",
    "is_better",
    "load_calibration",
    "per_volume_auc",
    "pooled_auc",
    "presence_from_label",
    "sensitivity_at_specificity",
    "slice_auc",
    "specificity_at_sensitivity",
    "study_label_from_slices",
    "volume_dice_counts",
    "weighted_log_loss",
]
