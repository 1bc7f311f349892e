# SPDX-License-Identifier: Apache-2.0
"""Files to sample dictionaries and back."""

from .collate import collate_volumes
from .datalist import load_datalist, save_datalist
from .discover import find_volumes
from .empty_threshold import load_empty_threshold, training_empty_threshold
from .epochs import epoch_items
from .ich_layouts import HaemorrhageLayout
from .intensity import load_intensity, training_intensity
from .kidney_layout import SenNetLayout
from .load import LoadVolumed
from .load_labels import LoadSliceLabelsd
from .models import trained_model_dir
from .nodules import LoadNodulesd, NoduleLayout, case_items, nodule_items, prepare_scan, with_false_positives
from .oct_layout import AIChallengerLayout
from .readers import read_volume
from .sample import make_sample
from .shards import ShardSampler, training_shards
from .slice_labels import CLASS_NAMES, CLASSES, canonical_class, label_gaps
from .splits import folds_by_patient, split_by_patient
from .studies import Studies, find_studies
from .volumes.batch import collate_one, prepare_volumes
from .volumes.find import find_tomograms, with_names
from .volumes.load import OpenVolumed
from .volumes.patches import fitting_patch, patch_items
from .volumes.probability_store import ProbabilityFolder
from .volumes.restore import RestoreGridd

__all__ = [
    "CLASSES",
    "CLASS_NAMES",
    "AIChallengerLayout",
    "HaemorrhageLayout",
    "LoadNodulesd",
    "LoadSliceLabelsd",
    "LoadVolumed",
    "NoduleLayout",
    "OpenVolumed",
    "ProbabilityFolder",
    "RestoreGridd",
    "SenNetLayout",
    "ShardSampler",
    "Studies",
    "canonical_class",
    "case_items",
    "collate_one",
    "collate_volumes",
    "epoch_items",
    "find_studies",
    "find_tomograms",
    "find_volumes",
    "fitting_patch",
    "folds_by_patient",
    "label_gaps",
    "load_datalist",
    "load_empty_threshold",
    "load_intensity",
    "make_sample",
    "nodule_items",
    "patch_items",
    "prepare_scan",
    "prepare_volumes",
    "read_volume",
    "save_datalist",
    "split_by_patient",
    "trained_model_dir",
    "training_empty_threshold",
    "training_intensity",
    "training_shards",
    "with_false_positives",
    "with_names",
]
