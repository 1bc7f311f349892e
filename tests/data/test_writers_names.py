# SPDX-License-Identifier: Apache-2.0
import pytest

from tomobundles.data.writers_names import distinct_names, volume_name


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/data/P0012_cube_z.img", "P0012_cube_z"),
        ("P0012_cube_z.img/", "P0012_cube_z"),
        ("a/scan.nii.gz", "scan"),
        ("scan.NII", "scan"),
        ("scan.npy", "scan"),
        ("1.2.3.mhd", "1.2.3"),
        ("1.2.3.MHA", "1.2.3"),
        ("b.scan.v2.bmp", "b.scan.v2"),  # only the format's ending goes
        ("folder.v2", "folder.v2"),
        (".npy", ".npy"),  # a name of nothing else stays
    ],
)
def test_volume_name(source, name):
    assert volume_name(source) == name


def test_the_working_directory_has_its_own_name(tmp_path, monkeypatch):
    folder = tmp_path / "eye.img"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert volume_name(".") == "eye"


def test_names_that_repeat_get_the_parents_there_are():
    paths = ["scan.npy", "a/scan.nii", "b/a/scan.nii"]
    assert list(distinct_names(paths).values()) == ["scan", "a_scan", "b_a_scan"]
    assert distinct_names([]) == {}
