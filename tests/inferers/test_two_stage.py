# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch
from monai.data import MetaTensor
from torch import nn

from tomobundles.inferers.nodule_inferer import NoduleInferer
from tomobundles.inferers.two_stage import TwoStageInferer
from tomobundles.networks import NoduleClassifier
from tomobundles.utils import InputError

from .nodule_networks import BlockMeans, scan, sigmoid, unit

# the detector prefers the brightest block, the classifier the darkest
IMAGE = scan((48, 32, 80), ((12, 12, 8), 4, 245), ((24, 12, 8), 4, 220), ((12, 12, 60), 4, 230))
PLACES = {245: [13.5, 13.5, 9.5], 230: [13.5, 13.5, 61.5], 220: [25.5, 13.5, 9.5]}


class Dark(nn.Module):
    """Logits -20 * (mean of the crop + 1): 0 for a crop of air, less for what is in it."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(-20.0))
        self.dropout = nn.Dropout(0.5)
        self.frozen = nn.Dropout(0.5).eval()
        self.seen = []

    def forward(self, crops):
        self.seen.append((tuple(crops.shape), self.dropout.training))
        return self.dropout(self.weight * (crops.mean((1, 2, 3, 4))[:, None] + 1))


class Counting(NoduleInferer):
    calls = 0

    def __call__(self, inputs, network):
        self.calls += 1
        return super().__call__(inputs, network)


def stages(detector=None, **options):
    inferer = Counting([8], bf16=False)
    return TwoStageInferer(detector or BlockMeans(), inferer, **({"size": 16} | options))


def test_by_hand():
    network = Dark()
    found = stages(fusion="second", batch_size=2)(MetaTensor(IMAGE), network)
    assert set(found) == {"points", "probability", "detector", "classifier"}
    grays = (220, 230, 245)
    assert found["points"].tolist() == [[*PLACES[gray], 8] for gray in grays]
    detector = torch.tensor([sigmoid(20 * (unit(gray) - 0.7)) for gray in grays])
    torch.testing.assert_close(found["detector"], detector)
    # each crop of 16^3 holds its block of 4^3 and air
    classifier = torch.tensor([sigmoid(-20 * 64 * (unit(gray) + 1) / 16**3) for gray in grays])
    torch.testing.assert_close(found["classifier"], classifier)
    assert torch.equal(found["probability"], found["classifier"])
    assert [shape for shape, _ in network.seen] == [(2, 1, 16, 16, 16), (1, 1, 16, 16, 16)]


def test_classifier_is_evaluated_and_set_back():
    network = Dark()
    assert [network.training, network.dropout.training, network.frozen.training] == [True, True, False]
    stages()(IMAGE, nn.DataParallel(network))
    assert not any(training for _, training in network.seen)
    assert [network.training, network.dropout.training, network.frozen.training] == [True, True, False]


def test_sorted_by_what_both_say():
    found = stages(weight=0.99)(IMAGE, Dark())
    logits = 0.01 * found["detector"].double().logit() + 0.99 * found["classifier"].double().logit()
    torch.testing.assert_close(found["probability"], logits.sigmoid().float(), atol=1e-5, rtol=1e-4)
    assert torch.equal(found["probability"], found["probability"].sort(descending=True).values)
    assert not torch.equal(found["detector"], found["detector"].sort(descending=True).values)
    alone = stages().inferer(IMAGE, BlockMeans())
    order = torch.argsort(found["detector"], descending=True)
    assert torch.equal(found["points"][order], alone["points"])
    assert torch.equal(found["detector"][order], alone["probability"])


def test_only_the_best_are_judged():
    network = Dark()
    found = stages(candidates=1, fusion="second")(IMAGE, network)
    assert [shape[0] for shape, _ in network.seen] == [1]
    assert found["points"][0, :3].tolist() == PLACES[245]
    assert found["classifier"].isnan().tolist() == [False, True, True]
    assert found["probability"].isfinite().all()
    assert found["probability"][0] >= found["probability"][1] >= found["probability"][2]
    none = stages(candidates=0)(IMAGE, network)
    assert torch.equal(none["probability"], none["detector"])


def test_nothing_found():
    network = Dark()
    found = stages()(scan((16, 16, 16)), network)
    assert {key: tuple(value.shape) for key, value in found.items()} == {
        "points": (0, 4),
        "probability": (0,),
        "detector": (0,),
        "classifier": (0,),
    }
    assert network.seen == []


def test_floats_give_the_same_crops():
    found, expected = stages()((IMAGE.float() - 128) / 128, Dark()), stages()(IMAGE, Dark())
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_the_real_classifier():
    torch.manual_seed(0)
    found = stages(size=32)(IMAGE, NoduleClassifier(channels=(2, 2, 2, 2)))
    assert found["classifier"].isfinite().all()
    assert not found["classifier"].requires_grad


def test_detector_is_asked_once_a_scan():
    detector = BlockMeans()
    two = stages(detector, cache=True)
    network = Dark()
    first, other = two(IMAGE, network), two(IMAGE.flip(2), network)
    assert two.inferer.calls == 2
    assert not torch.equal(first["points"], other["points"])
    with torch.no_grad():
        network.weight.mul_(0.5)  # the classifier is trained meanwhile
    again = two(IMAGE.clone(), network)
    assert two.inferer.calls == 2
    assert not torch.equal(again["classifier"], first["classifier"])
    first["detector"].zero_()  # what was given is not what is kept
    assert two(IMAGE, network)["detector"].max() > 0
    with torch.no_grad():
        detector.scale.mul_(1.1)
    two(IMAGE, network)
    assert two.inferer.calls == 3
    plain = stages(detector)
    plain(IMAGE, network), plain(IMAGE, network)
    assert plain.inferer.calls == 2


@pytest.mark.parametrize("output", [torch.zeros(3), torch.zeros(3, 2), torch.full((3, 1), math.nan)])
def test_output_that_is_no_logit(output):
    network = nn.Identity()
    network.forward = lambda crops: output
    with pytest.raises(InputError, match=r"the classifier's output of shape .* is not one finite number"):
        stages()(IMAGE, network)


def test_settings_that_make_no_sense():
    with pytest.raises(InputError, match="fusion is 'max'"):
        stages(fusion="max")
    with pytest.raises(InputError, match="weight is -1"):
        stages(weight=-1)
