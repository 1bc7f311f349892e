# SPDX-License-Identifier: Apache-2.0
import logging
import pickle

import numpy as np
import pytest
import tifffile
from PIL import Image

from tomobundles.data.volumes import open_volume
from tomobundles.data.volumes.tiff_stack import TiffStack
from tomobundles.utils import InputError

_RNG = np.random.default_rng(0)
_VOLUME = _RNG.integers(0, 65_536, (5, 40, 50), dtype=np.uint16)
_BOX = (slice(1, 4), slice(3, 30), slice(10, 11))


def _write(folder, volume, *, first=0, **options):
    folder.mkdir(exist_ok=True)
    for index, pixels in enumerate(volume):
        tifffile.imwrite(folder / f"{first + index:04d}.tif", pixels, **options)
    return folder


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tile": (16, 16)},
        {"tile": (16, 32), "compression": "zlib", "predictor": True},
        {"compression": "lzw", "rowsperstrip": 7},
        {"compression": "zstd"},
        {"bigtiff": True},
        {"byteorder": ">"},
    ],
    ids=str,
)
def test_sixteen_bits_come_back_exactly(tmp_path, options):
    volume = open_volume(_write(tmp_path / "images", _VOLUME, **options))
    assert isinstance(volume, TiffStack)
    assert (volume.shape, volume.dtype, volume.spacing_um) == (_VOLUME.shape, np.uint16, None)
    np.testing.assert_array_equal(volume.read_all(), _VOLUME)
    np.testing.assert_array_equal(volume.read(_BOX), _VOLUME[_BOX])
    assert not volume.random_access
    assert volume.meta["form"] == "tiff_stack"
    assert volume.meta["slice_names"] == ["0000", "0001", "0002", "0003", "0004"]
    assert volume.meta["slice_files"][4] == "0004.tif"
    assert volume.path == str(tmp_path / "images")


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.uint32, np.int32, np.float16, np.float32])
def test_other_depths(tmp_path, dtype):
    array = _RNG.integers(0, 100, (2, 8, 9)).astype(dtype)
    volume = open_volume(_write(tmp_path, array))
    assert volume.dtype == dtype
    np.testing.assert_array_equal(volume.read_all(), array)


def test_tiled_tiff_that_itk_reads_as_eight_bit_colour(tmp_path):
    """MONAI's default for TIFF is ITK, which gives 8-bit RGBA here and says nothing."""
    file = _write(tmp_path, _VOLUME[:1], tile=(16, 16)) / "0000.tif"
    sitk = pytest.importorskip("SimpleITK")
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(file)))
    assert (theirs.dtype, theirs.shape) == (np.uint8, (40, 50, 4))
    for path in (tmp_path, file):
        np.testing.assert_array_equal(open_volume(path).read_all(), _VOLUME[:1])


def test_masks_of_one_bit_and_white_zero(tmp_path):
    mask = _RNG.random((2, 9, 13)) > 0.5
    volume = open_volume(_write(tmp_path / "bits", mask, photometric="minisblack"))
    assert volume.dtype == np.uint8
    np.testing.assert_array_equal(volume.read_all(), mask)
    inverted = _write(tmp_path / "white", ~mask, photometric="miniswhite")
    np.testing.assert_array_equal(open_volume(inverted).read_all(), mask)
    gray = _write(tmp_path / "gray", 65_535 - _VOLUME[:1], photometric="miniswhite")
    np.testing.assert_array_equal(open_volume(gray).read_all(), _VOLUME[:1])


def test_overviews_are_no_slices(tmp_path):
    with tifffile.TiffWriter(tmp_path / "1.tif") as writer:
        writer.write(_VOLUME[0])
        writer.write(_VOLUME[0, ::2, ::2], subfiletype=1)
    np.testing.assert_array_equal(open_volume(tmp_path).read_all(), _VOLUME[:1])


def test_numbers_in_names_choose_slices(tmp_path):
    folder = _write(tmp_path, _VOLUME, first=8)  # 0008..0012
    volume = open_volume(folder, slices=(9, 11))
    np.testing.assert_array_equal(volume.read_all(), _VOLUME[1:4])
    assert volume.meta["slices"] == [9, 11]
    assert volume.meta["slice_names"] == ["0009", "0010", "0011"]
    (folder / "0012.tif").unlink()
    (folder / "0009.tif").unlink()
    np.testing.assert_array_equal(open_volume(folder, slices=(10, 11)).read_all(), _VOLUME[2:4])
    with pytest.raises(InputError, match=r"slices are missing: number 9, 12, 13 of 8\.\.13"):
        open_volume(folder, slices=(8, 13))
    with pytest.raises(InputError, match=r"number 12, 13, 14, 15, 16, \.\.\. of"):
        open_volume(folder, slices=(10, 99))
    for wrong in ((5, 4), (1,), (0.5, 3)):
        with pytest.raises(InputError, match="slices"):
            open_volume(folder, slices=wrong)


def test_missing_slice(tmp_path):
    _write(tmp_path, _VOLUME)
    (tmp_path / "0002.tif").unlink()
    with pytest.raises(InputError, match=r"slices are missing: number 2 of 0\.\.4"):
        open_volume(tmp_path)


def test_slice_of_another_size_or_depth(tmp_path):
    _write(tmp_path, _VOLUME)
    tifffile.imwrite(tmp_path / "0003.tif", _VOLUME[0, :, 1:])
    with pytest.raises(InputError, match=r"(?s)0003\.tif.*40 x 49 pixels, but 0000\.tif has 40 x 50"):
        open_volume(tmp_path)
    tifffile.imwrite(tmp_path / "0003.tif", _VOLUME[0].astype(np.uint8))
    with pytest.raises(InputError, match=r"(?s)0003\.tif.*uint8, but 0000\.tif is uint16: mixed bit depths"):
        open_volume(tmp_path)


def test_a_slice_that_changes_after_opening(tmp_path):
    volume = open_volume(_write(tmp_path, _VOLUME))
    tifffile.imwrite(tmp_path / "0003.tif", _VOLUME[0, 1:])
    with pytest.raises(InputError, match=r"(?s)0003\.tif.*39 x 50"):
        volume.read_all()
    (tmp_path / "0003.tif").unlink()
    with pytest.raises(InputError, match=r"(?s)0003\.tif.*cannot be read as TIFF"):
        volume.read_all()


def _palette(path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).convert("P").save(path)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (
            lambda path: tifffile.imwrite(path, np.zeros((8, 8, 3), np.uint8), photometric="rgb"),
            "RGB TIFF where gray",
        ),
        (
            lambda path: tifffile.imwrite(path, np.zeros((3, 8, 8), np.uint16), photometric="rgb"),
            "RGB TIFF where gray",
        ),
        (_palette, "palette TIFF"),
        (
            lambda path: tifffile.imwrite(
                path, np.zeros((8, 8, 2), np.uint8), photometric="minisblack", planarconfig="contig"
            ),
            "TIFF with 2 channels",
        ),
        (lambda path: tifffile.imwrite(path, np.zeros((8, 8), np.complex64)), "complex64"),
        (
            lambda path: tifffile.imwrite(path, np.zeros((2, 8, 8), np.uint8), photometric="minisblack"),
            "2 pages in a folder of slices",
        ),
        (lambda path: path.write_bytes(b"no TIFF"), "cannot be read as TIFF"),
        (lambda path: path.write_bytes(b""), "cannot be read as TIFF"),
    ],
    ids=["rgb", "planar", "palette", "channels", "complex", "pages", "other", "empty"],
)
def test_what_is_no_gray_slice(tmp_path, write, words):
    _write(tmp_path, np.zeros((1, 8, 8), np.uint8))
    write(tmp_path / "0001.tif")
    with pytest.raises(InputError, match=rf"(?s)0001\.tif.*{words}"):
        open_volume(tmp_path)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}], ids=str)
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_truncated_slices_are_found_when_opened(tmp_path, options, kept, caplog, capfd):
    _write(tmp_path, _VOLUME, **options)
    whole = (tmp_path / "0004.tif").read_bytes()
    (tmp_path / "0004.tif").write_bytes(whole[: int(len(whole) * kept)])
    with caplog.at_level(logging.DEBUG), pytest.raises(InputError, match=r"(?s)0004\.tif.*TIFF"):
        open_volume(tmp_path)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_damaged_data_is_found_when_decoded(tmp_path):
    _write(tmp_path, _VOLUME, compression="zlib")
    file = tmp_path / "0001.tif"
    with tifffile.TiffFile(file) as tiff:
        offset = tiff.pages[0].dataoffsets[0]
    data = bytearray(file.read_bytes())
    data[offset : offset + 40] = b"\xff" * 40
    file.write_bytes(data)
    volume = open_volume(tmp_path)
    volume.read((slice(2, 3), slice(None), slice(None)))
    with pytest.raises(InputError, match=r"(?s)0001\.tif.*cannot be read as TIFF"):
        volume.read_all()


def test_parts_that_were_never_written(tmp_path):
    from tomobundles.data.volumes.tiff_pages import check_whole

    class Page:
        dataoffsets, databytecounts = (8, 0), (100, 0)

    with pytest.raises(InputError, match="never written"):
        check_whole(Page, tmp_path / "a.tif", size=1000)


def test_bits_that_no_type_holds(tmp_path):
    from tomobundles.data.volumes.tiff_pages import check_gray

    class Page:
        photometric, samplesperpixel, ndim, dtype, bitspersample = 1, 1, 2, None, 200

    with pytest.raises(InputError, match="200 bits a pixel"):
        check_gray(Page, tmp_path / "a.tif")


def test_nan_names_the_folder_and_slice(tmp_path):
    array = np.zeros((3, 4, 4), np.float32)
    array[1, 2, 3] = np.nan
    volume = open_volume(_write(tmp_path, array))
    with pytest.raises(InputError, match="NaN or infinite values, first in slice 0001"):
        volume.read_all()


def test_slabs_that_overlap_decode_nothing_twice(tmp_path, monkeypatch):
    decoded = []
    decode = TiffStack._decode
    monkeypatch.setattr(
        TiffStack, "_decode", lambda self, index: decoded.append(index) or decode(self, index)
    )
    array = np.arange(40, dtype=np.uint8)[:, None, None] + np.zeros((1, 4, 4), np.uint8)
    volume = open_volume(_write(tmp_path, array))
    for start in range(0, 36, 4):
        box = (slice(start, start + 8), slice(0, 4), slice(1, 3))
        np.testing.assert_array_equal(volume.read(box), array[box])
    assert sorted(decoded) == list(range(40))
    assert len(volume._process_state().kept) == 16


def test_no_more_slices_are_kept_than_memory_allows(tmp_path, monkeypatch):
    from tomobundles.data.volumes import sliced

    monkeypatch.setattr(sliced, "_KEPT_BYTES", 2 * 40 * 50 * 2)
    volume = open_volume(_write(tmp_path, _VOLUME))
    volume.read_all()
    assert list(volume._process_state().kept) == [3, 4]


def test_a_copy_for_another_process(tmp_path):
    volume = open_volume(_write(tmp_path, _VOLUME), spacing_um=50)
    volume.read_all()
    other = pickle.loads(pickle.dumps(volume))
    assert "_state" not in vars(other)
    np.testing.assert_array_equal(other.read(_BOX), _VOLUME[_BOX])
    volume._process_state().pid = -1  # as after a fork
    np.testing.assert_array_equal(volume.read(_BOX), _VOLUME[_BOX])
    assert len(volume._process_state().kept) == 3


def test_the_contests_own_tiff(real_data, tmp_path):
    file = real_data / "kidney" / "format_sample_test_slice_0000.tif"
    (tmp_path / "0000.tif").symlink_to(file)
    volume = open_volume(tmp_path)
    assert (volume.shape, volume.dtype, volume.spacing_um) == ((1, 1303, 912), np.uint16, None)
    pixels = volume.read_all()[0]
    # one uncompressed strip: 2,376,672 bytes from byte 208
    np.testing.assert_array_equal(pixels, np.fromfile(file, "<u2", offset=208).reshape(1303, 912))
    assert pixels.max() > 255
    tiled = tmp_path / "tiled"
    np.testing.assert_array_equal(
        open_volume(_write(tiled, pixels[None], tile=(256, 256), compression="zlib")).read_all()[0], pixels
    )
    np.testing.assert_array_equal(open_volume(file).read_all()[0], pixels)
