# SPDX-License-Identifier: Apache-2.0
"""Which process takes which items; in a group of processes see tests/utils/test_distributed.py."""

from __future__ import annotations

import ignite.distributed as idist
import pytest

from tomobundles.data import ShardSampler, training_shards
from tomobundles.utils import InputError


@pytest.mark.parametrize(("items", "ranks"), [(5, 2), (4, 4), (1, 3), (0, 2), (7, 1)])
def test_each_item_goes_to_one_rank(items, ranks, monkeypatch):
    monkeypatch.setattr(idist, "get_world_size", lambda: ranks)
    shares = []
    for rank in range(ranks):
        monkeypatch.setattr(idist, "get_rank", lambda rank=rank: rank)
        sampler = ShardSampler(range(items))
        shares.append(list(sampler))
        assert len(sampler) == len(shares[-1])
    assert sorted(item for share in shares for item in share) == list(range(items))
    assert shares[0][:2] == list(range(items))[::ranks][:2]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def _as_one_of(monkeypatch, ranks):
    monkeypatch.setattr("torch.utils.data.distributed.dist.is_available", lambda: True)
    monkeypatch.setattr("torch.utils.data.distributed.dist.get_world_size", lambda: ranks)
    monkeypatch.setattr("torch.utils.data.distributed.dist.get_rank", lambda: 0)


def test_training_shards_are_shuffled_anew_in_each_epoch(monkeypatch):
    _as_one_of(monkeypatch, 2)
    sampler = training_shards(range(9), batch_size=5, seed=3)
    first = list(sampler)
    assert len(first) == 5
    assert first == list(training_shards(range(9), batch_size=5, seed=3))
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert list(training_shards(range(9), batch_size=1, seed=None)) == list(
        training_shards(range(9), batch_size=1, seed=0)
    )


def test_an_epoch_of_less_than_a_batch_is_refused(monkeypatch):
    _as_one_of(monkeypatch, 2)
    with pytest.raises(InputError, match="9 visits does not fill a batch of 6 on each of 2 processes"):
        training_shards(range(9), batch_size=6)
