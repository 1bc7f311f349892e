# SPDX-License-Identifier: Apache-2.0
"""Padding and cropping, as computed and as recorded at another size."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tomobundles.networks.any_size import _count_to, crop_like, is_recorded, pad_by_edge

SIZES = [(5, 7), (8, 4), (1, 1), (9, 16)]


def image(height, width):
    return torch.arange(2.0 * height * width).reshape(1, 2, height, width)


class Padded(nn.Module):
    def forward(self, x):
        assert is_recorded()
        padded = pad_by_edge(x, 4)
        return padded, crop_like(2 * padded, x)


def test_nothing_is_recorded_here():
    assert not is_recorded()


@pytest.mark.parametrize("size", SIZES)
def test_pads_the_lower_and_the_right_edge(size):
    height, width = size
    expected = F.pad(image(*size), (0, -width % 4, 0, -height % 4), mode="replicate")
    found = pad_by_edge(image(*size), 4)
    assert torch.equal(found, expected)
    assert torch.equal(crop_like(found, image(*size)), image(*size))


def test_what_fits_is_not_copied():
    own = image(8, 4)
    assert pad_by_edge(own, 4) is own
    assert crop_like(own, own) is own


@pytest.mark.parametrize("example", [(5, 6), (8, 8)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_trace_holds_at_other_sizes(example):
    traced = torch.jit.trace(Padded(), (image(*example),), check_trace=False)
    for size in SIZES:
        padded, cropped = traced(image(*size))
        assert torch.equal(padded, pad_by_edge(image(*size), 4))
        assert torch.equal(cropped, 2 * image(*size))


class Counted(nn.Module):
    def forward(self, maps):
        return _count_to(maps.shape[-1], maps)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_trace_counts_where_its_input_lies():
    traced = torch.jit.trace(Counted(), (image(2, 5),), check_trace=False)
    assert traced(image(2, 3)).tolist() == [0, 1, 2]
    # "meta" stands for a GPU: tensors there have a device and no numbers
    assert traced(image(2, 3).to("meta")).device.type == "meta"


def test_an_export_holds_at_other_sizes():
    free = {0: torch.export.Dim("rows", min=5), 1: torch.export.Dim("columns", min=5)}
    shapes = ({2: free[0], 3: free[1]},)
    program = torch.export.export(Padded(), (image(6, 9),), dynamic_shapes=shapes).module()
    for size in ((5, 7), (8, 8), (9, 16)):
        padded, cropped = program(image(*size))
        assert torch.equal(padded, pad_by_edge(image(*size), 4))
        assert torch.equal(cropped, 2 * image(*size))
