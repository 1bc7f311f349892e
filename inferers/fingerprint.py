# SPDX-License-Identifier: Apache-2.0
"""A hash of all that an inference's result depends on: volume, network and settings."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from .bare_network import bare_network
from .interfaces import BoxReader

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def fingerprint(volume: BoxReader, network: Any, **settings: Any) -> str:
    """Hash a volume, a network and settings.

    Of the volume: path, sizes and times of its files, shape, type, voxel size, and the grays of its first,
    middle and last slice, in which a change of normalisation or resampling shows. Of the network: its layers
    and weights, whatever wraps it. Of settings: numbers, texts, functions by name, objects by their class and
    attributes.

    Returns:
        64 hexadecimal digits.
    """
    parts = {
        "volume": [volume.path, list(volume.shape), str(volume.dtype), volume.spacing_um],
        "files": _file_marks(volume),
        "grays": _gray_hash(volume),
        "network": _network_hash(network),
        "settings": {name: describe(value) for name, value in settings.items()},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def describe(value: Any) -> Any:
    """Say what a setting is in terms of JSON, the same in every process."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): describe(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [describe(entry) for entry in value]
    if isinstance(value, nn.Module):
        return _network_hash(value)
    if hasattr(value, "__qualname__"):  # functions and classes
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "__dict__"):
        kind = type(value)
        return {"class": f"{kind.__module__}.{kind.__qualname__}", **describe(vars(value))}
    return _ADDRESS.sub("", repr(value))


def _file_marks(volume: BoxReader) -> list[Any]:
    """Names, sizes and times of a volume's files; of a folder's own ones, not of folders in it."""
    path = Path(volume.path)
    if not volume.path or not path.exists():
        return []
    if path.is_file():
        files = [path]
    else:
        names = volume.meta.get("slice_files") or sorted(entry.name for entry in path.iterdir())
        files = [path / str(name) for name in names]
    stats = [(file.name, file.stat()) for file in files if file.exists()]
    return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]


def _gray_hash(volume: BoxReader) -> str:
    depth, height, width = volume.shape
    found = hashlib.sha256()
    for index in (0, depth // 2, depth - 1):
        plane = volume.read((slice(index, index + 1), slice(0, height), slice(0, width)))
        found.update(np.ascontiguousarray(plane))
    return found.hexdigest()


def _network_hash(network: Any) -> str:
    network = bare_network(network)
    if not isinstance(network, nn.Module):
        return str(describe(network))
    found = hashlib.sha256(_ADDRESS.sub("", repr(network)).encode())
    for name, value in sorted(network.state_dict().items()):
        found.update(f"{name} {tuple(value.shape)} {value.dtype}".encode())
        data = value.detach().cpu().contiguous().reshape(-1)
        found.update(data.view(torch.uint8).numpy())
    return found.hexdigest()
