# SPDX-License-Identifier: Apache-2.0
import json
import math

import numpy as np
import pytest

from tomobundles.data import LoadVolumed, load_datalist
from tomobundles.data.nodules import LoadNodulesd, NoduleLayout
from tomobundles.data.nodules.nndetection import instances_to_nodules, read_nndetection
from tomobundles.utils import InputError

from .disk import SHAPE, write_nifti

AFFINE = np.array([[-0.5, 0, 0, 10], [0, -0.5, 0, 20], [0, 0, 2.0, 30], [0, 0, 0, 1]])


def write_case(root, case, *, images="imagesTr", labels="labelsTr", instances=None, mask=None):
    write_nifti(root / images / f"{case}_0000.nii.gz", affine=AFFINE)
    if instances is None:
        return
    mask = np.zeros(SHAPE, np.uint8) if mask is None else mask
    write_nifti(root / labels / f"{case}.nii.gz", mask, AFFINE)
    (root / labels / f"{case}.json").write_text(json.dumps({"instances": instances}))


def two_nodules():
    """Voxels 1 to 3 in all axes are nodule 1, one voxel (slice 6, row 5, column 4) nodule 2."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:4, 1:4, 1:4], mask[6, 5, 4] = 1, 2
    return mask


@pytest.mark.parametrize("inner", ["", "raw_splitted"])
def test_a_task(tmp_path, inner):
    root = tmp_path / inner
    write_case(root, "case_1", instances={"1": 0, "2": 0}, mask=two_nodules())
    write_case(root, "case_0", instances={})
    write_case(root, "case_9", images="imagesTs")
    assert NoduleLayout().matches(tmp_path)
    assert NoduleLayout(section="test").matches(tmp_path)
    assert not NoduleLayout(section="validation").matches(tmp_path)
    data = load_datalist(dataset_dir=tmp_path, layout=NoduleLayout(), sections=("training", "test"))
    assert [item["seriesuid"] for item in data["training"]] == ["case_0", "case_1"]
    assert data["training"][0]["label"] == {"nodules": [], "excluded": []}
    assert data["training"][1]["mask"].endswith("case_1.nii.gz")
    assert [item["patient"] for item in data["test"]] == ["case_9"]
    assert "label" not in data["test"][0]
    # voxel (x 2, y 2, z 2) is RAS (9, 19, 34), so LPS (-9, -19, 34); the other RAS (8, 17.5, 42)
    sphere = [math.cbrt(6 * count * 0.5 / math.pi) for count in (27, 1)]
    expected = [[-9, -19, 34, sphere[0]], [-8, -17.5, 42, sphere[1]]]
    np.testing.assert_allclose(data["training"][1]["label"]["nodules"], expected)
    found = LoadNodulesd()(LoadVolumed("image")(data["training"][1]))
    np.testing.assert_allclose(found["nodules"], expected)


def test_labels_of_the_test_cases_and_masks_of_floats(tmp_path):
    write_case(tmp_path, "a", instances={})
    mask = two_nodules().astype(np.float32)
    write_case(tmp_path, "b", images="imagesTs", labels="labelsTs", instances={"1": 0, "2": 1}, mask=mask)
    assert len(read_nndetection(tmp_path)["test"][0]["label"]["nodules"]) == 2


@pytest.mark.parametrize(
    ("instances", "words"),
    [
        ({"1": 0}, "instance 2 is in the mask only"),
        ({"1": 0, "2": 0, "3": 0}, "instance 3 is in the JSON only"),
    ],
)
def test_numbers_that_differ(tmp_path, instances, words):
    write_case(tmp_path, "a", instances=instances, mask=two_nodules())
    with pytest.raises(InputError, match=words):
        read_nndetection(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"instances": {"a": 0}}', '{"instances": 3}'])
def test_tables_that_are_none(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match="cannot be read as a table of instances"):
        instances_to_nodules(tmp_path / "a.nii.gz", tmp_path / "a.json")


def test_layouts_that_are_incomplete(tmp_path):
    with pytest.raises(InputError, match="no folder imagesTr here"):
        read_nndetection(tmp_path)
    write_case(tmp_path, "a")
    with pytest.raises(InputError, match="no label of this case"):
        read_nndetection(tmp_path)
    write_case(tmp_path, "a", instances={})
    write_nifti(tmp_path / "imagesTr" / "a_0001.nii.gz")
    with pytest.raises(InputError, match="no single channel"):
        read_nndetection(tmp_path)
    (tmp_path / "imagesTr" / "a_0001.nii.gz").unlink()
    (tmp_path / "labelsTr" / "b.json").write_text("{}")
    with pytest.raises(InputError, match="a label without its image"):
        read_nndetection(tmp_path)


@pytest.mark.parametrize(
    ("lost", "words"), [("a.json", "a.json is missing"), ("a.nii.gz", "a.nii.gz is missing")]
)
def test_half_a_label(tmp_path, lost, words):
    write_case(tmp_path, "a", instances={})
    (tmp_path / "labelsTr" / lost).unlink()
    with pytest.raises(InputError, match=words):
        read_nndetection(tmp_path)
