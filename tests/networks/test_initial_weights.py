# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from torch import nn

from tomobundles.networks import initial_weights
from tomobundles.utils import InputError


def _network(*, context):
    parts = {"encoder": nn.Linear(3, 2)} | ({"context": nn.Linear(2, 2)} if context else {})
    return nn.ModuleDict(parts)


@pytest.fixture
def stored(tmp_path):
    source = _network(context=False)
    torch.save(source.state_dict(), tmp_path / "model.pt")
    return source, tmp_path / "model.pt"


def test_nothing_to_start_from():
    network = _network(context=True)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert initial_weights(network) is network
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_new_parts_keep_their_own_weights(stored):
    source, path = stored
    network = _network(context=True)
    own = network["context"].weight.clone()
    assert initial_weights(network, path=path, new=["context."]) is network
    assert torch.equal(network["encoder"].weight, source["encoder"].weight)
    assert torch.equal(network["context"].weight, own)


def test_a_new_part_that_the_file_has_is_loaded(tmp_path):
    source, network = _network(context=True), _network(context=True)
    torch.save(source.state_dict(), tmp_path / "model.pt")
    initial_weights(network, path=tmp_path / "model.pt", new=["context."])
    assert torch.equal(network["context"].weight, source["context"].weight)


def test_missing_names_are_refused_where_nothing_is_new(stored):
    with pytest.raises(InputError, match="2 missing"):
        initial_weights(_network(context=True), path=stored[1])


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        initial_weights(_network(context=False), path=tmp_path / "lost.pt")
