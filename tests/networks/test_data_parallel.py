# SPDX-License-Identifier: Apache-2.0
"""Data-parallel training with a sum; in a group of processes see tests/utils/test_distributed.py."""

from __future__ import annotations

import torch
from torch import distributed, nn

from tomobundles.networks import summed_data_parallel


def test_in_a_group_of_one(tmp_path):
    distributed.init_process_group("gloo", f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    try:
        network = nn.Linear(2, 1, bias=False)
        wrapped = summed_data_parallel(network, device=torch.device("cpu"))
        wrapped(torch.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    finally:
        distributed.destroy_process_group()
    assert isinstance(wrapped, nn.parallel.DistributedDataParallel)
    assert wrapped.module is network
    assert network.weight.grad.tolist() == [[4.0, 6.0]]
