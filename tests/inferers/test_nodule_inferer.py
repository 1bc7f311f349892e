# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch
from monai.data import MetaTensor
from torch import nn

from tomobundles.inferers import nodule_inferer
from tomobundles.inferers.nodule_decode import decode_candidates
from tomobundles.inferers.nodule_inferer import NoduleInferer, has_bf16
from tomobundles.networks import NoduleDetector, inference_network
from tomobundles.utils import InputError
from tomobundles.utils.spheres import check_anchors

from .nodule_networks import BlockMeans, scan, sigmoid, unit

FEW = {"channels": (4, 8, 8, 8, 8), "decoder_channels": (8, 8), "encoder_blocks": (1, 1, 1, 1)}
FEW |= {"decoder_blocks": (1, 1), "head_channels": 8, "num_anchors": 2}


def infer(**options):
    return NoduleInferer([8], **({"bf16": False} | options))


def detector(**options):
    """Random weights, batch norm that has seen data, logits on both sides of the threshold."""
    torch.manual_seed(0)
    network = NoduleDetector(**(FEW | options))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.momentum = None
    with torch.no_grad():
        network((noise(32, 32, 32) - 128.0) / 128)
        spread = network.eval()((noise(32, 32, 32) - 128.0) / 128).std(dim=(0, 2, 3, 4))
        wanted = torch.tensor([0.5, 0.15, 0.15, 0.15, 0.15] * 2)  # as of a trained network
        network.head[-1].weight.mul_((wanted / spread)[:, None, None, None, None])
        network.head[-1].bias[::5] = -1.5
    return network.train()


def noise(*shape):
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (1, 1, *shape), dtype=torch.uint8, generator=generator)


def test_candidates_by_hand():
    # two cells of the grid of 4 voxels, apart; the third is below a probability of 0.05
    image = scan((20, 24, 40), ((4, 8, 12), 4, 230), ((16, 20, 36), 4, 240), ((0, 0, 0), 4, 197))
    found = infer()(image, BlockMeans())
    assert set(found) == {"points", "probability", "detector"}
    assert found["points"].tolist() == [[17.5, 21.5, 37.5, 8], [5.5, 9.5, 13.5, 8]]
    expected = [sigmoid(20 * (unit(gray) - 0.7)) for gray in (240, 230)]
    torch.testing.assert_close(found["probability"], torch.tensor(expected))
    assert torch.equal(found["detector"], found["probability"])
    more = infer(min_probability=0.01)(image, BlockMeans())
    assert more["points"][2].tolist() == [1.5, 1.5, 1.5, 8]
    assert len(infer(max_candidates=1)(image, BlockMeans())["points"]) == 1
    assert len(infer(top_k=1)(image, BlockMeans())["points"]) == 1


def test_neighbours_are_one_candidate():
    image = scan((16, 16, 16), ((4, 4, 4), 4, 240), ((8, 4, 4), 4, 230))  # cubes of 8, 4 apart: IoU 1/3
    assert infer()(image, BlockMeans())["points"].tolist() == [[5.5, 5.5, 5.5, 8]]
    assert len(infer(nms_iou=0.34)(image, BlockMeans())["points"]) == 2


def test_neighbours_vote_on_the_place():
    image = scan((16, 16, 16), ((4, 4, 4), 4, 240), ((8, 4, 4), 4, 230))
    better, other = (sigmoid(20 * (unit(gray) - 0.7)) for gray in (240, 230))
    place = infer(vote_iou=0.1)(image, BlockMeans())["points"]
    assert place[0].tolist() == pytest.approx([5.5 + 4 * other / 3 / (better + other / 3), 5.5, 5.5, 8])
    assert infer(vote_iou=0.4)(image, BlockMeans())["points"].tolist() == [[5.5, 5.5, 5.5, 8]]


def test_floats_and_meta_are_taken_too():
    image = scan((20, 24, 40), ((4, 8, 12), 4, 230))
    expected = infer()(image, BlockMeans())
    network = BlockMeans()
    found = infer()(MetaTensor((image.float() - 128) / 128), network)
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert type(found["points"]) is torch.Tensor


def test_nothing_found():
    found = infer()(scan((16, 16, 16)), BlockMeans())
    assert {key: tuple(value.shape) for key, value in found.items()} == {
        "points": (0, 4),
        "probability": (0,),
        "detector": (0,),
    }


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 17, 33), (16, 16, 16), (5, 64, 16)])
def test_any_size(shape):
    network = detector()
    found = NoduleInferer([5, 10], bf16=False, min_probability=0, max_candidates=10**6)(
        noise(*shape), network
    )
    assert (found["points"][:, :3] >= -0.5).all()
    assert (found["points"][:, :3] <= torch.tensor(shape) - 0.5).all()


def test_box_refers_to_the_scan_without_padding():
    class Remembers(BlockMeans):
        def __deepcopy__(self, memo):
            return self

    network = Remembers()
    infer()(scan((11, 16, 21)), network)
    torch.testing.assert_close(network.boxes[-1], torch.tensor([[-0.5, -0.5, -0.5, 1.0, 0.5, 1.05]]))
    # the coordinate maps of voxels that both have are then the same
    whole = detector().eval()
    image = (torch.rand(1, 1, 32, 32, 32) * 2 - 1).round()
    box = torch.tensor([[-0.5, -0.5, -0.5, 0.5, 0.5, 0.5]])
    found = NoduleInferer([5, 10], bf16=False).output_map(image, whole)
    torch.testing.assert_close(found, whole(image, box), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"stem": "strided"}, {"stride": 2}])
@pytest.mark.parametrize("prepare", [None, inference_network])
def test_slabs_give_what_the_whole_gives(options, prepare):
    network, image = detector(**options), noise(40, 90, 21)
    settings = {"bf16": False, "stride": options.get("stride", 4), "prepare": prepare}
    whole, slabs = NoduleInferer([5, 10], **settings), NoduleInferer([5, 10], memory_mb=1, **settings)
    one, other = whole.output_map(image, network), slabs.output_map(image, network)
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
    found, expected = slabs(image, network), whole(image, network)
    assert len(expected["points"]) > 5
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, atol=1e-3 if key == "points" else 1e-5, rtol=0)


def test_slabs_are_cut_across_the_longest_axis():
    class Remembers(BlockMeans):
        def __deepcopy__(self, memo):
            return self

    network = Remembers(smooth=True)
    options = {"memory_mb": 1e-3, "progress": True}
    found = infer(**options)(scan((16, 80, 32), ((4, 60, 12), 4, 230)), network)
    assert [size[1] for size, _ in network.sizes] == [48, 32, 48, 48, 48, 32]  # the first to measure
    assert found["points"].shape == (0, 4)  # smoothed away


def test_same_input_same_output():
    network, image = detector(), noise(30, 33, 40)
    for bf16 in (False, True):
        settings = {"bf16": bf16, "prepare": inference_network}
        first, second = (NoduleInferer([5, 10], **settings)(image, network) for _ in range(2))
        assert len(first["points"]) > 5
        assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("prepare", [None, inference_network])
def test_bfloat16_within_tolerance(prepare):
    """Cell by cell, since suppression may choose another of two candidates that are equally good."""
    network, image = detector(), noise(48, 48, 48)
    decoded = []
    for bf16 in (False, True):
        inferer = NoduleInferer([5, 10], bf16=bf16, prepare=prepare)
        output = inferer.output_map(image, network)
        assert output.dtype == (torch.bfloat16 if bf16 else torch.float32)
        cells = output.float()[0].unflatten(0, (2, 5)).movedim(1, -1).flatten(0, -2)
        anchors = check_anchors([5, 10]).repeat_interleave(len(cells) // 2)[:, None]
        decoded.append((cells[:, 0].sigmoid(), cells[:, 1:4] * anchors, cells[:, 4:].exp() * anchors))
    (p, place, size), (p16, place16, size16) = decoded
    assert p.std() > 0.03
    assert (p - p16).abs().max() < 0.03
    assert (place - place16).abs().max() < 0.5
    assert (size - size16).abs().max() < 0.5


def test_bfloat16_finds_the_same_candidates():
    image = scan((40, 24, 320), ((4, 8, 12), 4, 230), ((16, 20, 300), 4, 240))
    codes = (0.1, -0.2, 0.05, 0.3)
    found, expected = infer(bf16=True)(image, BlockMeans(codes)), infer()(image, BlockMeans(codes))
    assert len(expected["points"]) == 2
    torch.testing.assert_close(found["points"], expected["points"], atol=0.05, rtol=0)
    torch.testing.assert_close(found["probability"], expected["probability"], atol=0.03, rtol=0)


def test_bfloat16_where_it_is_native(monkeypatch):
    able = {"avx512_bf16": False, "amx_bf16": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    cpu = torch.device("cpu")
    assert not has_bf16(cpu)
    assert infer(bf16="auto").output_map(scan((16, 16, 16)), BlockMeans()).dtype == torch.float32
    able["amx_bf16"] = True
    assert has_bf16(cpu)
    assert infer(bf16="auto").output_map(scan((16, 16, 16)), BlockMeans()).dtype == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: not including_emulation)
    assert has_bf16(torch.device("cuda"))
    assert not has_bf16(torch.device("mps"))
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not has_bf16(cpu)


def test_network_stays_as_it_is():
    network = detector().train()
    network.stem.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    found = NoduleInferer([5, 10], prepare=inference_network)(noise(20, 20, 20), network)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not found["points"].requires_grad


def test_training_goes_on_between_calls():
    network, image = BlockMeans(), scan((16, 16, 16), ((4, 4, 4), 4, 230))
    inferer = infer()
    before = inferer(image, network)["probability"].item()
    measured = inferer._footprint
    assert inferer(image, network)["probability"].item() == before
    assert inferer._footprint is measured
    with torch.no_grad():
        network.scale.mul_(2)
    after = inferer(image, network)["probability"].item()
    assert after == pytest.approx(sigmoid(40 * (unit(230) - 0.7)), abs=1e-5)
    assert after != before


def test_wrapped_networks_and_devices():
    image = scan((16, 16, 16), ((4, 4, 4), 4, 230))
    expected = infer()(image, BlockMeans())
    found = infer(device="cpu")(image, nn.DataParallel(BlockMeans()))
    assert torch.equal(found["points"], expected["points"])
    assert nodule_inferer._device_of(nn.Identity()) == torch.device("cpu")


def test_equals_plain_decoding():
    network, image = detector().eval(), noise(32, 32, 32)
    inferer = NoduleInferer([5, 10], bf16=False, nms_iou=1)
    with torch.no_grad():
        output = network((image.float() - 128) / 128)
    anchors = check_anchors([5, 10])
    points, probability = decode_candidates(output, anchors=anchors, stride=4, shape=(32, 32, 32))
    found = inferer(image, network)
    torch.testing.assert_close(found["points"], points[:100], atol=1e-3, rtol=0)
    torch.testing.assert_close(found["probability"], probability[:100], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"anchors": []}, "anchors"),
        ({"anchors": [5, -1]}, "anchors"),
        ({"anchors": [5], "bf16": "yes"}, "bf16 is 'yes'\nGive true, false"),
        ({"anchors": [5], "min_probability": 1.5}, "min_probability 1.5"),
        ({"anchors": [5], "nms_iou": -0.1}, "nms_iou -0.1"),
        ({"anchors": [5], "vote_iou": 2}, "vote_iou 2"),
        ({"anchors": [5], "max_candidates": 0}, "max_candidates 0"),
    ],
)
def test_settings_that_make_no_sense(options, message):
    with pytest.raises(InputError, match=message):
        NoduleInferer(**options)


def test_stride_of_another_network():
    with pytest.raises(
        InputError, match=r"gives \(4, 4, 4\) cells for \(16, 16, 16\) voxels\n.*it is 2 here"
    ):
        infer(stride=2)(scan((16, 16, 16)), BlockMeans())


@pytest.mark.parametrize("network", [nn.Conv3d(1, 5, 1), len])
def test_network_that_is_not_split(network):
    with pytest.raises(InputError, match=r"cannot be run in parts\nIt needs fine, coarse, total_stride"):
        infer()(scan((16, 16, 16)), network)


def test_damaged_weights():
    network = BlockMeans()
    network.scale.data.fill_(math.nan)
    with pytest.raises(InputError, match="not finite"):
        infer()(scan((16, 16, 16)), network)


@pytest.mark.parametrize("image", [torch.zeros(2, 1, 16, 16, 16), torch.zeros(1, 1, 16, 16, 16).int()])
def test_image_that_is_no_scan(image):
    with pytest.raises(InputError, match="image of"):
        infer()(image, BlockMeans())
