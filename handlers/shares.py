# SPDX-License-Identifier: Apache-2.0
"""A process's share of a data set, and the records of all shares in the data set's order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import ignite.distributed as idist
from ignite.engine import Engine

from ..utils import InputError, end_process_group, gather_json

T = TypeVar("T")


class Share:
    """The items of an evaluator's data set that this process infers, as its sampler deals them out.

    With one process that is the whole data set. ``gather`` puts the records of all processes in the data
    set's order, so that tables do not depend on how many there are.

    Args:
        engine: an evaluator whose data are in ``data_loader.dataset.data``; None for no data.

    Attributes:
        items: the whole data set, of which this process has a share.
        sharded: there are several processes.
    """

    def __init__(self, engine: Engine | None = None) -> None:
        loader = None if engine is None else engine.data_loader
        self.items: Sequence[Mapping[str, Any]] = [] if loader is None else loader.dataset.data
        sampler = getattr(loader, "sampler", None)
        self._indices = iter(range(len(self.items)) if sampler is None else sampler)
        # a handler is made before any run, and not by all processes at one time: nothing is gathered then
        self.sharded = loader is not None and idist.get_world_size() > 1

    def next_index(self) -> int:
        """Place in the data set of the next item that this process infers, from 0."""
        return next(self._indices)

    def gather(
        self,
        records: Sequence[tuple[int, T]],
        *,
        encode: Callable[[T], Any] = lambda record: record,
        decode: Callable[[Any], T] = lambda record: record,
    ) -> list[T]:
        """Collect the records of all processes; all of them must come here.

        Args:
            records: (place in the data set, record) of this process, one an item.
            encode: makes JSON of a record, where it goes to other processes.
            decode: turns that back.

        Returns:
            records in the data set's order, each place once.
        """
        if not self.sharded:
            return [record for _, record in records]
        found: dict[int, Any] = {}
        for share in gather_json([[index, encode(record)] for index, record in records]):
            for index, record in share:
                found.setdefault(index, record)
        return [decode(found[index]) for index in sorted(found)]


def is_rank0() -> bool:
    """Whether this process writes what is written once."""
    return idist.get_rank() == 0


def remove_earlier(paths: Iterable[Path]) -> None:
    """Remove files of an earlier run before any process writes: a table is there when its run is complete."""
    if is_rank0():
        for path in paths:
            path.unlink(missing_ok=True)
    idist.barrier()


def end_with(error: InputError) -> None:
    """Raise an error that all processes know of on rank 0 alone, when no process needs it any more.

    The others go on to the end of the run, where they wait for each other; so rank 0 goes there first.
    """
    if is_rank0():
        end_process_group()
        raise error


def end_with_refusals(refused: int, *, done: int, kind: str, table: Path) -> None:
    """End a run whose scans were refused in part: the others have their results.

    Args:
        refused: how many were refused; 0 ends nothing.
        done: how many have results.
        kind: what they are, in the plural.
        table: says why each was refused.

    Raises:
        InputError: on rank 0, if any was refused.
    """
    if refused:
        problem = f"{refused} of {done + refused} {kind} were refused, the others have their results"
        end_with(InputError(problem, path=table, remedy="the table says why"))
