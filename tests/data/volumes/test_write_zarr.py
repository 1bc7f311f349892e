# SPDX-License-Identifier: Apache-2.0
import errno
import json
from itertools import pairwise

import numpy as np
import pytest
import zarr

from tomobundles.data.volumes import ArrayVolume
from tomobundles.data.volumes.ome_metadata import Pyramid
from tomobundles.data.volumes.write_zarr import CHUNK, halve, write_ome_zarr
from tomobundles.utils import InputError

from .writer_cases import SPACING, mask_array, mask_volume, probability_volume

VERSIONS = ["0.4", "0.5"]
SHAPE = (70, 300, 9)


def ome(group, version):
    """The OME metadata of a group as the file holds them, where the version keeps them."""
    if version == "0.4":
        return json.loads((group / ".zattrs").read_text())
    node = json.loads((group / "zarr.json").read_text())
    assert node["zarr_format"] == 3
    assert node["node_type"] == "group"
    assert node["attributes"]["ome"]["version"] == "0.5"
    return node["attributes"]["ome"]


def coarse(array):
    """The largest of 2x2x2, voxel by voxel."""
    shape = tuple((size + 1) // 2 for size in array.shape)
    result = np.zeros(shape, array.dtype)
    for place in np.ndindex(shape):
        result[place] = array[tuple(slice(2 * index, 2 * index + 2) for index in place)].max()
    return result


@pytest.mark.parametrize("version", VERSIONS)
def test_labels_and_their_levels(tmp_path, version):
    path = write_ome_zarr(mask_volume(SHAPE), tmp_path / "m.ome.zarr", version=version, levels=3)
    group = zarr.open_group(path, mode="r")["labels/vessels"]
    arrays = [group[str(level)] for level in range(3)]
    assert [array.shape for array in arrays] == [SHAPE, (35, 150, 5), (18, 75, 3)]
    assert {array.dtype for array in arrays} == {np.dtype(np.uint8)}
    assert arrays[0].chunks == (64, 256, 9)
    assert {array.metadata.zarr_format for array in arrays} == {2 if version == "0.4" else 3}
    assert np.array_equal(arrays[0][:], mask_array(SHAPE))
    for fine, half in pairwise(arrays):
        assert np.array_equal(half[:], coarse(fine[:]))


@pytest.mark.parametrize("version", VERSIONS)
def test_multiscales_follow_the_specification(tmp_path, version):
    path = write_ome_zarr(mask_volume(SHAPE), tmp_path / "m.ome.zarr", version=version, levels=2)
    label = path / "labels" / "vessels"
    (scales,) = ome(label, version)["multiscales"]
    assert scales["name"] == "vessels"
    assert ("version" in scales) == (version == "0.4")
    assert scales["axes"] == [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    assert scales["datasets"] == [
        {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": list(SPACING)}]},
        {
            "path": "1",
            "coordinateTransformations": [
                {"type": "scale", "scale": [126.0, 101.0, 100.0]},
                {"type": "translation", "translation": [31.5, 25.25, 25.0]},
            ],
        },
    ]
    assert scales["type"] == "max"
    assert all((label / one["path"]).is_dir() for one in scales["datasets"])


@pytest.mark.parametrize("version", VERSIONS)
def test_image_label_follows_the_specification(tmp_path, version):
    path = write_ome_zarr(mask_volume(), tmp_path / "m.ome.zarr", version=version, name="arteries")
    assert ome(path / "labels", version)["labels"] == ["arteries"]
    label = ome(path / "labels" / "arteries", version)["image-label"]
    assert label["source"] == {"image": "../../"}
    assert label["colors"][0]["label-value"] == 1
    assert len(label["colors"][0]["rgba"]) == 4
    assert all(isinstance(value, int) and 0 <= value <= 255 for value in label["colors"][0]["rgba"])
    assert ("version" in label) == (version == "0.4")


@pytest.mark.parametrize("version", VERSIONS)
def test_root_shows_the_same_arrays(tmp_path, version):
    path = write_ome_zarr(mask_volume(), tmp_path / "m.ome.zarr", version=version)
    root = ome(path, version)
    assert root["multiscales"][0]["datasets"][0]["path"] == "labels/vessels/0"
    assert root["omero"]["channels"][0]["window"]["max"] == 1
    array = zarr.open_group(path, mode="r")[root["multiscales"][0]["datasets"][0]["path"]]
    assert np.array_equal(array[:], mask_array())


def test_zarr_3_names_dimensions_and_zarr_2_nests_chunks(tmp_path):
    path = write_ome_zarr(mask_volume(), tmp_path / "3.zarr", version="0.5")
    array = json.loads((path / "labels" / "vessels" / "0" / "zarr.json").read_text())
    assert array["dimension_names"] == ["z", "y", "x"]
    path = write_ome_zarr(mask_volume(), tmp_path / "2.zarr", version="0.4")
    array = json.loads((path / "labels" / "vessels" / "0" / ".zarray").read_text())
    assert array["dimension_separator"] == "/"
    assert (path / "labels" / "vessels" / "0" / "0" / "0" / "0").is_file()


@pytest.mark.parametrize("version", VERSIONS)
def test_probabilities_are_a_16_bit_image(tmp_path, version):
    volume = probability_volume((5, 6, 7))
    path = write_ome_zarr(volume, tmp_path / "p.zarr", kind="image", version=version, levels=2, name="p")
    group = zarr.open_group(path, mode="r")
    assert group["0"].dtype == np.uint16
    assert np.abs(group["0"][:] / 65535 - volume.array).max() <= 0.5 / 65535 + 1e-7
    assert abs(group["1"][0, 0, 0] - group["0"][:2, :2, :2].mean()) <= 0.5
    content = ome(path, version)
    assert content["omero"]["channels"][0]["window"] == {"min": 0, "max": 65535, "start": 0, "end": 65535}
    assert content["multiscales"][0]["type"] == "mean"
    assert "labels" not in group


def test_unknown_voxel_size_has_no_unit(tmp_path):
    path = write_ome_zarr(mask_volume(spacing_um=None), tmp_path / "m.zarr")
    (scales,) = ome(path, "0.5")["multiscales"]
    assert scales["axes"][0] == {"name": "z", "type": "space"}
    assert scales["datasets"][0]["coordinateTransformations"][0]["scale"] == [1.0, 1.0, 1.0]


def test_voxel_size_of_another_volume(tmp_path):
    like = ArrayVolume(mask_array(), spacing_um=(3, 2, 1))
    path = write_ome_zarr(mask_volume(), tmp_path / "m.zarr", like=like)
    (scales,) = ome(path, "0.5")["multiscales"]
    assert scales["datasets"][0]["coordinateTransformations"][0]["scale"] == [3.0, 2.0, 1.0]


@pytest.mark.parametrize(("longest", "levels"), [(256, 1), (257, 2), (512, 2), (513, 3)])
def test_natural_number_of_levels(tmp_path, longest, levels):
    path = write_ome_zarr(mask_volume((1, 2, longest)), tmp_path / "m.zarr")
    assert len(ome(path, "0.5")["multiscales"][0]["datasets"]) == levels


def test_halve():
    block = np.array([[[0, 1, 3]]], np.uint8)
    assert halve(block, method="max").tolist() == [[[1, 3]]]
    assert halve(block, method="mean").tolist() == [[[0, 3]]]  # 0.5 rounds to even
    pair = np.array([[[1, 2], [3, 5]], [[2, 2], [2, 2]]], np.uint16)
    assert halve(pair, method="mean").tolist() == [[[2]]]  # 19 / 8
    assert halve(pair, method="mean").dtype == np.uint16


def test_translation_keeps_the_centre_of_what_is_shown():
    """A voxel of level 2 covers four of level 0: its centre lies 1.5 fine voxels behind the first's."""
    pyramid = Pyramid("p", "0.5", 3, "mean", (2.0, 1.0, 1.0))
    scale, shift = pyramid.multiscales()[0]["datasets"][2]["coordinateTransformations"]
    assert scale["scale"] == [8.0, 4.0, 4.0]
    assert shift["translation"] == [3.0, 1.5, 1.5]


def test_chunks():
    assert CHUNK == (64, 256, 256)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "mask"}, "unknown kind 'mask'"),
        ({"version": "0.3"}, "unknown OME-Zarr version '0.3'"),
        ({"levels": 0}, "0 levels"),
        ({"name": "a/b"}, "'a/b' is no name"),
        ({"name": ""}, "'' is no name"),
    ],
)
def test_bad_options(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        write_ome_zarr(mask_volume(), tmp_path / "m.zarr", **options)
    assert list(tmp_path.iterdir()) == []


def test_probabilities_are_no_labels(tmp_path):
    with pytest.raises(InputError, match="float32 as labels\nthreshold first"):
        write_ome_zarr(probability_volume(), tmp_path / "m.zarr")


@pytest.mark.parametrize("older", [True, False])
def test_full_disk(tmp_path, monkeypatch, older):
    if older:
        (tmp_path / "m.zarr").mkdir()
        (tmp_path / "m.zarr" / "older").write_text("x")

    def full(array, selection, value):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zarr.Array, "__setitem__", full)
    with pytest.raises(InputError, match=r"m\.zarr\nno space left on the disk; .* up to \d"):
        write_ome_zarr(mask_volume(), tmp_path / "m.zarr")
    assert [path.name for path in tmp_path.rglob("*")] == (["m.zarr", "older"] if older else [])
