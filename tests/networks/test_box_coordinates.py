# SPDX-License-Identifier: Apache-2.0
"""Positions of cells in the lung box."""

from __future__ import annotations

import pytest
import torch

from tomobundles.networks.box_coordinates import box_coordinates
from tomobundles.utils import InputError


def test_whole_box_by_hand() -> None:
    # 16 voxels: voxel v lies at v / 15 - 0.5; cells of 4 have their centres at 1.5, 5.5, 9.5, 13.5.
    maps = box_coordinates(None, (4, 2, 1), stride=4, batch=2)
    assert maps.shape == (2, 3, 4, 2, 1)
    expected = torch.tensor([1.5, 5.5, 9.5, 13.5]) / 15 - 0.5
    torch.testing.assert_close(maps[1, 0, :, 1, 0], expected)
    # 8 voxels: 1.5 / 7 and 5.5 / 7; 4 voxels: 1.5 / 3
    torch.testing.assert_close(maps[0, 1, 0, :, 0], torch.tensor([1.5, 5.5]) / 7 - 0.5)
    torch.testing.assert_close(maps[0, 2], torch.zeros(4, 2, 1))


def test_a_crop_sees_its_part_of_the_whole() -> None:
    # A lung box of 64 voxels along each axis, a crop of 16 from voxel 20, the same cells in both.
    whole = box_coordinates(None, (16, 16, 16), stride=4, batch=1)
    low, high = 20 / 63 - 0.5, 35 / 63 - 0.5
    crop = box_coordinates(torch.tensor([[low] * 3 + [high] * 3]), (4, 4, 4), stride=4, batch=1)
    torch.testing.assert_close(crop, whole[:, :, 5:9, 5:9, 5:9])


def test_each_image_and_axis_has_its_own() -> None:
    box = torch.tensor([[0.0, 1, 2, 0, 1, 2], [3, 4, 5, 3, 4, 5]], dtype=torch.float64)
    maps = box_coordinates(box, (1, 2, 3), stride=2, batch=2)
    assert maps.dtype == torch.float32
    assert maps.amin(dim=(2, 3, 4)).tolist() == maps.amax(dim=(2, 3, 4)).tolist() == [[0, 1, 2], [3, 4, 5]]


class Positions(torch.nn.Module):
    def forward(self, maps: torch.Tensor, box: torch.Tensor) -> torch.Tensor:
        return box_coordinates(box, maps.shape[2:], stride=4, batch=maps.shape[0], device=maps.device)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_trace_holds_at_other_sizes_and_on_other_devices() -> None:
    traced = torch.jit.trace(Positions(), (torch.zeros(2, 1, 3, 4, 5), torch.rand(2, 6)), check_trace=False)
    maps, box = torch.zeros(1, 1, 6, 2, 9), torch.rand(1, 6)
    torch.testing.assert_close(traced(maps, box), box_coordinates(box, (6, 2, 9), stride=4, batch=1))
    # "meta" stands for a GPU: tensors there have a device and no numbers
    assert traced(maps.to("meta"), box.to("meta")).device.type == "meta"


def test_a_box_may_lie_elsewhere() -> None:
    maps = box_coordinates(torch.rand(1, 6), (2, 2, 2), stride=4, batch=1, device=torch.device("meta"))
    assert maps.device.type == "meta"


@pytest.mark.parametrize("shape", [(1, 6), (2, 3), (6,)])
def test_refuses_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="box of shape"):
        box_coordinates(torch.zeros(shape), (2, 2, 2), stride=4, batch=2)
