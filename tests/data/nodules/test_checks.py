# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.nodules import check_nodules, is_nodule_label
from tomobundles.data.nodules.checks import check_inside
from tomobundles.utils import InputError


def test_labels_of_nodules():
    assert is_nodule_label({"nodules": []})
    assert is_nodule_label({"excluded": []})
    assert not is_nodule_label({"slices": {}})
    assert not is_nodule_label("a.csv")
    label = {"nodules": ((1, 2, 3, "4"),), "source": "a.csv", "lines": [2]}
    expected = {"nodules": [[1.0, 2.0, 3.0, 4.0]], "excluded": [], "source": "a.csv", "lines": [2]}
    assert check_nodules(label) == expected
    assert check_nodules({"excluded": [[1, 2, 3, -1]], "nodules": None}) == {
        "nodules": [],
        "excluded": [[1.0, 2.0, 3.0, -1.0]],
    }


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ([], "not a label of nodules"),
        ({"slices": {}}, "not a label of nodules"),
        ({"nodules": [], "boxes": []}, "not a label of nodules"),
        ({"nodules": "a.csv"}, "nodules is 'a.csv'"),
        ({"nodules": 3}, "nodules is 3"),
        ({"nodules": [[1, 2, 3]]}, r"nodules\[0\] is \[1, 2, 3\]"),
        ({"nodules": [7]}, r"nodules\[0\] is 7"),
        ({"nodules": ["1234"]}, r"nodules\[0\] is '1234'"),
        ({"nodules": [[1, 2, "x", 4]]}, r"nodules\[0\] is"),
        ({"nodules": [[1, 2, 3, 4], [1, 2, float("nan"), 4]]}, r"nodules\[1\] is"),
        ({"nodules": [[1, 2, 3, -1]]}, r"nodules\[0\] has a diameter of -1 mm"),
        ({"excluded": [[1, 2, 3, 0]]}, r"excluded\[0\] has a diameter of 0 mm"),
        ({"nodules": [[1, 2, 3, 4], [1, 2, 3, 5]]}, r"nodules\[1\] at \(1.0, 2.0, 3.0\) is there twice"),
    ],
)
def test_labels_that_cannot_be(label, words):
    with pytest.raises(InputError, match=words) as caught:
        check_nodules(label, path="scan.mhd")
    assert caught.value.path == "scan.mhd"


def inside(point, affine=None):
    affine = np.diag([-2.0, -2.0, 3.0, 1.0]) if affine is None else affine
    options = {"affine": affine, "shape": (4, 5, 6), "path": "scan.mhd", "where": ["a.csv, line 3"]}
    check_inside(np.array([point], float), **options)


@pytest.mark.parametrize("point", [(0, 0, 0), (-1, 9, 16.5), (7, -1, -1.5)])
def test_points_up_to_the_outer_faces_are_inside(point):
    """Voxels of 2, 2 and 3 mm: faces at -1 and 7, -1 and 9, -1.5 and 16.5 mm."""
    inside(point)


@pytest.mark.parametrize("point", [(-1.1, 0, 0), (7.1, 0, 0), (0, 9.1, 0), (0, 0, 16.6)])
def test_points_outside(point):
    with pytest.raises(InputError, match=r"a\.csv, line 3\) is outside the image: voxel .* of 4 x 5 x 6"):
        inside(point)


def test_points_that_are_ras_are_told():
    with pytest.raises(InputError, match="these seem to be RAS"):
        inside((-4, -4, 3))
    with pytest.raises(InputError, match="belongs to another image"):
        inside((40, 40, 3))


def test_no_point():
    check_inside(np.zeros((0, 3)), affine=np.eye(4), shape=(1, 1, 1), path=None, where=[])
