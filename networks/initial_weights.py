# SPDX-License-Identifier: Apache-2.0
"""Start a training from another training's weights."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TypeVar

from torch import nn

from .weights import bare_network, check_fit, in_names_of, read_state_dict

NetworkT = TypeVar("NetworkT", bound=nn.Module)


def initial_weights(
    network: NetworkT, *, path: str | PathLike[str] | None = None, new: Sequence[str] = ()
) -> NetworkT:
    """Load the weights that a training starts from; every name must fit but those of parts that are new.

    Args:
        network: changed in place.
        path: file of an earlier training's weights, see ``load_weights``; None leaves the network as it is.
        new: beginnings of names that the file may lack, e.g. "context." for a context head added later.

    Returns:
        The same network.

    Raises:
        InputError: no such file, not a file of weights, or weights of another network.
    """
    if path is None:
        return network
    bare = bare_network(network)
    state = in_names_of(bare, read_state_dict(path))
    own = bare.state_dict()
    known = {name for name in own if not name.startswith(tuple(new)) or name in state}
    check_fit({name: own[name] for name in own if name in known}, state, path=path)
    bare.load_state_dict(state, strict=False)  # the check above was the strict one
    return network
