# SPDX-License-Identifier: Apache-2.0
"""Lung nodules: labels of every form to spheres in the world, and found nodules to files."""

from .annotations import Annotation, label_of, read_annotations, read_seriesuids
from .checks import check_nodules, is_nodule_label
from .epochs import case_items, nodule_items, prepare_scan
from .false_positives import read_false_positives, with_false_positives
from .layout import NoduleLayout
from .load import LoadNodulesd
from .monai_boxes import boxes_to_nodules
from .names import seriesuid_of, uid_key
from .resolve import LabelResolver

__all__ = [
    "Annotation",
    "LabelResolver",
    "LoadNodulesd",
    "NoduleLayout",
    "boxes_to_nodules",
    "case_items",
    "check_nodules",
    "is_nodule_label",
    "label_of",
    "nodule_items",
    "prepare_scan",
    "read_annotations",
    "read_false_positives",
    "read_seriesuids",
    "seriesuid_of",
    "uid_key",
    "with_false_positives",
]
