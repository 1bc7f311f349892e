# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from tomobundles.inferers.candidate_fusion import FUSIONS, fuse
from tomobundles.utils import InputError

DETECTOR = torch.tensor([0.8, 0.5])
CLASSIFIER = torch.tensor([0.2, 0.9])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.5, 0.75]),  # logit 0.8 = -logit 0.2; sqrt(0.9 / 0.1) = 3 to 1
        ({"fusion": "mean"}, [0.5, 0.7]),
        ({"fusion": "mean", "weight": 0.25}, [0.65, 0.6]),
        ({"fusion": "product"}, [0.16, 0.45]),
        ({"fusion": "second"}, [0.2, 0.9]),
        ({"weight": 0}, [0.8, 0.5]),
        ({"weight": 1}, [0.2, 0.9]),
    ],
)
def test_by_hand(options, expected):
    found = fuse(DETECTOR, CLASSIFIER, **options)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.tensor(expected))


def test_those_not_seen_rank_behind():
    detector = torch.tensor([0.8, 0.5, 0.4, 0.1])
    # the lowest fused value is 0.2, a quarter of what the detector gave the last: so are the others
    found = fuse(detector, torch.tensor([0.9, 0.125]), fusion="second")
    torch.testing.assert_close(found, torch.tensor([0.9, 0.125, 0.1, 0.025]))
    # and never more than the detector gave
    found = fuse(detector, torch.tensor([0.9, 0.95]), fusion="second")
    torch.testing.assert_close(found, torch.tensor([0.9, 0.95, 0.4, 0.1]))
    # equal ones stay behind
    assert fuse(torch.tensor([0.5, 0.5]), torch.tensor([0.3]), fusion="second").tolist() == pytest.approx(
        [0.3] * 2
    )


@pytest.mark.parametrize("fusion", FUSIONS)
def test_never_overtakes(fusion):
    torch.manual_seed(0)
    for _ in range(20):
        detector = torch.rand(30).sort(descending=True).values
        found = fuse(detector, torch.rand(12) ** 4, fusion=fusion)
        assert found[12:].max() <= found[:12].min()
        assert (found[12:] <= detector[12:]).all()
        assert torch.equal(found[12:], found[12:].sort(descending=True).values)


def test_none_seen_and_none_found():
    assert torch.equal(fuse(DETECTOR, torch.empty(0)), DETECTOR)
    assert fuse(torch.empty(0), torch.empty(0)).shape == (0,)


def test_certainties_stay_numbers():
    found = fuse(torch.tensor([1.0, 1.0, 0.0]), torch.tensor([1.0, 0.0, 0.0]))
    torch.testing.assert_close(found, torch.tensor([1.0, 0.5, 0.0]), atol=1e-6, rtol=0)
    assert fuse(torch.tensor([0.0, 0.0]), torch.tensor([0.0]), fusion="product").tolist() == [0, 0]


def test_refused():
    with pytest.raises(InputError, match="fusion is 'max'\nGive one of logit_mean"):
        fuse(DETECTOR, CLASSIFIER, fusion="max")
    with pytest.raises(InputError, match=r"weight is 1\.5"):
        fuse(DETECTOR, CLASSIFIER, weight=1.5)
