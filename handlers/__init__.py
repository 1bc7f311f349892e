# SPDX-License-Identifier: Apache-2.0
"""Handlers for MONAI's engines: the key metric, progress, loss terms, curves, checkpoints, results."""

from .calibration import CalibrationHandler
from .checkpoint import CheckpointHandler
from .curves import CurvesHandler
from .distributed_evaluator import DistributedEvaluator
from .false_positives import FalsePositivesHandler
from .loss_terms import LossTermsHandler
from .nodule_mask_score import NoduleMaskScore
from .nodule_picture import NodulePicture
from .nodule_results import NoduleResultsHandler
from .nodule_score import NoduleScore
from .nodule_summary import NoduleSummaryHandler
from .pictures import SegmentationPicture, SliceScoresPicture, VesselPicture
from .prediction_pictures import PredictionPicturesHandler
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
    "DistributedEvaluator",
    "FalsePositivesHandler",
    "LossTermsHandler",
    "NoduleMaskScore",
    "NodulePicture",
    "NoduleResultsHandler",
    "NoduleScore",
    "NoduleSummaryHandler",
    "PredictionPicturesHandler",
    "ProgressHandler",
    "ResultsHandler",
    "ResumeHandler",
    "SegmentationPicture",
    "SegmentationPresenceScore",
    "SliceClassificationScore",
    "SliceScoresPicture",
    "StudyResultsHandler",
    "SummaryHandler",
    "VesselPicture",
    "VesselResultsHandler",
    "VesselScore",
    "VesselSummaryHandler",
]
