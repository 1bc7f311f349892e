# SPDX-License-Identifier: Apache-2.0
import pytest

from tomobundles.data.volumes.stack_files import stack_files, stack_meta
from tomobundles.utils import InputError


@pytest.fixture
def folder(tmp_path):
    for number in (8, 9, 10, 12):
        (tmp_path / f"kidney_{number}.tif").touch()
    return tmp_path


def test_a_range_needs_only_its_own_slices(folder):
    assert [file.stem for file in stack_files(folder, slices=(9, 10))] == ["kidney_9", "kidney_10"]
    with pytest.raises(InputError, match=r"slices are missing: number 11 of 10\.\.12"):
        stack_files(folder, slices=(10, 12))
    with pytest.raises(InputError, match=r"number 11 of 8\.\.12"):
        stack_files(folder)


def test_files_without_numbers_have_no_range(tmp_path):
    (tmp_path / "first.tif").touch()
    assert [file.name for file in stack_files(tmp_path)] == ["first.tif"]
    with pytest.raises(InputError, match="number 0, 1 of"):
        stack_files(tmp_path, slices=(0, 1))


def test_what_is_known_of_a_stack(folder):
    files = stack_files(folder, slices=(9, 10))
    assert stack_meta(folder, form="tiff_stack", files=files, slices=(9, 10)) == {
        "path": str(folder),
        "form": "tiff_stack",
        "slice_names": ["kidney_9", "kidney_10"],
        "slice_files": ["kidney_9.tif", "kidney_10.tif"],
        "slices": [9, 10],
    }
    assert "slices" not in stack_meta(folder, form="images", files=files, slices=None)
