# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle

import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from torch import Tensor, nn

from tomobundles.losses import ExponentialLogarithmicDice, MultiTaskLoss, PresenceBCE, WeightedCrossEntropy
from tomobundles.networks import GridUNet
from tomobundles.utils import InputError

CONFIG = {
    "_target_": "tomobundles.losses.MultiTaskLoss",
    "terms": {
        "wce": {"_target_": "tomobundles.losses.WeightedCrossEntropy", "class_weights": [1, 5, 10, 20]},
        "eldice": {"_target_": "tomobundles.losses.ExponentialLogarithmicDice"},
        "bce": {"_target_": "tomobundles.losses.PresenceBCE"},
    },
}


class Constant(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, prediction: dict[str, Tensor], label: Tensor) -> Tensor:
        return self.value * 1


def batch() -> tuple[dict[str, Tensor], Tensor]:
    generator = torch.Generator().manual_seed(0)
    prediction = {
        "segmentation": torch.randn(2, 4, 8, 8, generator=generator, requires_grad=True),
        "presence": torch.randn(2, 3, generator=generator, requires_grad=True),
    }
    return prediction, torch.randint(0, 4, (2, 1, 8, 8), generator=generator, dtype=torch.uint8)


def test_weighted_sum_by_hand() -> None:
    # 1 * 2 + 0.5 * 3 = 3.5
    loss = MultiTaskLoss({"a": Constant(2.0), "b": Constant(3.0)}, weights={"b": 0.5})
    total = loss({}, torch.zeros(1))
    assert total.shape == ()
    assert total.item() == 3.5
    assert {name: value.item() for name, value in loss.terms.items()} == {"a": 2.0, "b": 3.0}
    assert list(loss.terms) == ["a", "b"]
    assert not any(value.requires_grad for value in loss.terms.values())
    total.mean().backward()
    assert loss.losses["b"].value.grad == 0.5


def test_terms_are_those_of_the_last_call() -> None:
    loss = MultiTaskLoss({"a": Constant(2.0)})
    assert loss.terms == {}
    loss({}, torch.zeros(1))
    nn.init.constant_(loss.losses["a"].value, 5.0)
    loss({}, torch.zeros(1))
    assert loss.terms["a"].item() == 5.0


def test_from_a_config() -> None:
    loss = ConfigParser({"loss": CONFIG}).get_parsed_content("loss")
    prediction, label = batch()
    total = loss(prediction, label)
    expected = {
        "wce": WeightedCrossEntropy([1, 5, 10, 20])(prediction, label),
        "eldice": ExponentialLogarithmicDice()(prediction, label),
        "bce": PresenceBCE()(prediction, label),
    }
    assert loss.terms == {name: value.detach() for name, value in expected.items()}
    torch.testing.assert_close(total, sum(expected.values()))
    total.backward()
    assert all(torch.isfinite(value.grad).all() and value.grad.any() for value in prediction.values())


def test_terms_as_dictionaries() -> None:
    prediction, label = batch()
    by_hand = MultiTaskLoss(CONFIG["terms"])
    parsed = ConfigParser({"loss": CONFIG}).get_parsed_content("loss")
    assert by_hand(prediction, label) == parsed(prediction, label)


def test_label_of_any_kind() -> None:
    loss = MultiTaskLoss(CONFIG["terms"])
    prediction, label = batch()
    expected = loss(prediction, label)
    metatensors = {key: MetaTensor(value) for key, value in prediction.items()}
    for other in (label.long(), label.float(), MetaTensor(label)):
        assert loss(prediction, other) == expected
        total = loss(metatensors, other)
        assert total == expected
        assert type(total) is torch.Tensor


def test_a_network_learns_from_it() -> None:
    # Three rectangles on noise: some steps along the gradient's signs must bring every term down.
    torch.manual_seed(0)
    label = torch.zeros(4, 1, 32, 32, dtype=torch.uint8)
    for k in (1, 2, 3):
        label[k, 0, 8 * k - 4 : 8 * k + 4, 8:24] = k
    image = label.float() + 0.1 * torch.randn(4, 1, 32, 32)
    network = GridUNet(in_channels=1, channels=(8, 12, 16))
    loss = MultiTaskLoss(CONFIG["terms"])
    history = []
    for _ in range(30):
        network.zero_grad()
        loss(network(image), label).backward()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter -= 0.005 * parameter.grad.sign()
        history.append({name: value.item() for name, value in loss.terms.items()})
    assert all(history[-1][name] < 0.6 * first for name, first in history[0].items())


def test_pickles() -> None:
    prediction, label = batch()
    loss = MultiTaskLoss(CONFIG["terms"])
    assert pickle.loads(pickle.dumps(loss))(prediction, label) == loss(prediction, label)


def test_missing_head_names_the_term() -> None:
    prediction, label = batch()
    del prediction["presence"]
    match = r"loss term 'bce': needs 'presence' from the network, which gives segmentation\nUse the loss"
    with pytest.raises(InputError, match=match) as error:
        MultiTaskLoss(CONFIG["terms"])(prediction, label)
    assert len(str(error.value).splitlines()) <= 3


def test_no_terms() -> None:
    with pytest.raises(InputError, match="a loss without terms"):
        MultiTaskLoss({})


def test_weight_for_no_term() -> None:
    with pytest.raises(InputError, match="do not exist: dice\nThe terms are a, b"):
        MultiTaskLoss({"a": Constant(1.0), "b": Constant(1.0)}, weights={"dice": 1.0})
