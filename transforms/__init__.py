# SPDX-License-Identifier: Apache-2.0
"""Dictionary transforms that MONAI lacks."""

from .checks import CheckVolumed
from .labels import IGNORE_LABEL, IgnoreUnlabelledd, MapLabelsd, SlicePresenced
from .normalise import NormalizeStack, NormalizeStackd
from .per_slice import PerSliced
from .posteriors import SlicePosteriorsd
from .rand_affine import RandShiftRotated
from .resize import ResizeStackd
from .slice_channels import WINDOWS, SliceChannels, SliceChannelsd
from .slice_stacks import RandSliceStacksd, gather_stacks, stack_offsets

__all__ = [
    "IGNORE_LABEL",
    "WINDOWS",
    "CheckVolumed",
    "IgnoreUnlabelledd",
    "MapLabelsd",
    "NormalizeStack",
    "NormalizeStackd",
    "PerSliced",
    "RandShiftRotated",
    "RandSliceStacksd",
    "ResizeStackd",
    "SliceChannels",
    "SliceChannelsd",
    "SlicePosteriorsd",
    "SlicePresenced",
    "gather_stacks",
    "stack_offsets",
]
