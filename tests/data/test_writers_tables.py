# SPDX-License-Identifier: Apache-2.0
import csv

import numpy as np
import pytest

from tomobundles.data.writers_tables import summarize_volume, write_presence_csv, write_volume_csv
from tomobundles.utils import InputError


@pytest.fixture
def volume():
    """2 rows x 3 columns x 2 slices. Slice 1: three pixels of class 1; slice 2: two of class 1, one of 2."""
    mask = np.zeros((2, 3, 2), np.uint8)
    mask[0, :, 0] = 1
    mask[1, :, 1] = (1, 1, 2)
    return {
        "volume": "eye",
        "class_names": ["SRF", "PED"],
        "presence": np.array([[0.9, 0.25], [0.00012345678, 1.0]]),
        "mask": mask,
    }


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_row_a_slice(tmp_path, volume):
    # Area of a pixel: 0.5 mm between rows x 0.2 mm between columns = 0.1 mm2, whatever the slice distance.
    path = write_presence_csv(tmp_path / "a.csv", **volume, spacing_mm=(0.5, 0.2, 3))
    assert path.read_text().splitlines() == [
        "volume,slice,SRF_probability,SRF_area_px,SRF_area_mm2,PED_probability,PED_area_px,PED_area_mm2",
        "eye,1,0.9,3,0.3,0.000123457,0,0",
        "eye,2,0.25,2,0.2,1,1,0.1",
    ]


def test_unknown_values_are_blank(tmp_path, volume):
    rows = read(write_presence_csv(tmp_path / "a.csv", **volume | {"presence": None}))
    assert [rows[0][f"SRF_{key}"] for key in ("probability", "area_px", "area_mm2")] == ["", "3", ""]
    row = summarize_volume(**volume | {"presence": None})
    assert (row["SRF_max_probability"], row["SRF_volume_mm3"]) == ("", "")


def test_without_a_mask_areas_are_blank(tmp_path, volume):
    rows = read(write_presence_csv(tmp_path / "a.csv", **volume | {"mask": None}, spacing_mm=(1, 1, 1)))
    assert len(rows) == 2
    assert [rows[1][f"PED_{key}"] for key in ("probability", "area_px", "area_mm2")] == ["1", "", ""]
    row = summarize_volume(**volume | {"mask": None}, spacing_mm=(1, 1, 1))
    assert [row[f"SRF_{key}"] for key in ("max_probability", "slices", "voxels", "volume_mm3")] == [
        "0.9",
        "",
        "",
        "",
    ]


def test_large_counts_are_written_in_full():
    mask = np.ones((1234, 1001, 1), np.uint8)  # 1235234 pixels, which six digits would round
    row = summarize_volume(
        volume="a", class_names=["SRF"], presence=None, mask=mask, spacing_mm=(0.1, 0.1, 0.1)
    )
    assert (row["SRF_voxels"], row["SRF_volume_mm3"]) == (1235234, "1235.23")


def test_row_a_volume(tmp_path, volume):
    # Class 1: 5 voxels of 0.5 x 0.2 x 3 = 0.3 mm3 are 1.5 mm3, in two slices.
    row = summarize_volume(**volume, spacing_mm=(0.5, 0.2, 3))
    path = write_volume_csv(tmp_path / "a.csv", [row, row | {"volume": "second, with comma"}])
    first, second = read(path)
    assert first == {
        "volume": "eye",
        "slices": "2",
        "SRF_max_probability": "0.9",
        "SRF_slices": "2",
        "SRF_voxels": "5",
        "SRF_volume_mm3": "1.5",
        "PED_max_probability": "1",
        "PED_slices": "1",
        "PED_voxels": "1",
        "PED_volume_mm3": "0.3",
    }
    assert second["volume"] == "second, with comma"


def test_volume_grows_with_each_spacing(volume):
    base = float(summarize_volume(**volume, spacing_mm=(1, 1, 1))["SRF_volume_mm3"])
    for axis in range(3):
        spacing = [2.0 if place == axis else 1.0 for place in range(3)]
        assert float(summarize_volume(**volume, spacing_mm=spacing)["SRF_volume_mm3"]) == 2 * base


@pytest.mark.parametrize("function", [summarize_volume, write_presence_csv])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"presence": np.zeros((2, 3))}, r"presence of shape \(2, 3\)"),
        ({"presence": np.full((2, 2), 1.5)}, "outside 0-1"),
        ({"mask": None, "presence": None}, "neither presence nor mask"),
        ({"mask": None, "presence": np.zeros((3, 2))}, r"presence of shape \(3, 2\)"),
        ({"class_names": ["SRF"], "presence": None}, "class 2 in slice 2"),
        ({"spacing_mm": (1, 1)}, r"spacing \[1.0, 1.0\] mm"),
        ({"spacing_mm": (1, 0, 1)}, "three positive distances"),
        ({"spacing_mm": (1, np.nan, 1)}, "three positive distances"),
    ],
)
def test_wrong_input(tmp_path, volume, function, change, message):
    target = (tmp_path / "a.csv",) if function is write_presence_csv else ()
    with pytest.raises(InputError, match=message):
        function(*target, **volume | change)
    assert not list(tmp_path.iterdir())


def test_no_volumes(tmp_path):
    with pytest.raises(InputError, match="no volumes"):
        write_volume_csv(tmp_path / "a.csv", [])


def test_different_columns(tmp_path, volume):
    rows = [
        summarize_volume(**volume),
        summarize_volume(**volume | {"class_names": ["SRF", "IRF"], "volume": "b"}),
    ]
    with pytest.raises(InputError, match="volume b has other columns than eye"):
        write_volume_csv(tmp_path / "a.csv", rows)
