# SPDX-License-Identifier: Apache-2.0
"""What is kept of a study to score its slices and its patient: scores and labels by class, any last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

LOGITS = ("logits", "context_logits")
POSTERIORS = ("raw", "context", "calibrated_raw", "calibrated")
PATIENT = "patient"


@dataclass(kw_only=True)
class SliceRecord:
    """One study: K classes, ``any`` as row K + 1, D slices.

    Args:
        name: the study's name in tables, or "".
        patient: whose study it is; draws of patients keep a patient's studies together.
        scores: "logits" and "context_logits" ``(K, D)``; as far as given "raw", "context", "calibrated_raw",
            "calibrated" ``(K + 1, D)`` and "patient" ``(K + 1,)`` probabilities. float32.
        label: ``(K + 1, D)`` float32, 1 present, 0 absent, NaN unknown.
        study_label: ``(K + 1,)`` float32 for the whole study.
    """

    name: str = ""
    patient: str = ""
    scores: dict[str, Tensor]
    label: Tensor
    study_label: Tensor

    def as_lists(self) -> dict[str, Any]:
        """The record as plain numbers, exact, to send to another process as JSON."""
        return {
            "name": self.name,
            "patient": self.patient,
            "scores": {key: value.tolist() for key, value in self.scores.items()},
            "label": self.label.tolist(),
            "study_label": self.study_label.tolist(),
        }

    @classmethod
    def from_lists(cls, lists: Mapping[str, Any]) -> SliceRecord:
        """The record from what ``as_lists`` gave."""
        return cls(
            name=lists["name"],
            patient=lists["patient"],
            scores={key: torch.tensor(value) for key, value in lists["scores"].items()},
            label=torch.tensor(lists["label"]),
            study_label=torch.tensor(lists["study_label"]),
        )


def make_record(
    prediction: Mapping[str, Any],
    label: Tensor | None,
    study_label: Tensor | None,
    *,
    classes: int,
    name: str = "",
    patient: str = "",
) -> SliceRecord:
    """Take from a prediction what scoring needs, on the CPU.

    Args:
        prediction: with "logits" ``(K, D)`` and any of the other scores of ``SliceRecord``; "context_logits"
            are the logits where absent. Other entries, such as heat maps, are left out.
        label: ``(K + 1, D)`` or None for unknown.
        study_label: ``(K + 1,)``; where unknown or None, a class is present if it is in a slice, and absent
            if known to be absent from all.
        classes: K.
        name: the study's name.
        patient: whose study it is; the name where "".

    Raises:
        ValueError: the logits are missing or a shape is another.
    """
    if "logits" not in prediction:
        raise ValueError(f"prediction has no 'logits' but {', '.join(prediction) or 'nothing'}")
    given = {"context_logits": prediction["logits"]} | dict(prediction)
    slices = given["logits"].shape[-1]
    shapes = dict.fromkeys(LOGITS, (classes, slices)) | dict.fromkeys(POSTERIORS, (classes + 1, slices))
    shapes[PATIENT] = (classes + 1,)
    scores = {key: _checked(key, given[key], shape) for key, shape in shapes.items() if key in given}
    unknown = torch.full((classes + 1, slices), torch.nan)
    known = unknown if label is None else _checked("label", label, (classes + 1, slices))
    study = study_label_from_slices(known)
    if study_label is not None:
        whole = _checked("study_label", study_label, (classes + 1,))
        study = torch.where(whole.isnan(), study, whole)
    return SliceRecord(name=name, patient=patient or name, scores=scores, label=known, study_label=study)


@dataclass(frozen=True, kw_only=True)
class JoinedRecords:
    """All studies side by side: N slices in all, M studies.

    Args:
        label: ``(K + 1, N)``.
        study_label: ``(K + 1, M)``.
        scores: those of ``SliceRecord``, over N slices; "patient" over M studies.
        slice_patients: whose each of the N slices is.
        study_patients: whose each of the M studies is; one without a name is its own patient.
    """

    label: Tensor
    study_label: Tensor
    scores: dict[str, Tensor]
    slice_patients: list[str]
    study_patients: list[str]


def join_records(records: Sequence[SliceRecord]) -> JoinedRecords:
    """Put studies side by side.

    Raises:
        ValueError: there are none, or they have different scores.
    """
    kinds = {tuple(sorted(record.scores)) for record in records}
    if len(kinds) != 1:
        raise ValueError(f"studies must all have the same scores, not {sorted(kinds)}")
    join = {key: torch.stack if key == PATIENT else torch.cat for key in kinds.pop()}
    patients = [record.patient or f"#{index}" for index, record in enumerate(records)]
    by_slice = zip(patients, records, strict=True)
    return JoinedRecords(
        label=torch.cat([record.label for record in records], dim=1),
        study_label=torch.stack([record.study_label for record in records], dim=1),
        scores={key: how([record.scores[key] for record in records], dim=1) for key, how in join.items()},
        slice_patients=[patient for patient, record in by_slice for _ in range(record.label.shape[1])],
        study_patients=patients,
    )


def study_label_from_slices(label: Tensor) -> Tensor:
    """What the labels of the slices say of the whole study.

    Args:
        label: ``(R, D)``, 1 present, 0 absent, NaN unknown.

    Returns:
        ``(R,)``: 1 if a slice has it, 0 if all are known not to, NaN else.
    """
    present, absent = (label == 1).any(dim=1), (label == 0).all(dim=1)
    return torch.where(present, 1.0, torch.where(absent, 0.0, torch.nan))


def _checked(key: str, value: Tensor, shape: tuple[int, ...]) -> Tensor:
    if tuple(value.shape) != shape:
        raise ValueError(f"{key} must be of shape {shape}, not {tuple(value.shape)}")
    return value.detach().as_subclass(Tensor).cpu().float()
