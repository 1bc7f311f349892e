# SPDX-License-Identifier: Apache-2.0
"""A weighted sum of named loss terms."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from monai.bundle import ConfigParser
from torch import Tensor, nn

from ..utils import InputError


class MultiTaskLoss(nn.Module):
    r"""Weighted sum of loss terms, each kept under its name for the log.

    .. math:: L = \sum_t w_t L_t

    Args:
        terms: name to loss, in the order in which they are computed. A loss is called with what the network
            gives (a dictionary, or logits) and the label; it may be given as a ``_target_`` dictionary.
        weights: name to weight; 1 where not given.

    Attributes:
        terms: name to value of the last call, each before its weight, detached scalars.

    Raises:
        InputError: if there are no terms, or weights for terms that do not exist.
    """

    def __init__(
        self, terms: Mapping[str, Mapping | nn.Module], *, weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__()
        if not terms:
            raise InputError("a loss without terms", remedy="Name at least one term.")
        unknown = [name for name in weights or {} if name not in terms]
        if unknown:
            raise InputError(
                f"weights for loss terms that do not exist: {', '.join(unknown)}",
                remedy=f"The terms are {', '.join(terms)}.",
            )
        self.losses = nn.ModuleDict({name: _instantiate(term) for name, term in terms.items()})
        self.weights = {name: float((weights or {}).get(name, 1.0)) for name in terms}
        self.terms: dict[str, Tensor] = {}

    def forward(self, prediction: Mapping[str, Tensor] | Tensor, label: Tensor) -> Tensor:
        """Compute every term and sum.

        Args:
            prediction: the network's dictionary, or its logits where the terms take those.
            label: what the terms take, such as a class map ``(B, 1, H, W)``, uint8 or int64.

        Returns:
            Scalar, float32.

        Raises:
            InputError: from a term, with its name.
        """
        values = {name: self._term(name, prediction, label) for name in self.losses}
        self.terms = {name: value.detach() for name, value in values.items()}
        return torch.stack([self.weights[name] * value for name, value in values.items()]).sum()

    def _term(self, name: str, prediction: Mapping[str, Tensor] | Tensor, label: Tensor) -> Tensor:
        try:
            return self.losses[name](prediction, label)
        except InputError as error:
            raise InputError(
                f"loss term '{name}': {error.problem}", path=error.path, remedy=error.remedy
            ) from error


def _instantiate(term: Mapping | nn.Module) -> nn.Module:
    if isinstance(term, nn.Module):
        return term
    return ConfigParser({"term": dict(term)}).get_parsed_content("term")
