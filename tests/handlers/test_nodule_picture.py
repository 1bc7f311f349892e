# SPDX-License-Identifier: Apache-2.0
"""What is shown of a chest CT: slices through nodules and candidates."""

from __future__ import annotations

import numpy as np
import torch
from monai.data import MetaTensor

from tomobundles.handlers import NodulePicture
from tomobundles.visualize.nodule_planes import ANNOTATED, CANDIDATE

SHAPE = (40, 40, 30)
AFFINE = np.array([[0, -1, 0, 20], [-1, 0, 0, 20], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def sphere(index, diameter):
    """x, y, z (LPS mm) and diameter of a sphere at rows, columns, slices."""
    x, y, z, _ = AFFINE @ (*index, 1)
    return [-x, -y, z, diameter]


def chest(candidates=(), nodules=()):
    """One scan's output and sample; candidates (row, column, slice), diameter, probability."""
    meta = {"filename_or_obj": "/scans/a.mhd", "native_affine": AFFINE, "native_shape": SHAPE}
    image = MetaTensor(torch.full((1, *SHAPE), 60, dtype=torch.uint8), affine=torch.tensor(AFFINE), meta=meta)
    world = torch.tensor([sphere(place, size) for place, size, _ in candidates], dtype=torch.float64)
    probability = torch.tensor([one for *_, one in candidates])
    pred = {
        "world": world.reshape(-1, 4),
        "voxel": torch.tensor([place for place, *_ in candidates], dtype=torch.float64).reshape(-1, 3),
        "probability": probability,
        "detector": probability,
    }
    truth = torch.tensor([sphere(*one) for one in nodules], dtype=torch.float64).reshape(-1, 4)
    return {"pred": pred}, {"image": image, "nodules": truth}


def has(part, color):
    return bool((part == np.array(color)).all(axis=-1).any())


def parts(drawn, count):
    """The slices of a picture, which stand 4 pixels apart."""
    width = (drawn.shape[1] + 4) // count
    return [drawn[:, place * width : (place + 1) * width - 4] for place in range(count)]


def test_the_largest_nodules_are_chosen():
    nodules = [((20, 10, 5), 6.0), ((20, 10, 12), 20.0), ((20, 30, 12), 15.0), ((20, 30, 22), 8.0)]
    assert NodulePicture(num_slices=2).choose(*chest(nodules=nodules)) == ([12, 22], True)
    assert NodulePicture().choose(*chest()) == ([], False)


def test_nodules_then_candidates_that_are_not_on_their_slices():
    candidates = [((20, 10, 12), 6.0, 0.9), ((20, 30, 25), 6.0, 0.8), ((20, 20, 2), 6.0, 0.7)]
    scan = chest(candidates, nodules=[((20, 10, 12), 8.0)])
    drawn = NodulePicture(height=80).draw(*scan, [12])
    assert drawn.dtype == np.uint8
    assert drawn.shape == (80, 3 * 80 + 8, 3)
    shown = [(has(part, ANNOTATED), has(part, CANDIDATE)) for part in parts(drawn, 3)]
    assert shown == [(True, True), (False, True), (False, True)]


def test_only_so_many_candidates():
    candidates = [((20, 10, 12), 6.0, 0.9), ((20, 30, 25), 6.0, 0.8)]
    drawn = NodulePicture(height=80, max_candidates=1).draw(*chest(candidates), [])
    assert drawn.shape == (80, 80, 3)


def test_a_scan_without_anything_shows_its_middle():
    drawn = NodulePicture(height=80).draw(*chest(), [])
    assert drawn.shape == (80, 80, 3)
    assert not has(drawn, CANDIDATE)


def test_a_sphere_beyond_the_scan_is_shown_in_its_last_slice():
    assert NodulePicture().choose(*chest(nodules=[((20, 10, 33), 12.0)])) == ([29], True)
