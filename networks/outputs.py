# SPDX-License-Identifier: Apache-2.0
"""The answer of a network with several outputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree


class MultiTaskOutput(dict[str, Tensor]):
    """A dictionary of tensors that also answers for its main one, the first.

    MONAI's ``verify_net_in_out`` asks a network's answer for ``shape`` and ``dtype`` and compares them with
    "pred" of the metadata; everything else sees a dictionary. It is a node of torch's trees, so that
    DistributedDataParallel and torch.export find the tensors in it.
    """

    @property
    def main(self) -> Tensor:
        """The first output."""
        return next(iter(self.values()))

    @property
    def shape(self) -> torch.Size:
        """Shape of the main output."""
        return self.main.shape

    @property
    def dtype(self) -> torch.dtype:
        """Type of the main output."""
        return self.main.dtype


def _flatten(output: MultiTaskOutput) -> tuple[list[Tensor], tuple[str, ...]]:
    return list(output.values()), tuple(output)


def _flatten_with_keys(output: MultiTaskOutput) -> tuple[list[tuple[Any, Tensor]], tuple[str, ...]]:
    return [(pytree.MappingKey(key), value) for key, value in output.items()], tuple(output)


def _unflatten(values: Iterable[Any], keys: Iterable[str]) -> MultiTaskOutput:
    return MultiTaskOutput(zip(keys, values, strict=True))


# The module's name has an underscore, but other libraries register their outputs here too; there is no other.
pytree.register_pytree_node(
    MultiTaskOutput,
    _flatten,
    _unflatten,
    serialized_type_name="tomobundles.networks.MultiTaskOutput",
    flatten_with_keys_fn=_flatten_with_keys,
)
