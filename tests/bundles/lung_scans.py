# SPDX-License-Identifier: Apache-2.0
"""One chest, stored in every direction and form: for tests of where nodules lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.dicom.builder import ct_slices, save, set_stored
from ..data.nodules.disk import write_mhd, write_nifti

CENTRE = np.array([-17.3, -41.6, 212.9])  # x, y, z of the chest in LPS mm
RIGHT, LEFT = (CENTRE + np.array([x, 0, 0]) for x in (-34, 34))
# right lung, low and in front; left lung, high and at the back; right lung, small, near the middle
_PLACES = np.array([RIGHT, LEFT, RIGHT]) + np.array([[-6, -13, -15], [5, 14, 17], [8.4, 3.3, 4.7]])
NODULES = np.column_stack([_PLACES, [13.0, 10.0, 8.0]])
NODULE_HU, LUNG_HU, BODY_HU, AIR_HU = 90, -850, 40, -1000


def chest_hu(points: np.ndarray) -> np.ndarray:
    """HU at LPS points (..., 3): a body along z, two lungs, three nodules."""
    offset = points - CENTRE
    hu = np.where((offset[..., 0] / 72) ** 2 + (offset[..., 1] / 56) ** 2 < 1, BODY_HU, AIR_HU)
    for middle in (RIGHT, LEFT):
        hu[(((points - middle) / (26, 40, 38)) ** 2).sum(-1) < 1] = LUNG_HU
    for *place, diameter in NODULES:
        hu[((points - place) ** 2).sum(-1) < (diameter / 2) ** 2] = NODULE_HU
    return hu.astype(np.int16)


def turned(first: int, first_deg: float, second: int, second_deg: float) -> np.ndarray:
    """Rotation about two axes of the world, one after the other."""
    matrix = np.eye(3)
    for axis, degrees in ((first, first_deg), (second, second_deg)):
        one, other = (index for index in range(3) if index != axis)
        cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        rotation = np.eye(3)
        rotation[one, one] = rotation[other, other] = cosine
        rotation[one, other], rotation[other, one] = -sine, sine
        matrix = rotation @ matrix
    return matrix


@dataclass(frozen=True)
class Stored:
    """A stored chest: column n of ``direction`` is the LPS direction of axis n (x, y, z of the file)."""

    direction: np.ndarray
    spacing: tuple[float, float, float]
    size: tuple[int, int, int]

    @property
    def linear(self) -> np.ndarray:
        """(3, 3) index to LPS mm."""
        return self.direction * self.spacing

    @property
    def origin(self) -> np.ndarray:
        """LPS mm of the first voxel: the middle of the grid lies a bit off the chest's centre."""
        return CENTRE + np.array([1.3, -0.7, 0.9]) - self.linear @ ((np.array(self.size) - 1) / 2)

    @property
    def slices(self) -> np.ndarray:
        """(z, y, x) int16 HU."""
        index = np.stack(np.meshgrid(*map(np.arange, self.size), indexing="ij"), axis=-1)
        return np.ascontiguousarray(chest_hu(index @ self.linear.T + self.origin).T)

    def index(self, points: np.ndarray) -> np.ndarray:
        """LPS points (N, 3) to x, y, z of the file, from 0."""
        return np.linalg.solve(self.linear, (points - self.origin).T).T

    def write(self, folder: Path, form: str) -> Path:
        """Write it as "mhd", "nifti" or "dicom"; a folder that holds nothing else."""
        write = {"mhd": self._mhd, "nifti": self._nifti, "dicom": self._dicom}
        return write[form](folder)

    def _mhd(self, folder: Path) -> Path:
        # MetaImage has the direction of each axis in a row
        geometry = {"spacing": self.spacing, "origin": self.origin, "matrix": self.direction.T}
        return write_mhd(folder / "chest.mhd", self.slices, **geometry)

    def _nifti(self, folder: Path) -> Path:
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = self.linear, self.origin
        return write_nifti(folder / "chest.nii.gz", self.slices, np.diag([-1.0, -1, 1, 1]) @ affine)

    def _dicom(self, folder: Path) -> Path:
        x_mm, y_mm, z_mm = self.spacing
        made = ct_slices(self.size[2], BodyPartExamined="CHEST", SliceThickness=z_mm)
        orientation = [f"{value:.10f}" for value in self.direction[:, :2].T.ravel()]
        for index, (dataset, pixels) in enumerate(zip(made, self.slices, strict=True)):
            position = self.origin + index * self.linear[:, 2]
            set_stored(dataset, pixels.astype(int) + 1024, PixelSpacing=[y_mm, x_mm])
            dataset.ImagePositionPatient = [f"{value:.9f}"[:16] for value in position]
            dataset.ImageOrientationPatient = orientation
        return save(folder, made)


AXIAL = Stored(np.eye(3), (1.8, 2.0, 2.5), (90, 64, 36))
FLIPPED = Stored(np.diag([-1.0, 1, -1]), (1.8, 2.0, 2.5), (90, 64, 36))
# slices from the left to the right, rows from the head to the foot, columns to the back
SAGITTAL = Stored(np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]]), (2.0, 1.9, 2.5), (64, 47, 64))
OBLIQUE = Stored(turned(0, 15, 2, 15), (2.0, 2.0, 2.5), (88, 72, 46))
