# SPDX-License-Identifier: Apache-2.0
"""The patient's body in a shrunk CT: without table, clothes and the air around."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .planes import label_planes, largest_in_planes, open_planes, touching_border

BODY_HU = -500  # between air and fat
_AIR_HU = -930
_CUT_SHARE = 0.5
_CROP_MM = 230.0


@dataclass(frozen=True)
class Body:
    """The body in each slice, with what it encloses.

    Attributes:
        mask: bool (z, y, x).
        centre_x: centre of mass of all slices along x, voxels.
        centre_y: (z,) that of each slice along y; the image's middle where a slice is empty.
        crop: the image is narrower than a chest, and most of its border lies within the body.
    """

    mask: np.ndarray
    centre_x: float
    centre_y: np.ndarray
    crop: bool


def find_body(hu: np.ndarray, *, spacing: tuple[float, float, float], opening: bool = True) -> Body:
    """The largest component of each slice that is no air, filled.

    Air is outside where it reaches the slice's border: mouth, nose and an open trachea are cut off
    at once. With ``opening``, walls thinner than three voxels do not hold air, so that the shell of a table,
    its foam and the gap between back and table are outside. A slice whose border runs through the body may
    cut a lung open: what lies on enclosed air of the slice above or below is then inside.

    Args:
        hu: (z, y, x) about 2 mm.
        spacing: mm along z, y, x.
        opening: False for thin chest walls (small children), which opening would break.
    """
    solid = hu > BODY_HU
    if opening:
        solid = open_planes(solid)
    labels, count = label_planes(~solid)
    outside = touching_border(labels, count)
    cut = _border_share(hu) > _CUT_SHARE
    if cut.any():
        _keep_cut_lungs(outside, labels, cut)
    mask = largest_in_planes(~outside[labels])
    centre_x = _centre(mask.sum(axis=(0, 1))[None])[0]
    crop = hu.shape[2] * spacing[2] < _CROP_MM and bool(np.median(cut))
    return Body(mask, float(centre_x), _centre(mask.sum(axis=2)), crop)


def _centre(counts: np.ndarray) -> np.ndarray:
    """Mean index of each row of counts, the middle where a row is empty."""
    totals = counts.sum(axis=1)
    sums = counts @ np.arange(counts.shape[1])
    return np.where(totals > 0, sums / np.maximum(totals, 1), (counts.shape[1] - 1) / 2)


def _border_share(hu: np.ndarray) -> np.ndarray:
    """Share of each slice's border that is no plain air, (z,)."""
    edges = np.concatenate([hu[:, 0], hu[:, -1], hu[:, :, 0], hu[:, :, -1]], axis=1)
    return (edges > _AIR_HU).mean(axis=1)


def _keep_cut_lungs(outside: np.ndarray, labels: np.ndarray, cut: np.ndarray) -> None:
    """Unmark components of cut slices half of which lie on enclosed air of the slice before, both ways."""
    sizes = np.bincount(labels.reshape(-1), minlength=len(outside))
    for order in (range(1, len(labels)), range(len(labels) - 2, -1, -1)):
        step = order.step
        for z in (z for z in order if cut[z]):
            before = labels[z - step]
            enclosed = (before > 0) & ~outside[before]
            overlaps = np.bincount(labels[z][enclosed], minlength=len(outside))
            outside[(overlaps > sizes / 2) & (overlaps > 0)] = False
