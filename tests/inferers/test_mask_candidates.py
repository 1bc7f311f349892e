# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch
from monai.data import MetaTensor
from monai.inferers import SimpleInferer, SliceInferer, SlidingWindowInferer
from monai.networks.nets import UNet

from tomobundles.inferers.mask_candidates import MaskCandidates
from tomobundles.utils import InputError

from .nodule_networks import BrightVoxels, scan, sigmoid, unit

SHAPE = (24, 40, 20)
IMAGE = scan(SHAPE, ((2, 3, 4), 4, 192), ((14, 30, 10), 3, 224), ((20, 1, 1), 1, 255))


def windows(**options):
    return SlidingWindowInferer(**({"roi_size": (16, 16, 16), "sw_batch_size": 3, "overlap": 0.5} | options))


@pytest.mark.parametrize(
    "inferer",
    [
        SimpleInferer(),
        windows(),
        windows(mode="gaussian"),
        windows(roi_size=(32, 32, 32)),
        SliceInferer(spatial_dim=2, roi_size=(24, 40), sw_batch_size=4),
        SliceInferer(spatial_dim=2, roi_size=(32, 48), sw_batch_size=7),
    ],
)
def test_parts_by_hand(inferer):
    network = BrightVoxels()
    found = MaskCandidates(inferer)(MetaTensor(IMAGE), network)
    assert {shape[0] > 0 and dtype for shape, dtype, _ in network.seen} == {torch.float32}
    assert len(network.seen[0][0]) == (4 if isinstance(inferer, SliceInferer) else 5)
    # a single voxel of diameter 1.24 is left out; 27 and 64 voxels
    diameters = [math.cbrt(6 * volume / math.pi) for volume in (27, 64)]
    expected = [[15, 31, 11, diameters[0]], [3.5, 4.5, 5.5, diameters[1]]]
    torch.testing.assert_close(found["points"], torch.tensor(expected), atol=1e-4, rtol=0)
    probability = torch.tensor([sigmoid(10 * unit(gray)) for gray in (224, 192)])
    torch.testing.assert_close(found["probability"], probability, atol=2e-3, rtol=0)
    assert torch.equal(found["detector"], found["probability"])
    assert found["mask"].dtype == torch.uint8
    assert torch.equal(found["mask"][0] == 1, (IMAGE[0, 0] > 128) & (IMAGE[0, 0] < 255))


def test_padding_of_windows_is_water():
    network = BrightVoxels()
    MaskCandidates(windows(roi_size=(32, 64, 32)))(
        torch.full((1, 1, *SHAPE), 200, dtype=torch.uint8), network
    )
    assert network.seen[0][2] == unit(170)


def test_options():
    one = MaskCandidates(windows(), min_diameter=1)(IMAGE, BrightVoxels())
    assert len(one["points"]) == 3
    assert one["points"][0, :3].tolist() == [20, 1, 1]
    best = MaskCandidates(windows(), max_candidates=1)(IMAGE, BrightVoxels())
    assert len(best["points"]) == 1
    assert best["mask"].sum() == 27  # of those listed
    strict = MaskCandidates(windows(), threshold=0.995)(IMAGE, BrightVoxels())
    assert len(strict["points"]) == 1
    nothing = MaskCandidates(windows(), threshold=1.0)(scan(SHAPE), BrightVoxels())
    assert nothing["points"].shape == (0, 4)
    assert nothing["probability"].shape == (0,)
    assert nothing["mask"].shape == (1, *SHAPE)
    assert not nothing["mask"].any()


def test_touching_corners_are_one_part():
    image = scan(SHAPE, ((4, 4, 4), 2, 200), ((6, 6, 6), 2, 240))
    found = MaskCandidates(SimpleInferer())(image, BrightVoxels())
    assert len(found["points"]) == 1
    low, high = sigmoid(10 * unit(200)), sigmoid(10 * unit(240))
    assert found["probability"].item() == pytest.approx((low + high) / 2, abs=1e-4)
    place = (4.5 * low + 6.5 * high) / (low + high)
    torch.testing.assert_close(found["points"][0, :3], torch.full((3,), place), atol=1e-4, rtol=0)
    greatest = MaskCandidates(SimpleInferer(), score="max")(image, BrightVoxels())
    assert greatest["probability"].item() == pytest.approx(high, abs=1e-4)


def test_activations():
    expected = MaskCandidates(windows())(IMAGE, BrightVoxels())
    soft = MaskCandidates(windows(), activation="softmax")(IMAGE, BrightVoxels(channels=2))
    for key, value in expected.items():
        torch.testing.assert_close(soft[key], value, atol=1e-3, rtol=0)
    other = MaskCandidates(windows(), channel=0)(scan(SHAPE), BrightVoxels(channels=2))
    assert len(other["points"]) == 1  # logits of zero reach 0.5
    plain = MaskCandidates(SimpleInferer(), activation=None)(IMAGE, torch.sigmoid)
    assert plain["mask"].sum() == 27 + 64


def test_floats_are_taken_as_they_are():
    network = BrightVoxels()
    found = MaskCandidates(windows())((IMAGE.float() - 128) / 128, network)
    expected = MaskCandidates(windows())(IMAGE, network)
    assert torch.equal(found["mask"], expected["mask"])
    torch.testing.assert_close(found["probability"], expected["probability"], atol=2e-3, rtol=0)


def test_networks_of_two_and_three_dimensions():
    torch.manual_seed(0)
    for dims, inferer in (
        (3, windows()),
        (2, SliceInferer(spatial_dim=2, roi_size=(32, 48), sw_batch_size=8)),
    ):
        network = UNet(dims, 1, 1, channels=(2, 4), strides=(2,)).eval()
        found = MaskCandidates(inferer)(IMAGE, network)
        assert found["mask"].shape == (1, *SHAPE)
        assert not found["points"].requires_grad


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "relu"}, "activation 'relu'"),
        ({"score": "median"}, "score 'median'"),
        ({"threshold": 0.0}, "threshold is 0.0"),
        ({"threshold": 2.0}, "threshold is 2.0"),
    ],
)
def test_settings_that_make_no_sense(options, message):
    with pytest.raises(InputError, match=message):
        MaskCandidates(SimpleInferer(), **options)


def test_output_of_another_size():
    with pytest.raises(InputError, match=r"segmentation is \(1, 1, 12, 20, 10\) for an image of \(1, 1, 24"):
        MaskCandidates(SimpleInferer())(IMAGE, torch.nn.AvgPool3d(2))
    with pytest.raises(InputError, match="segmentation is dict"):
        MaskCandidates(SimpleInferer())(IMAGE, lambda image: {"mask": image})


def test_damaged_weights():
    network = BrightVoxels()
    network.weight.data.fill_(math.nan)
    with pytest.raises(InputError, match="segmentation is not finite"):
        MaskCandidates(windows())(IMAGE, network)
