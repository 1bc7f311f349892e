# SPDX-License-Identifier: Apache-2.0
"""Batches of whole volumes that keep slices contiguous."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.data import MetaTensor, list_data_collate
from torch.utils.data import default_collate


def collate_volumes(batch: Sequence[Mapping[str, Any]]) -> Any:
    """Collate samples as MONAI does; a batch of one is a view.

    MONAI's collate stacks, which copies a volume (1, H, W, D) into a layout where a slice is spread over the
    whole memory.
    """
    if len(batch) != 1:
        return list_data_collate(batch)
    volumes = {key: value for key, value in batch[0].items() if isinstance(value, torch.Tensor)}
    rest = {key: value for key, value in batch[0].items() if key not in volumes}
    return default_collate([rest]) | {key: _with_batch_axis(value) for key, value in volumes.items()}


def _with_batch_axis(volume: torch.Tensor) -> torch.Tensor:
    if not isinstance(volume, MetaTensor):
        return volume.unsqueeze(0)
    batched = MetaTensor(volume.as_tensor().unsqueeze(0))
    batched.meta = default_collate([volume.meta])
    batched.applied_operations = [volume.applied_operations]
    batched.is_batch = True
    return batched
