# SPDX-License-Identifier: Apache-2.0
import errno

import numpy as np
import pytest
import tifffile

from tomobundles.data.volumes import ArrayVolume
from tomobundles.data.volumes.write_tiff import write_tiff_file, write_tiff_stack
from tomobundles.utils import InputError

from .writer_cases import SPACING, check_full_disk, mask_array, mask_volume, probability_volume, thin_slabs


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_stack_has_the_inputs_names(tmp_path, monkeypatch):
    thin_slabs(monkeypatch)
    files = [f"{number:04d}.tif" for number in range(496, 501)]
    folder = write_tiff_stack(mask_volume(slice_files=files), tmp_path / "out")
    assert folder == tmp_path / "out"
    assert names(folder) == files
    read = np.stack([tifffile.imread(folder / file) for file in files])
    assert read.dtype == np.uint8
    assert np.array_equal(read, mask_array() * 255)


def test_slices_are_deflated_and_know_their_pixel_size(tmp_path):
    folder = write_tiff_stack(mask_volume(), tmp_path / "out")
    with tifffile.TiffFile(folder / "0000.tif") as tiff:
        page = tiff.pages[0]
        assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert page.photometric == tifffile.PHOTOMETRIC.MINISBLACK
        assert page.tags["ResolutionUnit"].value == tifffile.RESUNIT.CENTIMETER
        across, down = (np.divide(*page.tags[tag].value) for tag in ("XResolution", "YResolution"))
    assert across == pytest.approx(200)  # 50 um
    assert down == pytest.approx(10000 / 50.5)


def test_without_names_slices_are_numbered(tmp_path):
    folder = write_tiff_stack(mask_volume(spacing_um=None), tmp_path / "out", value=1)
    assert names(folder) == [f"{index:04d}.tif" for index in range(5)]
    assert tifffile.imread(folder / "0003.tif").max() == 1
    with tifffile.TiffFile(folder / "0000.tif") as tiff:
        assert tiff.pages[0].tags["ResolutionUnit"].value == tifffile.RESUNIT.NONE


def test_images_of_other_formats_become_tiff(tmp_path):
    mask = mask_volume((3, 2, 2), slice_files=["a.png", "b.TIFF", "c.d.jpg"])
    assert names(write_tiff_stack(mask, tmp_path / "out")) == ["a.tif", "b.TIFF", "c.d.tif"]


def test_names_given_and_names_of_another_volume(tmp_path):
    mask = mask_volume((2, 2, 2), slice_files=["a.tif", "b.tif"])
    assert names(write_tiff_stack(mask, tmp_path / "1", names=["x.tif", "y.tif"])) == ["x.tif", "y.tif"]
    like = ArrayVolume(np.zeros((2, 2, 2)), meta={"slice_files": ["u.tif", "v.tif"]})
    assert names(write_tiff_stack(mask, tmp_path / "2", like=like)) == ["u.tif", "v.tif"]


def test_probabilities_are_16_bit(tmp_path):
    volume = probability_volume((2, 3, 4))
    folder = write_tiff_stack(volume, tmp_path / "out")
    read = np.stack([tifffile.imread(folder / file) for file in names(folder)])
    assert read.dtype == np.uint16
    assert np.abs(read / 65535 - volume.array).max() <= 0.5 / 65535 + 1e-7


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["a.tif"], "1 file names for 2 slices"),
        (["a.png", "a.jpg"], "2 slices would be called a.tif"),
        (["a.tif", "../b.tif"], "'../b.tif' is no file name"),
    ],
)
def test_bad_names(tmp_path, files, message):
    with pytest.raises(InputError, match=message):
        write_tiff_stack(mask_volume((2, 2, 2)), tmp_path / "out", names=files)
    assert names(tmp_path) == []


def test_stack_on_a_full_disk(tmp_path, monkeypatch):
    thin_slabs(monkeypatch)
    check_full_disk(write_tiff_stack, tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "older.tif").write_text("x")
    check_full_disk(write_tiff_stack, tmp_path / "out")
    assert names(tmp_path / "out") == ["older.tif"]


def test_disk_that_fills_while_a_slice_is_written(tmp_path, monkeypatch):
    imwrite, written = tifffile.imwrite, []

    def full(path, *args, **kwargs):
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        imwrite(path, *args, **kwargs)

    monkeypatch.setattr("tomobundles.data.volumes.write_tiff.tifffile.imwrite", full)
    with pytest.raises(InputError, match=r"no space left on the disk; writing this takes up to 0\.0 MB"):
        write_tiff_stack(mask_volume(), tmp_path / "out")
    assert len(written) == 3
    assert names(tmp_path) == []


@pytest.mark.parametrize("shape", [(5, 7, 6), (1, 4, 5), (3, 1, 1)])
def test_one_file(tmp_path, monkeypatch, shape):
    thin_slabs(monkeypatch)
    path = write_tiff_file(mask_volume(shape), tmp_path / "new" / "mask.tif")
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_bigtiff
        assert tiff.is_ome
        assert len(tiff.pages) == shape[0]
        read = tiff.asarray()
        assert {page.compression for page in tiff.pages} == {tifffile.COMPRESSION.ADOBE_DEFLATE}
    assert np.array_equal(read.reshape(shape), mask_array(shape) * 255)


def test_one_file_knows_its_voxel_size(tmp_path):
    path = write_tiff_file(mask_volume(), tmp_path / "mask.tif")
    with tifffile.TiffFile(path) as tiff:
        pixels = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
    assert tuple(pixels[f"PhysicalSize{axis}"] for axis in "ZYX") == SPACING
    assert {pixels[f"PhysicalSize{axis}Unit"] for axis in "ZYX"} == {"µm"}
    assert [pixels[f"Size{axis}"] for axis in "ZYX"] == [5, 7, 6]


def test_one_file_without_a_voxel_size(tmp_path):
    path = write_tiff_file(mask_volume(spacing_um=None), tmp_path / "mask.tif")
    with tifffile.TiffFile(path) as tiff:
        assert "PhysicalSize" not in tiff.ome_metadata


def test_one_file_of_probabilities(tmp_path):
    volume = probability_volume()
    read = tifffile.imread(write_tiff_file(volume, tmp_path / "p.tif"))
    assert read.dtype == np.uint16
    assert np.abs(read / 65535 - volume.array).max() <= 0.5 / 65535 + 1e-7


def test_one_file_on_a_full_disk(tmp_path, monkeypatch):
    thin_slabs(monkeypatch)
    check_full_disk(write_tiff_file, tmp_path / "mask.tif")
    (tmp_path / "mask.tif").write_text("older")
    check_full_disk(write_tiff_file, tmp_path / "mask.tif")
    assert (tmp_path / "mask.tif").read_text() == "older"
