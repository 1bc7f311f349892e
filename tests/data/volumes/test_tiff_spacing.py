# SPDX-License-Identifier: Apache-2.0
import logging

import numpy as np
import pytest
import tifffile

from tomobundles.data.volumes import open_volume
from tomobundles.data.volumes.tiff_spacing import unit_um

_VOLUME = np.zeros((3, 8, 9), np.uint16)


def _spacing(tmp_path, **options):
    tifffile.imwrite(tmp_path / "a.tif", _VOLUME, **options)
    volume = open_volume(tmp_path / "a.tif")
    return volume.spacing_um, volume.meta["spacing_source"]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"PhysicalSizeX": 50, "PhysicalSizeY": 40, "PhysicalSizeZ": 30}, (30, 40, 50)),
        (
            {
                f"PhysicalSize{axis}{end}": value
                for axis in "XYZ"
                for end, value in (("", 0.05), ("Unit", "mm"))
            },
            (50, 50, 50),
        ),
        ({"PhysicalSizeX": 50, "PhysicalSizeY": 40}, None),
        ({}, None),
    ],
)
def test_ome(tmp_path, sizes, expected):
    spacing, source = _spacing(
        tmp_path, ome=True, photometric="minisblack", metadata={"axes": "ZYX", **sizes}
    )
    assert spacing == (None if expected is None else pytest.approx(expected))
    assert source == ("" if expected is None else "OME")


def test_imagej(tmp_path):
    options = {"imagej": True, "resolution": (1 / 2.5, 1 / 2)}
    spacing, source = _spacing(tmp_path, **options, metadata={"axes": "ZYX", "unit": "um", "spacing": 5})
    assert spacing == pytest.approx((5, 2, 2.5), rel=1e-6)
    assert source == "ImageJ"
    assert _spacing(tmp_path, **options, metadata={"axes": "ZYX", "unit": "pixel", "spacing": 5})[0] is None
    assert (
        _spacing(tmp_path, **options, metadata={"axes": "ZYX", "unit": "um"})[0] is None
    )  # pixels are not square either
    spacing, _ = _spacing(tmp_path, **options, metadata={"axes": "ZYX", "unit": "mm", "spacing": 5})
    assert spacing == pytest.approx((5000, 2000, 2500), rel=1e-6)


def test_resolution_tags_of_square_pixels(tmp_path, caplog):
    # 50 um a pixel: 200 a centimetre
    options = {"photometric": "minisblack", "metadata": None, "resolutionunit": "CENTIMETER"}
    with caplog.at_level(logging.WARNING):
        spacing, source = _spacing(tmp_path, resolution=(200, 200), **options)
    assert spacing == pytest.approx((50, 50, 50))
    assert source == "TIFF resolution, slices as pixels"
    assert "no distance of slices is stated: taken as that of pixels, 50 um" in caplog.text
    assert _spacing(tmp_path, resolution=(200, 100), **options)[0] is None


@pytest.mark.parametrize(
    ("unit", "resolution"),
    [
        ("INCH", 72),
        ("INCH", 96),
        ("INCH", 300),
        ("CENTIMETER", 28.346),  # 72 an inch
        ("CENTIMETER", 1),
        ("INCH", 1),
        ("NONE", 200),
    ],
)
def test_what_screens_and_printers_write_is_no_voxel_size(tmp_path, unit, resolution):
    options = {"photometric": "minisblack", "metadata": None, "resolutionunit": unit}
    assert _spacing(tmp_path, resolution=(resolution, resolution), **options) == (None, "")


def test_a_stack_takes_its_first_slices_and_an_argument_wins(tmp_path):
    for index in range(2):
        tifffile.imwrite(
            tmp_path / f"{index}.tif", _VOLUME[0], resolution=(200, 200), resolutionunit="CENTIMETER"
        )
    assert open_volume(tmp_path).spacing_um == pytest.approx((50, 50, 50))
    volume = open_volume(tmp_path, spacing_um=25)
    assert volume.spacing_um == (25, 25, 25)
    assert volume.meta["spacing_source"] == "argument"


def test_broken_descriptions_state_nothing():
    from tomobundles.data.volumes import tiff_spacing

    class Tags(dict):
        def valueof(self, name, default=None):
            return self.get(name, default)

    class Broken:
        is_ome, ome_metadata = True, "<OME"
        is_imagej = False
        pages = type("Pages", (), {"first": type("Page", (), {"tags": Tags(XResolution=(0, 1))})})

    assert tiff_spacing.tiff_spacing(Broken, "a.tif") == (None, "")
    Broken.ome_metadata = "<OME></OME>"
    assert tiff_spacing.tiff_spacing(Broken, "a.tif") == (None, "")


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("um", 1), ("\u00b5m", 1), ("\u03bcm", 1), ("\\u00B5m", 1), ("Micron", 1), ("micrometer", 1),
        ("mm", 1e3), ("\u00c5", 1e-4), ("inch", 25_400), ("pixel", None), (None, None),
    ],
)  # fmt: skip
def test_units(name, size):
    assert unit_um(name) == size
