# SPDX-License-Identifier: Apache-2.0
"""What MONAI's schema asks of a bundle's metadata, and the checks that a schema cannot state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...utils import InputError
from .config_rules import read_config, walk

_TEXT: dict[str, Any] = {"type": "string"}
_OBJECT: dict[str, Any] = {"type": "object"}
_NUMBER_OR_TEXT: dict[str, Any] = {"type": ["number", "string", "boolean"]}

_TENSOR = {
    "type": "object",
    "required": ["type", "format", "num_channels", "spatial_shape", "dtype", "value_range"],
    "properties": {
        "type": _TEXT,
        "format": _TEXT,
        "modality": _TEXT,
        "num_channels": {"type": "integer"},
        "spatial_shape": {
            "type": "array",
            "items": {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": r"^[0-9pn*+\s-]+$"}]},
        },
        "dtype": _TEXT,
        "value_range": {"type": "array", "items": {"type": "number"}},
        "is_patch_data": {"type": "boolean"},
        "channel_def": {"type": "object", "additionalProperties": _TEXT},
    },
}
_PORTS = {"type": "object", "additionalProperties": {"anyOf": [_TENSOR, _NUMBER_OR_TEXT]}}
_FORMAT = {
    "type": "object",
    "required": ["inputs", "outputs"],
    "properties": {"inputs": _PORTS, "outputs": _PORTS, "post_processed_outputs": _PORTS},
}
_REQUIRED_TEXTS = (
    *("schema", "version", "monai_version", "pytorch_version", "numpy_version"),
    *("task", "description", "authors", "copyright"),
)
_OTHER_TEXTS = (
    *("name", "data_source", "data_type", "image_classes", "label_classes", "pred_classes", "intended_use"),
)

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2019-09/schema",
    "title": "metadata.json of a MONAI bundle",
    "type": "object",
    "required": [*_REQUIRED_TEXTS, "required_packages_version", "network_data_format"],
    "properties": {
        **dict.fromkeys((*_REQUIRED_TEXTS, *_OTHER_TEXTS), _TEXT),
        "required_packages_version": {"type": "object", "additionalProperties": _TEXT},
        "optional_packages_version": {"type": "object", "additionalProperties": _TEXT},
        "changelog": {"type": "object", "additionalProperties": _TEXT},
        "eval_metrics": _OBJECT,
        "supported_apps": _OBJECT,
        "references": {"type": "array", "items": _TEXT},
        "network_data_format": _FORMAT,
    },
    "patternProperties": {"_data_format$": _FORMAT},
}


def metadata_problems(path: Path, *, schema: Path | None = None) -> list[str]:
    """Check a bundle's metadata.

    Beside the schema: the changelog knows the version, the packages are named, the network has an input
    "image" and an output "pred" (MONAI's tools read these two), and no value would be resolved as code.

    Args:
        path: metadata.json.
        schema: MONAI's own file; None takes this module's statement of it.

    Returns:
        "id: what is wrong" of every fault; empty if there is none.

    Raises:
        InputError: if the schema cannot be read, or if jsonschema is not installed.
    """
    statement = SCHEMA if schema is None else read_config(schema)
    try:
        metadata = read_config(path)
    except InputError as error:
        return [error.problem]
    return [*_schema_problems(metadata, statement, schema), *_own_problems(metadata)]


def _schema_problems(metadata: dict[str, Any], statement: dict[str, Any], schema: Path | None) -> list[str]:
    """All faults at once; ``monai.bundle.verify_metadata`` stops at the first and prints the whole schema."""
    try:
        from jsonschema import Draft201909Validator
        from jsonschema.exceptions import SchemaError, best_match
    except ImportError as error:
        raise InputError("jsonschema is not installed", remedy="pip install jsonschema") from error
    try:
        Draft201909Validator.check_schema(statement)
    except SchemaError as error:
        raise InputError(f"is no JSON schema: {error.message}", path=schema) from None
    found = []
    for error in Draft201909Validator(statement).iter_errors(metadata):
        deepest = best_match([error])
        place = "::".join(map(str, deepest.absolute_path))
        found.append(f"{place}: {deepest.message[:160]}" if place else deepest.message[:160])
    return found


def _own_problems(metadata: dict[str, Any]) -> list[str]:
    found = []
    changelog = metadata.get("changelog")
    if not isinstance(changelog, dict) or metadata.get("version") not in changelog:
        found.append(f"changelog: has no entry for version {metadata.get('version')}")
    if not metadata.get("required_packages_version"):
        found.append("required_packages_version: names no package")
    formats = metadata.get("network_data_format")
    for side, name in (("inputs", "image"), ("outputs", "pred")):
        ports = formats.get(side) if isinstance(formats, dict) else None
        if not isinstance(ports, dict) or not isinstance(ports.get(name), dict):
            found.append(f"network_data_format::{side}: has no tensor '{name}'")
    for key, place, value in walk(metadata):
        if key.startswith("_") or (isinstance(value, str) and value.startswith(("$", "%", "@"))):
            found.append(f"{place}: MONAI would resolve it")  # metadata is part of every parsed config
    return found
