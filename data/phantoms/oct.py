# SPDX-License-Identifier: Apache-2.0
"""Phantom of the macula in OCT with edema (REA), subretinal fluid (SRF) and epithelial detachment (PED)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ...utils import InputError
from .oct_anatomy import draw_retina
from .oct_fields import Grid
from .oct_lesions import add_lesions
from .oct_optics import draw_scanner
from .oct_scene import Scene

KINDS = ("REA", "SRF", "PED")
SMALLEST = (48, 32, 1)


def retina_volume(
    *, shape: tuple[int, int, int], seed: int, lesions: Collection[str] = KINDS
) -> tuple[np.ndarray, np.ndarray]:
    """Make one labelled macular cube.

    Args:
        shape: (rows, columns, slices), at least (48, 32, 1); any shape covers 2 mm x 6 mm x 6 mm.
        seed: 0 or more; the same seed and shape give the same volume, another shape the same eye.
        lesions: the classes that the volume shows.

    Returns:
        image and label, both uint8 (rows, columns, slices), stored slice by slice (a view of a
        (slices, rows, columns) array). Label values: 0 background, 1 REA, 2 SRF, 3 PED.

    Raises:
        InputError: a shape that is too small, a negative seed or an unknown lesion.
    """
    return eye_volume(shape=shape, patient=seed, eye=0, lesions=lesions)


def eye_volume(
    *, shape: tuple[int, int, int], patient: int, eye: int, nasal: int = 1, lesions: Collection[str] = KINDS
) -> tuple[np.ndarray, np.ndarray]:
    """One eye of a patient: eyes of the same ``patient`` share layer thickness and reflectivity.

    Args:
        shape: as in ``retina_volume``.
        patient: seed of what both eyes share.
        eye: seed of the rest.
        nasal: +1 for a right eye (optic disc at large column numbers), -1 for a left one.
        lesions: as in ``retina_volume``.
    """
    _check(shape, patient, lesions)
    grid = Grid(tuple(shape))
    anatomy, fluid, scene_rng, optics, noise = np.random.default_rng([patient, eye, 1]).spawn(5)
    retina = draw_retina(grid, np.random.default_rng([patient, 0]), anatomy, nasal=nasal)
    drawn = add_lesions(retina, fluid, lesions)
    retina.centre()
    scene = Scene(retina, drawn, scene_rng)
    scanner = draw_scanner(grid, optics)
    image = np.empty((shape[2], *shape[:2]), np.uint8)
    label = np.empty_like(image)
    for index, rng in enumerate(noise.spawn(shape[2])):
        image[index] = scanner.expose(scene.level(index), index, rng)
        label[index] = scene.label(index)
    return np.moveaxis(image, 0, -1), np.moveaxis(label, 0, -1)


def _check(shape: tuple[int, int, int], seed: int, lesions: Collection[str]) -> None:
    if len(shape) != 3 or any(size < least for size, least in zip(shape, SMALLEST, strict=True)):
        raise InputError(f"shape {tuple(shape)} of a retina phantom", remedy=f"give at least {SMALLEST}")
    if seed < 0:
        raise InputError(f"seed {seed} of a retina phantom is negative", remedy="give 0 or more")
    if unknown := sorted(set(lesions) - set(KINDS)):
        raise InputError(f"unknown lesion {unknown[0]!r}", remedy=f"choose from {', '.join(KINDS)}")
