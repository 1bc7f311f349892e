# SPDX-License-Identifier: Apache-2.0
"""Volumes through MONAI's engines, which expect tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ...utils import InputError
from .base import Volume


def collate_one(batch: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Collate a batch of one sample: the sample itself, since volumes on disk cannot be stacked.

    Raises:
        InputError: another batch size.
    """
    if len(batch) != 1:
        raise InputError(
            f"a batch of {len(batch)} volumes", remedy="set the batch_size of this data loader to 1"
        )
    return dict(batch[0])


def prepare_volumes(
    batchdata: Mapping[str, Any],
    device: str | torch.device | None = None,
    non_blocking: bool = False,
    **kwargs: Any,
) -> tuple[Volume, Volume | None]:
    """``prepare_batch`` of an evaluator: the volumes as they are; the inferer moves what it computes.

    Args:
        batchdata: a sample with "image" and, where it is known, "label".
        device: not used.
        non_blocking: not used.
        kwargs: not used.
    """
    return batchdata["image"], batchdata.get("label")
