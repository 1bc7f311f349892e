# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from tomobundles.data.writers import FORMS, write_results
from tomobundles.utils import InputError


@pytest.fixture
def results(tmp_path):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 4000, (12, 8, 5)).astype(np.uint16)
    mask = rng.integers(0, 3, image.shape, dtype=np.uint8)
    np.save(tmp_path / "eye.npy", np.moveaxis(image, -1, 0))
    return {
        "source": tmp_path / "eye.npy",
        "image": image,
        "mask": mask,
        "presence": rng.random((2, 5)),
        "class_names": ["SRF", "PED"],
        "output_dir": tmp_path / "out",
    }


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_default_forms(results):
    paths = write_results(**results)
    folder = results["output_dir"] / "eye"
    assert [path.name for path in paths] == [
        "eye_labelMark.npy",
        "eye_presence.csv",
        "eye_volume.csv",
        "eye_overlays",
        "eye.gif",
    ]
    assert sorted(paths) == sorted(folder.iterdir())  # nothing else, no temporary file left
    np.testing.assert_array_equal(np.load(paths[0]), np.moveaxis(results["mask"], -1, 0))
    assert names(paths[3]) == [f"{k:03d}.png" for k in range(1, 6)]
    assert paths[1].read_text().count("\n") == 6


def test_every_form_with_a_reference_and_own_name(results):
    more = {"presence": np.ones((3, 5)), "class_names": ["REA", "SRF", "PED"], "reference": results["mask"]}
    paths = write_results(**results | more, forms=list(FORMS), name="mine", spacing_mm=(1, 1, 1))
    assert all(path.exists() and path.parent == results["output_dir"] / "mine" for path in paths)
    assert len(paths) == 9  # csv and contest give two files each
    gif = next(path for path in paths if path.suffix == ".gif")
    without = write_results(**results, forms=["animation"])[0]
    assert Image.open(gif).width > Image.open(without).width  # one panel more: the reference


def test_without_presence(results):
    paths = write_results(**results | {"presence": None}, forms=["csv", "presence_strip", "contest"])
    assert [path.suffix for path in paths] == [
        ".csv",
        ".csv",
        ".npy",
        ".npy",
    ]  # no strip without probabilities


def test_a_network_that_only_detects(results):
    paths = write_results(**results | {"mask": None, "reference": results["mask"]}, forms=list(FORMS))
    assert [path.name for path in paths] == ["eye_presence.csv", "eye_volume.csv", "eye_presence.png"]


def test_reference_with_pixels_without_annotation(results):
    reference = np.where(results["mask"] == 0, 255, results["mask"]).astype(np.uint8)
    forms = ["animation", "contact_sheet", "presence_strip"]
    pictures = [
        [path.read_bytes() for path in write_results(**results, reference=one, forms=forms)]
        for one in (results["mask"], reference)
    ]
    assert pictures[0] == pictures[1]


def test_neither_mask_nor_presence(results):
    with pytest.raises(InputError, match="neither presence nor mask"):
        write_results(**results | {"mask": None, "presence": None})


def test_presence_strip_needs_no_reference(results):
    assert write_results(**results, forms=["presence_strip"])[0].name == "eye_presence.png"


def test_label_values_and_axes_reach_the_mask(results):
    np.save(results["source"], results["image"])  # stored as rows, columns, slices
    [path] = write_results(**results, forms=["mask"], label_values={1: 10, 2: 20}, axes="YXZ")
    np.testing.assert_array_equal(np.load(path), results["mask"] * 10)


def test_order_follows_forms(results):
    assert [path.suffix for path in write_results(**results, forms=["animation", "mask"])] == [".gif", ".npy"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"forms": ["mask", "mesh"]}, "unknown form of results 'mesh'"),
        ({"mask": np.zeros((12, 8, 4), np.uint8)}, r"mask of shape \(12, 8, 4\) does not fit the image"),
        ({"reference": np.zeros((12, 8, 4), np.uint8)}, "does not fit the image"),
        ({"reference": np.full((12, 8, 5), 3, np.uint8)}, "class 3 in slice 1"),
        ({"mask": np.zeros((12, 8, 5), np.float32)}, "mask holds float32 values"),
        ({"mask": np.full((12, 8, 5), 3, np.uint8)}, "class 3 in slice 1"),
        ({"presence": np.ones((2, 4))}, r"presence of shape \(2, 4\)"),
    ],
)
def test_wrong_input_writes_nothing(results, change, message):
    with pytest.raises(InputError, match=message):
        write_results(**results | change)
    assert not results["output_dir"].exists()
