# SPDX-License-Identifier: Apache-2.0
"""Scores of slices and patients over a set of studies: the contest's F2, ranking, calibration, intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .bootstrap import Interval, bootstrap_auc, bootstrap_f_beta
from .calibration import ANY, Calibration
from .calibration_fit import fit_calibration
from .classification_scores import (
    average_precision,
    brier_score,
    by_class,
    calibration_error,
    f_beta,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
    weighted_log_loss,
)
from .presence import slice_auc
from .slice_records import PATIENT, POSTERIORS, SliceRecord, join_records, make_record

# suffix of a metric's name -> the logits and the posteriors it is taken from
_LEVELS = {"": ("context_logits", "context"), "_raw": ("logits", "raw")}
_RANKING = {
    "auc": slice_auc,
    "ap": partial(by_class, average_precision),
    "sensitivity_at_95_specificity": partial(by_class, sensitivity_at_specificity),
    "specificity_at_95_sensitivity": partial(by_class, specificity_at_sensitivity),
}


class SliceClassificationMetrics:
    """Metrics of several labels by slice and patient, over all slices of all studies together.

    Unknown labels count nowhere. What has no answer (a class that is in all slices or none, a NaN score)
    is NaN.

    Args:
        class_names: the K classes without ``any``, which is derived and stands last.

    Raises:
        ValueError: no class, or a name twice.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        if not class_names or len({*class_names, ANY}) != len(class_names) + 1:
            raise ValueError(f"class_names must be different names without '{ANY}', not {list(class_names)}")
        self.class_names = list(class_names)
        self.row_names = [*class_names, ANY]
        self.records: list[SliceRecord] = []

    def reset(self) -> None:
        """Forget all studies."""
        self.records = []

    def update(
        self,
        prediction: Mapping[str, Any],
        label: Tensor | None = None,
        *,
        study_label: Tensor | None = None,
        name: str = "",
        patient: str = "",
    ) -> None:
        """Take in one study.

        Args:
            prediction: with "logits" ``(K, D)``, and as far as there are "context_logits" ``(K, D)``,
                probabilities "raw", "context", "calibrated_raw", "calibrated" ``(K + 1, D)`` and "patient"
                ``(K + 1,)``; the same entries for all studies.
            label: ``(K + 1, D)``, 1 present, 0 absent, NaN unknown; None if the slices are not labelled.
            study_label: ``(K + 1,)``; what it leaves unknown is taken from the slices.
            name: the study's name in tables.
            patient: whose study it is; the name where "".

        Raises:
            ValueError: the logits are missing or a shape is another.
        """
        classes = len(self.class_names)
        self.records.append(
            make_record(prediction, label, study_label, classes=classes, name=name, patient=patient)
        )

    def aggregate(self) -> dict[str, float]:
        """All values over all studies, flat; the mean over classes leaves out ``any`` and undefined ones.

        Returns:
            From the logits with context; the same with ``_raw`` behind the metric's name for those without:

            - ``f2_micro``: the contest's, five classes together, cut at a score (sigmoid) of 0.5;
            - ``f2_<class>``, ``f2``: of each class and their mean; ``any`` is predicted with any class;
            - ``auc``, ``ap``, ``sensitivity_at_95_specificity``, ``specificity_at_95_sensitivity``: mean and
              ``_<class>``. Classes are ranked by their logits, ``any`` by its posterior.

            From probabilities, with ``<p>`` "score" and "score_raw" (plain sigmoids), "context" and "raw"
            (posteriors) and "calibrated" and "calibrated_raw" as far as given: ``ece_<p>``, ``brier_<p>``,
            each also with ``_<class>``, and ``log_loss_<p>``, the RSNA challenge's. From studies:
            ``patient_auc``, ``patient_ece``, ``patient_brier``, each also with ``_<class>``.

        Raises:
            ValueError: studies with different entries.
        """
        if not self.records:
            return {"f2_micro": math.nan}
        joined = join_records(self.records)
        label, scores = joined.label, joined.scores
        values: dict[str, float] = {}
        for suffix, (logits, posterior) in _LEVELS.items():
            values |= self._decisions(suffix, scores[logits], label)
            values |= self._ranking(suffix, scores[logits], scores.get(posterior), label)
        probabilities = {"score": _score(scores["context_logits"]), "score_raw": _score(scores["logits"])}
        probabilities |= {key: scores[key] for key in POSTERIORS if key in scores}
        for key, probability in probabilities.items():
            values |= self._by_class(f"ece_{key}", by_class(calibration_error, probability, label))
            values |= self._by_class(f"brier_{key}", by_class(brier_score, probability, label))
            values[f"log_loss_{key}"] = weighted_log_loss(probability, label)
        if PATIENT in scores:
            pair = scores[PATIENT], joined.study_label
            values |= self._by_class("patient_auc", slice_auc(*pair))
            values |= self._by_class("patient_ece", by_class(calibration_error, *pair))
            values |= self._by_class("patient_brier", by_class(brier_score, *pair))
        return values

    def intervals(self, *, samples: int = 1000, seed: int = 0, level: float = 0.95) -> dict[str, Interval]:
        """Bootstrap intervals over patients of the main values.

        Args:
            samples: how many times patients are drawn.
            seed: of the draws.
            level: share of the samples within an interval.

        Returns:
            ``f2_micro``, ``auc_<class>`` and, where there are probabilities of patients,
            ``patient_auc_<class>``, as in ``aggregate``, with their bounds; empty without studies.

        Raises:
            ValueError: studies with different entries.
        """
        if not self.records:
            return {}
        options = {"samples": samples, "seed": seed, "level": level}
        joined = join_records(self.records)
        slices, label, scores = joined.slice_patients, joined.label, joined.scores
        logits = scores["context_logits"]
        decisions = torch.where(logits.isnan(), torch.nan, (logits >= 0).double())
        found = {"f2_micro": bootstrap_f_beta(slices, decisions, label[:-1], **options)}
        rows = zip(self.row_names, _ranks(logits, scores.get("context")), label, strict=True)
        found |= {f"auc_{name}": bootstrap_auc(slices, row, truth, **options) for name, row, truth in rows}
        if PATIENT in scores:
            for name, row, truth in zip(self.row_names, scores[PATIENT], joined.study_label, strict=True):
                found[f"patient_auc_{name}"] = bootstrap_auc(joined.study_patients, row, truth, **options)
        return found

    def fit_calibration(self, *, method: str = "platt", beta: float = 2.0, note: str = "") -> Calibration:
        """Fit a calibration on these studies, which must be held-out ones with "raw" and "context".

        Args:
            method: "platt", "temperature" or "identity"; see ``fit_calibration``.
            beta: how many times as much recall counts as precision in the thresholds.
            note: what it is fitted on, in words.

        Raises:
            ValueError: no studies, without posteriors, or with different entries.
            InputError: if values cannot be used.
        """
        if not self.records or any(key not in self.records[0].scores for key in ("raw", "context")):
            raise ValueError("calibration needs studies with 'raw' and 'context' posteriors")
        joined = join_records(self.records)
        highest = torch.stack([record.scores["context"].amax(dim=1) for record in self.records], dim=1)
        return fit_calibration(
            class_names=self.class_names,
            raw=joined.scores["raw"],
            context=joined.scores["context"],
            label=joined.label,
            patient=highest,
            patient_label=joined.study_label,
            method=method,
            beta=beta,
            note=note,
        )

    def _decisions(self, suffix: str, logits: Tensor, label: Tensor) -> dict[str, float]:
        flat, truth = logits.reshape(1, -1), label[:-1].reshape(1, -1)
        micro = float(by_class(_f2_of_logits, flat, truth))
        rows = torch.cat([logits, logits.amax(dim=0, keepdim=True)])  # any is predicted with any class
        values = self._by_class(f"f2{suffix}", by_class(_f2_of_logits, rows, label))
        return {f"f2_micro{suffix}": micro} | values

    def _ranking(
        self, suffix: str, logits: Tensor, posterior: Tensor | None, label: Tensor
    ) -> dict[str, float]:
        ranks = _ranks(logits, posterior)
        values: dict[str, float] = {}
        for name, measure in _RANKING.items():
            values |= self._by_class(f"{name}{suffix}", measure(ranks, label))
        return values

    def _by_class(self, name: str, values: Tensor) -> dict[str, float]:
        rows = {f"{name}_{row}": float(v) for row, v in zip(self.row_names, values, strict=True)}
        return rows | {name: float(values[:-1].nanmean())}


def _f2_of_logits(logits: Tensor, targets: Tensor) -> float:
    return f_beta((logits >= 0).double(), targets)  # a logit of 0 is a score of 0.5


def _score(logits: Tensor) -> Tensor:
    """Sigmoids in float64, and 1 - prod(1 - p) of them as the row ``any``."""
    p = torch.sigmoid(logits.double())
    return torch.cat([p, 1 - (1 - p).prod(dim=0, keepdim=True)])


def _ranks(logits: Tensor, posterior: Tensor | None) -> Tensor:
    """Logits rank the classes without the ties that posteriors have at 0; ``any`` has none of its own."""
    last = _score(logits)[-1:] if posterior is None else posterior[-1:].double()
    return torch.cat([logits.double(), last])
