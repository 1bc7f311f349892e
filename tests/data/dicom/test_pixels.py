# SPDX-License-Identifier: Apache-2.0
"""Stored pixels to Hounsfield units: decoders, slope and intercept, padding, sign."""

import numpy as np
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from tomobundles.data.dicom import read_series, resolve_series
from tomobundles.data.dicom.headers import read_header
from tomobundles.data.dicom.pixels import read_stored, to_hounsfield
from tomobundles.utils import InputError

from .builder import ct_slices, expected_hu, save, set_stored


def read(folder):
    return read_series(resolve_series(folder))


def test_one_file_step_by_step(tmp_path):
    header = read_header(save(tmp_path, ct_slices(1)) / "000.dcm")
    stored = read_stored(header)
    np.testing.assert_array_equal(stored, expected_hu(1)[..., 0] + 1024)
    hu, notes = to_hounsfield(stored, header)
    np.testing.assert_array_equal(hu, expected_hu(1)[..., 0])
    assert hu.dtype == np.int16
    assert notes == []


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_transfer_syntaxes(tmp_path, syntax):
    array, _ = read(save(tmp_path, ct_slices(3, PixelPaddingValue=0), syntax=syntax))
    np.testing.assert_array_equal(array, expected_hu(3))


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_compressed_without_loss(tmp_path, syntax):
    if syntax == JPEG2000Lossless:
        pytest.importorskip("openjpeg", reason="an encoder for JPEG 2000 comes with the extra dicom")
    datasets = ct_slices(3)
    for index, dataset in enumerate(datasets):
        set_stored(dataset, np.arange(64 * 48).reshape(64, 48) + index)
    save(tmp_path, datasets)  # file meta is needed before compression
    for dataset in datasets:
        dataset.compress(syntax)
    array, _ = read(save(tmp_path, datasets, syntax=syntax))
    np.testing.assert_array_equal(array[..., 1].ravel(), np.arange(64 * 48) + 1 - 1024)


def test_slope_and_intercept_of_each_slice(tmp_path):
    datasets = ct_slices(3)
    set_stored(datasets[0], np.arange(30).reshape(6, 5), RescaleSlope=2, RescaleIntercept=-10)
    set_stored(datasets[1], np.arange(30).reshape(6, 5), RescaleSlope="0.5", RescaleIntercept="0.25")
    array, _ = read(save(tmp_path, datasets))
    np.testing.assert_array_equal(array[..., 0].ravel(), 2 * np.arange(30) - 10)
    np.testing.assert_array_equal(array[0, :4, 1], [0, 1, 1, 2])  # 0.25, 0.75, 1.25, 1.75
    np.testing.assert_array_equal(array[..., 2], expected_hu()[..., 2])


def test_signed_values_and_clamping(tmp_path):
    datasets = ct_slices(1)
    stored = np.zeros((6, 5), int)
    stored[0] = [-2000, -1024, 40, 3071, 9000]
    set_stored(datasets[0], stored, PixelRepresentation=1, RescaleIntercept=0)
    array, _ = read(save(tmp_path, datasets))
    assert array[0, :, 0].tolist() == [-1024, -1024, 40, 3071, 3071]


@pytest.mark.parametrize("value", [-2000, 63536])  # the same 16 bits, either way of writing them
def test_padding_value(tmp_path, value):
    stored = np.full((6, 5), 40)
    stored[0] = -2000
    stored[1] = 20
    datasets = ct_slices(1)
    vr = "SS" if value < 0 else "US"
    set_stored(datasets[0], stored, PixelRepresentation=1, RescaleIntercept=1000)
    datasets[0].add_new("PixelPaddingValue", vr, value)
    array, _ = read(save(tmp_path, datasets))
    assert (array[0] == -1024).all()  # not -2000 + 1000
    assert (array[1] == 1020).all()


def test_padding_of_the_other_sign_and_range(tmp_path):
    stored = np.full((6, 5), 1064)
    stored[0], stored[1] = 65530, 65535
    datasets = ct_slices(1)
    set_stored(datasets[0], stored)
    datasets[0].add_new("PixelPaddingValue", "SS", -1)  # pixels are unsigned: 65535
    datasets[0].add_new("PixelPaddingRangeLimit", "US", 65530)
    array, _ = read(save(tmp_path, datasets))
    assert (array[:2] == -1024).all()
    assert (array[2:] == 40).all()


def test_padding_in_bits_that_are_not_stored(tmp_path):
    """-2000 in 16 bits is 63536; of its 12 lower bits 2096 is left, which would be bright."""
    stored = np.full((6, 5), 40)
    stored[0], stored[1] = 63536, 20
    datasets = ct_slices(1)
    set_stored(datasets[0], stored, BitsStored=12, HighBit=11, RescaleIntercept=0)
    datasets[0].add_new("PixelPaddingValue", "SS", -2000)
    array, _ = read(save(tmp_path, datasets))
    assert (array[0] == -1024).all()
    assert (array[1:].min(), array[1:].max()) == (20, 40)


def test_padding_that_looks_like_tissue_is_noted(tmp_path):
    _, meta = read(save(tmp_path, ct_slices(PixelPaddingValue=1024)))
    # value 0 HU occurs in slice 3 (pixel 0) and in slice... 100 s + 10 r + c = 300: only there
    assert meta["findings"] == ["PixelPaddingValue is also the value of 0 HU (1 slice)"]


def test_signed_values_declared_as_unsigned(tmp_path):
    """12 bits: -1000, -96, 0, 40, 2000 HU are stored modulo 4096."""
    hu = np.array([-1000, -96, 0, 40, 2000])
    stored = np.tile(hu % 4096, (6, 1))
    datasets = ct_slices(2)
    for dataset in datasets:
        set_stored(dataset, stored, BitsStored=12, HighBit=11, RescaleIntercept=0)
    array, meta = read(save(tmp_path, datasets))
    np.testing.assert_array_equal(array[0, :, 0], hu)
    assert meta["findings"] == ["signed values declared as unsigned; corrected (2 slices)"]


@pytest.mark.parametrize("change", [{"BitsStored": 16}, {"RescaleIntercept": -1024}, {"RescaleSlope": 2}])
def test_other_data_is_not_corrected(tmp_path, change):
    datasets = ct_slices(1)
    stored = np.tile([0, 1, 2, 3, 4000], (6, 1))
    set_stored(datasets[0], stored, **({"BitsStored": 12, "HighBit": 11, "RescaleIntercept": 0} | change))
    array, meta = read(save(tmp_path, datasets))
    assert array[0, -1, 0] == min(
        4000 * change.get("RescaleSlope", 1) + change.get("RescaleIntercept", 0), 3071
    )
    assert meta["findings"] == ["one slice only"]


def test_unsigned_values_without_negative_ones_stay(tmp_path):
    datasets = ct_slices(1)
    set_stored(
        datasets[0], np.tile([0, 1, 2, 3, 3095], (6, 1)), BitsStored=12, HighBit=11, RescaleIntercept=0
    )
    array, meta = read(save(tmp_path, datasets))
    assert array[0, :, 0].tolist() == [0, 1, 2, 3, 3071]
    assert "unsigned" not in " ".join(meta["findings"])


@pytest.mark.parametrize(
    ("value", "padding", "said"),
    [(1000, None, r"one value \(-24 HU\) everywhere"), (0, 0, "nothing but padding")],
)
def test_slice_without_content(tmp_path, value, padding, said):
    datasets = ct_slices()
    set_stored(datasets[4], np.full((6, 5), value))
    if padding is not None:
        datasets[4].PixelPaddingValue = padding
    with pytest.raises(InputError, match=rf"004\.dcm\nslice holds {said}"):
        read(save(tmp_path, datasets))


def test_damaged_pixels_name_the_file(tmp_path):
    datasets = ct_slices()
    save(tmp_path, datasets)
    for dataset in datasets:
        dataset.compress(RLELossless)
    save(tmp_path, datasets, syntax=RLELossless)
    file = tmp_path / "002.dcm"
    file.write_bytes(file.read_bytes()[:-60])
    with pytest.raises(InputError, match=r"002\.dcm\npixels cannot be read(?s:.)*other decoders"):
        read(tmp_path)


def test_pixels_of_another_shape(tmp_path, monkeypatch):
    monkeypatch.setattr("tomobundles.data.dicom.pixels.pixel_array", lambda *_, **__: np.zeros((2, 2)))
    with pytest.raises(InputError, match="shape \\(2, 2\\) where 6 x 5"):
        read(save(tmp_path, ct_slices()))


def test_decoder_that_vanished(tmp_path, monkeypatch):
    series = resolve_series(save(tmp_path, ct_slices()))
    monkeypatch.setattr("tomobundles.data.dicom.pixels.missing_codec", lambda _: "JPEG 2000")
    with pytest.raises(InputError, match="no decoder is installed for JPEG 2000"):
        read_series(series)
