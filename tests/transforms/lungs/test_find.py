# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest

from tomobundles.transforms.lungs import find_lungs
from tomobundles.transforms.lungs.find import body_box
from tomobundles.utils import InputError

from .chests import affine_of, as_stored, dice, on_grid, simple_chest


def _find(hu, **options):
    return find_lungs(as_stored(hu), affine_of(), **options)


def test_lungs_on_their_own_grid():
    hu, lungs = simple_chest()
    found = _find(hu)
    assert found.labels.dtype == np.uint8
    np.testing.assert_array_equal(np.where(found.labels == 3, 0, found.labels), as_stored(lungs))
    np.testing.assert_allclose(found.affine, affine_of())
    assert found.quality["method"] == "ladder"
    assert found.quality["seconds"] >= 0
    json.dumps(found.quality)


def test_one_lung_only_is_kept_with_a_warning():
    hu, lungs = simple_chest(lungs_hu=(-850, 40))
    found = _find(hu)
    assert found.quality["volumes_ml"]["left"] == 0
    assert any("No left lung" in warning for warning in found.quality["warnings"])
    assert dice(found.labels == 1, as_stored(lungs == 1)) > 0.99


def test_an_implausible_mask_gives_the_body_box():
    hu, lungs = simple_chest(lungs_hu=(40, 40))
    hu[28:34, 50:80, 40:65] = -850  # 72 ml in a scan of 240 mm: no lungs
    found = _find(hu)
    assert found.quality["method"] == "body box"
    assert (found.labels[as_stored(lungs > 0)] > 0).all()
    assert found.labels[0, 0, 0] == 0


@pytest.mark.parametrize("number", [1, 3])
def test_a_few_slices(number):
    hu, lungs = simple_chest()
    found = find_lungs(as_stored(hu[30 : 30 + number]), affine_of())
    assert dice(found.labels == 1, as_stored(lungs[30 : 30 + number] == 1)) > 0.99
    assert any("covers only" in warning for warning in found.quality["warnings"])


def test_a_crop_of_one_lung_is_searched_whole():
    hu, lungs = simple_chest()
    crop = np.s_[:, 20:110, 10:95]
    affine = affine_of()
    affine[:3, 3] += affine[:3, :3] @ [20, 10, 0]
    found = find_lungs(as_stored(hu[crop]), affine)
    assert found.quality["method"] == "body box"
    assert (found.labels > 0).all()
    assert dice(found.labels == 1, as_stored(lungs[crop] == 1)) > 0.95  # world x tells the side


def test_a_crop_within_a_lung_does_not_fail():
    found = find_lungs(np.full((51, 51, 51), -850, np.int16), np.diag([1.0, 1, 1, 1]))
    assert (found.labels == 3).all()
    assert found.quality["method"] == "body box"


def test_modes_without_a_search():
    hu, _ = simple_chest()
    assert (_find(hu, mode="none").labels == 3).all()
    assert _find(hu, mode="none").quality["method"] == "whole image"
    body = _find(hu, mode="body").labels
    rows, columns, slices = np.nonzero(body == 3)
    # an ellipse of 55 x 78 voxels around (65, 85), whose tips are thinner than three voxels
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (11, 119, 8, 162)
    assert slices.max() == 59


def test_the_box_of_no_body_is_the_whole_image():
    assert (body_box(np.zeros((2, 3, 4), bool)) == 3).all()


@pytest.mark.parametrize("kind", ["soft", "gas", "air"])
def test_no_lung_in_the_field_of_view(kind):
    hu, _ = simple_chest(lungs_hu=(40, 40))
    if kind == "gas":
        hu[10:20, 55:75, 70:90] = -1000
    if kind == "air":
        hu[:] = -1000
    with pytest.raises(InputError, match="no lung in the field of view") as caught:
        _find(hu)
    assert "lung mask mode" in caught.value.remedy


def test_the_direction_in_which_a_scan_is_stored_does_not_matter():
    hu, _ = simple_chest(lungs_hu=(-850, -450), scale=(1, 0.8))
    wanted = _find(hu)
    stored = as_stored(hu)[::-1, :, ::-1].transpose(2, 0, 1)
    flip = np.diag([-1.0, 1, -1, 1])
    flip[[0, 2], 3] = stored.shape[1] - 1, stored.shape[0] - 1
    affine = (affine_of() @ flip)[:, [2, 0, 1, 3]]
    found = find_lungs(stored, affine)
    np.testing.assert_array_equal(found.labels, wanted.labels)
    np.testing.assert_allclose(found.affine, wanted.affine)


def test_an_oblique_scan_keeps_its_affine():
    hu, lungs = simple_chest()
    angle = np.deg2rad(12)
    tilt = np.eye(4)
    tilt[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    found = find_lungs(as_stored(hu), tilt @ affine_of())
    back = on_grid(found.labels, found.affine, as_stored(hu).shape, tilt @ affine_of())
    assert dice(back == 2, as_stored(lungs) == 2) > 0.99


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"mode": "lungs"}, "mode 'lungs'"),
        ({"ladder": ()}, "ladder"),
        ({"ladder": (-600, 10)}, "ladder"),
        ({"margin_mm": -1}, "margin of -1"),
        ({"margin_mm": float("nan")}, "margin of nan"),
    ],
)
def test_refuses_options(options, text):
    with pytest.raises(InputError, match=text):
        _find(simple_chest()[0], **options)
