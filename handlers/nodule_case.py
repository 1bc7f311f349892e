# SPDX-License-Identifier: Apache-2.0
"""From what an evaluator holds about a chest CT to the case that the writers take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import MetaTensor
from torch import Tensor

from ..data.nodules.case import NoduleCase
from ..data.readers import DEFAULT_AXES
from ..data.writers_names import volume_name


def nodule_case(
    image: MetaTensor, found: Mapping[str, Any], item: Mapping[str, Any], **about: Any
) -> NoduleCase:
    """Collect a case from the lung grid's image, the candidates and the sample.

    Args:
        image: (1, H, W, D) uint8 on the lung grid, with the meta that ``LungGridd`` leaves.
        found: "world" (N, 4), "voxel" (N, 3), "probability" and "detector" (N,), where they are there
            "classifier" (N,) and "mask" (1, H, W, D).
        item: the sample: where they are there "nodules" (M, 4), "lungs", "lung_quality", "seriesuid".
        about: name, patient, model and seconds of the case.

    Returns:
        the case; a DICOM series goes by its UIDs.

    Raises:
        InputError: see ``NoduleCase``.
    """
    scores = {name: _numbers(found[name]) for name in ("probability", "detector")}
    scores["classifier"] = _numbers(found["classifier"]) if "classifier" in found else None
    truth = _numbers(item["nodules"]) if "nodules" in item else np.empty((0, 4))
    return NoduleCase(
        **about,
        **scores,
        **_scan(image.meta, item),
        **_lungs(item),
        image=_volume(image),
        affine=_affine(image.affine),
        native_affine=_affine(image.meta["native_affine"]),
        native_shape=tuple(int(size) for size in np.ravel(_numbers(image.meta["native_shape"]))),
        nodules=_numbers(found["world"]).astype(np.float64),
        voxel=_numbers(found["voxel"]).astype(np.float64),
        # an item without annotations has an empty array too, so none is the same as not known
        truth=truth if len(truth) else None,
        mask=_volume(found["mask"]) if "mask" in found else None,
    )


def _scan(meta: Mapping[str, Any], item: Mapping[str, Any]) -> dict[str, Any]:
    """Names of the scan and its slices; of DICOM nothing but UIDs."""
    form, source = meta.get("form"), Path(str(meta["filename_or_obj"]))
    series_uid = meta.get("series_uid")
    positions = meta.get("slice_positions_mm")
    if positions is not None:  # rounded to a nanometre: sums of decimals leave -1e-9 for 0
        positions = np.round(_numbers(positions).astype(np.float64).reshape(-1), 6) + 0.0
    return {
        "seriesuid": str(series_uid or item.get("seriesuid") or volume_name(source)),
        "axes": str(meta["axes"]) if form == "nifti" else DEFAULT_AXES["nifti"],
        "source": "" if form == "dicom" else source.name,
        "slice_names": [str(one) for one in meta.get("slice_names") or ()],
        "instance_numbers": _integers(meta.get("instance_numbers")),
        "positions_mm": positions,
        "study_uid": meta.get("study_uid"),
        "series_uid": series_uid,
        # collating makes None of an empty list
        "findings": [str(one) for one in meta.get("findings") or ()],
    }


def _lungs(item: Mapping[str, Any]) -> dict[str, Any]:
    quality, lungs = dict(item.get("lung_quality") or {}), item.get("lungs")
    if lungs is None:
        return {"lung_quality": quality}
    return {"lung_quality": quality, "lungs": _volume(lungs), "lungs_affine": _affine(lungs.affine)}


def _integers(values: Any) -> list[int]:
    return [] if values is None else [int(one) for one in values]


def _volume(values: Any) -> np.ndarray:
    """Drop axes of one in front of (H, W, D)."""
    array = _numbers(values)
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    return array


def _affine(values: Any) -> np.ndarray:
    return _numbers(values).astype(np.float64).reshape(4, 4)


def _numbers(values: Any) -> np.ndarray:
    plain = values.as_tensor() if hasattr(values, "as_tensor") else values
    return plain.detach().cpu().numpy() if isinstance(plain, Tensor) else np.asarray(plain)
