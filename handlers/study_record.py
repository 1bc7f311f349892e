# SPDX-License-Identifier: Apache-2.0
"""A study's result without its pixels, as JSON and back: what the tables of all studies need of one."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from ..data.study_result import StudyResult

_ARRAY = "base64"


def without_pixels(result: StudyResult) -> StudyResult:
    """Keep of a study what tables need; its image becomes one pixel a slice."""
    return replace(result, image=np.zeros((1, 1, result.num_slices), np.uint8), cam=None)


def result_record(result: StudyResult) -> dict[str, Any]:
    """Turn a study's result into what JSON can hold; arrays keep their bits.

    Args:
        result: of ``without_pixels``: all of it is kept.
    """
    return {field.name: _plain(getattr(result, field.name)) for field in fields(StudyResult)}


def result_of_record(record: Mapping[str, Any]) -> StudyResult:
    """Turn a record of ``result_record`` back."""
    return StudyResult(**{name: _restored(value) for name, value in record.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {_ARRAY: data, "dtype": value.dtype.str, "shape": value.shape}
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return value


def _restored(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    if _ARRAY in value:
        stored = np.frombuffer(base64.b64decode(value[_ARRAY]), dtype=value["dtype"])
        return stored.reshape(value["shape"])
    return {name: _restored(one) for name, one in value.items()}
