# SPDX-License-Identifier: Apache-2.0
"""What the configs of a bundle hold: files, values by id, and the components that they name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from pydoc import ErrorDuringImport, locate
from typing import Any

from monai.bundle import ComponentLocator
from monai.bundle.config_item import ConfigComponent

from ...utils import InputError
from .imports import PACKAGE

METADATA = "metadata.json"


def workflow_files(bundle: Path) -> list[Path]:
    """The workflows and overlays of a bundle: all JSON files of its configs but the metadata."""
    return [path for path in sorted((bundle / "configs").glob("*.json")) if path.name != METADATA]


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InputError: if there is no such file, or if it holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("no such file", path=path) from error
    except ValueError as error:
        raise InputError(f"is not JSON: {error}", path=path) from error
    if not isinstance(content, dict):
        raise InputError("is not a JSON object", path=path)
    return content


def values_by_id(node: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Every value below a node of a config, with its id as MONAI writes it ("train::dataset")."""
    yield name, node
    children: Iterable[tuple[object, object]] = ()
    if isinstance(node, dict):
        children = node.items()
    elif isinstance(node, list):
        children = enumerate(node)
    for key, child in children:
        yield from values_by_id(child, f"{name}::{key}" if name else str(key))


def target_names(config: object) -> dict[str, str]:
    """Every ``_target_`` below a node of a config: name by id of what it stands in."""
    found = {}
    for name, value in values_by_id(config):
        if isinstance(value, dict) and isinstance(value.get("_target_"), str):
            found[name] = value["_target_"]
    return found


def check_targets(config: object, path: Path) -> None:
    """Look up every component that a config names, as MONAI does.

    Args:
        config: the content of the config file, or a part of it.
        path: the file, for the message.

    Raises:
        InputError: naming the first that does not exist.
    """
    for name, target in target_names(config).items():
        if not target or not _exists(target):
            raise InputError(f"{name} names {target}, which does not exist", path=path)


def own_targets(bundles: Iterable[Path]) -> list[str]:
    """Names of this package in all configs of some bundles, sorted."""
    files = [path for bundle in bundles for path in workflow_files(bundle)]
    names = {name for path in files for name in target_names(read_json(path)).values()}
    return sorted(name for name in names if name.startswith(f"{PACKAGE}."))


@cache
def _exists(target: str) -> bool:
    full = ConfigComponent({"_target_": target}, locator=_locator()).resolve_module_name()
    try:
        return locate(full) is not None
    except ErrorDuringImport:
        return False


@cache
def _locator() -> ComponentLocator:
    return ComponentLocator()
