# SPDX-License-Identifier: Apache-2.0
"""Texts that lead out of a bundle's folder: absolute paths, drives, homes, addresses, steps upwards."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def why_not_relative(text: str) -> str | None:
    """Say why a text of a config leads out of the bundle.

    Args:
        text: any string of a config but an expression.

    Returns:
        The reason; None for anything else, paths that go down included.
    """
    if _ADDRESS.match(text.strip()):
        return "an address"
    if ".." in re.split(r"[/\\]", text):
        return "a path that leads upwards"
    if text.startswith(("/", "\\")) or _DRIVE.match(text):
        return "an absolute path"
    if text.startswith("~"):
        return "a path in one user's home"
    return None
