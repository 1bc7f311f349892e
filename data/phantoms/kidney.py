# SPDX-License-Identifier: Apache-2.0
"""Phantom of a kidney in HiP-CT with its arteries as the label.

A bent ellipsoid with a bright capsule, cortex (glomeruli, medullary rays), darker medulla and sinus lies in
an embedding medium. Arteries enter at the hilum and branch by Murray's law down to radii of 15 um; a lumen
is darker than the tissue, its wall brighter. The label is every voxel that a lumen fills by half or more, and
the centre-line, of the vessels whose radius is 0.7 voxels or more; thinner ones are faint and have none.
Look-alikes are never labelled: veins (dark, no wall), balls with an artery's lumen and wall that end after a
slice or two, bright fibres and specks. The scan adds correlated noise, rings about the axis of rotation and
an air bubble with streaks. Everything but these faults of the scan is defined in micrometres.

What it aims at are published slices of the contest's kidneys: 0.5 and 0.13 % of the voxels of two slices are
vessels, and more than 3 voxels inside a lumen it is 16 and 17 of 256 grays darker than in the tissue 6 voxels
off (medians). Seeds 0 to 9 at 50 um, (128, 160, 160) seeds 0 to 3, lumens one voxel from their edge or more,
on one core that others used too:

===============  ====================  =====================  ============
voxels           vessels, % of voxels  lumen less tissue      seconds each
===============  ====================  =====================  ============
(24, 32, 28)     0.59 to 0.79                                 0.05
(48, 64, 56)     0.63 to 0.74                                 0.3
(96, 128, 112)   0.60 to 0.70          -19.2 to -15.0 grays   1.8
(128, 160, 160)  0.57 to 0.66                                 2.9
===============  ====================  =====================  ============

Boxes so thin that they cut the middle out of a kidney have more, (24, 96, 96) 1.7 %. A volume of
(256, 320, 320) has 0.50 % and took 32 s. The darkest voxels below the true surface, after a blur
of 0.7 voxels, the threshold chosen on the same volume, find the vessels of (96, 128, 112) with a Dice of 0.41
to 0.46.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...utils import InputError
from .kidney_body import Grid
from .kidney_scene import Scene, draw_scene
from .kidney_tree import Tree

_LARGEST_GAP = 0.1  # of a tree's voxels in one branch without label
_FLATTEST = 0.6  # least extent of the kidney along an axis, as a share of its longest


@dataclass(frozen=True)
class KidneyPhantom:
    """A simulated scan with known truth.

    Attributes:
        image: uint16 (slices, rows, columns).
        label: uint8 of the same shape, 1 in arteries' lumens, 0 elsewhere.
        spacing_um: voxel size in micrometres: slices, rows, columns.
        tree: the arteries; segments thinner than 0.7 voxels in radius have no label.
        voxels: (n,) flat indices of the labelled voxels, ascending.
        segments: (n,) the segment of ``tree`` that each of them belongs to.
    """

    image: np.ndarray
    label: np.ndarray
    spacing_um: tuple[float, float, float]
    tree: Tree
    voxels: np.ndarray
    segments: np.ndarray


def kidney_phantom(
    *,
    shape: tuple[int, int, int],
    seed: int,
    spacing_um: float = 50.0,
    extent_um: Sequence[float] | None = None,
) -> KidneyPhantom:
    """Make one labelled kidney.

    Args:
        shape: slices, rows, columns.
        seed: 0 or more; the same seed and extent give the same kidney, whatever the voxel size.
        spacing_um: voxel size in micrometres.
        extent_um: (3,) size in micrometres of the box that the kidney fills; None is ``shape`` times
            ``spacing_um``. Give it where the same kidney is wanted at two voxel sizes, of which the second
            does not divide the extent.

    Raises:
        InputError: see ``draw_kidney``.
    """
    scene, grid = draw_kidney(shape=shape, seed=seed, spacing_um=spacing_um, extent_um=extent_um)
    image = np.empty(grid.shape, np.uint16)
    label = np.zeros(grid.shape, np.uint8)
    voxels, segments = [], []
    for part, pixels, owner in scene.slabs(grid):
        image[part] = pixels
        label[part] = owner >= 0
        found = np.flatnonzero(owner >= 0)
        voxels.append(found + part.start * grid.shape[1] * grid.shape[2])
        segments.append(owner.ravel()[found])
    return KidneyPhantom(
        image=image,
        label=label,
        spacing_um=(float(spacing_um),) * 3,
        tree=scene.arteries,
        voxels=np.concatenate(voxels),
        segments=np.concatenate(segments),
    )


def draw_kidney(
    *, shape: tuple[int, int, int], seed: int, spacing_um: float, extent_um: Sequence[float] | None = None
) -> tuple[Scene, Grid]:
    """Draw the kidney of ``kidney_phantom`` without rendering it, for volumes that memory cannot hold.

    A kidney is no pancake: where the box is much thinner one way than the others, it shows the middle of one.

    Raises:
        InputError: a shape without three axes of one voxel or more, a negative seed, or a size of voxels or
            box that is not positive.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise InputError(
            f"phantom of shape {tuple(shape)}", remedy="give slices, rows, columns, each 1 or more"
        )
    if seed < 0:
        raise InputError(f"seed {seed} of the phantom is negative", remedy="give 0 or more")
    extent = np.asarray(shape if extent_um is None else extent_um, dtype=np.float64)
    extent = extent * (spacing_um if extent_um is None else 1.0)
    if extent.shape != (3,) or not (np.isfinite(extent).all() and extent.min() > 0 < spacing_um):
        raise InputError(
            f"voxels of {spacing_um} um in a box of {extent.tolist()} um",
            remedy="give positive numbers, three for the box",
        )
    whole = np.maximum(extent, _FLATTEST * extent.max())
    grid = Grid(tuple(map(int, shape)), float(spacing_um), tuple((whole - extent) / 2))
    return draw_scene(seed, whole), grid


def sparse_label(phantom: KidneyPhantom, *, fraction: float = 0.65, seed: int = 0) -> np.ndarray:
    """Leave whole branches of the tree unlabelled, as annotators do who have not finished.

    Args:
        phantom: the kidney.
        fraction: share of the vessel voxels that keep their label, in (0, 1].
        seed: which branches are left out.

    Returns:
        uint8 (slices, rows, columns), 1 where annotated.

    Raises:
        InputError: ``fraction`` outside (0, 1].
    """
    kept = annotated(phantom.tree, phantom.segments, fraction=fraction, seed=seed)
    label = phantom.label.copy()
    label.ravel()[phantom.voxels[~kept[phantom.segments]]] = 0
    return label


def annotated(tree: Tree, segments: np.ndarray, *, fraction: float, seed: int) -> np.ndarray:
    """Choose the segments that keep their label, see ``sparse_label``.

    Args:
        tree: the arteries.
        segments: (n,) the segment of each labelled voxel.
        fraction: share of the voxels to keep.
        seed: which branches are left out.

    Returns:
        mask (segments of the tree).

    Raises:
        InputError: ``fraction`` outside (0, 1].
    """
    if not 0 < fraction <= 1:
        raise InputError(f"annotated fraction {fraction}", remedy="give more than 0 and at most 1")
    rng = np.random.default_rng([seed, 6])
    counts = np.bincount(segments, minlength=len(tree.parent))
    kept = np.ones(len(counts), dtype=bool)
    needed = round((1 - fraction) * len(segments))
    while True:
        sums = tree.subtree_sums(np.where(kept, counts, 0))
        sums[0] = 0  # the trunk stays
        fits = np.flatnonzero((sums > 0) & (sums <= min(needed, _LARGEST_GAP * len(segments))))
        if not len(fits):
            return kept
        large = fits[sums[fits] >= 0.5 * sums[fits].max()]  # few large branches and not many twigs
        branch = int(rng.choice(large))
        needed -= int(sums[branch])
        kept &= ~tree.below(branch)
