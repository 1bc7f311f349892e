# SPDX-License-Identifier: Apache-2.0
"""The configs of a bundle as they stand in its zip."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ...utils import InputError
from .absolute_paths import check_no_absolute_paths
from .config_values import METADATA, check_targets, read_json
from .copying import copy_file, plain_files
from .macros import resolve_file_macros

ROOT_ID = "bundle_root"
_ROOT_LINE = re.compile(r'("bundle_root"\s*:\s*)"(?:[^"\\]|\\.)*"')
_VERSION = re.compile(r"\w[\w.+-]*")


def pack_configs(bundle: Path, target: Path) -> None:
    """Write every file of a bundle's configs: macros of other files resolved, ``bundle_root`` ".".

    A file that needs neither is copied byte for byte.

    Args:
        bundle: the bundle's folder; file macros start from the folder that holds the folder of bundles, or
            from the bundle itself.
        target: the folder to write to.

    Raises:
        InputError: as :func:`packed_config`, and for symbolic links.
    """
    source = bundle / "configs"
    for path in plain_files(source):
        copy = target / path.relative_to(source)
        copy_file(path, copy)
        if path.suffix == ".json" and path.name != METADATA:
            copy.write_bytes(packed_config(path, folders=(bundle.parent.parent, bundle)).encode("utf-8"))


def packed_config(path: Path, *, folders: tuple[Path, ...]) -> str:
    """Text of a config as it stands in a zip.

    Args:
        path: the config file.
        folders: where paths of file macros may start.

    Raises:
        InputError: if it is not JSON, if a macro leads nowhere, if it has an absolute path, or if a
            ``_target_`` does not exist.
    """
    config = read_json(path)
    packed: dict[str, Any] = resolve_file_macros(config, path, folders=folders)
    if ROOT_ID in packed:
        packed[ROOT_ID] = "."
    check_no_absolute_paths(packed, path)
    check_targets(packed, path)
    with path.open(encoding="utf-8", newline="") as stream:
        text = _ROOT_LINE.sub(r'\1"."', stream.read(), count=1)
    return text if json.loads(text) == packed else json.dumps(packed, indent=4, ensure_ascii=False) + "\n"


def bundle_version(bundle: Path) -> str:
    """Version of a bundle by its metadata.

    Raises:
        InputError: if the metadata has no version that can be part of a file's name, or if the changelog
            says nothing about it.
    """
    path = bundle / "configs" / METADATA
    metadata = read_json(path)
    version = metadata.get("version")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise InputError(f"has no usable version: {version!r}", path=path, remedy='Write one like "0.1.0".')
    if version not in (metadata.get("changelog") or {}):
        remedy = "Say there what this version changes."
        raise InputError(f"version {version} is missing in the changelog", path=path, remedy=remedy)
    return version
