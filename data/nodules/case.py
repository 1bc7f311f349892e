# SPDX-License-Identifier: Apache-2.0
"""All that is known about one chest CT after inference, checked once, for every writer of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ...utils import InputError
from ..readers import DEFAULT_AXES
from ..study_result import check_name

LUNG_LABELS = {1: "right lung", 2: "left lung", 3: "margin"}
_GRID_AXES = np.array([[0, -1, 0], [-1, 0, 0], [0, 0, 1.0]])  # rows to the back, columns left, slices up; RAS


@dataclass(frozen=True, kw_only=True, eq=False)
class NoduleCase:
    """Candidates of one scan, most probable first, and the images they belong to.

    Nothing here is anonymised, so give nothing that names a patient: of a DICOM series ``name``, ``patient``
    and ``seriesuid`` are UIDs or pseudonyms, never PatientID or the folder's name, and ``source`` is empty.

    Args:
        name: name of the results, a plain file name.
        patient: the patient's pseudonym.
        seriesuid: name of the scan in the contest's tables.
        image: (H, W, D) uint8 gray (``transforms.ct_window``) on the lung grid: rows run to the patient's
            back, columns to the left, slices to the head. A view is kept, no copy.
        affine: (4, 4) of the lung grid, RAS mm.
        native_affine: (4, 4) of the stored (rows, columns, slices) array, RAS mm.
        native_shape: rows, columns and slices of the stored array.
        nodules: (N, 4) x, y, z (LPS mm) and diameter (mm, above 0).
        voxel: (N, 3) row, column, slice in the stored array, from 0, fractions allowed.
        probability: (N,) 0-1, descending.
        detector: (N,) score of the first stage.
        classifier: (N,) score of the second stage, NaN for candidates that it did not judge; or None where
            there is no second stage.
        truth: (M, 4) annotated nodules as ``nodules``, or None where they are not known.
        mask: (H, W, D) nodules as a network for segmentation drew them, 0 is background, on the lung grid;
            or None.
        lungs: (h, w, d) labels of ``LUNG_LABELS``, or None.
        lungs_affine: (4, 4) of ``lungs``, RAS mm.
        lung_quality: record of the lung segmentation ("level_hu", "volumes_ml", "warnings", ...).
        axes: order of the axes in NIfTI files, as in :func:`read_volume`: that of the input if it is one.
        source: file name of the scan without folders, "" for DICOM.
        slice_names: names of the stored slices; SOPInstanceUIDs of a DICOM series, else they may be absent.
        instance_numbers: InstanceNumbers of a DICOM series' slices, or empty where they are not known.
        positions_mm: (slices,) positions along their normal in mm, or None where unknown.
        study_uid: StudyInstanceUID, or None where the input is not DICOM.
        series_uid: SeriesInstanceUID, or None where the input is not DICOM.
        findings: what the reader noticed about the series, one sentence each.
        model: name and version of the model, for reports.
        seconds: stage -> seconds it took, as far as known.

    Raises:
        InputError: a name that is no file name, arrays that do not fit each other, NaN or infinite numbers,
            or probabilities out of range or order.
    """

    name: str
    patient: str
    seriesuid: str
    image: np.ndarray
    affine: np.ndarray
    native_affine: np.ndarray
    native_shape: Sequence[int]
    nodules: np.ndarray
    voxel: np.ndarray
    probability: np.ndarray
    detector: np.ndarray
    classifier: np.ndarray | None = None
    truth: np.ndarray | None = None
    mask: np.ndarray | None = None
    lungs: np.ndarray | None = None
    lungs_affine: np.ndarray | None = None
    lung_quality: Mapping[str, Any] = field(default_factory=dict)
    axes: str = DEFAULT_AXES["nifti"]
    source: str = ""
    slice_names: Sequence[str] = ()
    instance_numbers: Sequence[int] = ()
    positions_mm: np.ndarray | None = None
    study_uid: str | None = None
    series_uid: str | None = None
    findings: Sequence[str] = ()
    model: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name)
        if not self.seriesuid.strip():
            raise InputError(f"scan {self.name} has no seriesuid", remedy="give its name in the tables")
        _check_image(self)
        _check_candidates(self)
        _check_slices(self)

    def __len__(self) -> int:
        """Number N of candidates."""
        return len(self.nodules)

    @property
    def spacing(self) -> np.ndarray:
        """(3,) mm between voxels of the lung grid."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @cached_property
    def slices(self) -> np.ndarray:
        """(N,) slice of the stored array nearest to each candidate's centre, from 0."""
        return self._nearest(2)

    @cached_property
    def pixels(self) -> np.ndarray:
        """(N, 2) nearest pixel x (column) and y (row) in that slice, from 0."""
        return np.stack([self._nearest(1), self._nearest(0)], axis=1)

    @cached_property
    def hits(self) -> np.ndarray:
        """(N,) annotated nodule that a candidate hits (its centre within the radius), -1 for none."""
        found = np.full(len(self), -1)
        if self.truth is None or not len(self.truth):
            return found
        distance = np.linalg.norm(self.nodules[:, None, :3] - self.truth[None, :, :3], axis=-1)
        inside = np.where(distance < self.truth[:, 3] / 2, distance, np.inf)
        return np.where(np.isfinite(inside).any(axis=1), inside.argmin(axis=1), found)

    def reported(self, probability: float) -> NoduleCase:
        """Return the case with the candidates of at least this probability; ranks stay as they are."""
        count = self.count(probability)
        if count == len(self):
            return self
        names = ("nodules", "voxel", "probability", "detector", "classifier")
        kept = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(self, **{name: values[:count] for name, values in kept.items()})

    def count(self, probability: float) -> int:
        """Count the candidates of at least this probability, compared in the type of ``probability``."""
        return int((self.probability >= self.probability.dtype.type(probability)).sum())

    @property
    def slice_order(self) -> str:
        """Say in which order slices are counted; viewers count those of DICOM by InstanceNumber."""
        return "in the stored order" if self.series_uid is None else "by position, not by InstanceNumber"

    def instance_number(self, index: int) -> int | None:
        """Return the InstanceNumber of a candidate's slice, None where it is not known."""
        return int(self.instance_numbers[self.slices[index]]) if len(self.instance_numbers) else None

    def place(self, index: int) -> str:
        """Say in which slice a candidate lies, from 1: ``13 of 33, z 45.0 mm, InstanceNumber 21``."""
        number, instance = int(self.slices[index]), self.instance_number(index)
        position = "" if self.positions_mm is None else f", z {float(self.positions_mm[number]):.1f} mm"
        instance = "" if instance is None else f", InstanceNumber {instance}"
        return f"{number + 1} of {self.native_shape[2]}{position}{instance}"

    def _nearest(self, axis: int) -> np.ndarray:
        return np.clip(np.rint(self.voxel[:, axis]), 0, self.native_shape[axis] - 1).astype(int)


def _check_image(case: NoduleCase) -> None:
    if case.image.ndim != 3 or case.image.dtype != np.uint8 or 0 in case.image.shape:
        raise InputError(f"image {case.image.dtype} {case.image.shape} of {case.name} is no gray (H, W, D)")
    for name in ("affine", "native_affine", "lungs_affine"):
        values = getattr(case, name)
        if values is not None and (values.shape != (4, 4) or not _invertible(values)):
            raise InputError(f"{name} of {case.name} is no affine (4, 4)")
    steps = case.affine[:3, :3] / np.linalg.norm(case.affine[:3, :3], axis=0)
    if np.abs(steps - _GRID_AXES).max() > 1e-3:
        raise InputError(
            f"the image of {case.name} is not on a lung grid",
            remedy="give rows to the patient's back, columns to the left, slices to the head",
        )
    if (case.lungs is None) != (case.lungs_affine is None):
        raise InputError(f"lungs and lungs_affine of {case.name} come together or not at all")
    if case.lungs is not None and (case.lungs.ndim != 3 or 0 in case.lungs.shape):
        raise InputError(f"lungs of {case.name} have the shape {case.lungs.shape}, not (h, w, d)")
    if case.mask is not None and case.mask.shape != case.image.shape:
        raise InputError(f"mask {case.mask.shape} of {case.name} does not fit its image {case.image.shape}")


def _invertible(affine: np.ndarray) -> bool:
    return bool(np.isfinite(affine).all()) and abs(float(np.linalg.det(affine[:3, :3]))) > 1e-9


def _check_candidates(case: NoduleCase) -> None:
    count = len(case.nodules)
    shapes = {"nodules": (count, 4), "voxel": (count, 3), "probability": (count,), "detector": (count,)}
    shapes |= {} if case.classifier is None else {"classifier": (count,)}
    shapes |= {} if case.truth is None else {"truth": (len(case.truth), 4)}
    for name, shape in shapes.items():
        values = getattr(case, name)
        if values.shape != shape:
            raise InputError(f"{name} of {case.name} have the shape {values.shape}, expected is {shape}")
        judged = values[~np.isnan(values)] if name == "classifier" else values
        if not np.isfinite(judged).all():
            raise InputError(f"{name} of {case.name} hold NaN or infinity")
    if not (case.nodules[:, 3] > 0).all():
        raise InputError(f"nodules of {case.name} with a diameter that is not positive")
    if not ((case.probability >= 0) & (case.probability <= 1)).all():
        raise InputError(f"probability of {case.name} outside 0-1", remedy="give them after the sigmoid")
    if (np.diff(case.probability) > 0).any():
        raise InputError(f"candidates of {case.name} are not in descending order of probability")


def _check_slices(case: NoduleCase) -> None:
    shape = tuple(case.native_shape)
    if len(shape) != 3 or min(shape) < 1:
        raise InputError(f"native_shape {shape} of {case.name} is not (rows, columns, slices)")
    if sorted(case.axes) != ["X", "Y", "Z"]:
        raise InputError(f"axes {case.axes!r} of {case.name}", remedy="give a permutation of XYZ")
    if len(case.slice_names) not in (0, shape[2]) or len(set(case.slice_names)) != len(case.slice_names):
        raise InputError(f"{len(set(case.slice_names))} slice names for {shape[2]} slices of {case.name}")
    if len(case.instance_numbers) not in (0, shape[2]):
        raise InputError(f"{len(case.instance_numbers)} InstanceNumbers for {shape[2]} slices of {case.name}")
    if case.positions_mm is not None and case.positions_mm.shape != (shape[2],):
        raise InputError(f"{case.positions_mm.size} positions for {shape[2]} slices of {case.name}")
