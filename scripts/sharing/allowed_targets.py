# SPDX-License-Identifier: Apache-2.0
"""What a config's ``_target_`` leads to, found without running a bundle's code."""

from __future__ import annotations

import ast
import importlib
import inspect
from functools import cache
from pathlib import Path

from monai.bundle import ComponentLocator

from .allow_list import (
    LIBRARY_MODULES,
    LIBRARY_REFUSED,
    MONAI_FUNCTIONS,
    MONAI_PACKAGES,
    MONAI_REFUSED,
    MONAI_SUFFIXES,
    OWN_REFUSED,
)

_OWN = "tomobundles"


def why_not_target(target: object, *, code: Path) -> str | None:
    """Say why a ``_target_`` is refused.

    Args:
        target: the value under "_target_".
        code: the bundle's own tomobundles folder; its files are read, not run.

    Returns:
        The reason; None for an allowed class, or a class or function that the bundle's own code defines.
    """
    if not isinstance(target, str) or not all(part.isidentifier() for part in target.split(".")):
        return "is not a plain name"
    parts = target.split(".")
    if parts[0] == _OWN:
        return _why_not_own(parts[1:], code)
    if len(parts) == 1:
        return _why_not_short(target)
    module, name = ".".join(parts[:-1]), parts[-1]
    if any(module == package or module.startswith(f"{package}.") for package in MONAI_PACKAGES):
        return _why_not_monai(module, name)
    if module in LIBRARY_MODULES and target not in LIBRARY_REFUSED:
        found = getattr(importlib.import_module(module), name, None)
        inside = inspect.isclass(found) and found.__module__.split(".")[0] == parts[0]
        return None if inside else f"is no class of {module}"
    return "is not in the allow-list"


def _why_not_short(name: str) -> str | None:
    modules = _monai_names().get_component_module_name(name)
    if modules is None:
        return "is no class of MONAI"
    found = [_why_not_monai(module, name) for module in ([modules] if isinstance(modules, str) else modules)]
    return next(filter(None, found), None)


@cache
def _monai_names() -> ComponentLocator:
    importlib.import_module("monai").bundle  # noqa: B018  loads every submodule, as a run does
    return ComponentLocator()


def _why_not_monai(module: str, name: str) -> str | None:
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return "is no class of MONAI"
    home = getattr(found, "__module__", "")
    if not any(home.startswith(f"{package}.") for package in MONAI_PACKAGES):
        return "is not in MONAI's packages for workflows"
    refused = {known + suffix for known in MONAI_REFUSED for suffix in MONAI_SUFFIXES}
    if {name, found.__name__} & refused:
        return "calls code or loads files of the config's choice"
    if not inspect.isclass(found) and name not in MONAI_FUNCTIONS:
        return "is no class"
    return None


def _why_not_own(parts: list[str], code: Path) -> str | None:
    if not parts or parts[0] in OWN_REFUSED:
        return "is a tool, not a part of a workflow"
    if any(part.startswith("_") for part in parts):
        return "is private"
    return None if _defines(code, parts) else "is not defined by the bundle's own code"


def _defines(code: Path, parts: list[str], *, seen: frozenset = frozenset()) -> bool:
    """Whether a dotted name inside the code folder leads to a class or function written there."""
    module, name = parts[:-1], parts[-1]
    file = _module_file(code, module)
    if file is None or (file, name) in seen:
        return False
    for node in _tree(file).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return True
        if isinstance(node, ast.ImportFrom):
            package = module if file.name == "__init__.py" else module[:-1]
            original = next((one.name for one in node.names if (one.asname or one.name) == name), None)
            source = _source(node, package)
            if original and source is not None:
                return _defines(code, [*source, original], seen=seen | {(file, name)})
    return False


def _source(node: ast.ImportFrom, package: list[str]) -> list[str] | None:
    """The module that a from-import names, from the code folder on; None if it lies elsewhere."""
    names = node.module.split(".") if node.module else []
    if node.level == 0:
        return names[1:] if names[0] == _OWN else None
    above = node.level - 1
    return None if above > len(package) else [*package[: len(package) - above], *names]


def _module_file(code: Path, parts: list[str]) -> Path | None:
    for file in (code.joinpath(*parts, "__init__.py"), code.joinpath(*parts).with_suffix(".py")):
        if file.is_file():
            return file
    return None


def _tree(file: Path) -> ast.Module:
    try:
        return _parsed(file.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError):
        return ast.Module(body=[], type_ignores=[])


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)
