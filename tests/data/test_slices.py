# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import tifffile
from PIL import Image

from tomobundles.data.slices import list_slices, read_slice, read_slices, slice_number
from tomobundles.utils import InputError


def _save(path, pixels):
    Image.fromarray(pixels).save(path)
    return path


def test_slices_follow_their_numbers_not_their_letters(tmp_path):
    for number in (10, 9, 2, 1, 3, 4, 5, 6, 7, 8):
        _save(tmp_path / f"slice_{number}.png", np.full((2, 3), number, np.uint8))
    files = list_slices(tmp_path)
    assert [slice_number(file) for file in files] == list(range(1, 11))
    assert read_slices(files)[:, 0, 0].tolist() == list(range(1, 11))


def test_zero_padding_and_unnumbered_names(tmp_path):
    for name in ("b.png", "a.png"):
        _save(tmp_path / name, np.zeros((2, 2), np.uint8))
    assert [file.name for file in list_slices(tmp_path)] == ["a.png", "b.png"]
    assert slice_number("img_007.png") == 7
    assert slice_number("OD.png") is None


@pytest.mark.parametrize("suffix", [".bmp", ".png", ".tif"])
def test_eight_bits_come_back_exactly(tmp_path, suffix):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)
    np.testing.assert_array_equal(read_slice(_save(tmp_path / f"1{suffix}", pixels)), pixels)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_kept(tmp_path, suffix):
    pixels = np.array([[0, 300], [40_000, 65_535]], dtype=np.uint16)
    stored = read_slice(_save(tmp_path / f"1{suffix}", pixels))
    assert stored.dtype == np.uint16
    np.testing.assert_array_equal(stored, pixels)


def test_tiled_sixteen_bit_tiff_is_kept(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 65_536, (40, 50), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "1.tif", pixels, tile=(16, 16), compression="zlib")
    np.testing.assert_array_equal(read_slice(tmp_path / "1.tif"), pixels)


def test_bilevel_masks_and_gray_stored_as_colour(tmp_path):
    mask = np.array([[True, False], [False, True]])
    assert read_slice(_save(tmp_path / "1.png", mask)).tolist() == [[1, 0], [0, 1]]
    gray = np.repeat(np.array([[7, 8], [9, 10]], np.uint8)[..., None], 3, axis=2)
    assert read_slice(_save(tmp_path / "2.png", gray)).tolist() == [[7, 8], [9, 10]]


def test_colour_is_refused(tmp_path):
    colour = np.zeros((32, 32, 3), np.uint8)
    colour[:16, :16] = (255, 0, 0)
    for name in ("1.png", "2.tif", "3.jpg"):
        with pytest.raises(InputError, match=rf"(?s){name}.*colour image where gray"):
            read_slice(_save(tmp_path / name, colour))


def test_gray_jpeg_with_chroma_noise_is_gray(tmp_path):
    gray = np.random.default_rng(0).integers(40, 200, (16, 16), dtype=np.uint8)
    noisy = np.stack([gray, gray, gray + 9], axis=-1)
    stored = read_slice(_save(tmp_path / "1.jpg", noisy))
    assert stored.shape == (16, 16)
    assert stored.dtype == np.uint8
    # the same pixels without compression are colour that somebody meant
    with pytest.raises(InputError, match="colour"):
        read_slice(_save(tmp_path / "2.png", noisy))


def test_missing_slice_number(tmp_path):
    for number in (1, 2, 5):
        _save(tmp_path / f"{number}.bmp", np.zeros((2, 2), np.uint8))
    with pytest.raises(InputError, match=r"number 3, 4 of 1\.\.5"):
        list_slices(tmp_path)
    assert len(list_slices(tmp_path, allow_gaps=True)) == 3


def test_number_twice(tmp_path):
    for name in ("a_1.png", "b_1.png"):
        _save(tmp_path / name, np.zeros((2, 2), np.uint8))
    with pytest.raises(InputError, match="slice number 1 occurs more than once"):
        list_slices(tmp_path)


def test_two_formats_in_one_folder(tmp_path):
    for name in ("1.png", "2.bmp"):
        _save(tmp_path / name, np.zeros((2, 2), np.uint8))
    with pytest.raises(InputError, match="several formats"):
        list_slices(tmp_path)


def test_folder_without_slices_or_absent(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="no slice image"):
        list_slices(tmp_path)
    with pytest.raises(InputError, match=r"(?s)absent.*cannot list"):
        list_slices(tmp_path / "absent")


def test_slices_of_other_size_or_depth(tmp_path):
    first = _save(tmp_path / "1.png", np.zeros((4, 5), np.uint8))
    other = _save(tmp_path / "2.png", np.zeros((4, 6), np.uint8))
    with pytest.raises(InputError, match=r"(?s)2\.png.*4 x 6 uint8, but 1\.png is 4 x 5"):
        read_slices([first, other])
    deep = _save(tmp_path / "3.png", np.zeros((4, 5), np.uint16))
    with pytest.raises(InputError, match="uint16"):
        read_slices([first, deep])


@pytest.mark.parametrize("suffix", [".bmp", ".png", ".jpg", ".tif"])
def test_truncated_images_are_named(tmp_path, suffix):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    whole = _save(tmp_path / f"1{suffix}", pixels).read_bytes()
    broken = tmp_path / f"2{suffix}"
    broken.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=rf"(?s)2\{suffix}.*cannot be read as an image"):
        read_slice(broken)


def test_pages_and_odd_shapes(tmp_path):
    tifffile.imwrite(tmp_path / "1.tif", np.zeros((3, 8, 8), np.uint16), photometric="minisblack")
    with pytest.raises(InputError, match="3 pages"):
        read_slice(tmp_path / "1.tif")
    tifffile.imwrite(tmp_path / "2.tif", np.zeros((8, 8, 2), np.uint8), planarconfig="contig")
    with pytest.raises(InputError, match="shape"):
        read_slice(tmp_path / "2.tif")
