# SPDX-License-Identifier: Apache-2.0
"""Shares of a data set, and their records in its order."""

from types import SimpleNamespace

import pytest

from tests.handlers.ranks import Ranks
from tomobundles.handlers.shares import Share, end_with, is_rank0, remove_earlier
from tomobundles.utils import InputError


def engine_of(items, sampler=None):
    return SimpleNamespace(data_loader=SimpleNamespace(dataset=SimpleNamespace(data=items), sampler=sampler))


def test_one_process_has_all_in_order():
    share = Share(engine_of(["a", "b"]))
    assert [share.next_index() for _ in range(2)] == [0, 1]
    assert (share.items, share.sharded) == (["a", "b"], False)
    record = (1, 2)
    assert share.gather([(0, record)])[0] is record  # nothing goes through JSON


def test_no_engine_no_items():
    assert list(Share().items) == []
    assert Share().gather([]) == []


def test_a_sampler_says_which_items_come():
    share = Share(engine_of("abcde", sampler=range(1, 5, 2)))
    assert [share.next_index(), share.next_index()] == [1, 3]


def test_records_of_all_ranks_in_the_order_of_the_data(monkeypatch):
    ranks = Ranks(monkeypatch, 2)

    def run(rank):
        share = Share(engine_of("abcde", sampler=range(rank, 5, 2)))
        assert share.sharded
        own = [(share.next_index(), rank) for _ in range(3 - rank)]
        return share.gather(own, encode=lambda one: {"rank": one}, decode=lambda one: one["rank"])

    assert ranks.run(run) == [[0, 1, 0, 1, 0]] * 2


def test_what_two_ranks_did_comes_once(monkeypatch):
    """As from a sampler that makes shares even, and a rank without any."""
    ranks = Ranks(monkeypatch, 3)
    given = [[(0, "a"), (1, "b")], [(1, "again"), (2, "c")], []]
    assert ranks.run(lambda rank: Share(engine_of("abc")).gather(given[rank])) == [["a", "b", "c"]] * 3


def test_rank_0_removes_before_any_rank_goes_on(monkeypatch, tmp_path):
    ranks = Ranks(monkeypatch, 2)
    table = tmp_path / "table.csv"
    table.write_text("old")

    def run(rank):
        remove_earlier([table, tmp_path / "absent.csv"])
        return is_rank0(), table.exists()

    assert ranks.run(run) == [(True, False), (False, False)]


def test_rank_0_alone_raises_and_leaves_the_group_first(monkeypatch):
    ranks = Ranks(monkeypatch, 2)
    error = InputError("1 of 3 studies were refused")
    assert ranks.run(lambda rank: end_with(error)) == [error, None]
    assert ranks.ended == [0]


def test_one_process_raises():
    with pytest.raises(InputError, match="refused"):
        end_with(InputError("refused"))
