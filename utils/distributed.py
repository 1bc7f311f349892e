# SPDX-License-Identifier: Apache-2.0
"""Several processes, one run: torchrun starts them, a config's overlay makes them one group."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import ignite.distributed as idist
import torch
from monai.utils import set_determinism
from torch import distributed

from .errors import InputError
from .trackers import leave_tracking_to_rank0

T = TypeVar("T")

_NEEDED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def local_device() -> torch.device:
    """The device of this process: the GPU of its number on this machine, or the CPU.

    Raises:
        InputError: torchrun started more processes on this machine than it has GPUs.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    local, devices = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if local >= devices:
        raise InputError(
            f"process {local + 1} of this machine has no GPU, there are {devices}",
            remedy=f"start it as: torchrun --nproc_per_node={devices} ...",
        )
    return torch.device("cuda", local)


def start_process_group(*, seed: int | None = None, timeout_hours: float = 168.0) -> None:
    """Join the processes that torchrun started: nccl where there are GPUs, gloo on CPUs.

    Every rank draws its own random crops from here on (seed + rank); weights are rank 0's, which
    DistributedDataParallel sends to the others. Ranks but the first log warnings only.

    Args:
        seed: the run's seed; None leaves the run random.
        timeout_hours: how long a rank waits for the others. Long, since their volumes may take hours; that a
            process died is torchrun's to notice, at once.

    Raises:
        InputError: the process was not started by torchrun, or there are more processes than GPUs.
    """
    missing = [name for name in _NEEDED if name not in os.environ]
    if missing:
        raise InputError(
            f"a multi-GPU config in a process that torchrun did not start ({missing[0]} is not set)",
            remedy="start it as: torchrun --nproc_per_node=2 -m monai.bundle run ...",
        )
    device = local_device()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if not distributed.is_initialized():
        backend = "nccl" if device.type == "cuda" else "gloo"
        hook = sys.excepthook
        distributed.init_process_group(backend=backend, timeout=timedelta(hours=timeout_hours))
        sys.excepthook = hook  # torch's keeps the message until ours returns, which ends the process
    idist.sync()
    rank = distributed.get_rank()
    if rank > 0:
        logging.getLogger().setLevel(logging.WARNING)
        leave_tracking_to_rank0()
    if seed is not None:
        set_determinism(seed=seed + rank)


def end_process_group() -> None:
    """Leave the group, after all ranks have come here."""
    if distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()
        idist.sync()


@contextmanager
def rank0_first() -> Iterator[None]:
    """Run the block on rank 0, then on the others: what it writes is there when they come.

    On other machines the first process goes before the rest, since their disk may be one of their own. With
    one process it does nothing. All ranks must come here, so it has no place in a dataset or a transform.
    An error on rank 0 ends the run: torchrun stops the others, who wait.
    """
    if idist.get_world_size() == 1:
        yield
        return
    turn = 0 if idist.get_rank() == 0 else 1 if idist.get_local_rank() == 0 else 2
    for _ in range(turn):
        distributed.barrier()
    yield
    for _ in range(2 - turn):
        distributed.barrier()


def gather_json(values: Sequence[Any], *, default: Callable[[Any], Any] | None = None) -> list[list[Any]]:
    """Every rank's values, in rank order, on every rank; JSON carries them, so that nothing is unpickled.

    Numbers come back exactly, NaN and infinity included.

    Args:
        values: what JSON can hold.
        default: makes JSON of what it cannot hold, see ``json.dumps``.
    """
    text = json.dumps(list(values), default=default)
    if idist.get_world_size() == 1:
        return [json.loads(text)]
    # bytes: MONAI's string_list_all_gather sends each as an int64
    sent = torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8).to(idist.device())
    sizes = [int(size) for size in idist.all_gather(torch.tensor([len(sent)], device=sent.device))]
    padded = torch.cat([sent, sent.new_zeros(max(sizes) - len(sent))])
    rows = idist.all_gather(padded[None]).cpu().numpy()
    return [json.loads(row[:size].tobytes()) for row, size in zip(rows, sizes, strict=True)]


def gather_in_order(
    values: Sequence[T],
    *,
    key: Callable[[Any], Hashable | None],
    pack: Callable[[T], Any] = lambda value: value,
    unpack: Callable[[Any], T] = lambda packed: packed,
    default: Callable[[Any], Any] | None = None,
) -> list[T]:
    """All ranks' values in the order of the data set, on every rank; with one process the values as they are.

    Args:
        values: this rank's, one for each item that the sampler gave it.
        key: of a packed value, see ``in_data_order``.
        pack: value -> what JSON can hold.
        unpack: back.
        default: see ``gather_json``.
    """
    if idist.get_world_size() == 1:
        return list(values)
    ranks = gather_json([pack(value) for value in values], default=default)
    return [unpack(packed) for packed in in_data_order(ranks, key=key)]


def in_data_order(ranks: Sequence[Sequence[T]], *, key: Callable[[T], Hashable | None]) -> list[T]:
    """Put the values of all ranks in the order of the data set, without what two ranks did.

    A distributed sampler that does not shuffle deals items out in turn: rank 0 has the first, rank 1 the
    second, and so on. So sums and random draws over the result are those of one process, to the last bit. A
    sampler that makes shares even gives some items to two ranks; the first one's value stays.

    Args:
        ranks: a list a rank, one value an item, as ``gather_json`` gives them.
        key: what is equal for two values of one item; None or "" for what is never a repeat.
    """
    longest = max(map(len, ranks), default=0)
    dealt = [
        (rank, values[turn])
        for turn in range(longest)
        for rank, values in enumerate(ranks)
        if turn < len(values)
    ]
    first: dict[Hashable, int] = {}
    return [
        value for rank, value in dealt if not (name := key(value)) or first.setdefault(name, rank) == rank
    ]
