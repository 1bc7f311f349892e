# SPDX-License-Identifier: Apache-2.0
"""Absolute paths in the values and expressions of a config."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from ...utils import InputError
from .config_values import values_by_id

# /data, ~/data, ~user, C:\data, C:/data, \\server\share, file:///data
_ABSOLUTE = re.compile(r"/+[\w.]|~[\w.-]*(?:[/\\]|$)|[A-Za-z]:[\\/]|\\\\|file:", re.IGNORECASE)
_REFERENCE = re.compile(r"[@%](?:::|#)*([A-Za-z_]\w*(?:(?:::|#)\w+)*)")


def absolute_paths(config: object) -> dict[str, str]:
    """Find the absolute paths that a config holds.

    A string of an expression that something is put before ("$@bundle_root + '/models'") is relative.

    Args:
        config: the content of a config file, or a part of it.

    Returns:
        Path by id.
    """
    found = {}
    for name, value in values_by_id(config):
        if isinstance(value, str):
            texts = _strings(value[1:]) if value.startswith("$") else [value]
            found.update((name, text) for text in texts if _ABSOLUTE.match(text))
    return found


def check_no_absolute_paths(config: object, path: Path) -> None:
    """Refuse a config that would look for files of one machine.

    Raises:
        InputError: naming the first absolute path and its id.
    """
    for name, text in absolute_paths(config).items():
        remedy = "Name it below @bundle_root, or leave it to the command line."
        raise InputError(f"{name} has an absolute path: {text}", path=path, remedy=remedy)


def _strings(expression: str) -> list[str]:
    """Strings that an expression may use as the beginning of a path."""
    try:
        tree = ast.parse(_REFERENCE.sub(lambda match: "_" + re.sub(r"\W+", "_", match[1]), expression))
    except SyntaxError:  # not for this check to say: the texts between quotes, whatever they are for
        return re.findall(r"""["']([^"']*)["']""", expression)
    behind = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            behind.add(id(node.right))
        elif isinstance(node, ast.JoinedStr):
            behind |= {id(part) for part in node.values[1:]}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [node.value for node in constants if isinstance(node.value, str) and id(node) not in behind]
