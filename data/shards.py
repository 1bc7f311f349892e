# SPDX-License-Identifier: Apache-2.0
"""Which process of a run takes which items of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import ignite.distributed as idist
from monai.data import DistributedSampler
from torch.utils.data import Sampler

from ..utils import InputError


class ShardSampler(Sampler[int]):
    """Deal the items out in turn, each once: of n processes rank r takes items r, r + n, r + 2n, ...

    MONAI's DistributedSampler without ``even_divisible`` deals likewise, but refuses fewer items than
    processes; here a rank may have none. With one process it gives all items in order.

    Args:
        dataset: its items are dealt out.
    """

    def __init__(self, dataset: Sized) -> None:
        self.dataset = dataset

    def _indices(self) -> range:
        return range(idist.get_rank(), len(self.dataset), idist.get_world_size())

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices())

    def __len__(self) -> int:
        return len(self._indices())


def training_shards(dataset: Sized, *, batch_size: int, seed: int | None = None) -> DistributedSampler:
    """Shuffle the items anew in each epoch and give each process as many; some come twice to make it even.

    Args:
        dataset: its items are dealt out.
        batch_size: items of a batch of one process.
        seed: of the order; the same on all ranks.

    Raises:
        InputError: an epoch of less than a batch for each process.
    """
    sampler = DistributedSampler(dataset, even_divisible=True, shuffle=True, seed=seed or 0)
    if len(sampler) < batch_size:
        raise InputError(
            f"an epoch of {len(dataset)} visits does not fill a batch of {batch_size} on each of "
            f"{sampler.num_replicas} processes",
            remedy="lower batch_size, or start fewer processes",
        )
    return sampler
