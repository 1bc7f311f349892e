# SPDX-License-Identifier: Apache-2.0
"""What the processes of one run share, in a group of three and without one."""

from __future__ import annotations

import json
import logging
import math
import random
from pathlib import Path

import ignite.distributed as idist
import pytest
import torch
from monai.utils import set_determinism
from torch import distributed

from tests.bundles.torchrun import torchrun
from tomobundles.utils import InputError
from tomobundles.utils.distributed import (
    end_process_group,
    gather_in_order,
    gather_json,
    in_data_order,
    local_device,
    rank0_first,
    start_process_group,
)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of three processes found, see distributed_worker.py."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "turns").mkdir()
    worker = str(Path(__file__).with_name("distributed_worker.py"))
    done = torchrun(worker, str(folder), scratch=folder / "run", ranks=3)
    assert done.code == 0, done.output[-4000:]
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(3)]


def test_each_rank_draws_its_own(ranks):
    set_determinism(seed=5)
    assert ranks[0]["random"] == [random.random(), float(torch.rand(()))]  # rank 0 as one process would
    set_determinism(seed=None)
    assert len({tuple(rank["random"]) for rank in ranks}) == 3


def test_only_rank_0_says_what_goes_well(ranks):
    assert [rank["level"] for rank in ranks] == [20, 30, 30]


def test_rank_0_is_first(ranks):
    assert ranks[0]["before"] == []
    assert all(0 in rank["before"] for rank in ranks[1:])


def test_values_of_all_ranks_come_back_exactly(ranks):
    one = ["ä\t", math.inf, 0.1 + 0.2]
    for rank in ranks:
        assert rank["gathered"] == [[], [1, *one], [2, *one, 2, *one]]
        assert rank["plain"] == [[], ["['(1+2j)']"], ["['(1+2j)']"]]


def test_the_order_is_that_of_the_data_set(ranks):
    for rank in ranks:
        assert rank["order"] == [0, 10, 20, 30]  # of rank 0, 1, 2, 0
        assert rank["packed"] == ["0", "1", "2"]


def test_shuffled_shards_are_even(ranks):
    shares = [rank["shards"] for rank in ranks]
    assert [len(share) for share in shares] == [3, 3, 3]
    assert {item for share in shares for item in share} == set(range(7))


def test_an_epoch_must_fill_a_batch_on_each_rank(ranks):
    for rank in ranks:
        assert "7 visits does not fill a batch of 4 on each of 3" in rank["uneven"]


def test_gradients_of_a_sum_are_added(ranks):
    """Inputs 0 + 1, 1 + 2 and 2 + 3, which a mean over ranks would divide by three."""
    assert [rank["gradient"] for rank in ranks] == [9.0] * 3


def test_in_data_order():
    shares = [["a", "d"], ["b", "e"], ["c"]]
    assert in_data_order(shares, key=lambda value: value) == ["a", "b", "c", "d", "e"]
    # two ranks did "a"; one rank did "b" twice, which the data set then has twice
    assert in_data_order([["a"], ["b", "b"], ["a"]], key=lambda value: value) == ["a", "b", "b"]
    assert in_data_order([["", "x"], [""]], key=lambda value: value or None) == ["", "", "x"]
    assert in_data_order([[1, None], [None]], key=lambda value: value) == [1, None, None]
    assert (
        in_data_order([], key=lambda value: value) == in_data_order([[], []], key=lambda value: value) == []
    )


def test_one_process_needs_no_group():
    assert gather_json([1, math.inf]) == [[1, math.inf]]
    values = [object(), object()]
    assert gather_in_order(values, key=lambda value: "same") == values
    with rank0_first():
        pass
    end_process_group()


@pytest.fixture
def _two_of_one(monkeypatch):
    """A group of one process that takes itself for the first of two."""
    given = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_RANK": 0, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 0}
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))
    start_process_group(seed=None)
    monkeypatch.setattr(idist, "get_world_size", lambda: 2)
    monkeypatch.setattr(idist, "all_gather", lambda tensor: torch.cat([tensor, tensor]))
    yield
    monkeypatch.undo()
    end_process_group()


@pytest.mark.usefixtures("_two_of_one")
def test_what_is_gathered():
    assert gather_json(["ä", math.inf]) == [["ä", math.inf]] * 2
    assert gather_in_order([1, 2], key=lambda value: None) == [1, 1, 2, 2]


@pytest.mark.usefixtures("_two_of_one")
@pytest.mark.parametrize(
    ("rank", "local", "before"), [(0, 0, 0), (1, 1, 2), (2, 0, 1)], ids=["first", "beside it", "elsewhere"]
)
def test_turns(rank, local, before, monkeypatch):
    """Two barriers on every rank; how many of them are before its turn."""
    seen = []
    monkeypatch.setattr(idist, "get_rank", lambda: rank)
    monkeypatch.setattr(idist, "get_local_rank", lambda: local)
    monkeypatch.setattr(distributed, "barrier", lambda: seen.append("barrier"))
    with rank0_first():
        seen.append("turn")
    assert seen == ["barrier"] * before + ["turn"] + ["barrier"] * (2 - before)
    seen.clear()
    monkeypatch.setattr(idist, "get_rank", lambda: 0)
    with pytest.raises(ZeroDivisionError), rank0_first():
        raise ZeroDivisionError
    assert seen == []  # the others wait until torchrun ends them


def test_a_process_that_torchrun_did_not_start(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(InputError, match="torchrun did not start \\(RANK is not set\\)"):
        start_process_group(seed=1)
    assert not distributed.is_initialized()


def test_local_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert local_device() == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert local_device() == torch.device("cuda", 0)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert local_device() == torch.device("cuda", 1)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(InputError, match="process 3 of this machine has no GPU, there are 2"):
        local_device()


def test_nccl_where_there_are_gpus(monkeypatch):
    """The calls that start a group of GPUs, and that an existing group is taken as it is."""
    called = {}
    for name, value in {
        "RANK": 1,
        "WORLD_SIZE": 2,
        "LOCAL_RANK": 1,
        "MASTER_ADDR": "a",
        "MASTER_PORT": 1,
    }.items():
        monkeypatch.setenv(name, str(value))
    module = "tomobundles.utils.distributed"
    monkeypatch.setattr(f"{module}.local_device", lambda: torch.device("cuda", 1))
    monkeypatch.setattr(f"{module}.idist.sync", lambda: None)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: called.update(device=device))
    monkeypatch.setattr(distributed, "init_process_group", lambda **options: called.update(options))
    monkeypatch.setattr(distributed, "get_rank", lambda: 1)
    silenced = []
    monkeypatch.setattr("tomobundles.utils.distributed.leave_tracking_to_rank0", lambda: silenced.append(1))
    monkeypatch.setattr(f"{module}.set_determinism", lambda seed: called.update(seed=seed))
    monkeypatch.setattr(logging.getLogger(), "setLevel", lambda level: called.update(level=level))
    start_process_group(seed=4, timeout_hours=2)
    assert silenced
    assert (called["seed"], called["level"]) == (5, logging.WARNING)
    assert called["device"] == torch.device("cuda", 1)
    assert called["backend"] == "nccl"
    assert called["timeout"].total_seconds() == 7200
    called.clear()
    monkeypatch.setattr(distributed, "is_initialized", lambda: True)
    start_process_group()
    assert "backend" not in called
