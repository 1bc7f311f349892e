# SPDX-License-Identifier: Apache-2.0
import zlib

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tomobundles.data import LoadVolumed, read_volume
from tomobundles.data.epochs import volume_depth
from tomobundles.data.volumes.metaimage import metaimage_affine, read_metaimage
from tomobundles.data.volumes.mhd import read_mhd_header
from tomobundles.utils import InputError
from tomobundles.utils.world import voxel_to_world

from ..nodules.disk import write_mhd

ARRAY = np.random.default_rng(0).integers(-1000, 1000, (3, 4, 5)).astype(np.int16)
OBLIQUE = Rotation.from_euler("xyz", [10, 20, 30], degrees=True).as_matrix()


@pytest.mark.parametrize("packed", [False, True])
def test_rows_columns_slices_in_the_stored_type(tmp_path, packed):
    path = write_mhd(tmp_path / "a.mhd", ARRAY, spacing=(0.5, 0.6, 2.0), packed=packed)
    array, meta = read_volume(path)
    np.testing.assert_array_equal(array, ARRAY.transpose(1, 2, 0))
    assert array.dtype == np.int16
    assert np.moveaxis(array, -1, 0).flags.c_contiguous
    assert (meta["form"], meta["spacing_known"], meta["slice_names"]) == ("metaimage", True, ["0", "1", "2"])
    assert volume_depth(path) == 3
    image = LoadVolumed("image")({"image": path})["image"]
    assert image.shape == (1, 4, 5, 3)
    np.testing.assert_allclose(image.affine, meta["affine"])


def test_where_a_voxel_lies(tmp_path):
    """Row 3, column 2, slice 1: x = 10 + 2 * 0.5, y = 20 + 3 * 0.6, z = 30 + 1 * 2."""
    path = write_mhd(tmp_path / "a.mhd", ARRAY, spacing=(0.5, 0.6, 2.0), origin=(10, 20, 30))
    np.testing.assert_allclose(voxel_to_world([[3, 2, 1]], read_volume(path)[1]["affine"]), [[11, 21.8, 32]])


@pytest.mark.parametrize("name", ["Offset", "Position", "Origin"])
def test_direction_and_names_of_the_fields(tmp_path, name):
    """The second axis runs against y: three rows are 1.8 mm to the front."""
    fields = {"Offset": None, name: "10 20 30", "CenterOfRotation": "7 7 7", "TransformMatrix": None}
    fields |= {"Rotation": "1 0 0 0 -1 0 0 0 1"}
    path = write_mhd(tmp_path / "a.mhd", ARRAY, spacing=(0.5, 0.6, 2.0), **fields)
    np.testing.assert_allclose(voxel_to_world([[3, 2, 1]], read_volume(path)[1]["affine"]), [[11, 18.2, 32]])


@pytest.mark.parametrize(
    "direction",
    [np.eye(3), np.diag([-1, -1, 1]), np.eye(3)[[2, 0, 1]], -np.eye(3)[[1, 2, 0]], OBLIQUE],
    ids=["plain", "flipped", "permuted", "permuted and flipped", "oblique"],
)
@pytest.mark.parametrize("ending", [".mhd", ".mha"])
def test_as_itk_places_it(tmp_path, direction, ending):
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.GetImageFromArray(ARRAY)
    image.SetSpacing((0.5, 0.6, 2.0))
    image.SetOrigin((10, -20, 30))
    image.SetDirection(np.ravel(direction).astype(float))
    sitk.WriteImage(image, str(tmp_path / f"a{ending}"), useCompression=True)
    array, meta = read_volume(tmp_path / f"a{ending}")
    for x, y, z in ((0, 0, 0), (4, 1, 2), (1, 3, 0)):
        expected = image.TransformIndexToPhysicalPoint((x, y, z))
        np.testing.assert_allclose(voxel_to_world([[y, x, z]], meta["affine"])[0], expected, atol=1e-9)
        assert array[y, x, z] == image.GetPixel(x, y, z)


def test_itk_takes_no_notice_of_a_centre_of_rotation(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    path = write_mhd(tmp_path / "a.mhd", ARRAY, matrix=OBLIQUE.T, CenterOfRotation="5 6 7")
    expected = sitk.ReadImage(str(path)).TransformIndexToPhysicalPoint((4, 3, 2))
    found = voxel_to_world([[3, 4, 2]], metaimage_affine(read_mhd_header(path)))
    np.testing.assert_allclose(found[0], expected, atol=1e-9)


def test_a_header_of_the_voxel_size_alone(tmp_path):
    path = write_mhd(tmp_path / "a.mhd", ARRAY, spacing=(0.5, 0.6, 2.0), TransformMatrix=None, Offset=None)
    np.testing.assert_allclose(voxel_to_world([[3, 2, 1]], read_volume(path)[1]["affine"]), [[1, 1.8, 2]])


def test_big_endian_and_bytes_before_the_voxels(tmp_path):
    path = write_mhd(tmp_path / "a.mhd", ARRAY, ElementByteOrderMSB=True, HeaderSize=-1)
    (tmp_path / "a.raw").write_bytes(b"1234567" + ARRAY.astype(">i2").tobytes())
    array, affine = read_metaimage(path)
    assert array.dtype == np.dtype(np.int16)
    np.testing.assert_array_equal(array, ARRAY)
    assert affine is not None


@pytest.mark.parametrize("fields", [{"ElementSpacing": None}, {"NDims": 2, "DimSize": "5 4"}])
def test_no_voxel_size(tmp_path, fields):
    path = write_mhd(tmp_path / "a.mhd", ARRAY[:1] if "NDims" in fields else ARRAY, **fields)
    if "NDims" in fields:
        path.write_text(path.read_text().replace("ElementSpacing = 1 1 1", "ElementSpacing = 1 1"))
    _, meta = read_volume(path)
    assert not meta["spacing_known"]
    np.testing.assert_array_equal(meta["affine"], np.eye(4))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"TransformMatrix": "1 0 0 0 1 0"}, "transformmatrix = 1 0 0 0 1 0"),
        ({"TransformMatrix": "1 0 0 1 0 0 0 0 1"}, "no direction"),
        ({"Offset": "1 2 nan"}, "offset = 1 2 nan"),
        ({"Offset": "here"}, "offset = here"),
        ({"ElementSpacing": "1 -1 1"}, "no length"),
        ({"DimSize": "5 4 inf"}, "DimSize 5 4 inf"),
        ({"NDims": 4}, "DimSize 5 4 3 and NDims 4"),
    ],
)
def test_headers_that_cannot_be(tmp_path, fields, words):
    with pytest.raises(InputError, match=words):
        read_metaimage(write_mhd(tmp_path / "a.mhd", ARRAY, **fields))


def test_header_without_its_data(tmp_path):
    path = write_mhd(tmp_path / "a.mhd", ARRAY)
    (tmp_path / "a.raw").unlink()
    with pytest.raises(InputError, match=r"its data file a.raw is missing"):
        read_volume(path)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("size", "words"),
    [("5 4 4", "truncated: 120 bytes of 160"), ("5 4 2", "120 bytes where its header says 80")],
)
def test_wrong_dimensions(tmp_path, packed, size, words):
    path = write_mhd(tmp_path / "a.mhd", ARRAY, packed=packed, DimSize=size)
    with pytest.raises(InputError, match=words):
        read_volume(path)


def test_damaged_or_cut_off_stream(tmp_path):
    path = write_mhd(tmp_path / "a.mhd", ARRAY, packed=True)
    data = tmp_path / "a.zraw"
    data.write_bytes(zlib.compress(ARRAY.tobytes())[:-20])
    with pytest.raises(InputError, match="cannot be decoded"):
        read_volume(path)


def test_data_that_cannot_be_opened(tmp_path, monkeypatch):
    path = write_mhd(tmp_path / "a.mhd", ARRAY)

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(np, "fromfile", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        read_volume(path)


def test_the_scans_of_real_patients(real_data):
    sitk = pytest.importorskip("SimpleITK")
    path = real_data / "lung" / "ct" / "train" / "PYRAD-lung1.mhd"
    if not path.is_file():
        pytest.skip("the real scans here have none of the lung")
    array, meta = read_volume(path)
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(np.moveaxis(array, -1, 0), sitk.GetArrayViewFromImage(image))
    found = voxel_to_world([[7, 5, 3]], meta["affine"])[0]
    np.testing.assert_allclose(found, image.TransformIndexToPhysicalPoint((5, 7, 3)), atol=1e-6)
