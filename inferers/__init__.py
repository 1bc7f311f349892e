# SPDX-License-Identifier: Apache-2.0
"""Volume in, volume out."""

from .autocast import AutocastInferer
from .empty_tiles import EmptyTiles
from .finish import CentreProbability, ClassesAndPresence, SliceScores
from .in_plane import Chain, InPlaneWindows, PadToMultiple
from .mask_candidates import MaskCandidates
from .nodule_inferer import NoduleInferer
from .nodule_nms import nms_cubes
from .plane_views import PlaneViews
from .slice_context import SliceContextInferer
from .slice_stack import SliceStackInferer
from .two_stage import TwoStageInferer
from .volume_inferer import VolumeInferer

__all__ = [
    "AutocastInferer",
    "CentreProbability",
    "Chain",
    "ClassesAndPresence",
    "EmptyTiles",
    "InPlaneWindows",
    "MaskCandidates",
    "NoduleInferer",
    "PadToMultiple",
    "PlaneViews",
    "SliceContextInferer",
    "SliceScores",
    "SliceStackInferer",
    "TwoStageInferer",
    "VolumeInferer",
    "nms_cubes",
]
