# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from torch import nn

from tomobundles.inferers.prepared_network import PreparedNetwork, plain_copy, weight_marks

CPU = torch.device("cpu")


class Counting:
    def __init__(self):
        self.calls = []

    def __call__(self, network, *, dtype, device):
        self.calls.append((network, dtype, device))
        return plain_copy(network, dtype=dtype, device=device)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(1, 2, 3), nn.BatchNorm3d(2))


def test_copy_leaves_the_network_as_it_is(network):
    network[1].eval()  # frozen
    ready = PreparedNetwork()(network, dtype=torch.bfloat16, device=CPU)
    assert [module.training for module in network.modules()] == [True, True, False]
    assert not any(module.training for module in ready.modules())
    assert network[0].weight.dtype == torch.float32
    assert network[0].weight.requires_grad
    assert ready[0].weight.dtype == torch.bfloat16
    assert not ready[0].weight.requires_grad
    assert ready[0].weight.is_contiguous(memory_format=torch.channels_last_3d)


def step(network):
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    network(torch.rand(2, 1, 4, 4, 4)).square().sum().backward()
    optimizer.step()


def write_data(network):
    network[0].weight.data[0] += 1


def load(network):
    network.load_state_dict({name: value + 1 for name, value in network.state_dict().items()})


def new_weight(network):
    network[0].weight = nn.Parameter(network[0].weight.detach().flip(0))


def running_average(network):
    with torch.no_grad():
        network(torch.rand(2, 1, 4, 4, 4))


@pytest.mark.parametrize("change", [step, write_data, load, new_weight, running_average])
def test_made_anew_when_weights_change(network, change):
    prepare = Counting()
    prepared = PreparedNetwork(prepare)
    first = prepared(network, dtype=torch.float32, device=CPU)
    assert prepared(network, dtype=torch.float32, device=CPU) is first
    change(network)
    second = prepared(network, dtype=torch.float32, device=CPU)
    assert second is not first
    assert torch.equal(second[0].weight, network[0].weight)
    assert torch.equal(second[1].running_mean, network[1].running_mean)
    assert len(prepare.calls) == 2


def test_made_anew_for_another_type_or_network(network):
    prepare = Counting()
    prepared = PreparedNetwork(prepare)
    prepared(network, dtype=torch.float32, device=CPU)
    prepared(network, dtype=torch.bfloat16, device=CPU)
    prepared(nn.Sequential(*network), dtype=torch.bfloat16, device=CPU)
    assert [dtype for _, dtype, _ in prepare.calls] == [torch.float32, torch.bfloat16, torch.bfloat16]


def test_network_without_weights():
    assert weight_marks(nn.Identity()) == ()
    prepared = PreparedNetwork()
    network = nn.Identity()
    assert prepared(network, dtype=torch.float32, device=CPU) is prepared(
        network, dtype=torch.float32, device=CPU
    )
