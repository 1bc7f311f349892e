# SPDX-License-Identifier: Apache-2.0
"""Overrides of ``monai.bundle run`` that MONAI takes silently: mistyped ones, and None, which it drops."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from pydoc import locate
from typing import Any

from monai.bundle import ComponentLocator, ConfigParser
from monai.bundle.utils import ID_REF_KEY, ID_SEP_KEY

from .errors import InputError

# Arguments of monai.bundle.run itself, and of its --tracking option.
_RUN_ARGUMENTS = {
    "run_id",
    "init_id",
    "final_id",
    "meta_file",
    "config_file",
    "logging_file",
    "tracking",
    "args_file",
    "tracking_uri",
    "experiment_name",
    "run_name",
    "save_execute_config",
}


def is_bundle_run(argv: Sequence[str]) -> bool:
    """Say whether this process is ``python -m monai.bundle run ...``."""
    return len(argv) > 1 and Path(argv[0]).parts[-2:] == ("bundle", "__main__.py") and argv[1] == "run"


def check_overrides(argv: Sequence[str] | None = None) -> None:
    """Compare the ids overridden on the command line with those of the config files.

    A new key inside a component (``--train#dataloader#pin_memory True``) passes: it is a keyword argument,
    which the component accepts or refuses. Anything else must exist.

    Args:
        argv: command line; None for this process's. One that is not a bundle run has nothing to check.

    Raises:
        InputError: an id that no config file has, with the nearest one that exists; None for an id that is
            not null anyway.
    """
    argv = sys.argv if argv is None else argv
    if not is_bundle_run(argv):
        return
    given = _arguments(argv[2:])
    overrides = [name for name in given if name not in _RUN_ARGUMENTS]
    if overrides and "config_file" in given:
        values = {name: _literal(given[name]) for name in overrides}
        check_override_values(values, _literal(given["config_file"]))


def check_override_values(overrides: Mapping[str, Any], config_files: str | Sequence[str]) -> None:
    """Compare overridden ids with those of the config files, see :func:`check_overrides`.

    Args:
        overrides: new values by id, "#" or "::" between its parts.
        config_files: the workflow's file or files.

    Raises:
        InputError: as :func:`check_overrides`.
    """
    config = ConfigParser.load_config_files(config_files)
    for name, value in overrides.items():
        if _check_one(name.replace("#", ID_SEP_KEY), config) is not None and value is None:
            shown = f"--{name.replace(ID_SEP_KEY, '#')}"
            raise InputError(f"{shown} None: MONAI drops it silently", remedy=f"write {shown} '$None'")


def _arguments(argv: Sequence[str]) -> dict[str, str]:
    """Names and values of ``--name value`` and ``--name=value``."""
    found: dict[str, str] = {}
    for index, argument in enumerate(argv):
        if not argument.startswith("--"):
            continue
        name, equals, value = argument[2:].partition("=")
        if not equals and index + 1 < len(argv):
            value = argv[index + 1]
        found[name.replace("#", ID_SEP_KEY)] = value
    return found


def _literal(text: str) -> Any:
    from fire.parser import DefaultParseValue  # the parser that MONAI's command line uses

    return DefaultParseValue(text)


def _check_one(name: str, config: dict[str, Any]) -> Any:
    """The value that the config has there; where that cannot be told, the name."""
    *parents, last = name.split(ID_SEP_KEY)
    node: Any = config
    for depth, part in enumerate([*parents, last]):
        if isinstance(node, str) and node.startswith((ID_REF_KEY, "%")):
            return name  # the rest lies behind a reference, which MONAI resolves or refuses
        if isinstance(node, list) and part.lstrip("-").isdigit() and abs(int(part)) < len(node):
            node = node[int(part)]
            continue
        if isinstance(node, dict) and part in node:
            node = node[part]
            continue
        if depth == len(parents) and isinstance(node, dict) and "_target_" in node:
            keywords = _keywords(node["_target_"])
            if keywords is None or part in keywords:
                return name  # a keyword argument of the component
            node = dict.fromkeys(keywords)
        _refuse(name, part, node)
    return node


def _keywords(target: str) -> set[str] | None:
    """Names of a component's keyword arguments; None where any is taken or they cannot be told."""
    component = locate(ComponentLocator().get_component_module_name(target) or target)
    try:
        parameters = inspect.signature(component).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return {parameter.name for parameter in parameters} | {"_disabled_", "_requires_", "_desc_", "_mode_"}


def _refuse(name: str, part: str, node: Any) -> None:
    known = [str(key) for key in node] if isinstance(node, dict) else []
    near = difflib.get_close_matches(part, known, n=1, cutoff=0.6)
    remedy = f"did you mean {near[0]}?" if near else "see the ids at the top of the config file"
    raise InputError(f"--{name.replace(ID_SEP_KEY, '#')}: the config has no id {part!r}", remedy=remedy)
