# SPDX-License-Identifier: Apache-2.0
"""The trained network of a bundle, through the bundle's own inference config."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser

from ...networks.exported_network import file_digest
from ...utils import InputError, find_input_error
from .export_formats import Export


def open_bundle(
    bundle_dir: str | PathLike[str],
    *,
    model_dir: str | PathLike[str] | None = None,
    overlays: Sequence[str | PathLike[str]] = (),
    overrides: Mapping[str, Any] | None = None,
) -> tuple[Export, Path]:
    """Build a bundle's network on the CPU, with its weights.

    Args:
        bundle_dir: its folder, with ``configs/inference.json`` and ``configs/metadata.json``.
        model_dir: folder of ``model.pt``; None looks where inference does.
        overlays: configs laid on ``inference.json``, as the model was trained.
        overrides: values by id, the same.

    Returns:
        What is to be exported, and the folder of ``model.pt``.

    Raises:
        InputError: if a config is missing or has no such id, or there is no trained model.
    """
    configs = Path(bundle_dir) / "configs"
    files = [configs / "inference.json", *map(Path, overlays)]
    for path in (*files, configs / "metadata.json"):
        if not path.is_file():
            raise InputError(
                "no such config", path=path, remedy="Name the bundle's folder: --bundle_dir DIR."
            )
    parser = ConfigParser()
    parser.read_config([str(path) for path in files])
    given = {"bundle_root": str(bundle_dir), "device": "$torch.device('cpu')", **(overrides or {})}
    if model_dir is not None:
        given["ckpt_dir"] = str(model_dir)
    for name, value in given.items():
        _override(parser, name, value)
    folder = Path(_parsed(parser, "ckpt_dir"))
    return Export(
        _parsed(parser, "network"),
        metadata=json.loads((configs / "metadata.json").read_text(encoding="utf-8")),
        configs={path.name: json.dumps(ConfigParser.load_config_file(path)).encode() for path in files},
        weights_digest=file_digest(folder / "model.pt") if (folder / "model.pt").is_file() else "",
    ), folder


def _parsed(parser: ConfigParser, name: str) -> Any:
    try:
        return parser.get_parsed_content(name)
    except Exception as error:  # MONAI wraps what a component raises
        found = find_input_error(error)
        if found is None:
            raise
        raise found from error


def _override(parser: ConfigParser, name: str, value: Any) -> None:
    try:
        parser[name.rpartition("#")[0]] if "#" in name else parser[name]
    except KeyError as error:
        raise InputError(
            f"the config has no id {name!r}", remedy="See the ids at the top of inference.json."
        ) from error
    parser[name] = value
