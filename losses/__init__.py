# SPDX-License-Identifier: Apache-2.0
"""Losses: named terms on what a network gives and a class map, labels by slice or spheres."""

from .asymmetric import AsymmetricLoss
from .asymmetric_posterior import AsymmetricPosterior
from .boundary_dou import BoundaryDoU
from .cross_entropy import WeightedCrossEntropy
from .dice import ExponentialLogarithmicDice, SoftDice
from .labelled_bce import LabelledBCE
from .multi_task import MultiTaskLoss
from .nodule_detection import NoduleDetectionLoss
from .nodule_targets import NoduleTargets
from .nodule_weights import MisclassifiedWeights
from .presence import PresenceBCE
from .vessel_dice import VesselDice
from .vessel_label import VesselTerm, split_label
from .vessel_surface import VesselSurfaceLoss
from .vessel_voxels import VesselBCE, VesselFocal

__all__ = [
    "AsymmetricLoss",
    "AsymmetricPosterior",
    "BoundaryDoU",
    "ExponentialLogarithmicDice",
    "LabelledBCE",
    "MisclassifiedWeights",
    "MultiTaskLoss",
    "NoduleDetectionLoss",
    "NoduleTargets",
    "PresenceBCE",
    "SoftDice",
    "VesselBCE",
    "VesselDice",
    "VesselFocal",
    "VesselSurfaceLoss",
    "VesselTerm",
    "WeightedCrossEntropy",
    "split_label",
]
