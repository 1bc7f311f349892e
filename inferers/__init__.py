# SPDX-License-Identifier: Apache-2.0
"""Volume in, volume out."""

from .autocast import AutocastInferer
from .finish import ClassesAndPresence, SliceScores
from .in_plane import InPlaneWindows
from .slice_context import SliceContextInferer
from .slice_stack import SliceStackInferer

__all__ = [
    "AutocastInferer",
    "ClassesAndPresence",
    "InPlaneWindows",
    "SliceContextInferer",
    "SliceScores",
    "SliceStackInferer",
]
