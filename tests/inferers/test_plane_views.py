# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from tomobundles.inferers.in_plane import Chain, PadToMultiple
from tomobundles.inferers.plane_views import PlaneViews

OPTIONS = [(False, False, 1), (True, False, 4), (False, True, 4), (True, True, 8)]


def _network():
    torch.manual_seed(0)
    body = torch.nn.Conv2d(3, 1, 3, padding=1)
    return lambda stacks: body(stacks).sigmoid().detach()


@pytest.mark.parametrize(("flips", "turns", "count"), OPTIONS)
def test_views_are_distinct_and_answers_are_turned_back(flips, turns, count):
    seen = []

    def network(stacks):
        seen.append(stacks)
        return stacks[:, 1:2]

    stacks = torch.arange(3 * 4 * 6.0).reshape(1, 3, 4, 6)
    found = PlaneViews(flips=flips, quarter_turns=turns)(stacks, network)
    assert torch.equal(found, stacks[:, 1:2])
    assert len({(tuple(view.shape), tuple(view.flatten().tolist())) for view in seen}) == len(seen) == count


def test_the_mean_of_four_flips_by_hand():
    # the network marks the first pixel of what it sees: each corner is the first in one of the flips
    def network(stacks):
        answer = torch.zeros_like(stacks)
        answer[..., 0, 0] = 1
        return answer

    found = PlaneViews(flips=True)(torch.zeros(1, 1, 3, 4), network)
    expected = torch.zeros(3, 4)
    expected[[0, 0, -1, -1], [0, -1, 0, -1]] = 0.25
    assert torch.equal(found[0, 0], expected)


@pytest.mark.parametrize("change", [lambda x: x.flip(-1), lambda x: x.flip(-2), lambda x: x.mT.flip(-1)])
@pytest.mark.parametrize("multiple", [1, 8])
def test_all_eight_views_make_any_network_equivariant(change, multiple):
    step = Chain(PlaneViews(flips=True, quarter_turns=True), PadToMultiple(multiple))
    network, stacks = _network(), torch.randn(2, 3, 9, 13)
    found = step(change(stacks), network)
    torch.testing.assert_close(found, change(step(stacks, network)), atol=1e-6, rtol=0)
    # the network alone is not
    assert not torch.allclose(network(change(stacks)), change(network(stacks)), atol=1e-3)


def test_dictionaries_and_vectors():
    found = PlaneViews(flips=True)(
        torch.rand(1, 1, 3, 4), lambda view: {"map": view, "first": view[..., 0, 0]}
    )
    assert set(found) == {"map", "first"}
    stacks = torch.arange(12.0).reshape(1, 1, 3, 4)
    vector = PlaneViews(flips=True)(stacks, lambda view: view[..., 0, 0])
    assert vector.tolist() == [[(0 + 3 + 8 + 11) / 4]]
