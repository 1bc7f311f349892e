# SPDX-License-Identifier: Apache-2.0
"""A small set of kidney phantoms on disk, in the layout of the contest (SenNet + HOA, vessels in HiP-CT)."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import tifffile

from ...utils import InputError
from ..run_lengths import encode_rle
from .kidney import annotated, draw_kidney
from .kidney_body import Grid

SPACING_UM = {
    "kidney_1": 50.0,
    "kidney_2": 50.0,
    "kidney_3": 50.16,
    "kidney_5": 50.28,
    "kidney_6": 63.08,
}
FRACTIONS = {"kidney_2": 0.65, "kidney_3_sparse": 0.85}
_REFERENCE_UM = 50.0  # voxel size at which ``shape`` is meant
_DENSE = 496 / 1035  # first slice of the contest's kidney_3_dense; here it goes on to the last slice


@dataclass(frozen=True)
class _Truth:
    """Labelled voxels of one kidney: flat indices in its grid, and which of them are annotated by name."""

    grid: Grid
    voxels: np.ndarray
    kept: Mapping[str, np.ndarray]

    def slice(self, name: str, z: int) -> np.ndarray:
        """Label 0/255 of one slice, uint8 (rows, columns)."""
        size = self.grid.shape[1] * self.grid.shape[2]
        first, last = np.searchsorted(self.voxels, (z * size, (z + 1) * size))
        mask = np.zeros(size, np.uint8)
        mask[self.voxels[first:last][self.kept[name][first:last]] - z * size] = 255
        return mask.reshape(self.grid.shape[1:])


def write_kidney_sample(
    root: str | PathLike, *, seed: int = 0, shape: tuple[int, int, int] = (96, 128, 112)
) -> None:
    """Write five kidneys as the contest laid them out.

    ``train/<name>/{images,labels}/NNNN.tif`` for kidney_1_dense, kidney_2 (65 % of the vessel voxels
    annotated, the rest of the branches unlabelled) and kidney_3_sparse (85 %); kidney_3_dense has full labels
    for about half of the slices of kidney_3 and no images of its own. ``test/kidney_5`` and ``test/kidney_6``
    (voxels of 63.08 um); unlike the contest's they have labels. Images are 16-bit, labels 0/255, deflate.
    ``train_rles.csv`` holds the training labels run by run: id, rle, row by row, counted from 1, "1 0" where
    a slice is empty.

    The sample is built in a temporary folder beside ``root`` and renamed at the end: whole or not there.

    Args:
        root: the folder to make; it may exist if it is empty.
        seed: 0 or more; the same seed gives the same files.
        shape: slices, rows and columns of a kidney with voxels of 50 um, any size of at least 16 a side;
            every kidney has this extent, so coarser ones have fewer voxels; kidney_2 lies across.

    Raises:
        InputError: ``root`` is not an empty or new folder, a negative seed, or a shape that is too small.
    """
    root = Path(root)
    if len(shape) != 3 or min(shape) < 16:
        raise InputError(f"shape={tuple(shape)}", remedy="give slices, rows, columns, each 16 or more")
    if seed < 0:
        raise InputError(f"seed {seed} of the sample is negative", remedy="give 0 or more")
    _check_free(root)
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".partial-") as temporary:
        sample = Path(temporary) / "sample"
        _write_all(sample, seed, shape)
        _check_free(root)  # somebody else may have been faster
        if root.exists():
            root.rmdir()  # an empty folder stops the renaming on some systems
        sample.rename(root)


def _write_all(sample: Path, seed: int, shape: tuple[int, int, int]) -> None:
    train, test = sample / "train", sample / "test"
    across = (shape[0], shape[2], shape[1])
    rows: list[tuple[str, str]] = []
    truth = _write_images(train / "kidney_1_dense", "kidney_1", seed, shape, names=("kidney_1_dense",))
    rows += _write_labels(train / "kidney_1_dense", truth)
    truth = _write_images(train / "kidney_2", "kidney_2", seed, across, names=("kidney_2",))
    rows += _write_labels(train / "kidney_2", truth)
    both = ("kidney_3_dense", "kidney_3_sparse")
    truth = _write_images(train / "kidney_3_sparse", "kidney_3", seed, shape, names=both)
    first = round(_DENSE * truth.grid.shape[0])
    rows += _write_labels(train / "kidney_3_dense", truth, first=first)
    rows += _write_labels(train / "kidney_3_sparse", truth)
    for name in ("kidney_5", "kidney_6"):
        _write_labels(test / name, _write_images(test / name, name, seed, shape, names=(name,)))
    with (sample / "train_rles.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("id", "rle"), *rows])


def _write_images(
    folder: Path, kidney: str, seed: int, shape: tuple[int, int, int], *, names: tuple[str, ...]
) -> _Truth:
    """Write a kidney's slices; only its labelled voxels are kept in memory."""
    spacing = SPACING_UM[kidney]
    extent = [size * _REFERENCE_UM for size in shape]
    scene, grid = draw_kidney(
        shape=tuple(max(int(size // spacing), 1) for size in extent),
        seed=10 * seed + int(kidney[-1]),
        spacing_um=spacing,
        extent_um=extent,
    )
    (folder / "images").mkdir(parents=True)
    voxels, segments = [], []
    for part, image, owner in scene.slabs(grid):
        for z, pixels in zip(range(part.start, part.stop), image, strict=True):
            _write_slice(folder / "images", z, pixels)
        found = np.flatnonzero(owner >= 0)
        voxels.append(found + part.start * grid.shape[1] * grid.shape[2])
        segments.append(owner.ravel()[found])
    owners = np.concatenate(segments)
    kept = {
        name: annotated(scene.arteries, owners, fraction=FRACTIONS.get(name, 1.0), seed=seed)[owners]
        for name in names
    }
    return _Truth(grid, np.concatenate(voxels), kept)


def _write_labels(folder: Path, truth: _Truth, *, first: int = 0) -> list[tuple[str, str]]:
    """Write the labels from a slice on; return the rows of the contest's table of runs."""
    (folder / "labels").mkdir(parents=True)
    rows = []
    for z in range(first, truth.grid.shape[0]):
        mask = truth.slice(folder.name, z)
        _write_slice(folder / "labels", z, mask)
        rows.append((f"{folder.name}_{z:04d}", encode_rle(mask)))
    return rows


def _write_slice(folder: Path, z: int, pixels: np.ndarray) -> None:
    # not atomic one by one: the whole sample is
    tifffile.imwrite(folder / f"{z:04d}.tif", pixels, compression="zlib", metadata=None)


def _check_free(root: Path) -> None:
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InputError("exists already and is not empty", path=root, remedy="remove it or name another")
