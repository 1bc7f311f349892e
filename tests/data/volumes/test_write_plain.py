# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.volumes import ArrayVolume
from tomobundles.data.volumes.write_plain import write_mha, write_npy
from tomobundles.utils import InputError

from .writer_cases import check_full_disk, mask_array, mask_volume, probability_volume, thin_slabs

HEADER = """ObjectType = Image
NDims = {dimensions}
Comment = a patient
TransformMatrix = 0 1 0 1 0 0 0 0 -1
offset = 1 2 3
AnatomicalOrientation = RAI
ElementSpacing = 0.05 0.06 0.07
DimSize = 6 7 5
ElementType = MET_SHORT
ElementDataFile = source.raw
"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.mhd"
    path.write_text(HEADER.format(dimensions=3))
    return path


def read_mha(path):
    head, _, rest = path.read_bytes().partition(b"ElementDataFile = LOCAL\n")
    fields = dict(line.split(" = ") for line in head.decode().splitlines())
    dtype = {"MET_UCHAR": np.uint8, "MET_FLOAT": "<f4"}[fields["ElementType"]]
    sizes = [int(size) for size in fields["DimSize"].split()]
    return fields, np.frombuffer(rest, dtype).reshape(sizes[::-1])


def test_npy(tmp_path, monkeypatch):
    thin_slabs(monkeypatch)
    read = np.load(write_npy(mask_volume(), tmp_path / "new" / "mask.npy"), allow_pickle=False)
    assert read.dtype == np.uint8
    assert np.array_equal(read, mask_array())


@pytest.mark.parametrize("axes", ["XYZ", "YXZ", "ZXY"])
def test_npy_in_another_order(tmp_path, axes, monkeypatch):
    thin_slabs(monkeypatch)
    path = write_npy(mask_volume(axes=axes), tmp_path / "mask.npy", value=255)
    read = np.load(path, allow_pickle=False)
    assert np.array_equal(read, np.einsum(f"zyx->{axes.lower()}", mask_array() * 255))


def test_npy_of_probabilities(tmp_path):
    volume = probability_volume()
    read = np.load(write_npy(volume, tmp_path / "p.npy"), allow_pickle=False)
    assert read.dtype == np.float32
    assert np.array_equal(read, volume.array)


def test_mha_keeps_the_geometry_of_its_source(tmp_path, source, monkeypatch):
    thin_slabs(monkeypatch)
    mask = mask_volume(form="mhd", path=str(source))
    fields, read = read_mha(write_mha(mask, tmp_path / "mask.mha"))
    assert np.array_equal(read, mask_array())
    assert fields["TransformMatrix"] == "0 1 0 1 0 0 0 0 -1"
    assert fields["Offset"] == "1 2 3"
    assert fields["AnatomicalOrientation"] == "RAI"
    assert fields["ElementSpacing"] == "0.05 0.06 0.07"
    assert fields["DimSize"] == "6 7 5"
    assert "Comment" not in fields


def test_mha_of_some_slices_begins_at_the_first_of_them(tmp_path, source):
    mask = mask_volume((3, 7, 6), form="mhd", path=str(source), slices=[2, 4])
    fields, _ = read_mha(write_mha(mask, tmp_path / "mask.mha"))
    start = [float(value) for value in fields["Offset"].split()]
    assert start == pytest.approx([1, 2, 3 - 2 * 0.07])  # slices run against the third world axis


def test_mha_of_a_source_without_an_origin(tmp_path):
    path = tmp_path / "source.mha"
    path.write_text("NDims = 3\nElementSize = 1 1 2\nElementDataFile = LOCAL\n")
    mask = mask_volume((3, 7, 6), form="mhd", path=str(path), slices=[4, 6])
    fields, _ = read_mha(write_mha(mask, tmp_path / "mask.mha"))
    assert fields["Offset"] == "0 0 8"


def test_mha_of_a_source_with_other_axes(tmp_path, source):
    source.write_text(HEADER.format(dimensions=4))
    fields, _ = read_mha(write_mha(mask_volume(form="mhd", path=str(source)), tmp_path / "mask.mha"))
    assert "Offset" not in fields
    assert [float(value) for value in fields["ElementSpacing"].split()] == [0.05, 0.0505, 0.063]


def test_mha_of_other_volumes(tmp_path):
    fields, read = read_mha(write_mha(probability_volume(spacing_um=None), tmp_path / "p.mha"))
    assert fields["ElementSpacing"] == "1 1 1"
    assert np.array_equal(read, probability_volume().array)


def test_mha_is_read_by_simpleitk(tmp_path, source):
    sitk = pytest.importorskip("SimpleITK")
    path = write_mha(mask_volume(form="mhd", path=str(source)), tmp_path / "mask.mha", value=255)
    image = sitk.ReadImage(str(path))
    assert np.array_equal(sitk.GetArrayFromImage(image), mask_array() * 255)
    assert image.GetOrigin() == (1, 2, 3)
    assert image.GetSpacing() == pytest.approx((0.05, 0.06, 0.07))


def test_source_that_is_gone(tmp_path):
    mask = ArrayVolume(mask_array(), meta={"form": "mhd", "path": str(tmp_path / "gone.mhd")})
    with pytest.raises(InputError, match=r"gone\.mhd\nits header cannot be read: No such file"):
        write_mha(mask, tmp_path / "mask.mha")


@pytest.mark.parametrize(("write", "name"), [(write_npy, "mask.npy"), (write_mha, "mask.mha")])
def test_full_disk(tmp_path, write, name, monkeypatch):
    thin_slabs(monkeypatch)
    check_full_disk(write, tmp_path / name)
