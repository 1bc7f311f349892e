# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tomobundles.data.phantoms.metaimage import file_affine, write_metaimage
from tomobundles.data.volumes.mhd import open_mhd
from tomobundles.utils import InputError
from tomobundles.utils.world import voxel_to_world

ARRAY = np.arange(24, dtype=np.int16).reshape(2, 3, 4) - 5


def oblique():
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", (10, -20, 35), degrees=True).as_matrix() * (0.7, -0.8, 2.5)
    affine[:3, 3] = (12.5, -70.25, -300.125)
    return affine


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dtype", ["<i2", ">i2", "u1", "f4", "f8", "u4"])
def test_what_is_written_is_read_again(tmp_path, compressed, dtype):
    array = np.abs(ARRAY).astype(dtype)
    path = write_metaimage(tmp_path / "a.mhd", array, np.diag([0.5, 0.6, 2.0, 1.0]), compressed=compressed)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mhd", "a.zraw" if compressed else "a.raw"]
    volume = open_mhd(path)
    assert volume.shape == (2, 3, 4)
    np.testing.assert_allclose(volume.spacing_um, (2000, 600, 500))
    np.testing.assert_array_equal(volume.read((slice(0, 2), slice(0, 3), slice(0, 4))), array)


def test_simpleitk_gives_the_same_voxels_and_points(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    affine = oblique()
    path = write_metaimage(tmp_path / "a.mhd", ARRAY, affine)
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), ARRAY)
    for point in ((0, 0, 0), (3, 2, 1), (1.5, 0.25, 0.75)):
        expected = image.TransformContinuousIndexToPhysicalPoint(point)
        np.testing.assert_allclose(voxel_to_world(np.array([point]), affine)[0], expected, atol=1e-9)


def test_rows_and_columns_of_an_affine_change_places():
    affine = np.arange(16.0).reshape(4, 4)
    np.testing.assert_array_equal(file_affine(affine)[0], [1, 0, 2, 3])


@pytest.mark.parametrize(
    ("name", "array", "affine", "match"),
    [
        ("a.nii", ARRAY, np.eye(4), "ends in .mhd"),
        ("a.mhd", ARRAY[0], np.eye(4), r"array \(3, 4\) of int16"),
        ("a.mhd", ARRAY > 3, np.eye(4), "of bool"),
        ("a.mhd", ARRAY[:0], np.eye(4), "array"),
        ("a.mhd", ARRAY, np.eye(3), "no finite 4 x 4"),
        ("a.mhd", ARRAY, np.full((4, 4), np.nan), "no finite 4 x 4"),
        ("a.mhd", ARRAY, np.eye(4) + np.eye(4, k=1), "right angles"),
        ("a.mhd", ARRAY, np.diag([1.0, 0, 1, 1]), "right angles"),
    ],
)
def test_what_a_metaimage_cannot_hold_is_refused(tmp_path, name, array, affine, match):
    with pytest.raises(InputError, match=match):
        write_metaimage(tmp_path / name, array, affine)
    assert not list(tmp_path.iterdir())
