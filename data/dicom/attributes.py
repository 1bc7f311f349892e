# SPDX-License-Identifier: Apache-2.0
"""Single attributes of a DICOM header, read as they stand and judged, not repaired."""

from __future__ import annotations

import math
import re

import pydicom
from pydicom.tag import Tag

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")  # float() would also take inf, nan, 1_0
_UID = re.compile(r"[0-9.]{1,64}")
_MAX_TEXT = 128
_MAX_DECIMAL = 16  # characters that the standard allows for a DS value
_MAX_MM = 1e5  # a coordinate beyond 100 m is no place in a patient


def _raw(dataset: pydicom.Dataset, keyword: str) -> str | None:
    """Return an element's text as stored: pydicom's own conversion warns, drops or refuses odd values."""
    element = dataset.get_item(Tag(keyword))
    if element is None or element.value is None:
        return None
    value = element.value
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def text_of(dataset: pydicom.Dataset, keyword: str) -> str:
    """Return an attribute's text without padding; several values stay joined by a backslash.

    "" if absent or longer than any text that is asked for: then its length is damaged and it holds others.
    """
    text = (_raw(dataset, keyword) or "").strip(" \0\t\r\n")
    return text if len(text) <= _MAX_TEXT else ""


def uid_of(dataset: pydicom.Dataset, keyword: str) -> str:
    """Return a UID; "" if absent or not made of digits and dots."""
    text = text_of(dataset, keyword)
    return text if _UID.fullmatch(text) else ""


def decimals_of(
    dataset: pydicom.Dataset, keyword: str, size: int, bad: list[str], long: list[str]
) -> tuple[float, ...] | None:
    """Return a DS attribute's numbers; None if absent or unusable.

    Args:
        dataset: header as read, values not yet converted.
        keyword: the attribute.
        size: how many values it has to have.
        bad: the keyword is appended if there are not ``size`` finite numbers of a size that a scan can have.
        long: the keyword is appended if a number has more characters than the standard allows.
    """
    text = text_of(dataset, keyword)
    if not text:
        return None
    parts = [part.strip(" \0") for part in text.split("\\")]
    if any(len(part) > _MAX_DECIMAL for part in parts):
        long.append(keyword)
    values = tuple(float(part) for part in parts if _DECIMAL.fullmatch(part))
    if len(values) != size or not all(math.isfinite(value) and abs(value) < _MAX_MM for value in values):
        bad.append(keyword)
        return None
    return values


def integer_of(dataset: pydicom.Dataset, keyword: str, bad: list[str]) -> int | None:
    """Return an integer attribute's value; None if absent or unusable (then ``bad`` gets its keyword)."""
    try:
        value = dataset.get(keyword)
        return None if value is None or value == "" else int(value)
    except Exception:  # pydicom raises errors of its own and of every type it converts to
        bad.append(keyword)
        return None
