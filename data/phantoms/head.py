# SPDX-License-Identifier: Apache-2.0
"""Phantom of a head in non-contrast CT with five kinds of bleed: IPH, IVH, SAH, SDH, EDH.

A head of soft-edged solids is sampled on thin planes, averaged to slices, and imaged with beam hardening,
blur and noise. Never labelled: calcified plexus, pineal gland, basal ganglia and falx, thick dura, venous
sinuses, arteries, scalp haematomas, partial volumes of the skull, dark bands between the petrous bones.

Frequencies aim at the NTU contest's training set, where practically all patients bleed; a third of the
sample's do not, so shares over all its slices are two thirds of these. Counted on 90 patients, 60 of whom
bleed, with seeds 0 to 2 (``head_census(seed=...)``; shares of the bleeding patients and of their slices):

    python -m tomobundles.data.phantoms.head_census

=====  ==================  ==================  ==================  ==================
class  patients            contest's patients  slices              contest's slices
=====  ==================  ==================  ==================  ==================
IPH    0.53                0.54                0.109 to 0.126      0.117
IVH    0.33                0.34                0.068 to 0.087      0.082
SAH    0.37                0.37                0.113 to 0.120      0.116
SDH    0.40                0.40                0.166 to 0.171      0.165
EDH    0.13                0.14                0.039 to 0.043      0.040
=====  ==================  ==================  ==================  ==================

What is simplified: bleeds push the surface of the brain and the midline but squeeze no ventricle, bone is
never broken, nobody moves, and there is no infarct, tumour or metal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...utils import InputError
from .head_bleed_draws import draw_bleeds
from .head_bleeds import CLASSES, Bleeds
from .head_brain import Brain, draw_brain
from .head_extras import Extras, draw_extras
from .head_geometry import FOV_MM, Points, Pose, draw_pose
from .head_physics import draw_scanner
from .head_skull import Skull, draw_skull

VERTEX_MM = 93.0  # head coordinate of the top slice, on average
PRESENT_MM2 = 20.0
_THIN_MM = 1.8
_ATTEMPTS = 4


@dataclass(frozen=True)
class HeadPhantom:
    """One scan with its truth.

    Attributes:
        hu: int16 (rows, columns, slices) HU, slice-contiguous; rows from the face to the back, columns
            from the patient's right to the left, slices from the skull base to the vertex.
        label: uint8 (5, rows, columns, slices), 1 where at least half a voxel is IPH, IVH, SAH, SDH, EDH.
        presence: uint8 (6, slices), 1 where a class, last any, has at least 20 mm2 on the slice.
        spacing: mm between rows, columns, slices.
    """

    hu: np.ndarray
    label: np.ndarray
    presence: np.ndarray
    spacing: tuple[float, float, float]


@dataclass
class Head:
    """All that one head consists of."""

    pose: Pose
    skull: Skull
    brain: Brain
    extras: Extras
    bleeds: Bleeds

    def section(self, p: Points) -> tuple[np.ndarray, np.ndarray]:
        """HU (planes, rows, columns) and blood (5, planes, rows, columns) in 0-1 at the points."""
        depth, vault = self.skull.depth(p)
        lens = self.bleeds.lenses_mm(p, vault)
        crescent = self.bleeds.crescents_mm(p, self.brain)
        sah = self.bleeds.region(p)
        pushed = np.minimum(depth, vault - lens - crescent)
        spaces = self.brain.spaces(p, pushed, np.float32(self.bleeds.swell) * sah)
        hu = self.bleeds.oedema(self.brain.paint(p, spaces), p)
        hu = self.extras.paint(hu, p, spaces, depth, self.brain)
        masks = self.bleeds.collections(p, vault, lens, crescent, self.brain)
        masks = self.bleeds.inside_brain(p, masks, spaces, sah) * p.soft(depth)
        hu = self.bleeds.paint(hu, p, masks)
        return self.skull.paint(hu, p, depth, vault, self.extras.swelling_mm(p, vault)), masks


@dataclass(frozen=True)
class Raster:
    """Where a scan samples the head.

    Attributes:
        size: rows and columns.
        slices: number of slices.
        slice_mm: their thickness.
        tilt_deg: gantry tilt.
        top_mm: height of the top slice in the scanner.
    """

    size: int
    slices: int
    slice_mm: float
    tilt_deg: float
    top_mm: float

    @property
    def pixel_mm(self) -> float:
        """Width of a pixel in mm."""
        return FOV_MM / self.size

    def points(self, index: int, pose: Pose) -> Points:
        """Thin planes that fill slice ``index``; a tilted gantry moves the field of view with the table."""
        count = max(1, round(self.slice_mm / _THIN_MM))
        inside = ((np.arange(count) + 0.5) / count - 0.5) * self.slice_mm
        middle = self.top_mm - (self.slices - 1 - index) * self.slice_mm
        centres = (np.arange(self.size) - (self.size - 1) / 2) * self.pixel_mm
        moved = (index - (self.slices - 1) / 2) * self.slice_mm * np.tan(np.radians(self.tilt_deg))
        rows, columns = (centres + moved).astype(np.float32), centres.astype(np.float32)
        return Points((middle + inside).astype(np.float32), rows, columns, pose)


def head_volume(
    *,
    seed: int,
    bleeds: tuple[str, ...] | Mapping[str, float] = (),
    size: int = 128,
    slices: int = 28,
    slice_mm: float = 5.0,
    tilt_deg: float = 0.0,
) -> HeadPhantom:
    """Make one labelled head.

    The top slice lies just under the vertex, so ``slices * slice_mm`` of 130 to 150 mm covers the head down
    to the skull base. The same seed gives much the same head on every matrix and thickness.

    Args:
        seed: 0 or more.
        bleeds: classes of bleed to show, of IPH, IVH, SAH, SDH, EDH; a mapping gives each a factor on its
            usual size. A bleed that would be on no slice is drawn again, up to four times and larger each
            time; a scan of a part of the head may miss it all the same.
        size: rows and columns, at least 64; any size covers 230 mm.
        slices: number of slices, at least 1.
        slice_mm: slice thickness and spacing, 0.5 to 10 mm.
        tilt_deg: gantry tilt in degrees. The slices are true to ``write_dicom_series`` of the same tilt: the
            head moves down the image from slice to slice, by ``slice_mm * tan(tilt)``.

    Raises:
        InputError: an unknown bleed, a size factor outside 0.3 to 3, or a number out of its range.
    """
    sizes = dict(bleeds) if isinstance(bleeds, Mapping) else dict.fromkeys(bleeds, 1.0)
    _check(seed, sizes, size, slices, slice_mm, tilt_deg)
    place, camera = np.random.default_rng([seed, 3]).spawn(2)
    raster = Raster(size, slices, slice_mm, tilt_deg, VERTEX_MM + place.normal(0, 2.5))
    hu, label, presence = _best_attempt(seed, sizes, raster)
    hu = draw_scanner(camera).expose(hu, fov_mm=FOV_MM, slice_mm=slice_mm, rng=camera)
    presence = np.concatenate([presence, presence.any(0, keepdims=True)]).astype(np.uint8)
    spacing = (raster.pixel_mm, raster.pixel_mm, float(slice_mm))
    return HeadPhantom(np.moveaxis(hu, 0, -1), np.moveaxis(label, 1, -1), presence, spacing)


def draw_head(seed: int, sizes: Mapping[str, float], *, attempt: int = 0) -> Head:
    """Draw a head; ``attempt`` draws other bleeds into the same head."""
    pose, skull, brain, extras = np.random.default_rng([seed, 1]).spawn(4)
    larger = {name: factor * (1 + 0.15 * attempt) for name, factor in sizes.items()}
    bleeds = draw_bleeds(np.random.default_rng([seed, 2, attempt]), larger)
    return Head(
        draw_pose(pose),
        draw_skull(skull),
        draw_brain(brain, shift=bleeds.shift()),
        draw_extras(extras),
        bleeds,
    )


def _best_attempt(
    seed: int, sizes: Mapping[str, float], raster: Raster
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    wanted = [CLASSES.index(name) for name in sizes]
    for attempt in range(_ATTEMPTS):
        hu, label = _scan(draw_head(seed, sizes, attempt=attempt), raster)
        presence = label.sum((2, 3), dtype=np.int64) * raster.pixel_mm**2 >= PRESENT_MM2
        if presence[wanted].any(1).all():
            break
    return hu, label, presence


def _scan(head: Head, raster: Raster) -> tuple[np.ndarray, np.ndarray]:
    """True HU (slices, rows, columns) and labels (5, slices, rows, columns), averaged over each slice."""
    shape = (raster.slices, raster.size, raster.size)
    hu, label = np.empty(shape, np.float32), np.empty((len(CLASSES), *shape), np.uint8)
    for index in range(raster.slices):
        thin, masks = head.section(raster.points(index, head.pose))
        hu[index] = thin.mean(0)
        label[:, index] = masks.mean(1) >= 0.5
    return hu, label


def _check(
    seed: int, sizes: Mapping[str, float], size: int, slices: int, slice_mm: float, tilt_deg: float
) -> None:
    if unknown := sorted(set(sizes) - set(CLASSES)):
        raise InputError(f"unknown bleed {unknown[0]!r}", remedy=f"choose from {', '.join(CLASSES)}")
    limits = {
        **{f"size factor of {name}": (factor, 0.3, 3) for name, factor in sizes.items()},
        "seed": (seed, 0, np.inf),
        "size": (size, 64, 2048),
        "slices": (slices, 1, 2000),
        "slice_mm": (slice_mm, 0.5, 10),
        "tilt_deg": (tilt_deg, -45, 45),
    }
    for name, (value, low, high) in limits.items():
        if not low <= value <= high:
            raise InputError(f"{name} of a head phantom is {value}", remedy=f"give {low} to {high}")
