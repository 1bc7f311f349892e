# SPDX-License-Identifier: Apache-2.0
"""DICOM studies: find series, choose one, say what is wrong with it, read it in Hounsfield units."""

from .choose import Refusal, resolve_series, resolve_studies
from .findings import ACCEPTABLE, Finding
from .headers import SliceHeader, has_dicom_magic, patient_key
from .kernels import kernel_class
from .nodule_report import write_nodule_report
from .preference import SeriesPreference
from .read import read_series
from .search import find_series, holds_dicom
from .secondary_capture import write_secondary_capture
from .series import Scan, Series
from .structured_report import write_structured_report

__all__ = [
    "ACCEPTABLE",
    "Finding",
    "Refusal",
    "Scan",
    "Series",
    "SeriesPreference",
    "SliceHeader",
    "find_series",
    "has_dicom_magic",
    "holds_dicom",
    "kernel_class",
    "patient_key",
    "read_series",
    "resolve_series",
    "resolve_studies",
    "write_nodule_report",
    "write_secondary_capture",
    "write_structured_report",
]
