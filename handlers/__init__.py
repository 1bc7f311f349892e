# SPDX-License-Identifier: Apache-2.0
"""Handlers for MONAI's engines: the key metric, progress, loss terms, curves, checkpoints, results."""

from .calibration import CalibrationHandler
from .checkpoint import CheckpointHandler
from .curves import CurvesHandler
from .false_positives import FalsePositivesHandler
from .loss_terms import LossTermsHandler
from .nodule_mask_score import NoduleMaskScore
from .nodule_results import NoduleResultsHandler
from .nodule_score import NoduleScore
from .nodule_summary import NoduleSummaryHandler
from .progress import ProgressHandler
from .results import ResultsHandler
from .resume import ResumeHandler
from .segmentation_presence_score import SegmentationPresenceScore
from .slice_classification_score import SliceClassificationScore
from .study_results import StudyResultsHandler
from .summary import SummaryHandler
from .vessel_results import VesselResultsHandler
from .vessel_score import VesselScore
from .vessel_summary import VesselSummaryHandler

__all__ = [
    "CalibrationHandler",
    "CheckpointHandler",
    "CurvesHandler",
    "FalsePositivesHandler",
    "LossTermsHandler",
    "NoduleMaskScore",
    "NoduleResultsHandler",
    "NoduleScore",
    "NoduleSummaryHandler",
    "ProgressHandler",
    "ResultsHandler",
    "ResumeHandler",
    "SegmentationPresenceScore",
    "SliceClassificationScore",
    "StudyResultsHandler",
    "SummaryHandler",
    "VesselResultsHandler",
    "VesselScore",
    "VesselSummaryHandler",
]
