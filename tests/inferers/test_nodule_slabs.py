# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from tomobundles.inferers.nodule_slabs import Footprint, fine_in_slabs, measure_footprint, slab_thickness
from tomobundles.networks import NoduleDetector

from .nodule_networks import BlockMeans

FEW = {"channels": (4, 4, 4, 4, 4), "decoder_channels": (4, 4), "encoder_blocks": (1, 1, 1, 1)}
FEW |= {"decoder_blocks": (1, 1), "head_channels": 4}


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(
    "options", [{}, {"stem": "strided"}, {"stride": 2}, {"encoder_blocks": (3, 1, 1, 1)}]
)
@torch.no_grad()
def test_maps_are_those_of_the_whole(axis, options):
    torch.manual_seed(0)
    network = NoduleDetector(**(FEW | options)).eval().double()
    sizes = [32, 16, 16]
    sizes[axis] = 80
    image = torch.rand(1, 1, *sizes, dtype=torch.float64) * 2 - 1
    whole, calls = network.fine(image), []
    for thickness in (16, 32, 80, 96):
        parts = fine_in_slabs(
            image,
            network,
            axis=axis,
            thickness=thickness,
            convert=lambda part: part,
            follow=lambda slabs: calls.append(len(slabs)) or slabs,
        )
        assert len(parts) == len(whole)
        for part, expected in zip(parts, whole, strict=True):
            torch.testing.assert_close(part, expected, atol=1e-12, rtol=0)
    assert calls == [5, 3, 1, 1]
    torch.testing.assert_close(network.coarse(parts), network(image), atol=1e-12, rtol=0)


@torch.no_grad()
def test_slabs_bring_no_more_than_their_margin():
    network = BlockMeans(smooth=True).bfloat16()
    image = torch.rand(1, 1, 16, 16, 96)
    fine_in_slabs(image, network, axis=2, thickness=32, convert=torch.Tensor.bfloat16)
    assert network.sizes == [((16, 16, depth), torch.bfloat16) for depth in (48, 64, 48)]


@torch.no_grad()
def test_a_margin_too_small_would_show():
    network = BlockMeans(smooth=True)
    image = torch.rand(1, 1, 16, 16, 64)
    whole = network.fine(image)[0]
    network.fine_margin = 0
    part = fine_in_slabs(image, network, axis=2, thickness=32, convert=lambda part: part)[0]
    differs = ~torch.isclose(whole, part)
    assert differs[..., 7:9].any()
    assert not differs[..., :7].any()
    assert not differs[..., 9:].any()


@pytest.mark.parametrize(
    ("memory_mb", "expected"), [(10.3, None), (10.0, 48), (7.8, 32), (6.1, 16), (5.0, 16), (0.1, 16)]
)
def test_thickness(memory_mb, expected):
    # whole 10.24 MB; maps 1.024 MB; a row of a slab 0.1024 MB: (10 - 1.024) / 0.1024 = 87 rows, 32 of margin
    network = BlockMeans(smooth=True)
    footprint = Footprint(fine=100, maps=10)
    found = slab_thickness((32, 100, 32), axis=1, network=network, footprint=footprint, memory_mb=memory_mb)
    assert found == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_footprint_by_hand(dtype):
    # the greatest layer takes and gives the whole cube, the maps are 1/64 of it
    found = measure_footprint(BlockMeans(smooth=True).to(dtype), dtype=dtype, device=torch.device("cpu"))
    assert found == (1.5 * 2 * dtype.itemsize, dtype.itemsize / 64)


def test_footprint_leaves_no_hooks():
    network = NoduleDetector(**FEW).eval()
    found = measure_footprint(network, dtype=torch.float32, device=torch.device("cpu"))
    assert not any(module._forward_hooks for module in network.modules())
    assert found.fine >= 1.5 * 2 * 4 * 4  # four channels in and out at full resolution
    assert found.maps == 4 * 4 / 64
