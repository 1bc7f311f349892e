# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tomobundles.networks import FusionNetwork
from tomobundles.utils import InputError


class Fixed(nn.Module):
    """A network whose output does not depend on its input."""

    def __init__(self, **output: Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return self.output


def logits(*probabilities: float) -> Tensor:
    """Logits (1, C, 1, 1) with these class probabilities."""
    return torch.tensor(probabilities).log().view(1, -1, 1, 1) + 7  # softmax does not see the 7


def presence(probability: float) -> Tensor:
    return torch.tensor([[probability]]).logit()


IMAGE = torch.zeros(1, 3, 1, 1)


def test_equal_weights_by_hand() -> None:
    # Mean of (0.7, 0.2, 0.1) and (0.1, 0.6, 0.3) is (0.4, 0.4, 0.2); of 0.9 and 0.2 it is 0.55.
    fusion = FusionNetwork(
        [
            Fixed(segmentation=logits(0.7, 0.2, 0.1), presence=presence(0.9)),
            Fixed(segmentation=logits(0.1, 0.6, 0.3), presence=presence(0.2)),
        ]
    )
    output = fusion(IMAGE)
    expected = torch.tensor([0.4, 0.4, 0.2])
    torch.testing.assert_close(output["segmentation"].flatten().exp(), expected)
    torch.testing.assert_close(output["segmentation"].softmax(1).flatten(), expected)
    torch.testing.assert_close(output["presence"].sigmoid(), torch.tensor([[0.55]]))


def test_weights_are_normalised() -> None:
    # 3 : 1 -> 0.75 * (0.7, 0.3) + 0.25 * (0.1, 0.9) = (0.55, 0.45); 0.75 * 0.8 + 0.25 * 0.4 = 0.7
    members = [
        Fixed(segmentation=logits(0.7, 0.3), presence=presence(0.8)),
        Fixed(segmentation=logits(0.1, 0.9), presence=presence(0.4)),
    ]
    output = FusionNetwork(members, weights=[3, 1])(IMAGE)
    torch.testing.assert_close(output["segmentation"].flatten().exp(), torch.tensor([0.55, 0.45]))
    torch.testing.assert_close(output["presence"].sigmoid(), torch.tensor([[0.7]]))


def test_member_without_an_output_is_left_out_of_its_mean() -> None:
    # Segmentation: members 0 and 2 at 1 : 1. Presence: members 1 and 2 at 2 : 1, (2 * 0.9 + 0.3) / 3 = 0.7.
    members = [
        Fixed(segmentation=logits(0.7, 0.3)),
        Fixed(presence=presence(0.9)),
        Fixed(segmentation=logits(0.1, 0.9), presence=presence(0.3)),
    ]
    output = FusionNetwork(members, weights=[1, 2, 1])(IMAGE)
    torch.testing.assert_close(output["segmentation"].flatten().exp(), torch.tensor([0.4, 0.6]))
    torch.testing.assert_close(output["presence"].sigmoid(), torch.tensor([[0.7]]))


@pytest.mark.parametrize("key", ["segmentation", "presence"])
def test_output_that_no_member_gives(key: str) -> None:
    output = FusionNetwork([Fixed(**{key: torch.zeros(1, 2, 1, 1)})])(IMAGE)
    assert output.keys() == {key}


def test_one_member_is_itself() -> None:
    generator = torch.Generator().manual_seed(0)
    maps, slices = torch.randn(2, 4, 3, 5, generator=generator), torch.randn(2, 3, generator=generator)
    output = FusionNetwork([Fixed(segmentation=maps, presence=slices)])(IMAGE)
    torch.testing.assert_close(output["segmentation"], maps.log_softmax(1))
    torch.testing.assert_close(output["presence"], slices)


def test_extreme_logits_stay_finite_and_ordered() -> None:
    # Probabilities that are exactly 0 or 1 in float32; a mean of probabilities would give infinite logits.
    member = Fixed(
        segmentation=torch.tensor([1000.0, -1000.0]).view(1, 2, 1, 1),
        presence=torch.tensor([[30.0, 40.0, -200.0]]),
    )
    output = FusionNetwork([member, member])(IMAGE)
    assert all(torch.isfinite(value).all() for value in output.values())
    torch.testing.assert_close(output["presence"], torch.tensor([[30.0, 40.0, -200.0]]))
    torch.testing.assert_close(output["segmentation"].softmax(1).flatten(), torch.tensor([1.0, 0.0]))


def test_computes_in_float32() -> None:
    member = Fixed(segmentation=logits(0.5, 0.5).bfloat16(), presence=presence(0.5).bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        output = FusionNetwork([member, member])(IMAGE)
    assert {value.dtype for value in output.values()} == {torch.float32}


def test_no_members() -> None:
    with pytest.raises(InputError, match="fusion of no networks"):
        FusionNetwork([])


@pytest.mark.parametrize(
    "weights", [[1.0], [1, 2, 3], [1, 0], [1, -1], [1, float("nan")], [1, float("inf")], []]
)
def test_bad_weights(weights: list[float]) -> None:
    with pytest.raises(InputError, match=r"fusion weights .* for 2 networks"):
        FusionNetwork([Fixed(), Fixed()], weights=weights)


def test_members_of_other_classes() -> None:
    fusion = FusionNetwork(
        [Fixed(segmentation=torch.zeros(1, 4, 1, 1)), Fixed(segmentation=torch.zeros(1, 2, 1, 1))]
    )
    with pytest.raises(InputError, match=r"shape of 'segmentation': \(1, 4, 1, 1\), \(1, 2, 1, 1\)"):
        fusion(IMAGE)
