# SPDX-License-Identifier: Apache-2.0
"""The calibration of a network: a map and a threshold for each class, for slices and patients, as a file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..utils import InputError, atomic_path
from .platt import PlattCalibrator

Array = TypeVar("Array", Tensor, np.ndarray)

LEVELS = ("raw", "context", "patient")
METHODS = ("platt", "temperature", "identity")
ANY = "any"
_FORMAT = "tomobundles calibration 1"


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Maps from posteriors to probabilities fitted on held-out patients, and the thresholds found there.

    Rows are the classes in their order, ``any`` last. It is right only for the network, loss and context it
    was fitted with, and for patients like those: a hospital with another prevalence fits its own.

    Args:
        class_names: the K classes without ``any``.
        raw: K + 1 maps for a slice on its own.
        context: K + 1 maps for a slice with its neighbours.
        patient: K + 1 maps for the highest posterior with context among a patient's slices.
        thresholds: K + 1 cuts in [0, 1] of a slice's calibrated probability with context.
        patient_thresholds: K + 1 cuts of a patient's calibrated probability.
        method: "platt", "temperature" or "identity".
        note: what it was fitted on, in words.

    Raises:
        InputError: if the rows do not fit the classes, a threshold is not in [0, 1], or the method is none.
    """

    class_names: tuple[str, ...]
    raw: tuple[PlattCalibrator, ...]
    context: tuple[PlattCalibrator, ...]
    patient: tuple[PlattCalibrator, ...]
    thresholds: tuple[float, ...]
    patient_thresholds: tuple[float, ...]
    method: str = "platt"
    note: str = ""

    def __post_init__(self) -> None:
        rows = len(self.class_names) + 1
        lists = (self.raw, self.context, self.patient, self.thresholds, self.patient_thresholds)
        if not self.class_names or any(len(values) != rows for values in lists):
            raise InputError(
                f"a calibration of {len(self.class_names)} classes with {[len(v) for v in lists]} rows",
                remedy="Fit the calibration again: it needs a row a class and one for 'any'.",
            )
        cuts = (*self.thresholds, *self.patient_thresholds)
        if self.method not in METHODS or not all(0 <= cut <= 1 for cut in cuts):
            raise InputError(
                f"a calibration by '{self.method}' with thresholds {list(cuts)}",
                remedy=f"The method is one of {', '.join(METHODS)}, thresholds are from 0 to 1.",
            )

    @classmethod
    def identity(cls, class_names: Sequence[str], *, threshold: float = 0.5) -> Calibration:
        """The calibration that changes nothing.

        Args:
            class_names: the K classes without ``any``.
            threshold: cut for all classes.
        """
        rows = len(class_names) + 1
        maps, cuts = (PlattCalibrator(),) * rows, (threshold,) * rows
        return cls(
            class_names=tuple(class_names),
            **dict.fromkeys(LEVELS, maps),
            thresholds=cuts,
            patient_thresholds=cuts,
            method="identity",
        )

    @property
    def row_names(self) -> tuple[str, ...]:
        """The classes and ``any``."""
        return (*self.class_names, ANY)

    @property
    def not_fitted(self) -> dict[str, list[str]]:
        """Level -> classes that had no examples of both outcomes and are passed on as they are."""
        return {
            level: [
                name for name, one in zip(self.row_names, getattr(self, level), strict=True) if not one.fitted
            ]
            for level in LEVELS
        }

    def apply(self, level: str, probability: Array) -> Array:
        """Calibrate the posteriors of a level.

        Each row is mapped on its own; ``any`` is then raised to the highest class where it would be below,
        since no class can be more probable than any of them.

        Args:
            level: "raw", "context" or "patient".
            probability: ``(K + 1,)`` or ``(K + 1, D)`` posteriors in [0, 1], ``any`` last.

        Returns:
            Probabilities of the same shape, kind and type; NaN stays NaN.

        Raises:
            ValueError: there is no such level, or the rows are not K + 1.
        """
        if level not in LEVELS:
            raise ValueError(f"level must be one of {', '.join(LEVELS)}, not {level!r}")
        maps: tuple[PlattCalibrator, ...] = getattr(self, level)
        if len(probability) != len(maps):
            raise ValueError(f"{len(probability)} rows of probabilities for {len(maps)} calibrated rows")
        rows = [one.apply(row) for one, row in zip(maps, probability, strict=True)]
        if isinstance(probability, Tensor):
            stacked = torch.stack(rows)
            stacked[-1] = torch.maximum(stacked[-1], stacked[:-1].amax(dim=0))
            return stacked
        stacked = np.stack(rows)
        stacked[-1] = np.maximum(stacked[-1], stacked[:-1].max(axis=0))
        return stacked

    def to_dict(self) -> dict[str, Any]:
        """The calibration as plain numbers and text by class name, for JSON."""
        lists = {field.name: getattr(self, field.name) for field in fields(self)}
        names = lists.pop("class_names")
        by_name = {
            key: {
                name: asdict(value) if isinstance(value, PlattCalibrator) else value
                for name, value in zip(self.row_names, values, strict=True)
            }
            for key, values in lists.items()
            if isinstance(values, tuple)
        }
        return {"format": _FORMAT, "class_names": list(names)} | lists | by_name

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Calibration:
        """The calibration from what ``to_dict`` gave.

        Raises:
            InputError: if something is missing, of another kind or out of range.
        """
        try:
            if content["format"] != _FORMAT:
                raise ValueError(f"its format is {content['format']!r}, not {_FORMAT!r}")
            names = tuple(str(name) for name in content["class_names"])
            rows = (*names, ANY)
            maps = {level: tuple(_map(content[level][name]) for name in rows) for level in LEVELS}
            keys = ("thresholds", "patient_thresholds")
            cuts = {key: tuple(_number(content[key][name]) for name in rows) for key in keys}
            words = {key: str(content[key]) for key in ("method", "note")}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            fault = f"{error} is missing" if isinstance(error, KeyError) else getattr(error, "problem", error)
            raise InputError(f"not a calibration: {fault}", remedy="Fit it again.") from error
        return cls(class_names=names, **maps, **cuts, **words)

    def save(self, path: str | PathLike) -> Path:
        """Write the calibration as JSON; the file is whole or not there.

        Args:
            path: where to.

        Returns:
            The path.
        """
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")
        return Path(path)

    @classmethod
    def load(cls, path: str | PathLike) -> Calibration:
        """Read what ``save`` wrote.

        Raises:
            InputError: if there is no such file or it is damaged.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(
                f"no calibration can be read here: {error.strerror}",
                path=path,
                remedy="Fit one on held-out patients first, or run without.",
            ) from error
        except ValueError as error:
            raise InputError(
                "not a calibration: the file is no JSON", path=path, remedy="Fit it again."
            ) from error
        try:
            return cls.from_dict(content)
        except InputError as error:
            raise InputError(error.problem, path=path, remedy=error.remedy) from error


def load_calibration(path: str | PathLike, *, class_names: Sequence[str]) -> Calibration:
    """Read a calibration and see that it is of these classes.

    Args:
        path: JSON file that ``Calibration.save`` wrote.
        class_names: the K classes without ``any``, in the network's order.

    Raises:
        InputError: if it cannot be read or is of other classes.
    """
    calibration = Calibration.load(path)
    if calibration.class_names != tuple(class_names):
        raise InputError(
            f"the calibration is of {', '.join(calibration.class_names)}, not {', '.join(class_names)}",
            path=path,
            remedy="Use the calibration that was fitted with this network.",
        )
    return calibration


def _map(content: Mapping[str, Any]) -> PlattCalibrator:
    slope, intercept = _number(content["slope"]), _number(content["intercept"])
    counts = {key: int(content[key]) for key in ("n_pos", "n_neg")}
    return PlattCalibrator(slope=slope, intercept=intercept, fitted=bool(content["fitted"]), **counts)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number")
    return float(value)
