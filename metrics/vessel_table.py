# SPDX-License-Identifier: Apache-2.0
"""From a mask of vessels to numbers of physiology: volume, length, density, radius."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..utils import InputError
from .skeleton import link_lengths, skeleton_links
from .thinning import centre_lines
from .vessel_masks import MaskVolume, ReadableVolume, walk_slabs
from .vessel_radius import centre_line_radius

_UM_PER_MM = 1000.0


def vessel_table(
    mask: ReadableVolume,
    *,
    tissue: ReadableVolume | None = None,
    slab: int = 64,
    halo: int = 16,
    radius_step: float | None = None,
) -> dict[str, Any]:
    """Measure the vessels of a mask.

    The mask is read slab by slab; memory is bounded by some 15 bytes a voxel of a slab with its margin. Lines
    come from ``centre_lines``, their length from ``skeleton_links`` and ``link_lengths`` (which states how
    much longer chains of voxels are than lines: 0 to 13 %, 9 % in the mean), radii from
    ``centre_line_radius`` (which states its error).

    Args:
        mask: the vessels, 0 and 1, or 0 and 255. Its ``spacing_um`` (z, y, x) is the voxel size; where that
            is None, or missing, all is measured in voxels, and the names say so.
        tissue: a mask of the same shape, of the organ say, for fractions and densities of that alone.
        slab: slices that are worked on at once.
        halo: slices of margin on either side; best no less than the radius of the thickest vessel in voxels.
        radius_step: width of the histogram's bins, in um (in voxels without a voxel size); None: the
            geometric mean of the voxel's edges.

    Returns:
        With a voxel size ``volume_mm3``, ``vessel_volume_mm3``, ``vessel_fraction`` (of the volume),
        ``length_mm``, ``length_density_mm_per_mm3``, ``mean_radius_um`` (mean over the length; NaN without
        any), and ``radius_histogram``: rows from radius 0 to the largest with ``radius_from_um``,
        ``radius_to_um`` (exclusive), ``length_mm``, ``length_fraction``. With ``tissue`` besides
        ``tissue_volume_mm3``, ``vessel_fraction_of_tissue`` and
        ``length_density_of_tissue_mm_per_mm3`` of the vessels in it. Without a voxel size the names end in
        ``_voxels``, ``_per_voxel2`` for densities.

    Raises:
        InputError: shapes differ, masks with other values, or a step that is not positive.
    """
    spacing = getattr(mask, "spacing_um", None)
    step = _bin_width(radius_step, spacing)
    measured = _Measured(spacing=(1.0, 1.0, 1.0) if spacing is None else tuple(spacing), step=step)
    volumes = [MaskVolume(mask), None if tissue is None else MaskVolume(tissue)]
    for part in walk_slabs(volumes, slab=slab, halo=halo):
        measured.take(*part.arrays, core=part.core)
    number = math.prod(mask.shape)
    return measured.result(number, has_tissue=tissue is not None, in_um=spacing is not None)


class _Measured:
    """Voxels, lengths and radii, summed slab by slab, in the unit of the spacing."""

    def __init__(self, *, spacing: tuple[float, ...], step: float) -> None:
        self.spacing = spacing
        self.step = step
        self.vessel = self.tissue = self.vessel_in_tissue = 0
        self.length = self.length_in_tissue = self.length_times_radius = 0.0
        self.histogram = np.zeros(0)

    def take(self, mask: np.ndarray, tissue: np.ndarray | None, *, core: slice) -> None:
        self.vessel += int(np.count_nonzero(mask[core]))
        if tissue is not None:
            self.tissue += int(np.count_nonzero(tissue[core]))
            self.vessel_in_tissue += int(np.count_nonzero(mask[core] & tissue[core]))
        voxels, links = skeleton_links(centre_lines(mask))
        start = voxels[links[:, 0], 0]  # a link belongs to the slab of its lower voxel
        links = links[(start >= core.start) & (start < core.stop)]
        if len(links) == 0:
            return
        lengths = link_lengths(voxels, links, spacing=self.spacing)
        used, numbers = np.unique(links, return_inverse=True)
        radius = centre_line_radius(mask, voxels[used], spacing=self.spacing)
        radius[~np.isfinite(radius)] = 0.0  # unknown: nothing but mask in the slab and its margin
        halves = np.repeat(lengths / 2, 2)
        if tissue is not None:
            self.length_in_tissue += float(halves[tissue[tuple(voxels[links.ravel()].T)] != 0].sum())
        self._add(halves, radius[numbers.ravel()])

    def _add(self, lengths: np.ndarray, radius: np.ndarray) -> None:
        """Half of a link's length belongs to either of its voxels and counts at that voxel's radius."""
        self.length += float(lengths.sum())
        self.length_times_radius += float((lengths * radius).sum())
        index = (radius / self.step).astype(np.intp)
        bins = np.bincount(index, weights=lengths, minlength=len(self.histogram))
        bins[: len(self.histogram)] += self.histogram
        self.histogram = bins

    def result(self, number: int, *, has_tissue: bool, in_um: bool) -> dict[str, Any]:
        volume, length, radius = ("mm3", "mm", "um") if in_um else ("voxels", "voxels", "voxels")
        density = "mm_per_mm3" if in_um else "per_voxel2"
        voxel = math.prod(self.spacing) / (_UM_PER_MM**3 if in_um else 1)
        shrink = _UM_PER_MM if in_um else 1
        total = self.length / shrink
        table = {
            f"volume_{volume}": number * voxel,
            f"vessel_volume_{volume}": self.vessel * voxel,
            "vessel_fraction": self.vessel / number,
            f"length_{length}": total,
            f"length_density_{density}": total / (number * voxel),
            f"mean_radius_{radius}": self.length_times_radius / self.length if self.length else math.nan,
        }
        if has_tissue:
            table[f"tissue_volume_{volume}"] = self.tissue * voxel
            table["vessel_fraction_of_tissue"] = _ratio(self.vessel_in_tissue, self.tissue)
            table[f"length_density_of_tissue_{density}"] = _ratio(
                self.length_in_tissue / shrink, self.tissue * voxel
            )
        table["radius_histogram"] = [
            {
                f"radius_from_{radius}": index * self.step,
                f"radius_to_{radius}": (index + 1) * self.step,
                f"length_{length}": float(part) / shrink,
                "length_fraction": float(part) / self.length,
            }
            for index, part in enumerate(self.histogram)
        ]
        return table


def _bin_width(radius_step: float | None, spacing: tuple[float, ...] | None) -> float:
    if radius_step is None:
        return float(np.cbrt(math.prod(spacing or (1.0,))))
    if not 0 < radius_step < math.inf:
        raise InputError(f"histogram of radii in steps of {radius_step}", remedy="give a positive number")
    return float(radius_step)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
