# SPDX-License-Identifier: Apache-2.0
"""All that is known about one study after inference, checked once, for every writer of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..utils import InputError
from .readers import DEFAULT_AXES

PER_SLICE = ("raw", "context", "calibrated")


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyResult:
    """Probabilities of one study and the images they belong to.

    Nothing here is anonymised, so give nothing that names a patient: of a DICOM study ``name`` and
    ``patient`` are UIDs or pseudonyms, never PatientID or the folder's name, and ``slice_files`` is empty.

    Args:
        name: name of the results, a plain file name.
        patient: the patient's pseudonym.
        class_names: names of the K subtypes and, last, of their union ("any").
        probabilities: "raw" (each slice alone) and "context" (with its neighbours), posteriors before
            calibration; "calibrated" (from context); each (K + 1, D), 0-1; "patient" (K + 1,), calibrated.
            "calibrated_raw" (K + 1, D) may be there: then it, not "raw", is compared with thresholds.
        thresholds: (K + 1,) calibrated probabilities of slices from which a class is called, 0-1.
        image: (H, W, D) HU, or uint8 gray values that are windowed already. A view is kept, no copy.
        affine: (4, 4) of the (H, W, D) array in RAS mm, sheared where the scanner was tilted.
        slice_names: names of the D slices, each once; SOPInstanceUIDs of a DICOM study.
        patient_thresholds: (K + 1,) for the patient's probabilities; None takes ``thresholds``.
        study_uid: StudyInstanceUID, or None where the input is not DICOM.
        series_uid: SeriesInstanceUID, or None where the input is not DICOM.
        slice_files: file names without folders, D of them or none.
        positions_mm: (D,) positions of the slices along their normal in mm, or None where unknown.
        spacing: mm between rows, columns and slices, or None where unknown.
        axes: order of the axes in NIfTI files, as in :func:`read_volume`: that of the input if it is one.
        label: (K + 1, D) ground truth 0 or 1, NaN where unknown; None where there is none.
        cam: (K, h, w, D) class activation, at least 0, on any grid over the whole slice; or None.
        findings: what the reader noticed about the series, one sentence each.
        series_reason: why this series of the study was read, one sentence.
        model: name and version of the model, for reports.

    Raises:
        InputError: a name that is no file name, arrays that do not fit each other, or values out of range.
    """

    name: str
    patient: str
    class_names: Sequence[str]
    probabilities: Mapping[str, np.ndarray]
    thresholds: Sequence[float] | np.ndarray
    image: np.ndarray
    affine: np.ndarray
    slice_names: Sequence[str]
    patient_thresholds: Sequence[float] | np.ndarray | None = None
    study_uid: str | None = None
    series_uid: str | None = None
    slice_files: Sequence[str] = ()
    positions_mm: np.ndarray | None = None
    spacing: Sequence[float] | None = None
    axes: str = DEFAULT_AXES["nifti"]
    label: np.ndarray | None = None
    cam: np.ndarray | None = None
    findings: Sequence[str] = ()
    series_reason: str = ""
    model: str = ""

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.image.ndim != 3:
            raise InputError(f"image of shape {self.image.shape} where (rows, columns, slices) is expected")
        _check_probabilities(self)
        _check_slices(self)

    @property
    def num_slices(self) -> int:
        """Number D of slices."""
        return self.image.shape[-1]

    @cached_property
    def decisions(self) -> np.ndarray:
        """(K + 1, D) bool: the class is called in the slice, its calibrated probability at its threshold."""
        return at_threshold(self.probabilities["calibrated"], self.thresholds)

    @cached_property
    def patient_decisions(self) -> np.ndarray:
        """(K + 1,) bool: the class is called in the patient."""
        return at_threshold(self.probabilities["patient"], self.patient_cuts)

    @property
    def patient_cuts(self) -> np.ndarray:
        """(K + 1,) thresholds of the patient's probabilities."""
        own = self.patient_thresholds
        return np.asarray(self.thresholds if own is None else own)

    @property
    def shown_classes(self) -> np.ndarray:
        """(K + 1,) bool: the class is called in a slice or in the patient, so pictures and maps show it."""
        return self.decisions.any(axis=1) | self.patient_decisions

    @property
    def compared(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the (K + 1, D) probabilities without and with context, on one scale.

        Both calibrated where the former is, else both before calibration.
        """
        if "calibrated_raw" in self.probabilities:
            return self.probabilities["calibrated_raw"], self.probabilities["calibrated"]
        return self.probabilities["raw"], self.probabilities["context"]

    @cached_property
    def smoothed_away(self) -> np.ndarray:
        """(K + 1, D) bool: the slice alone is at the threshold, with context it is not, and it is not called.

        Smoothing along the slices fills gaps, and can erase a bleed that one slice shows.
        """
        alone, context = (at_threshold(values, self.thresholds) for values in self.compared)
        return alone & ~context & ~self.decisions

    @property
    def key_slices(self) -> np.ndarray:
        """(K + 1,) 0-based slice with the highest calibrated probability of each class."""
        return self.probabilities["calibrated"].argmax(axis=1)

    def position(self, index: int) -> float | None:
        """Return the position of a slice along the normal in mm, None where unknown."""
        return None if self.positions_mm is None else float(self.positions_mm[index])


@dataclass(frozen=True, kw_only=True)
class StudyRefusal:
    """A study that was not read, and why.

    Args:
        name: name under which the user finds it.
        reason: what is wrong, in words; line breaks become semicolons in tables.
        patient: the patient's pseudonym, where known.
        study_uid: StudyInstanceUID, where known.
        series_uid: SeriesInstanceUID, where known.
    """

    name: str
    reason: str
    patient: str = ""
    study_uid: str | None = None
    series_uid: str | None = None


def at_threshold(values: np.ndarray, thresholds: Sequence[float] | np.ndarray) -> np.ndarray:
    """Tell which values are at or above their row's threshold, both in the type of ``values``.

    In float32 a probability of 0.7 is a little below the number 0.7 in float64.

    Args:
        values: (R, ...) probabilities.
        thresholds: (R,), one a row.
    """
    limits = np.asarray(thresholds, dtype=values.dtype)
    return values >= limits.reshape(-1, *[1] * (values.ndim - 1))


def check_name(name: str) -> None:
    """Check that a name of results can be a file's name.

    Raises:
        InputError: empty, dots only, or with a path separator.
    """
    if not name.strip(". ") or any(letter in name for letter in "/\\\0"):
        raise InputError(f"{name!r} is no name for results", remedy="give a plain file name without folders")


def _check_probabilities(result: StudyResult) -> None:
    rows, depth = len(result.class_names), result.num_slices
    missing = [name for name in (*PER_SLICE, "patient") if name not in result.probabilities]
    if missing:
        raise InputError(f"no {missing[0]} probabilities of study {result.name}")
    values = {f"{name} probabilities": array for name, array in result.probabilities.items()}
    values |= {"thresholds": np.asarray(result.thresholds)}
    if result.patient_thresholds is not None:
        values["patient thresholds"] = np.asarray(result.patient_thresholds)
    for name, array in values.items():
        per_patient = "patient" in name or name == "thresholds"
        _check_shape(result, name, array, (rows,) if per_patient else (rows, depth))
        if not ((array >= 0) & (array <= 1)).all():  # false for NaN too
            raise InputError(f"{name} of study {result.name} hold NaN or values outside 0-1")


def _check_slices(result: StudyResult) -> None:
    depth = result.num_slices
    if sorted(result.axes) != ["X", "Y", "Z"]:
        raise InputError(f"axes {result.axes!r} of study {result.name}", remedy="give a permutation of XYZ")
    if len(set(result.slice_names)) != depth or len(result.slice_names) != depth:
        raise InputError(
            f"{len(set(result.slice_names))} different slice names for {depth} slices of {result.name}"
        )
    if len(result.slice_files) not in (0, depth):
        raise InputError(f"{len(result.slice_files)} file names for {depth} slices of {result.name}")
    _check_shape(result, "affine", result.affine, (4, 4))
    if result.positions_mm is not None:
        _check_shape(result, "positions_mm", result.positions_mm, (depth,))
    if result.label is not None:
        _check_shape(result, "label", result.label, (len(result.class_names), depth))
    if result.cam is not None:
        grid = result.cam.shape[1:3]
        _check_shape(result, "cam", result.cam, (len(result.class_names) - 1, *grid, depth))


def _check_shape(result: StudyResult, name: str, array: np.ndarray, wanted: tuple[int, ...]) -> None:
    if array.shape != wanted:
        raise InputError(f"{name} of study {result.name} has shape {array.shape}, expected is {wanted}")
