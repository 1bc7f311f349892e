# SPDX-License-Identifier: Apache-2.0
"""The lung mask of a CT of 300 slices of 512 x 512 at 2 mm, against the same steps at full resolution.

    python benchmarks/lung_mask.py

Both on one simulated adult chest, one after the other, processor seconds and wall seconds. The classical
way has the steps and constants of the DSB2017 winners (Liao et al. 2019, https://arxiv.org/abs/1711.08324):
Gaussian and threshold by slice, regions by slice, components in 3D, two lungs by distance transforms, convex
hulls by slice, dilation; one threshold, once. Ours tries five thresholds. Prints the Dice of ours with the
phantom's lungs, and how much of them both masks hold.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage
from skimage import measure, morphology

from tomobundles.data.phantoms import chest_phantom
from tomobundles.transforms.lungs import find_lungs
from tomobundles.transforms.regrid import Grid, Regridder


def classical_lungs(hu: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Lungs with hull and margin by the classical steps, (D, H, W) in and out."""
    pixel = spacing[1] * spacing[2]
    air = np.stack([ndimage.gaussian_filter(one.astype(np.float32), 1, truncate=2.0) < -600 for one in hu])
    for index, one in enumerate(air):
        parts = measure.label(one, connectivity=1)
        for region in measure.regionprops(parts):
            if region.area * pixel <= 30 or region.eccentricity >= 0.99:
                air[index][parts == region.label] = False
    parts, _ = ndimage.label(air)
    outside = {0, *np.unique(parts[::9999, ::9999, ::9999])}
    outside |= {*np.unique(parts[:, [0, -1]]), *np.unique(parts[:, :, [0, -1]])}
    volumes = np.bincount(parts.ravel()) * np.prod(spacing) / 1e6
    keep = [one for one in range(1, len(volumes)) if one not in outside and 0.3 < volumes[one] < 7.5]
    lungs = np.isin(parts, keep)
    sides = two_sides(lungs, spacing)
    return ndimage.binary_dilation(np.logical_or(*map(hulls, sides)), iterations=10)


def two_sides(lungs: np.ndarray, spacing: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Split by erosion until there are two parts, then give every voxel to the nearer one."""
    for times in range(22):
        eroded = ndimage.binary_erosion(lungs, iterations=times) if times else lungs
        parts, count = ndimage.label(eroded)
        sizes = np.bincount(parts.ravel())[1:]
        order = np.argsort(sizes)[::-1]
        if count > 1 and sizes[order[0]] < 4.8 * sizes[order[1]]:
            break
    seeds = [parts == order[side] + 1 for side in (0, 1)]
    away = [ndimage.distance_transform_edt(~seed, sampling=spacing) for seed in seeds]
    return lungs & (away[0] <= away[1]), lungs & (away[0] > away[1])


def hulls(lung: np.ndarray) -> np.ndarray:
    """Convex hull of each slice where it is not much larger."""
    result = lung.copy()
    for index, one in enumerate(lung):
        filled = ndimage.binary_fill_holes(one)
        if filled.any():
            hull = morphology.convex_hull_image(filled)
            result[index] = hull if hull.sum() <= 1.5 * filled.sum() else filled
    return result


def timed(run: Callable[[], object]) -> tuple[object, float, float]:
    """Result, wall seconds and processor seconds."""
    begin, work = time.perf_counter(), time.process_time()
    result = run()
    return result, time.perf_counter() - begin, time.process_time() - work


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    """Dice of two masks."""
    return float(2 * np.sum(mask & truth) / (mask.sum() + truth.sum()))


def main() -> None:
    """Time both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    phantom = chest_phantom(arguments.seed, spacing_mm=(0.8, 0.8, 1.0))
    hu = np.ascontiguousarray(phantom.hu.transpose(2, 0, 1))
    print(f"{hu.shape[0]} slices of {hu.shape[1]} x {hu.shape[2]}, seed {arguments.seed}")
    ours, wall, work = timed(lambda: find_lungs(phantom.hu, phantom.affine))
    grid = Grid(phantom.affine, phantom.hu.shape)
    labels = Regridder(torch.from_numpy(ours.labels), ours.affine, grid, nearest=True).rows(
        0, phantom.hu.shape[0]
    )[0]
    truth = phantom.lungs > 0
    margin = np.asarray(labels)
    print(f"at 2 mm: {wall:.2f} s, {work:.2f} CPU-s, level {ours.quality['level_hu']} HU,", end=" ")
    print(f"Dice of the lungs {dice((margin > 0) & (margin < 3), truth):.3f}")
    mask, slow_wall, slow_work = timed(lambda: classical_lungs(hu, (1.0, 0.8, 0.8)))
    kept = np.mean(mask.transpose(1, 2, 0)[truth])
    print(f"classical: {slow_wall:.1f} s, {slow_work:.1f} CPU-s; ratio {slow_work / work:.0f}")
    print(f"lung inside the mask with its margin: {np.mean(margin[truth] > 0):.4f}, classical {kept:.4f}")


if __name__ == "__main__":
    main()
