# SPDX-License-Identifier: Apache-2.0
"""Volume in, volume out."""

from .autocast import AutocastInferer
from .empty_tiles import EmptyTiles
from .finish import CentreProbability, ClassesAndPresence, SliceScores
from .in_plane import Chain, InPlaneWindows, PadToMultiple
from .plane_views import PlaneViews
from .slice_context import SliceContextInferer
from .slice_stack import SliceStackInferer
from .volume_inferer import VolumeInferer

__all__ = [
    "AutocastInferer",
    "CentreProbability",
    "Chain",
    "ClassesAndPresence",
    "EmptyTiles",
    "InPlaneWindows",
    "PadToMultiple",
    "PlaneViews",
    "SliceContextInferer",
    "SliceScores",
    "SliceStackInferer",
    "VolumeInferer",
]
