# SPDX-License-Identifier: Apache-2.0
"""Whatever volumes lie where the user points, each with a name of its own."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tomobundles.data import SenNetLayout, find_tomograms, with_names
from tomobundles.utils import InputError


def _slices(folder, count=3):
    folder.mkdir(parents=True)
    for index in range(count):
        tifffile.imwrite(folder / f"{index:04d}.tif", np.full((4, 5), index, np.uint16))
    return folder


def _npy(path):
    np.save(path, np.zeros((2, 3, 4), np.uint8))
    return path


def _found(folder, **options):
    return {item["name"]: Path(item["image"]) for item in find_tomograms(dataset_dir=folder, **options)}


def test_a_folder_of_slices_is_one_volume(tmp_path):
    folder = _slices(tmp_path / "scan")
    assert find_tomograms(dataset_dir=folder) == [{"image": str(folder), "patient": "scan", "name": "scan"}]


def test_a_kidney_of_the_contest_goes_by_its_own_name(tmp_path):
    images = _slices(tmp_path / "kidney_5" / "images")
    assert _found(tmp_path / "kidney_5") == {"kidney_5": images}
    assert _found(images) == {"kidney_5": images}


def test_names_of_a_relative_path(tmp_path, monkeypatch):
    images = _slices(tmp_path / "kidney_5" / "images")
    monkeypatch.chdir(images.parent)
    assert set(_found("images")) == set(_found(".")) == {"kidney_5"}


def test_one_file(tmp_path):
    assert set(_found(_npy(tmp_path / "scan.npy"))) == {"scan"}


def test_a_folder_of_volumes_of_several_forms(tmp_path):
    _slices(tmp_path / "b_slices")
    _slices(tmp_path / "c" / "images")
    _npy(tmp_path / "a.npy")
    _npy(tmp_path / "._a.npy")  # what macOS leaves on other file systems
    (tmp_path / "notes.txt").write_text("no volume")
    (tmp_path / "empty").mkdir()
    assert list(_found(tmp_path)) == ["a", "b_slices", "c"]


def test_a_folder_of_volumes_named_images(tmp_path):
    (tmp_path / "images").mkdir()
    path = _npy(tmp_path / "images" / "a.npy")
    assert _found(tmp_path) == {"a": path}


def test_tiff_files_of_several_pages_are_volumes(tmp_path):
    for name in ("a.tif", "b.ome.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((6, 4, 5), np.uint16))
    _npy(tmp_path / "c.npy")
    assert list(_found(tmp_path)) == ["a", "b", "c"]


def test_a_damaged_tiff_is_taken_for_a_slice(tmp_path):
    """So that it is read, and named by what cannot read it."""
    folder = _slices(tmp_path / "scan")
    (folder / "0000.tif").write_bytes(b"no TIFF")
    assert set(_found(folder)) == {"scan"}


def test_volumes_beside_hidden_tiff_files(tmp_path):
    tifffile.imwrite(tmp_path / "._a.tif", np.zeros((4, 5), np.uint8))
    _npy(tmp_path / "a.npy")
    assert set(_found(tmp_path)) == {"a"}


def test_the_layouts_test_section(kidneys_dir):
    layout = SenNetLayout()
    [item] = find_tomograms(dataset_dir=kidneys_dir, layout=layout)
    assert (item["name"], item["patient"]) == ("kidney_5", "kidney_5")
    assert "label" in item
    assert item["spacing_um"] == 50.28


@pytest.mark.parametrize(
    ("part", "names"),
    [("test", ["kidney_5"]), ("train", ["kidney_1_dense", "kidney_2", "kidney_3_sparse"])],
)
def test_a_folder_of_the_layout_alone_is_searched(part, names, kidneys_dir):
    assert list(_found(kidneys_dir / part, layout=SenNetLayout())) == names


def test_a_datalists_section(tmp_path):
    _npy(tmp_path / "a.npy")
    items = {"test": [{"image": "a.npy", "patient": "P", "spacing_um": 20}]}
    (tmp_path / "datalist.json").write_text(json.dumps(items))
    [item] = find_tomograms(dataset_dir=tmp_path, datalist=tmp_path / "datalist.json")
    assert (item["name"], item["patient"], item["spacing_um"]) == ("a", "P", 20)
    with pytest.raises(InputError, match="the validation section is empty"):
        find_tomograms(dataset_dir=tmp_path, datalist=tmp_path / "datalist.json", section="validation")


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        find_tomograms(dataset_dir=tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("no volume")
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(InputError, match="no volume found here"):
            find_tomograms(dataset_dir=path)


def test_the_sample_is_made_where_it_is_asked_for(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr("tomobundles.data.volumes.find.make_sample", lambda *given: made.append(given))
    _npy(tmp_path / "a.npy")
    find_tomograms(dataset_dir=tmp_path, sample="kidney_vasculature", sample_dir=tmp_path / "sample")
    assert not made
    find_tomograms(dataset_dir=tmp_path, sample="kidney_vasculature", sample_dir=str(tmp_path))
    assert made == [("kidney_vasculature", tmp_path)]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/d/a.ome.zarr", "/d/b.zarr", "/d/c.mhd", "/d/e.mha"], ["a", "b", "c", "e"]),
        (["/d/a.nii.gz", "/d/b.ome.tif", "/d/c"], ["a", "b", "c"]),
        (["/d/a.zarr::1", "/d/a.zarr::2"], ["a_1", "a_2"]),
        (["/d/a.mhd", "/d/a.zarr"], ["a.mhd", "a.zarr"]),  # the endings tell them apart
        (["/d/a.npy", "/d/a.mhd"], ["a", "a.mhd"]),
        (["/d/x/a.mhd", "/d/y/a.mhd"], ["x_a", "y_a"]),
        (["/d/k1/images", "/d/k2/images"], ["k1", "k2"]),
        (["/images"], ["images"]),
        (["/d/.zarr"], [".zarr"]),
    ],
)
def test_names(paths, names):
    assert [item["name"] for item in with_names([{"image": path} for path in paths])] == names


def test_parts_of_a_volume_have_the_numbers_of_their_slices():
    items = [{"image": "/d/k3/images", "slices": part, "patient": "k"} for part in ([0, 9], [20, 29])]
    found = with_names(items)
    assert [item["name"] for item in found] == ["k3_0-9", "k3_20-29"]
    assert all(item["patient"] == "k" for item in found)
    assert "name" not in items[0]
