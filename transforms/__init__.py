# SPDX-License-Identifier: Apache-2.0
"""Dictionary transforms that MONAI lacks."""

from .candidate_crops import RandCandidateCropsd, cut_crops
from .candidates_in_lungs import CandidatesInLungsd
from .checks import CheckVolumed
from .crop_labels import crop_label
from .ct_window import BONE, WATER, WINDOW_HU, gray_to_input, hu_to_gray
from .draw_nodules import draw_spheres
from .foreground_index import BlockIndex, IndexForegroundd, index_foreground
from .hounsfield import CheckHounsfieldd
from .labels import IGNORE_LABEL, IgnoreUnlabelledd, MapLabelsd, SlicePresenced
from .lung_grid import LungGridd
from .lungs import LungMaskd
from .motion_blur import RandMotionBlurd, motion_blur
from .nodule_augmentation import CropAugmentation
from .nodule_crops import RandNoduleCropsd
from .nodule_points import NodulesToGridd, NodulesToWorldd
from .nodule_warp import CropWarp
from .normalise import NormalizeStack, NormalizeStackd
from .oblique import read_oblique, read_patch, rotation_matrix
from .per_slice import PerSliced
from .posteriors import SlicePosteriorsd
from .rand_affine import RandShiftRotated
from .rand_stack_patches import RandStackPatchesd
from .regrid import Grid, Regridder, patient_grid
from .resize import ResizeStackd
from .size_bins import check_bins, nodule_weights, scan_weights
from .slice_channels import WINDOWS, SliceChannels, SliceChannelsd
from .slice_stacks import RandSliceStacksd, gather_stacks, stack_offsets
from .sparse_weights import annotation_weights
from .vessel_augmentation import RandReverseStackd, vessel_augmentation

__all__ = [
    "BONE",
    "IGNORE_LABEL",
    "WATER",
    "WINDOWS",
    "WINDOW_HU",
    "BlockIndex",
    "CandidatesInLungsd",
    "CheckHounsfieldd",
    "CheckVolumed",
    "CropAugmentation",
    "CropWarp",
    "Grid",
    "IgnoreUnlabelledd",
    "IndexForegroundd",
    "LungGridd",
    "LungMaskd",
    "MapLabelsd",
    "NodulesToGridd",
    "NodulesToWorldd",
    "NormalizeStack",
    "NormalizeStackd",
    "PerSliced",
    "RandCandidateCropsd",
    "RandMotionBlurd",
    "RandNoduleCropsd",
    "RandReverseStackd",
    "RandShiftRotated",
    "RandSliceStacksd",
    "RandStackPatchesd",
    "Regridder",
    "ResizeStackd",
    "SliceChannels",
    "SliceChannelsd",
    "SlicePosteriorsd",
    "SlicePresenced",
    "annotation_weights",
    "check_bins",
    "crop_label",
    "cut_crops",
    "draw_spheres",
    "gather_stacks",
    "gray_to_input",
    "hu_to_gray",
    "index_foreground",
    "motion_blur",
    "nodule_weights",
    "patient_grid",
    "read_oblique",
    "read_patch",
    "rotation_matrix",
    "scan_weights",
    "stack_offsets",
    "vessel_augmentation",
]
