# SPDX-License-Identifier: Apache-2.0
"""Files to sample dictionaries and back."""

from .collate import collate_volumes
from .datalist import load_datalist, save_datalist
from .discover import find_volumes
from .epochs import epoch_items
from .ich_layouts import HaemorrhageLayout
from .intensity import load_intensity, training_intensity
from .load import LoadVolumed
from .load_labels import LoadSliceLabelsd
from .models import trained_model_dir
from .oct_layout import AIChallengerLayout
from .readers import read_volume
from .sample import make_sample
from .slice_labels import CLASS_NAMES, CLASSES, canonical_class, label_gaps
from .splits import folds_by_patient, split_by_patient
from .studies import Studies, find_studies

__all__ = [
    "CLASSES",
    "CLASS_NAMES",
    "AIChallengerLayout",
    "HaemorrhageLayout",
    "LoadSliceLabelsd",
    "LoadVolumed",
    "Studies",
    "canonical_class",
    "collate_volumes",
    "epoch_items",
    "find_studies",
    "find_volumes",
    "folds_by_patient",
    "label_gaps",
    "load_datalist",
    "load_intensity",
    "make_sample",
    "read_volume",
    "save_datalist",
    "split_by_patient",
    "trained_model_dir",
    "training_intensity",
]
