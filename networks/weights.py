# SPDX-License-Identifier: Apache-2.0
"""Weights from files, with errors that say what does not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ..utils import InputError
from .fusion_network import FusionNetwork
from .repeated_gray import RepeatedGray
from .resized_network import ResizedNetwork

NetworkT = TypeVar("NetworkT", bound=nn.Module)

_CONTAINERS = ("network", "model", "state_dict")
# What DistributedDataParallel, torch.compile, ResizedNetwork and RepeatedGray, and common training code (a
# Lightning module or a class with a "model") put before the names of what they wrap.
_WRAPPERS = ("module.", "_orig_mod.", "network.", "model.")


def load_weights(
    network: NetworkT, path: str | PathLike[str], *, key: str | None = None, strict: bool = True
) -> NetworkT:
    """Load a network's weights from a file of tensors.

    The file holds a state dict, or a dictionary with one under "network" (as MONAI's ``CheckpointSaver``
    writes), "model" or "state_dict". Only tensors and plain containers are ever unpickled. Wrappers do not
    matter: weights trained with a :class:`ResizedNetwork` or :class:`RepeatedGray` fit the network alone, and
    the other way round. Nor do other names of the same network, where it knows them (:func:`in_names_of`).

    Args:
        network: changed in place; its training or evaluation mode stays.
        path: the file.
        key: where in the file the state dict is; None looks for it as above.
        strict: if False, names that only the file or only the network has are passed over, provided that at
            least one name fits.

    Returns:
        The same network.

    Raises:
        InputError: if there is no such file, if it is not a file of weights, or if they do not fit.
    """
    bare = bare_network(network)
    state = in_names_of(bare, read_state_dict(path, key=key))
    check_fit(bare.state_dict(), state, path=path, strict=strict)
    bare.load_state_dict(state, strict=False)  # the check above was the strict one
    return network


def load_fusion_weights(
    fusion: FusionNetwork, paths: Sequence[str | PathLike[str]], *, strict: bool = True
) -> FusionNetwork:
    """Load one file for each member of a fusion, in the members' order.

    Args:
        fusion: changed in place.
        paths: one file a member, each as in :func:`load_weights`.
        strict: as in :func:`load_weights`.

    Returns:
        The same fusion.

    Raises:
        InputError: if the numbers differ, or as in :func:`load_weights`.
    """
    files = [paths] if isinstance(paths, str | PathLike) else list(paths)
    if len(files) != len(fusion.networks):
        raise InputError(
            f"{len(files)} files of weights for a fusion of {len(fusion.networks)} networks",
            remedy="Give one file a network, in the order of the networks.",
        )
    for network, path in zip(fusion.networks, files, strict=True):
        load_weights(network, path, strict=strict)
    return fusion


def read_state_dict(path: str | PathLike[str], *, key: str | None = None) -> dict[str, Tensor]:
    """Read tensors by name from a file, without the prefixes of wrappers.

    Args:
        path: the file.
        key: where in the file the state dict is; None looks in the places :func:`load_weights` names.

    Raises:
        InputError: if there is no such file or if it is not a file of weights.
    """
    content = _read(path)
    if key is not None and (not isinstance(content, Mapping) or key not in content):
        raise InputError(f"has nothing under '{key}'", path=path, remedy=f"It holds {_describe(content)}.")
    if key is None and isinstance(content, Mapping):
        key = next((name for name in _CONTAINERS if isinstance(content.get(name), Mapping)), None)
    state = content if key is None else content[key]
    if not isinstance(state, Mapping) or not all(_is_weight(*item) for item in state.items()):
        raise InputError(
            f"is not a network's weights: it holds {_describe(state)}",
            path=path,
            remedy="Name the file that training wrote, or where in it the weights are (key).",
        )
    for prefix in _WRAPPERS:
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return dict(state)


def bare_network(network: nn.Module) -> nn.Module:
    """A network without our wrappers, whose names its files have."""
    return network.network if isinstance(network, ResizedNetwork | RepeatedGray) else network


def in_names_of(network: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A file's state dict in a network's own names.

    Args:
        network: translates by its method ``rename_weights(state)``, if it has one.
        state: the file's state dict.
    """
    rename = getattr(network, "rename_weights", None)
    return state if rename is None else rename(state)


def check_fit(
    own: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    *,
    path: str | PathLike[str],
    strict: bool = True,
) -> None:
    """Compare a network's names and shapes with a file's.

    Args:
        own: the network's state dict.
        state: the file's.
        path: the file, for the message.
        strict: as in :func:`load_weights`.

    Raises:
        InputError: with the number of names that differ and the first, or with the first shape that differs.
    """
    # Old files have no batch counters, and nothing here depends on them.
    missing = [n for n in own if n not in state and not n.endswith("num_batches_tracked")]
    unexpected = [n for n in state if n not in own]
    remedy = "Choose the configuration that these weights were trained with."
    if (strict and (missing or unexpected)) or len(unexpected) == len(state):
        parts = [_count(missing, "missing"), _count(unexpected, "unexpected")]
        problem = "weights of another network: names " + ", ".join(part for part in parts if part)
        raise InputError(problem, path=path, remedy=remedy)
    for name, value in state.items():
        if name in own and own[name].shape != value.shape:
            shapes = f"{tuple(value.shape)} in the file, {tuple(own[name].shape)} in the network"
            raise InputError(f"weights of another network: {name} is {shapes}", path=path, remedy=remedy)


def _read(path: str | PathLike[str]) -> object:
    if not Path(path).is_file():
        raise InputError("no such file of weights", path=path, remedy="Train first, or name another file.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can make the reader raise anything
        raise InputError(
            "is not a file of weights: it is damaged, or it holds objects that could run code",
            path=path,
            remedy="Get it again from a source you trust, written by torch.save(network.state_dict(), path).",
        ) from error


def _is_weight(name: object, value: object) -> bool:
    return isinstance(name, str) and isinstance(value, Tensor)


def _describe(content: object) -> str:
    if isinstance(content, Mapping):
        names = [str(name) for name in content]
        return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") or "nothing"
    return f"one {type(content).__name__}"


def _count(names: Sequence[str], what: str) -> str:
    return f"{len(names)} {what} (first {names[0]})" if names else ""
