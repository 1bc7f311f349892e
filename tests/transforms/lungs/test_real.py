# SPDX-License-Identifier: Apache-2.0
"""The lung mask on real scans; skipped where there are none."""

import numpy as np
import pytest

from tomobundles.data.load import LoadVolumed
from tomobundles.transforms.lungs import LungMaskd, find_lungs

from .chests import dice, on_grid


def _load(file):
    return LoadVolumed("image")({"image": str(file)})


def _mask_of(file):
    return _load(file)["image"][0].numpy() > 0


@pytest.mark.parametrize("name", ["C3N-00247", "PYRAD-lung1", "Lung_Dx-A0001"])
def test_chests_are_plausible(real_data, name):
    quality = LungMaskd()(_load(real_data / "lung" / "ct" / "train" / f"{name}.mhd"))["lung_quality"]
    volumes = quality["volumes_ml"]
    assert quality["method"] == "ladder"
    assert 2000 < sum(volumes.values()) < 8000
    assert volumes["left"] < volumes["right"] < 2 * volumes["left"]


def test_a_single_lung_against_its_mask(real_data):
    folder = real_data / "lung" / "ct" / "train"
    truth = _mask_of(folder / "ELASTIX-3DCT_lung_lungmask.nii.gz")
    item = LungMaskd()(_load(folder / "ELASTIX-3DCT_lung.mhd"))
    assert item["lung_quality"]["volumes_ml"]["left"] == 0
    labels = on_grid(
        item["lungs"][0].numpy(), item["lungs"].affine.numpy(), truth.shape, item["image"].affine.numpy()
    )
    assert dice(np.isin(labels, (1, 2)), truth) > 0.96


@pytest.mark.parametrize("number", [1, 2, 4])
def test_crops_are_searched_whole(real_data, number):
    folder = real_data / "lung" / "ct_noncommercial" / "train"
    item = LungMaskd()(_load(folder / f"CANDAT-pat{number}.mhd"))
    assert item["lung_quality"]["method"] == "body box"
    assert (item["lungs"] > 0).all()


def test_slices_against_their_masks(real_data):
    """Every fourth slice, 1.4 mm pixels assumed; 21, 54 and 102 have masks of what is not lung."""
    folder = real_data / "lung" / "lung2d" / "train"
    images = _load(folder / "slices_image.nii.gz")["image"][0].numpy()
    truth = _mask_of(folder / "slices_lungmask.nii.gz")
    affine = np.array([[0, -1.4, 0, 0], [-1.4, 0, 0, 0], [0, 0, 5, 0], [0, 0, 0, 1]])
    scores = []
    for index in sorted(set(range(0, 108, 4)) - {21, 54, 102}):
        hu = images[:, :, index : index + 1]
        found = find_lungs(hu, affine)
        labels = on_grid(found.labels, found.affine, hu.shape, affine)
        scores.append(dice(np.isin(labels, (1, 2)), truth[:, :, index : index + 1]))
    assert np.mean(scores) > 0.97
    assert min(scores) > 0.9
