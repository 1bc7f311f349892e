# SPDX-License-Identifier: Apache-2.0
"""Data-parallel training with a loss that is a sum over the batch."""

# no "from __future__ import annotations": torch checks the hook's annotations and knows none that are text
import torch
from torch import Tensor, distributed, nn
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel


def summed_data_parallel(network: nn.Module, *, device: torch.device) -> DistributedDataParallel:
    """Wrap a network so that the gradients of all processes are added.

    DistributedDataParallel takes their mean, which is right for a loss that is a mean over samples. With a
    loss that is their sum, the sum of the processes' gradients is that of the whole batch.

    Args:
        network: on its device.
        device: the process's.
    """
    wrapped = DistributedDataParallel(network, device_ids=[device] if device.type == "cuda" else None)
    wrapped.register_comm_hook(None, _add)
    return wrapped


def _add(state: None, bucket: distributed.GradBucket) -> Future[Tensor]:
    work = distributed.all_reduce(bucket.buffer(), async_op=True)
    return work.get_future().then(lambda done: done.value()[0])
