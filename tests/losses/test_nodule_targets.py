# SPDX-License-Identifier: Apache-2.0
"""Which cells and anchors answer for which nodule."""

from __future__ import annotations

import math

import pytest
import torch
from monai.data import MetaTensor

from tomobundles.losses import NoduleTargets
from tomobundles.losses.nodule_targets import iou_map
from tomobundles.utils import InputError
from tomobundles.utils.spheres import cell_centres, cube_iou, decode_spheres


def label(*rows: tuple[float, ...]) -> torch.Tensor:
    """One crop's label, padded to 16 rows."""
    padded = torch.zeros(1, 16, 5)
    padded[0, : len(rows)] = torch.tensor(rows)
    return padded


def places(assignment) -> list[tuple[int, ...]]:
    return [tuple(place[1:]) for place in assignment.places.tolist()]


def all_cells(cells: tuple[int, int, int], stride: int) -> torch.Tensor:
    """(n0 * n1 * n2, 3) centres."""
    lines = [cell_centres(count, stride) for count in cells]
    return torch.stack([grid.flatten() for grid in torch.meshgrid(*lines, indexing="ij")], dim=1)


def test_nearest_cell_and_anchor_by_hand() -> None:
    # Cells of 4: centres 1.5, 5.5, 9.5, 13.5. Point (6, 9, 2) is nearest to (5.5, 9.5, 1.5): cell 1, 2, 0.
    # 7 is nearest in log size to 5 (ratio 1.4) rather than 10 (1.43).
    found = NoduleTargets([5, 10], positive_iou=1.0)(label((6, 9, 2, 7, 1)), (4, 4, 4))
    assert places(found) == [(0, 1, 2, 0)]
    assert found.rows.tolist() == [0]
    expected = [[0.5 / 5, -0.5 / 5, 0.5 / 5, math.log(7 / 5)]]
    torch.testing.assert_close(found.codes, torch.tensor(expected))
    # 7.1 is nearer to 10: 7.1 / 5 = 1.42, 10 / 7.1 = 1.41
    assert places(NoduleTargets([5, 10], positive_iou=1.0)(label((6, 9, 2, 7.1, 1)), (4, 4, 4))) == [
        (1, 1, 2, 0)
    ]


@pytest.mark.parametrize("stride", [2, 4])
def test_iou_map_is_the_cubes_iou(stride: int) -> None:
    torch.manual_seed(0)
    cells, anchors = (5, 4, 3), torch.tensor([3.0, 7.0, 12.0])
    spheres = torch.cat([torch.rand(6, 3) * 20 - 3, torch.rand(6, 1) * 12 + 1], dim=1)
    maps = iou_map(spheres, [cell_centres(n, stride) for n in cells], anchors)
    points = all_cells(cells, stride)
    for a, anchor in enumerate(anchors):
        cubes = torch.cat([points, anchor.expand(len(points), 1)], dim=1)
        torch.testing.assert_close(maps[:, a].flatten(1), cube_iou(spheres, cubes), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stride", [2, 4])
def test_states_against_the_definition(stride: int) -> None:
    """Cell by cell, with cube_iou, for three rows: a nodule, a finding to ignore, a nodule outside."""
    rows = [(13.0, 17.0, 9.0, 11.0, 1.0), (4.0, 5.0, 20.0, 8.0, -1.0), (-3.0, 9.0, 12.0, 9.0, 1.0)]
    cells, anchors = (32 // stride,) * 3, [6.0, 12.0]
    found = NoduleTargets(anchors, stride=stride)(label(*rows), cells)
    points = all_cells(cells, stride)
    state = torch.zeros(2, len(points), dtype=torch.int8)
    for a, anchor in enumerate(anchors):
        cubes = torch.cat([points, torch.full((len(points), 1), anchor)], dim=1)
        for row in rows:
            iou = cube_iou(torch.tensor([row[:4]]), cubes)[0]
            inside = (points - torch.tensor(row[:3])).norm(dim=1) <= row[3] / 2
            state[a][(iou > 0.02) | inside] = -1
        state[a][cube_iou(torch.tensor([rows[0][:4]]), cubes)[0] >= 0.5] = 1
    nearest = (points - torch.tensor(rows[0][:3])).norm(dim=1).argmin()
    state[1, nearest] = 1  # 11 is nearer to 12 than to 6
    assert torch.equal(found.state[0].flatten(1), state)
    assert set(found.rows.tolist()) == {0}
    assert (state == 1).sum() == len(found.places)


def test_codes_decode_to_the_nodules() -> None:
    torch.manual_seed(0)
    batch = torch.zeros(3, 16, 5)
    batch[:, :4, :3] = torch.rand(3, 4, 3) * 47
    batch[:, :4, 3] = torch.rand(3, 4) * 25 + 3
    batch[:, :4, 4] = 1
    anchors = torch.tensor([5.0, 10.0, 20.0])
    found = NoduleTargets([5, 10, 20])(batch, (12, 12, 12))
    centres = found.places[:, 2:] * 4 + 1.5
    spheres = decode_spheres(found.codes, centres, anchors[found.places[:, 1]])
    torch.testing.assert_close(spheres, batch[found.places[:, 0], found.rows, :4], rtol=1e-4, atol=1e-3)
    every = {(b, k) for b in range(3) for k in range(4)}
    assert set(zip(found.places[:, 0].tolist(), found.rows.tolist(), strict=True)) == every


def test_no_nodule_below_7_94_reaches_the_iou_and_each_is_assigned() -> None:
    """Anchors of 10, 30 and 60 voxels: (d / 10)^3 >= 0.5 needs d >= 10 * 0.5^(1/3) = 7.937."""
    lines = [cell_centres(6, 4)] * 3
    anchors = torch.tensor([10.0, 30.0, 60.0])
    limit = 10 * 0.5 ** (1 / 3)
    torch.manual_seed(0)
    points = torch.rand(40, 3) * 16 + 4
    points[0] = 9.5  # on a cell's centre, the best place
    for diameter in (3.25, 6.43, 7.9):
        spheres = torch.cat([points, torch.full((40, 1), diameter)], dim=1)
        assert iou_map(spheres, lines, anchors).max() < 0.5
        for sphere in spheres:
            found = NoduleTargets([10, 30, 60])(label((*sphere.tolist(), 1)), (6, 6, 6))
            assert len(found.places) == 1
            assert found.places[0, 1] == 0
    above = torch.tensor([[9.5, 9.5, 9.5, limit + 0.01]])
    assert iou_map(above, lines, anchors).max() >= 0.5


def test_more_positives_than_one_by_iou() -> None:
    # A nodule of 10 in the middle of 8 cells: each 2 off along 3 axes, IoU 512 / (2000 - 512) = 0.344.
    nodule = label((11.5, 11.5, 11.5, 10, 1))
    assert len(NoduleTargets([10], positive_iou=0.35)(nodule, (6, 6, 6)).places) == 1
    found = NoduleTargets([10], positive_iou=0.34)(nodule, (6, 6, 6))
    assert sorted(places(found)) == [(0, i, j, k) for i in (2, 3) for j in (2, 3) for k in (2, 3)]


def test_a_cell_answers_for_the_nodule_of_greatest_iou() -> None:
    # Two of 10 voxels, 2 off to either side of the cell at 9.5 (8 / 12 = 0.67) and one of them 1 off.
    two = label((7.5, 9.5, 9.5, 10, 1), (10.5, 9.5, 9.5, 10, 1))
    found = NoduleTargets([10])(two, (6, 6, 6))
    answers = dict(zip(places(found), found.rows.tolist(), strict=True))
    assert answers[0, 2, 2, 2] == 1
    assert set(answers.values()) == {0, 1}


def test_two_nodules_one_cell() -> None:
    near, far = (9.6, 9.5, 9.5, 5, 1), (8.0, 9.5, 9.5, 5, 1)
    for rows in ((near, far), (far, near)):
        found = NoduleTargets([5, 10], positive_iou=1.0)(label(*rows), (6, 6, 6))
        assert places(found) == [(0, 2, 2, 2)]
        assert found.rows.tolist() == [rows.index(near)]
    # as near: the smaller has it
    small, large = (9.0, 9.5, 9.5, 4, 1), (10.0, 9.5, 9.5, 6, 1)
    for rows in ((small, large), (large, small)):
        found = NoduleTargets([5, 10], positive_iou=1.0)(label(*rows), (6, 6, 6))
        assert found.rows.tolist() == [rows.index(small)]
    # of different anchors: both
    found = NoduleTargets([5, 10], positive_iou=1.0)(label(near, (8.0, 9.5, 9.5, 9, 1)), (6, 6, 6))
    assert places(found) == [(0, 2, 2, 2), (1, 2, 2, 2)]
    assert found.rows.tolist() == [0, 1]


def test_the_nearest_cell_is_taken_from_another_nodules_overlap() -> None:
    # The large one overlaps the small one's cell by more than the small one does with anchor 10.
    rows = label((9.5, 9.5, 9.5, 12, 1), (13.0, 9.5, 9.5, 9, 1))
    found = NoduleTargets([10], positive_iou=0.2)(rows, (6, 6, 6))
    answers = dict(zip(places(found), found.rows.tolist(), strict=True))
    assert (answers[0, 2, 2, 2], answers[0, 3, 2, 2]) == (0, 1)


def test_the_centre_decides_who_is_in_the_crop() -> None:
    # Voxel centres 0 ... 15, so the crop reaches from -0.5 to 15.5.
    targets = NoduleTargets([10])
    for inside in (-0.5, 0.0, 15.4):
        assert len(targets(label((inside, 8, 8, 10, 1)), (4, 4, 4)).places) > 0
    for outside in (-0.6, 15.5, 18):
        found = targets(label((outside, 8, 8, 10, 1)), (4, 4, 4))
        assert len(found.places) == 0
        assert found.codes.shape == (0, 4)
        assert (found.state == -1).any()
    assert places(targets(label((-0.4, 15.4, 8, 3, 1)), (4, 4, 4))) == [(0, 0, 3, 2)]


def test_findings_to_ignore_give_no_positives() -> None:
    found = NoduleTargets([10])(label((9.5, 9.5, 9.5, 10, -1)), (6, 6, 6))
    assert len(found.places) == 0
    assert found.state[0, 0, 2, 2, 2] == -1
    assert found.state[0, 0, 0, 0, 5] == 0


def test_a_cell_in_the_sphere_is_ignored_whatever_the_anchor() -> None:
    # Anchor 40 against 6 voxels: IoU 216 / 64000 = 0.003, but the cell lies in the nodule.
    found = NoduleTargets([6, 40])(label((9.5, 9.5, 9.5, 6, 1)), (6, 6, 6))
    assert found.state[0, 1, 2, 2, 2] == -1
    assert found.state[0, 1, 3, 2, 2] == 0  # 4 voxels away, radius 3


def test_an_empty_label_is_all_negative() -> None:
    found = NoduleTargets([10])(torch.zeros(2, 16, 5), (3, 4, 5))
    assert found.state.shape == (2, 1, 3, 4, 5)
    assert not found.state.any()
    assert len(found.places) == len(found.rows) == 0
    assert not NoduleTargets([10])(torch.zeros(1, 0, 5), (2, 2, 2)).state.any()


def test_crops_of_a_batch_are_apart() -> None:
    rows = [(9.0, 6.0, 12.0, 8.0, 1.0), (3.0, 18.0, 20.0, 14.0, -1.0)]
    both = torch.cat([label(rows[0]), label(rows[1])])
    targets = NoduleTargets([5, 10])
    together = targets(MetaTensor(both), (6, 6, 6))
    alone = [targets(label(row), (6, 6, 6)) for row in rows]
    assert type(together.state) is torch.Tensor
    assert torch.equal(together.state, torch.cat([one.state for one in alone]))
    assert set(together.places[:, 0].tolist()) == {0}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"positive_iou": 0.0}, "positive_iou is 0"),
        ({"positive_iou": 1.5}, "positive_iou is 1.5"),
        ({"ignore_iou": -1}, "ignore_iou is -1"),
        ({"box_iou": 0}, "box_iou is 0"),
        ({"anchors": []}, "anchors"),
        ({"anchors": [5, -1]}, "anchors"),
    ],
)
def test_refuses_options(options: dict, text: str) -> None:
    with pytest.raises(InputError, match=text):
        NoduleTargets(**({"anchors": [10]} | options))


@pytest.mark.parametrize(
    "row", [(math.nan, 1, 1, 5, 1), (1, 1, 1, math.inf, 1), (1, 1, 1, 0, 1), (1, 1, 1, -1, -1)]
)
def test_refuses_rows(row: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="label row"):
        NoduleTargets([10])(label((1, 1, 1, 5, 1), row), (4, 4, 4))


@pytest.mark.parametrize("shape", [(16, 5), (1, 16, 4)])
def test_refuses_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="label of shape"):
        NoduleTargets([10])(torch.zeros(shape), (4, 4, 4))


def test_neighbours_learn_centre_and_size_too() -> None:
    rows = label((13, 17, 9, 11, 1), (24, 26, 22, 7, 1), (4, 5, 20, 8, -1), (-3, 9, 12, 9, 1))
    anchors, lines = torch.tensor([6.0, 12.0]), [cell_centres(8, 4)] * 3
    plain = NoduleTargets([6, 12])(rows, (8, 8, 8))
    found = NoduleTargets([6, 12], box_iou=0.1)(rows, (8, 8, 8))
    assert torch.equal(found.state, plain.state)  # scores are told the same
    assert set(places(plain)) <= set(places(found))
    iou = torch.stack([iou_map(rows[:, k, :4], lines, anchors)[0] for k in (0, 1)])
    learn = iou.amax(dim=0) >= 0.1
    learn[tuple(torch.tensor(places(plain)).unbind(1))] = True
    assert set(places(found)) == {tuple(place) for place in learn.nonzero().tolist()}
    spheres = decode_spheres(found.codes, found.places[:, 2:] * 4 + 1.5, anchors[found.places[:, 1]])
    torch.testing.assert_close(spheres, rows[0, found.rows, :4], rtol=1e-4, atol=1e-3)
    states = found.state[tuple(found.places.unbind(1))]
    assert set(states.tolist()) == {1, -1}


def test_a_box_iou_above_the_positive_one_changes_nothing() -> None:
    rows = label((13, 17, 9, 11, 1))
    one, two = (NoduleTargets([6, 12], box_iou=iou)(rows, (8, 8, 8)) for iou in (None, 0.9))
    assert torch.equal(one.places, two.places)
