# SPDX-License-Identifier: Apache-2.0
"""Dictionary transforms that MONAI lacks."""

from .checks import CheckVolumed
from .labels import IGNORE_LABEL, IgnoreUnlabelledd, MapLabelsd, SlicePresenced
from .normalise import NormalizeStack, NormalizeStackd
from .resize import ResizeStackd
from .slice_stacks import RandSliceStacksd, gather_stacks, stack_offsets

__all__ = [
    "IGNORE_LABEL",
    "CheckVolumed",
    "IgnoreUnlabelledd",
    "MapLabelsd",
    "NormalizeStack",
    "NormalizeStackd",
    "RandSliceStacksd",
    "ResizeStackd",
    "SlicePresenced",
    "gather_stacks",
    "stack_offsets",
]
