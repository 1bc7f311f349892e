# SPDX-License-Identifier: Apache-2.0
import logging

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tomobundles.data import LoadVolumed
from tomobundles.data.nodules import LoadNodulesd
from tomobundles.utils import InputError
from tomobundles.utils.world import RAS_TO_LPS, world_to_voxel

from .disk import SHAPE, write_mhd, write_nifti


def load(path, **item):
    return LoadNodulesd()(LoadVolumed("image")({"image": path, **item}))


def test_arrays_in_the_world(tmp_path):
    path = write_mhd(tmp_path / "a.mhd")
    label = {"nodules": [[1, 2, 3, 4]], "excluded": [[5, 6, 7, -1], [0, 0, 0, 3]]}
    found = load(path, label=label, false_positives=[[1, 1, 1, 5]])
    assert "label" not in found
    for name, expected in ({"false_positives": [[1, 1, 1, 5]]} | label).items():
        assert found[name].dtype == np.float64
        np.testing.assert_array_equal(found[name], expected)
    assert label["nodules"] == [[1, 2, 3, 4]]


def test_nothing_known(tmp_path):
    found = load(write_mhd(tmp_path / "a.mhd"), false_positives=[])
    assert [found[name].shape for name in ("nodules", "excluded", "false_positives")] == [(0, 4)] * 3
    assert "false_positives" not in load(tmp_path / "a.mhd", label=None)


def test_a_nodule_outside_the_image_is_named_by_its_row(tmp_path):
    path = write_mhd(tmp_path / "a.mhd")
    label = {"nodules": [[1, 2, 3, 4], [1, 2, 8, 4]], "excluded": []}
    with pytest.raises(InputError, match=r"nodule at \(1.0, 2.0, 8.0\) mm \(nodules\[1\]\) is outside"):
        load(path, label=label)
    with pytest.raises(InputError, match=r"\(annotations.csv, line 7\) is outside the image") as caught:
        load(path, label=label | {"source": "annotations.csv", "lines": [3, 7]})
    assert caught.value.path == str(path)


def test_an_excluded_finding_outside_the_image_is_logged(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, logger="tomobundles"):
        found = load(write_mhd(tmp_path / "a.mhd"), label={"nodules": [], "excluded": [[1, 2, 99, -1]]})
    assert "excluded finding at (1.0, 2.0, 99.0) mm (excluded[0]) is outside" in caplog.text
    assert len(found["excluded"]) == 1


def test_a_label_of_another_form(tmp_path):
    with pytest.raises(InputError, match="not a label of nodules"):
        load(write_mhd(tmp_path / "a.mhd"), label={"slices": {}})


@pytest.mark.parametrize("form", [write_mhd, write_nifti])
@pytest.mark.parametrize(
    "direction",
    [
        np.eye(3),
        np.diag([-1, -1, 1]),
        np.diag([1, 1, -1]),
        np.eye(3)[[2, 0, 1]],
        Rotation.from_euler("xyz", [10, -20, 30], degrees=True).as_matrix(),
    ],
    ids=["plain", "from the feet", "from the head", "permuted", "oblique"],
)
def test_whatever_the_direction_of_the_axes_a_nodule_is_one_voxel_of_the_image(tmp_path, form, direction):
    """A marked voxel (x 6, y 2, z 5) of anisotropic voxels is where its world point says."""
    spacing, origin = np.array([0.7, 0.8, 2.5]), np.array([-100.0, 50.0, -300.0])
    world = origin + direction @ (spacing * [6, 2, 5])
    array = np.zeros(SHAPE, np.int16)
    array[5, 2, 6] = 1000
    if form is write_mhd:
        path = write_mhd(tmp_path / "a.mhd", array, spacing=spacing, origin=origin, matrix=direction.T)
    else:
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = RAS_TO_LPS @ direction * spacing, RAS_TO_LPS @ origin
        path = write_nifti(tmp_path / "a.nii.gz", array, affine)
    found = load(path, label={"nodules": [[*world, 5]]})
    voxel = world_to_voxel(found["nodules"][:, :3], np.asarray(found["image"].affine))[0]
    np.testing.assert_allclose(voxel, [2, 6, 5], atol=1e-3)
    assert found["image"][0, *voxel.round().astype(int)] == 1000
