# SPDX-License-Identifier: Apache-2.0
import pytest
from pydicom import Dataset

from tomobundles.data.dicom.attributes import decimals_of, integer_of, text_of, uid_of

from .builder import set_raw


def header(keyword, value, vr="DS"):
    dataset = Dataset()
    set_raw(dataset, keyword, value, vr)
    return dataset


def test_text():
    assert text_of(header("ConvolutionKernel", " H31s\\3 ", "SH"), "ConvolutionKernel") == "H31s\\3"
    assert text_of(Dataset(), "ConvolutionKernel") == ""
    empty = Dataset()
    empty.ConvolutionKernel = None
    assert text_of(empty, "ConvolutionKernel") == ""
    assert text_of(header("ConvolutionKernel", "x" * 129, "SH"), "ConvolutionKernel") == ""


@pytest.mark.parametrize(
    ("text", "uid"), [("1.2.3\0", "1.2.3"), ("1.2.Doe", ""), ("1" * 65, ""), ("1.2\\1.3", "")]
)
def test_uid(text, uid):
    assert uid_of(header("SOPInstanceUID", text, "UI"), "SOPInstanceUID") == uid


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.5\\.75", (0.5, 0.75)),
        ("+1. \\-2e-1", (1.0, -0.2)),
        ("", None),
    ],
)
def test_decimals(text, values):
    bad, long = [], []
    assert decimals_of(header("PixelSpacing", text), "PixelSpacing", 2, bad, long) == values
    assert (bad, long) == ([], [])


@pytest.mark.parametrize(
    "text", ["inf\\1", "nan\\1", "1e999\\1", "1_0\\1", "1\\2\\3", "1,5\\1", "0x1\\1", "1e6\\1"]
)
def test_decimals_that_cannot_be_used(text):
    bad = []
    assert decimals_of(header("PixelSpacing", text), "PixelSpacing", 2, bad, []) is None
    assert bad == ["PixelSpacing"]


def test_decimals_longer_than_allowed_are_read():
    long = []
    dataset = header("SliceThickness", "5.0000000000000001")
    assert decimals_of(dataset, "SliceThickness", 1, [], long) == (5.0,)
    assert long == ["SliceThickness"]


def test_integers():
    dataset, bad = Dataset(), []
    dataset.Rows = 512
    dataset.Columns = None
    assert integer_of(dataset, "Rows", bad) == 512
    assert integer_of(dataset, "Columns", bad) is None
    assert integer_of(dataset, "BitsStored", bad) is None
    assert bad == []
    with pytest.warns(UserWarning, match="Invalid value for VR IS"):
        assert integer_of(header("InstanceNumber", "one", "IS"), "InstanceNumber", bad) is None
    assert bad == ["InstanceNumber"]
