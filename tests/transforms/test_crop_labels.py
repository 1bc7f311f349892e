# SPDX-License-Identifier: Apache-2.0
import numpy as np
import torch

from tomobundles.transforms import CropWarp, crop_label
from tomobundles.transforms.crop_labels import crop_rows


def _warp():
    """Voxels 10 to 19 of each axis."""
    return CropWarp((10, 10, 10)).place((10, 10, 10), (0, 0, 0))


def test_rows_move_into_the_crop():
    rows = torch.tensor([[14.5, 12, 18, 6, 1], [11, 11, 11, 8, -1], [50, 14, 14, 6, 1]])
    label = crop_label(_warp(), rows)
    assert label.shape == (16, 5)
    assert label.dtype == torch.float32
    assert label[:2].tolist() == [[4.5, 2, 8, 6, 1], [1, 1, 1, 8, -1]]
    assert not label[2:].any()


def test_cut_nodules():
    # the crop ends at 19.5: centres at 19.5, 21, 22.4, 22.6 with a radius of 3
    rows = torch.tensor([[place, 14, 14, 6, 1] for place in (19.5, 21.0, 22.4, 22.6)])
    label = crop_label(_warp(), rows)
    assert label[:3, 0].tolist() == torch.tensor([9.5, 11, 12.4]).tolist()
    assert label[:4, 4].tolist() == [1, -1, -1, 0]


def test_scale_changes_diameters():
    warp = CropWarp((10, 10, 10), matrix=np.eye(3) / 1.25).place((14, 14, 14), (4, 4, 4))
    label = crop_label(warp, torch.tensor([[16.0, 14, 14, 4, 1]]))
    assert np.allclose(label[0], [6.5, 4, 4, 5, 1])


def test_nodules_come_first_and_the_nearest_stay():
    rows = torch.tensor([[10 + k / 4, 14.5, 14.5, 2, -1] for k in range(20)] + [[19.0, 19, 19, 2, 1]])
    label = crop_label(_warp(), rows)
    assert label[0].tolist() == [9, 9, 9, 2, 1]
    assert (label[1:, 4] == -1).all()
    off = (label[1:, 0] - 4.5).abs()
    assert torch.equal(off, off.sort().values)
    assert off.max() == 3.25  # fifteen findings: 0, twice 0.25, then every 0.25


def test_no_rows():
    assert not crop_label(_warp(), torch.zeros(0, 5)).any()


def test_all_rows_are_moved():
    rows = torch.tensor([[50.0, 14, 14, 6, 1], [12, 12, 12, 4, -1]])
    assert crop_rows(_warp(), rows).tolist() == [[40, 4, 4, 6, 1], [2, 2, 2, 4, -1]]
