# SPDX-License-Identifier: Apache-2.0
"""Simulated scans with known truth, for the embedded samples, tests and benchmarks."""

from .chest import ChestPhantom, Nodule, chest_phantom
from .chest_sample import write_lung_sample
from .dicom_series import write_dicom_series
from .head import HeadPhantom, head_volume
from .ich_sample import write_ich_sample
from .kidney import KidneyPhantom, kidney_phantom, sparse_label
from .kidney_sample import write_kidney_sample
from .metaimage import file_affine, write_metaimage
from .oct import retina_volume
from .oct_sample import write_oct_sample

__all__ = [
    "ChestPhantom",
    "HeadPhantom",
    "KidneyPhantom",
    "Nodule",
    "chest_phantom",
    "file_affine",
    "head_volume",
    "kidney_phantom",
    "retina_volume",
    "sparse_label",
    "write_dicom_series",
    "write_ich_sample",
    "write_kidney_sample",
    "write_lung_sample",
    "write_metaimage",
    "write_oct_sample",
]
