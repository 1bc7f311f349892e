# SPDX-License-Identifier: Apache-2.0
"""Metrics that MONAI lacks: Dice of volumes, classes by slice and patient, calibration, vessels, nodules."""

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
from .cldice import ClDice, cldice
from .comparison import is_better
from .dice import dice_from_counts, volume_dice_counts
from .froc import FROC_RATES, Froc, cpm, froc_curve, sensitivity_at
from .froc_bootstrap import FrocBand, bootstrap_froc
from .nodule_bins import matches_of_size, size_bins
from .nodule_masks import mask_dice, mask_errors, sphere_errors
from .nodule_matching import ScanMatch, match_scan
from .nodule_scores import nodule_scores
from .platt import PlattCalibrator, fit_platt, fit_temperature
from .presence import per_volume_auc, pooled_auc, presence_from_label, slice_auc
from .radius_bands import BandScores, band_edges
from .segmentation_presence import SegmentationPresenceMetrics, VolumeRecord, contest_score
from .skeleton import link_lengths, skeleton_links
from .slice_classification import SliceClassificationMetrics
from .slice_records import SliceRecord, study_label_from_slices
from .surface_dice import SurfaceDice, surface_dice
from .thinning import centre_lines
from .threshold_sweep import threshold_plateau, threshold_sweep
from .vessel_counts import DiceCounts
from .vessel_radius import centre_line_radius, voxel_radius
from .vessel_scores import VesselScores, vessel_scores
from .vessel_table import vessel_table

__all__ = [
    "FROC_RATES",
    "BandScores",
    "Calibration",
    "ClDice",
    "DiceCounts",
    "Froc",
    "FrocBand",
    "Interval",
    "PlattCalibrator",
    "ScanMatch",
    "SegmentationPresenceMetrics",
    "SliceClassificationMetrics",
    "SliceRecord",
    "SurfaceDice",
    "VesselScores",
    "VolumeRecord",
    "average_precision",
    "band_edges",
    "bootstrap_auc",
    "bootstrap_f_beta",
    "bootstrap_froc",
    "bootstrap_interval",
    "brier_score",
    "by_class",
    "calibration_error",
    "centre_line_radius",
    "centre_lines",
    "cldice",
    "contest_score",
    "cpm",
    "dice_from_counts",
    "f_beta",
    "f_beta_threshold",
    "fit_calibration",
    "fit_platt",
    "fit_temperature",
    "froc_curve",
    "is_better",
    "link_lengths",
    "load_calibration",
    "mask_dice",
    "mask_errors",
    "match_scan",
    "matches_of_size",
    "nodule_scores",
    "per_volume_auc",
    "pooled_auc",
    "presence_from_label",
    "sensitivity_at",
    "sensitivity_at_specificity",
    "size_bins",
    "skeleton_links",
    "slice_auc",
    "specificity_at_sensitivity",
    "sphere_errors",
    "study_label_from_slices",
    "surface_dice",
    "threshold_plateau",
    "threshold_sweep",
    "vessel_scores",
    "vessel_table",
    "volume_dice_counts",
    "voxel_radius",
    "weighted_log_loss",
]
