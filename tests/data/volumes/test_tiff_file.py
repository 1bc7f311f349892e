# SPDX-License-Identifier: Apache-2.0
import logging
import pickle
import re

import numpy as np
import pytest
import tifffile

from tomobundles.data.volumes import open_volume
from tomobundles.data.volumes.flat import FlatVolume
from tomobundles.data.volumes.tiff_file import TiffPages, open_tiff
from tomobundles.utils import InputError

_RNG = np.random.default_rng(0)
_VOLUME = _RNG.integers(0, 65_536, (5, 40, 50), dtype=np.uint16)
_BOX = (slice(1, 4), slice(3, 30), slice(10, 11))
_GRAY = {"photometric": "minisblack"}


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, FlatVolume),
        ({"metadata": None}, FlatVolume),
        ({"byteorder": ">"}, FlatVolume),
        ({"bigtiff": True}, FlatVolume),
        ({"imagej": True, "metadata": {"axes": "ZYX"}}, FlatVolume),
        ({"ome": True, "metadata": {"axes": "ZYX"}}, FlatVolume),
        ({"tile": (16, 16)}, TiffPages),
        ({"tile": (16, 16), "compression": "zlib", "predictor": True, "bigtiff": True}, TiffPages),
        ({"compression": "lzw"}, TiffPages),
        ({"ome": True, "compression": "zlib", "metadata": {"axes": "ZYX"}}, TiffPages),
        ({"ome": True, "compression": "zlib", "metadata": {"axes": "TCZYX"}}, TiffPages),
    ],
    ids=str,
)
def test_sixteen_bits_come_back_exactly(tmp_path, options, kind):
    array = _VOLUME[None, None] if (options.get("metadata") or {}).get("axes") == "TCZYX" else _VOLUME
    tifffile.imwrite(tmp_path / "a.tif", array, **({} if options.get("imagej") else _GRAY) | options)
    volume = open_volume(tmp_path / "a.tif")
    assert isinstance(volume, kind)
    assert volume.random_access == (kind is FlatVolume)
    assert (volume.shape, volume.dtype, volume.spacing_um) == (_VOLUME.shape, np.uint16, None)
    assert volume.meta["form"] == "tiff"
    assert volume.meta["slice_names"] == ["0", "1", "2", "3", "4"]
    np.testing.assert_array_equal(volume.read_all(), _VOLUME)
    np.testing.assert_array_equal(volume.read(_BOX), _VOLUME[_BOX])
    np.testing.assert_array_equal(open_volume(tmp_path / "a.tif", slices=(2, 3)).read_all(), _VOLUME[2:4])


def test_one_page_bits_and_overviews(tmp_path):
    tifffile.imwrite(tmp_path / "one.tif", _VOLUME[0])
    assert open_volume(tmp_path / "one.tif").shape == (1, 40, 50)
    mask = _RNG.random((3, 9, 13)) > 0.5
    tifffile.imwrite(tmp_path / "bits.tif", mask, **_GRAY)
    volume = open_volume(tmp_path / "bits.tif")
    assert volume.dtype == np.uint8
    np.testing.assert_array_equal(volume.read_all(), mask)
    tifffile.imwrite(tmp_path / "white.tif", 65_535 - _VOLUME, photometric="miniswhite")
    np.testing.assert_array_equal(open_volume(tmp_path / "white.tif").read_all(), _VOLUME)
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as writer:
        for pixels in _VOLUME:
            writer.write(pixels, tile=(16, 16))
        writer.write(_VOLUME[0, ::2, ::2], subfiletype=1)
    np.testing.assert_array_equal(open_volume(tmp_path / "pyramid.tif").read_all(), _VOLUME)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}], ids=str)
def test_slices_written_one_after_the_other(tmp_path, options):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for pixels in _VOLUME:  # each becomes an image of its own to tifffile
            writer.write(pixels, **options)
    np.testing.assert_array_equal(open_volume(tmp_path / "a.tif").read_all(), _VOLUME)


def test_a_slab_does_not_decode_the_file(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", _VOLUME, compression="zlib", **_GRAY)
    decoded = []
    decode = TiffPages._decode
    monkeypatch.setattr(
        TiffPages, "_decode", lambda self, index: decoded.append(index) or decode(self, index)
    )
    volume = open_tiff(tmp_path / "a.tif")
    volume.read((slice(1, 3), slice(None), slice(None)))
    volume.read((slice(2, 4), slice(None), slice(None)))
    assert decoded == [1, 2, 3]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(volume)).read_all(), _VOLUME)


@pytest.mark.parametrize(
    ("array", "options", "words"),
    [
        (np.zeros((2, 8, 8, 3), np.uint8), {"photometric": "rgb"}, "RGB TIFF"),
        (
            np.zeros((2, 3, 8, 8), np.uint16),
            {"imagej": True, "metadata": {"axes": "ZCYX"}},
            "3 channels where one gray volume",
        ),
        (
            np.zeros((4, 2, 8, 8), np.uint16),
            {"ome": True, "metadata": {"axes": "TZYX"}, **_GRAY},
            "4 time points where one gray volume",
        ),
        (np.zeros((2, 3, 8, 8), np.uint8), _GRAY, "TIFF with axes"),
        (np.zeros((8, 8), np.complex64), {}, "complex64"),
    ],
    ids=["rgb", "channels", "times", "axes", "complex"],
)
def test_what_is_no_gray_volume(tmp_path, array, options, words):
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    with pytest.raises(InputError, match=rf"(?s)a\.tif.*{words}"):
        open_volume(tmp_path / "a.tif")


@pytest.mark.parametrize("place", [1, 3])
def test_pages_of_another_size_or_depth(tmp_path, place):
    for other, words in ((_VOLUME[0, 1:], "39 x 50 uint16"), (_VOLUME[0].astype(np.uint8), "40 x 50 uint8")):
        with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
            for index, pixels in enumerate(_VOLUME):
                writer.write(other if index == place else pixels, metadata=None)
        with pytest.raises(InputError, match=rf"(?s)a\.tif.*page {place} is {words}, page 0 40 x 50 uint16"):
            open_volume(tmp_path / "a.tif")


def test_several_images(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for _ in range(2):
            writer.write(_VOLUME, compression="zlib", **_GRAY)
    with pytest.raises(InputError, match="TIFF with 2 images"):
        open_volume(tmp_path / "a.tif")


def test_ome_set_of_files(tmp_path):
    """OME may keep the planes of one image in several files: one of them is not the volume."""
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
        writer.write(_VOLUME, metadata={"axes": "ZYX"}, **_GRAY)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        text = tiff.ome_metadata
    data = '<TiffData IFD="0" PlaneCount="5"/>'
    assert data in text
    planes = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="p{z}.ome.tif">urn:uuid:{z}</UUID>'
        "</TiffData>"
        for z in range(5)
    )
    for z, pixels in enumerate(_VOLUME):
        about = re.sub('UUID="[^"]*"', f'UUID="urn:uuid:{z}"', text.replace(data, planes), count=1)
        tifffile.imwrite(tmp_path / f"p{z}.ome.tif", pixels, description=about.encode(), metadata=None)
    with pytest.raises(InputError, match="planes in other files"):
        open_volume(tmp_path / "p0.ome.tif")
    (tmp_path / "p3.ome.tif").unlink()
    with pytest.raises(InputError, match=r"(?s)p0\.ome\.tif"):
        open_volume(tmp_path / "p0.ome.tif")


@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib"}, {"imagej": True, "metadata": {"axes": "ZYX"}}], ids=str
)
def test_truncated(tmp_path, options, caplog, capfd):
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, _VOLUME, **({} if "imagej" in options else _GRAY) | options)
    whole = file.read_bytes()
    for kept in (0.99, 0.5, 0.01):
        file.write_bytes(whole[: int(len(whole) * kept)])
        with caplog.at_level(logging.DEBUG), pytest.raises(InputError, match=r"(?s)a\.tif"):
            open_volume(file)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")


def test_a_file_that_changes_after_opening(tmp_path):
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, _VOLUME, compression="zlib", **_GRAY)
    volume = open_volume(file)
    tifffile.imwrite(file, _VOLUME[:, 1:], compression="zlib", **_GRAY)
    with pytest.raises(InputError, match="page 0 has changed"):
        volume.read_all()


def test_planes_that_are_absent(tmp_path):
    from tomobundles.data.volumes.tiff_file import _check_pages

    with pytest.raises(InputError, match="1 pages of 2"):
        _check_pages([object(), None], tmp_path / "a.tif", count=2, size=0)


def test_no_page(tmp_path):
    from tomobundles.data.volumes.tiff_file import _check_alike

    with pytest.raises(InputError, match="without a page"):
        _check_alike([], tmp_path / "a.tif")
