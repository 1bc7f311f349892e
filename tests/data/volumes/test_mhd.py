# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.volumes import open_volume
from tomobundles.data.volumes.flat import FlatVolume
from tomobundles.data.volumes.packed import PackedVolume
from tomobundles.utils import InputError

_ARRAY = np.random.default_rng(0).integers(0, 65_536, (4, 5, 6), dtype=np.uint16)
_BOX = (slice(1, 3), slice(2, 5), slice(0, 1))
_FIELDS = {
    "ObjectType": "Image",
    "NDims": 3,
    "DimSize": "6 5 4",
    "ElementSpacing": "0.06 0.05 0.03",
    "ElementType": "MET_USHORT",
    "ElementDataFile": "a.raw",
}


def _write(tmp_path, data=None, **fields):
    (tmp_path / "a.raw").write_bytes(_ARRAY.tobytes() if data is None else data)
    merged = {**_FIELDS, **fields}
    merged["ElementDataFile"] = merged.pop("ElementDataFile")  # the last
    lines = [f"{key} = {value}\n" for key, value in merged.items() if value is not None]
    (tmp_path / "a.mhd").write_text("".join(lines))
    return tmp_path / "a.mhd"


@pytest.mark.parametrize("big", [None, "ElementByteOrderMSB", "BinaryDataByteOrderMSB"])
def test_sixteen_bits_come_back_exactly(tmp_path, big):
    path = _write(
        tmp_path, _ARRAY.astype(">u2" if big else "<u2").tobytes(), **({big: "True"} if big else {})
    )
    volume = open_volume(path)
    assert isinstance(volume, FlatVolume)
    assert (volume.shape, volume.dtype) == ((4, 5, 6), np.uint16)
    assert volume.spacing_um == pytest.approx((30, 50, 60))
    assert volume.meta["form"] == "mhd"
    assert volume.path == str(path)
    np.testing.assert_array_equal(volume.read_all(), _ARRAY)
    np.testing.assert_array_equal(volume.read(_BOX), _ARRAY[_BOX])


@pytest.mark.parametrize("name", ["a.mha", "a.mhd"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.int64])
def test_what_itk_writes(tmp_path, name, compressed, dtype):
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.GetImageFromArray(_ARRAY.astype(dtype))
    image.SetSpacing((0.06, 0.05, 0.03))
    sitk.WriteImage(image, str(tmp_path / name), useCompression=compressed)
    volume = open_volume(tmp_path / name)
    assert isinstance(volume, PackedVolume if compressed else FlatVolume)
    assert volume.dtype == dtype
    assert volume.spacing_um == pytest.approx((30, 50, 60))
    np.testing.assert_array_equal(volume.read_all(), _ARRAY.astype(dtype))


def test_bytes_before_the_voxels(tmp_path):
    data = b"12345678" + _ARRAY.tobytes()
    for skip in (8, -1):
        np.testing.assert_array_equal(open_volume(_write(tmp_path, data, HeaderSize=skip)).read_all(), _ARRAY)


def test_two_axes_and_axes_of_one(tmp_path):
    flat = open_volume(_write(tmp_path, NDims=2, DimSize="6 5", ElementSpacing="0.06 0.05"))
    np.testing.assert_array_equal(flat.read_all(), _ARRAY[:1])
    assert flat.spacing_um is None  # of slices it says nothing
    assert open_volume(_write(tmp_path, NDims=4, DimSize="6 5 4 1")).shape == (4, 5, 6)
    assert open_volume(_write(tmp_path, ElementSpacing=None)).spacing_um is None
    assert open_volume(_write(tmp_path, ElementSpacing=None), spacing_um=7).spacing_um == (7, 7, 7)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ElementNumberOfChannels": 3}, "3 channels where one gray volume"),
        ({"DimSize": "6 5 4 2"}, "DimSize 6 5 4 2"),
        ({"DimSize": "6 0 4"}, "DimSize 6 0 4"),
        ({"DimSize": "six"}, "dimsize = six"),
        ({"HeaderSize": "x"}, "headersize = x"),
        ({"ElementType": "MET_USHORT_ARRAY"}, "ElementType MET_USHORT_ARRAY"),
        ({"ElementType": None}, "ElementType ABSENT"),
        ({"BinaryData": "False"}, "voxels written as text"),
        ({"ElementDataFile": "LIST"}, "slices in many files"),
        ({"ElementDataFile": "a%03d.raw 1 9 1"}, "slices in many files"),
        ({"ElementDataFile": "b.raw"}, r"data file b\.raw is missing"),
        ({"DimSize": "6 5 5"}, "truncated: 240 bytes of 300"),
        ({"ElementSpacing": "0 0 0"}, "voxel size"),
    ],
)
def test_headers_that_cannot_be_used(tmp_path, fields, words):
    with pytest.raises(InputError, match=words) as caught:
        open_volume(_write(tmp_path, **fields))
    assert str(tmp_path) in str(caught.value) or "voxel size" in words


def test_what_is_no_metaimage(tmp_path):
    (tmp_path / "a.mhd").write_text("no header")
    with pytest.raises(InputError, match=r"(?s)a\.mhd.*no line ElementDataFile"):
        open_volume(tmp_path / "a.mhd")
    (tmp_path / "a.mhd").write_text("NDims = 3\n")
    with pytest.raises(InputError, match="no line ElementDataFile"):
        open_volume(tmp_path / "a.mhd")


def test_a_header_that_may_not_be_read(tmp_path):
    from tomobundles.data.volumes.mhd import open_mhd

    (tmp_path / "folder.mhd").mkdir()
    with pytest.raises(InputError, match=r"(?s)folder\.mhd.*cannot be read"):
        open_mhd(tmp_path / "folder.mhd")
