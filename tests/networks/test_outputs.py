# SPDX-License-Identifier: Apache-2.0
"""A dictionary that answers for its main tensor, wherever dictionaries of tensors go."""

import copy
import pickle

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils import _pytree as pytree

from tomobundles.networks import GridUNet, MultiTaskOutput


@pytest.fixture
def output():
    return MultiTaskOutput(main=torch.ones(2, 3, dtype=torch.float64), other=torch.zeros(1))


def test_it_answers_for_the_first(output):
    assert output.shape == (2, 3)
    assert output.dtype == torch.float64
    assert output.main is output["main"]
    assert isinstance(output, dict)
    assert list(output) == ["main", "other"]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies(output, copied):
    found = copied(output)
    assert type(found) is MultiTaskOutput
    assert torch.equal(found["main"], output["main"])


def test_trees_see_its_tensors(output):
    doubled = pytree.tree_map(lambda value: 2 * value, output)
    assert type(doubled) is MultiTaskOutput
    assert torch.equal(doubled["main"], 2 * output["main"])
    paths = [pytree.keystr(path) for path, _ in pytree.tree_flatten_with_path(output)[0]]
    assert paths == ["['main']", "['other']"]


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x):
        return MultiTaskOutput(first=self.layer(x), second=x.sum(dim=1))


def test_compiled():
    found = torch.compile(Two(), backend="eager")(torch.ones(3, 4))
    assert type(found) is MultiTaskOutput
    assert found.shape == (3, 2)


@pytest.mark.parametrize("options", [{}, {"find_unused_parameters": True}, {"static_graph": True}])
def test_data_parallel_training(options):
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        network = DistributedDataParallel(Two(), **options)
        for _ in range(2):
            network.zero_grad()
            found = network(torch.ones(3, 4))
            assert found.shape == (3, 2)
            found["first"].sum().backward()
            # d sum / d bias = the three rows
            assert torch.equal(network.module.layer.bias.grad, torch.full((2,), 3.0))
    finally:
        dist.destroy_process_group()


def test_networks_of_two_tasks_give_it():
    found = GridUNet(channels=(4, 8), out_channels=4).eval()(torch.zeros(1, 3, 8, 8))
    assert type(found) is MultiTaskOutput
    assert found.shape == (1, 4, 8, 8)
