# SPDX-License-Identifier: Apache-2.0
"""Macros of a config that read other files, replaced by what they name."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from ...utils import InputError
from .config_values import read_json, values_by_id

_MACRO = "%"
# MONAI looks neither for macros nor for relative ids in what a macro brings
_NOT_RESOLVED = ("%", "@::", "@#")


def resolve_file_macros(config: Any, path: Path, *, folders: Sequence[Path]) -> Any:
    """Replace every ``"%file.json::id"``; macros of the same file ("%id") stay.

    Args:
        config: the content of a config file; not changed.
        path: the file, for messages.
        folders: where a macro's relative path may start, tried in order: the directory that the workflow
            runs in.

    Returns:
        A new config with the values that MONAI would put there.

    Raises:
        InputError: if a macro's file or id does not exist, if its path is absolute, or if what it brings
            holds a macro or a relative id, which MONAI would leave as text.
    """
    if isinstance(config, dict):
        return {key: resolve_file_macros(value, path, folders=folders) for key, value in config.items()}
    if isinstance(config, list):
        return [resolve_file_macros(value, path, folders=folders) for value in config]
    if not isinstance(config, str) or not config.startswith(_MACRO):
        return deepcopy(config)
    name, key = ConfigParser.split_path_id(config[len(_MACRO) :])
    return _value(config, _find(name, path, folders), key, path) if name else config


def _find(name: str, path: Path, folders: Sequence[Path]) -> Path:
    if Path(name).is_absolute():
        raise InputError(f"a macro names an absolute path: {name}", path=path)
    found = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if found is None:
        tried = ", ".join(map(str, folders))
        raise InputError(f"a macro names {name}, which does not exist", path=path, remedy=f"Tried: {tried}")
    return found


def _value(macro: str, file: Path, key: str, path: Path) -> Any:
    try:
        value = deepcopy(ConfigParser(config=read_json(file))[key])
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(f"{macro} names an id that {file.name} does not have", path=path) from error
    for name, part in values_by_id(value):
        if isinstance(part, str) and part.startswith(_NOT_RESOLVED):
            problem = f"{macro} brings {part!r} ({name}), which MONAI does not resolve"
            raise InputError(problem, path=path, remedy="Write the value itself there.")
    return value
