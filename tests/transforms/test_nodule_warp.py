# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from tomobundles.transforms import CropWarp
from tomobundles.transforms.smooth_field import knots

RNG = np.random.default_rng(0)
VOLUME = torch.from_numpy(RNG.integers(0, 256, (20, 24, 28), dtype=np.uint8))


def _controls(shape, strength=2.0):
    return RNG.uniform(-strength, strength, (*(len(knots(size)) for size in shape), 3))


def _maps():
    matrix = np.diag([-1.0, 1, 1]) @ np.linalg.qr(RNG.normal(size=(3, 3)))[0] / 1.2
    shape = (32, 32, 32)
    return [
        CropWarp(shape),
        CropWarp(shape, matrix=matrix),
        CropWarp(shape, controls=_controls(shape)),
        CropWarp(shape, matrix=matrix, controls=_controls(shape)),
        CropWarp((32, 32, 1), matrix=matrix, controls=_controls((32, 32, 1))),
    ]


def test_there_and_back():
    for warp in _maps():
        warp.place((30, 40, 50), (10, 20, 0))
        places = RNG.uniform(0, 32, (50, 3)) * np.minimum(np.array(warp.shape) - 1, 31) / 31
        assert np.allclose(warp.locate(warp.source(places)), places, atol=1e-4)


def test_a_point_lies_where_it_was_placed():
    for warp in _maps():
        assert warp.place((30, 40, 50), (10, 20, 0)) is warp
        assert np.allclose(warp.source(np.array([[10.0, 20, 0]])), [[30, 40, 50]], atol=1e-9)


def test_a_shift_is_rounded_to_voxels():
    warp = CropWarp((4, 5, 6)).place((8.3, 9.6, 10.2), (1, 2, 3))
    start = warp.centre - warp.middle  # 7.3, 7.6, 7.2
    assert start.tolist() == [7, 8, 7]
    values = warp.read(VOLUME, fill=170)
    assert values.dtype == torch.float32
    assert torch.equal(values, VOLUME[7:11, 8:13, 7:13].float())


def test_mirror_and_quarter_turn_by_hand():
    mirrored = CropWarp((4, 5, 6), matrix=np.diag([-1, 1, -1])).place((8.5, 12, 10.5), (1.5, 2, 2.5))
    assert torch.allclose(
        mirrored.read(VOLUME, fill=0), VOLUME[7:11, 10:15, 8:14].flip(0, 2).float(), atol=1e-3
    )
    # crop axis 0 runs along 1 of the volume, crop axis 1 against 0
    turned = CropWarp((4, 5, 6), matrix=np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]))
    turned.place((9, 12.5, 10.5), turned.middle)
    expected = VOLUME[7:12, 11:15, 8:14].permute(1, 0, 2).flip(1).float()
    assert torch.allclose(turned.read(VOLUME, fill=0), expected, atol=1e-3)


def test_a_ramp_shows_where_voxels_come_from():
    ramps = [values.float() for values in torch.meshgrid(*(torch.arange(90.0),) * 3, indexing="ij")]
    for warp in _maps()[1:]:
        warp.place((45, 45, 45), warp.middle)
        read = torch.stack([warp.read(ramp, fill=0) for ramp in ramps], dim=-1)
        places = np.stack(np.indices(warp.shape), axis=-1).reshape(-1, 3)
        assert np.allclose(read.reshape(-1, 3), warp.source(places.astype(float)), atol=1e-3)


def test_zoom_is_the_change_of_small_lengths():
    assert np.allclose(CropWarp((9, 9, 9), matrix=np.eye(3) / 1.25).zoom(np.zeros((2, 3))), 1.25)
    warp = CropWarp((48, 48, 48), controls=_controls((48, 48, 48), 3.0))
    place = np.array([[20.0, 15, 30]])
    edges = warp.source(place + np.eye(3) * 1e-4) - warp.source(place)
    assert warp.zoom(place)[0] == pytest.approx((abs(np.linalg.det(edges)) / 1e-12) ** (-1 / 3), rel=1e-3)


def test_outside_is_filled():
    warp = CropWarp((8, 8, 8), matrix=np.eye(3) / 1.25)
    for at in ((-40, 5, 5), (5, 70, 5)):
        assert (warp.place(at, warp.middle).read(VOLUME, fill=170) == 170).all()
    half = warp.place((0, 12, 14), warp.middle).read(torch.zeros(20, 24, 28, dtype=torch.uint8), fill=170)
    assert torch.allclose(half[:2], torch.tensor(170.0))  # a voxel or more outside
    assert torch.allclose(half[5:], torch.tensor(0.0), atol=1e-3)
    thin = warp.place((0, 12, 14), warp.middle).read(torch.zeros(1, 24, 28, dtype=torch.uint8), fill=170)
    # crop row r lies (r - 3.5) / 1.25 slices above the only one: its share of 0 is what is left of 1
    assert np.allclose(thin[:, 4, 4], 170 * np.minimum(np.abs(np.arange(8) - 3.5) / 1.25, 1), atol=0.01)


def test_only_the_box_it_needs_is_read(monkeypatch):
    seen = []
    volume = torch.zeros(200, 200, 200, dtype=torch.uint8)
    original = torch.nn.functional.grid_sample
    monkeypatch.setattr(
        torch.nn.functional,
        "grid_sample",
        lambda box, *args, **options: seen.append(box.shape) or original(box, *args, **options),
    )
    warp = CropWarp((10, 12, 14), matrix=np.eye(3) / 0.75)
    warp.place((100, 100, 100), warp.middle).read(volume, fill=0)
    (shape,) = seen
    assert shape[2:] <= (10 / 0.75 + 3, 12 / 0.75 + 3, 14 / 0.75 + 3)


def test_nearest_keeps_values():
    warp = CropWarp((12, 12, 12), matrix=np.eye(3) / 1.1).place((10, 12, 14), (5, 5, 5))
    values = warp.read((VOLUME > 128).to(torch.uint8) * 3, fill=0, nearest=True)
    assert set(values.unique().tolist()) == {0.0, 3.0}


def test_span():
    warp = CropWarp((5, 5, 5)).place((10, 12, 14), (2, 2, 2))  # voxels 8-12, 10-14, 12-16
    last = [19, 23, 27]
    expected = [8 / 19, 10 / 23, 12 / 27, 12 / 19, 14 / 23, 16 / 27]
    assert np.allclose(warp.span((20, 24, 28)), np.array(expected) - 0.5)
    assert warp.span((20, 24, 28)).dtype == torch.float32
    # twice as large: half the extent; a mirrored axis runs down
    scaled = CropWarp((5, 5, 5), matrix=np.diag([-0.5, 0.5, 0.5])).place((10, 12, 14), (2, 2, 2))
    expected = np.array([11, 11, 13, 9, 13, 15]) / np.array(last * 2) - 0.5
    assert np.allclose(scaled.span((20, 24, 28)), expected)
    assert np.allclose(
        CropWarp((3, 3, 3)).place((4, 4, 0), (1, 1, 1)).span((9, 9, 1))[[0, 1]], [-0.125, -0.125]
    )
