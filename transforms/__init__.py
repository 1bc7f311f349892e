# SPDX-License-Identifier: Apache-2.0
"""Dictionary transforms that MONAI lacks."""

from .checks import CheckVolumed
from .foreground_index import BlockIndex, IndexForegroundd, index_foreground
from .labels import IGNORE_LABEL, IgnoreUnlabelledd, MapLabelsd, SlicePresenced
from .motion_blur import RandMotionBlurd, motion_blur
from .normalise import NormalizeStack, NormalizeStackd
from .oblique import read_oblique, read_patch, rotation_matrix
from .per_slice import PerSliced
from .posteriors import SlicePosteriorsd
from .rand_affine import RandShiftRotated
from .rand_stack_patches import RandStackPatchesd
from .resize import ResizeStackd
from .slice_channels import WINDOWS, SliceChannels, SliceChannelsd
from .slice_stacks import RandSliceStacksd, gather_stacks, stack_offsets
from .sparse_weights import annotation_weights
from .vessel_augmentation import RandReverseStackd, vessel_augmentation

__all__ = [
    "IGNORE_LABEL",
    "WINDOWS",
    "BlockIndex",
    "CheckVolumed",
    "IgnoreUnlabelledd",
    "IndexForegroundd",
    "MapLabelsd",
    "NormalizeStack",
    "NormalizeStackd",
    "PerSliced",
    "RandMotionBlurd",
    "RandReverseStackd",
    "RandShiftRotated",
    "RandSliceStacksd",
    "RandStackPatchesd",
    "ResizeStackd",
    "SliceChannels",
    "SliceChannelsd",
    "SlicePosteriorsd",
    "SlicePresenced",
    "annotation_weights",
    "gather_stacks",
    "index_foreground",
    "motion_blur",
    "read_oblique",
    "read_patch",
    "rotation_matrix",
    "stack_offsets",
    "vessel_augmentation",
]
