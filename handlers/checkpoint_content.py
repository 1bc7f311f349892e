# SPDX-License-Identifier: Apache-2.0
"""What a checkpoint holds: tensors, numbers and strings only, so that no pickled object is ever loaded."""

from __future__ import annotations

import random
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..utils import InputError, atomic_path

FORMAT = "tomobundles-checkpoint-1"


def plain(value: Any) -> Any:
    """Reduce a state to what ``torch.load(weights_only=True)`` reads: tensors on the CPU, numbers, strings.

    Args:
        value: a state dictionary, or part of one.

    Raises:
        TypeError: something in it is none of these.
    """
    if isinstance(value, np.generic):  # first, since numpy's float64 is also a float
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Tensor):
        return value.detach().as_subclass(Tensor).cpu()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return (list if isinstance(value, list) else tuple)(plain(item) for item in value)
    raise TypeError(f"a checkpoint holds tensors, numbers and strings, not {type(value).__name__}")


def bare_module(network: nn.Module) -> nn.Module:
    """The network itself, without the wrappers of data-parallel training and of torch.compile.

    Args:
        network: a network, wrapped or not.
    """
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while True:
        if isinstance(network, wrappers):
            network = network.module
        elif hasattr(network, "_orig_mod"):
            network = network._orig_mod
        else:
            return network


def save_atomic(content: Any, path: str | PathLike) -> None:
    """Write with torch.save so that the file is always whole: the old one or the new one.

    Args:
        content: what ``plain`` gave.
        path: the file.
    """
    with atomic_path(path) as temporary:
        torch.save(content, temporary)


def load_checkpoint(path: str | PathLike) -> dict[str, Any]:
    """Read a training checkpoint onto the CPU, data only.

    Args:
        path: a ``last.pt``.

    Raises:
        InputError: there is no such file, or it is none of ours.
    """
    if not Path(path).is_file():
        raise InputError("no such checkpoint", path=path, remedy="Give the last.pt of an earlier run.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # another program's file may fail in any way
        raise InputError("is not a readable checkpoint", path=path, remedy=_REMEDY) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError("holds no training state to resume from", path=path, remedy=_REMEDY)
    return content


_REMEDY = "Training resumes from a last.pt; a model.pt holds weights only."


def rng_state() -> dict[str, Any]:
    """The states of Python's, NumPy's and torch's random generators, in plain values."""
    version, words, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": {"version": version, "words": torch.tensor(words), "gauss": gauss},
        "numpy": {
            "keys": torch.from_numpy(keys.astype(np.int64)),
            "position": int(position),
            "has_gauss": int(has_gauss),
            "cached": float(cached),
        },
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }


def restore_rng_state(state: Mapping[str, Any]) -> None:
    """Set the random generators to what ``rng_state`` gave; GPUs only when their number is the same.

    Args:
        state: what ``rng_state`` gave.
    """
    python, numpy = state["python"], state["numpy"]
    random.setstate((python["version"], tuple(python["words"].tolist()), python["gauss"]))
    keys = numpy["keys"].numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, numpy["position"], numpy["has_gauss"], numpy["cached"]))
    torch.set_rng_state(state["torch"])
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
