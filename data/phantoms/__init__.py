# SPDX-License-Identifier: Apache-2.0
"""Simulated scans with known truth, for the embedded samples, tests and benchmarks."""

from .dicom_series import write_dicom_series
from .head import HeadPhantom, head_volume
from .ich_sample import write_ich_sample
from .kidney import KidneyPhantom, kidney_phantom, sparse_label
from .kidney_sample import write_kidney_sample
from .oct import retina_volume
from .oct_sample import write_oct_sample

__all__ = [
    "HeadPhantom",
    "KidneyPhantom",
    "head_volume",
    "kidney_phantom",
    "retina_volume",
    "sparse_label",
    "write_dicom_series",
    "write_ich_sample",
    "write_kidney_sample",
    "write_oct_sample",
]
