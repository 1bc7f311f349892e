# SPDX-License-Identifier: Apache-2.0
import nibabel as nib
import numpy as np
import pytest

from tomobundles.data.readers import read_volume
from tomobundles.data.study_maps import upsample_levels, write_heat_maps
from tomobundles.utils import InputError

from .study_results import AFFINE, SHAPE, make_study, probabilities


def test_only_classes_that_are_called_get_a_map(tmp_path):
    assert [path.name for path in write_heat_maps(tmp_path, make_study())] == ["case1_SDH_heatmap.nii.gz"]
    assert [path.name for path in tmp_path.iterdir()] == ["case1_SDH_heatmap.nii.gz"]


def test_older_maps_of_other_classes_go(tmp_path):
    write_heat_maps(tmp_path, make_study())
    (tmp_path / "case1_notes.txt").touch()
    nothing = make_study(probabilities={name: values * 0 for name, values in probabilities().items()})
    assert write_heat_maps(tmp_path, nothing) == []
    assert [path.name for path in tmp_path.iterdir()] == ["case1_notes.txt"]


def test_values_lie_within_the_slice_probability(tmp_path):
    heat = nib.load(write_heat_maps(tmp_path, make_study())[0]).get_fdata()
    peaks = heat.max(axis=(0, 1))
    # The reference is the called slice 2's activation of 2: slice 0, with 8, is cut at 1, times 0.25. The
    # centre of row 6 of 12 lies 1/8 of a cell below that of row 1 of 3, where the activation is.
    np.testing.assert_allclose(peaks, np.array([0.25, 0.5 * 0.5, 0.75, 0.5 * 0.25]) * 7 / 8, atol=1 / 255)


@pytest.mark.parametrize("axes", ["XYZ", "ZYX", "YXZ"])
def test_sheared_affine_and_axes_come_back(tmp_path, axes):
    path = write_heat_maps(tmp_path, make_study(axes=axes))[0]
    array, meta = read_volume(path, axes=axes)
    assert array.shape == SHAPE
    np.testing.assert_allclose(meta["affine"], AFFINE, atol=1e-6)
    # The activation lies in the middle row and the right column of a (3, 2) grid.
    assert array[6, -1, 2] == pytest.approx(0.75 * 7 / 8, abs=1 / 255)
    assert array[6, 0, 2] == 0


def test_header(tmp_path):
    image = nib.load(write_heat_maps(tmp_path, make_study())[0])
    assert image.get_data_dtype() == np.uint8
    assert image.shape == (10, 12, 4)  # columns, rows, slices
    assert (int(image.header["sform_code"]), int(image.header["qform_code"])) == (1, 0)
    np.testing.assert_allclose(image.header.get_zooms(), (0.5, 0.5, np.hypot(1.7, 4.7)), atol=1e-6)
    assert image.header.get_xyzt_units()[0] == "mm"
    assert image.header["cal_max"] == 1


def test_unknown_geometry_is_not_called_the_scanner(tmp_path):
    image = nib.load(write_heat_maps(tmp_path, make_study(spacing=None, affine=np.eye(4)))[0])
    assert int(image.header["sform_code"]) == 2
    assert image.header.get_xyzt_units()[0] == "unknown"


def test_levels():
    heat = np.zeros((1, 1, 2), np.float32)
    heat[..., 1] = 1
    levels = upsample_levels(heat, (3, 2, 2))
    assert levels.dtype == np.uint8
    assert levels[..., 0].max() == 0
    assert levels[..., 1].min() == 255


def test_no_activation(tmp_path):
    with pytest.raises(InputError, match="study case1 has no class activation"):
        write_heat_maps(tmp_path, make_study(cam=None))
