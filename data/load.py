# SPDX-License-Identifier: Apache-2.0
"""The first transform of every chain: paths in, volumes out."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform

from .dicom.findings import check_accept
from .dicom.preference import SeriesPreference
from .readers import read_volume


class LoadVolumed(MapTransform):
    """Read volumes of any form that ``read_volume`` knows into MetaTensors (1, H, W, D).

    MONAI's LoadImaged tries one reader after the other, so that a damaged file ends in a list of tracebacks
    or, worse, in another reader's idea of it; and it copies volumes to a layout in which a slice is spread
    over the whole memory. This one picks the reader by what is on disk, reports one fault, keeps the stored
    data type and keeps slices contiguous.

    A sample's "series_uid", where it has one, names the series to read from a DICOM study, and its "files"
    the files that are the study's, where the folder holds others too.

    Args:
        keys: keys whose values are paths.
        axes: order of stored axes of .npy and NIfTI files, see ``read_volume``; None for their defaults.
        preference: the series to choose from a DICOM study; None for ``SeriesPreference``'s defaults.
        accept: codes of faults of a DICOM series whose risk the user takes, see ``resolve_series``.
        allow_missing_keys: leave out keys that a sample does not have (label at inference).

    Raises:
        InputError: see ``read_volume``.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        axes: str | None = None,
        preference: SeriesPreference | None = None,
        accept: Collection[str] = (),
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.axes = axes
        self.dicom = {"preference": preference, "accept": check_accept(accept)}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each key's path by its volume, with "filename_or_obj" and ``read_volume``'s meta."""
        result = dict(data)
        for key in self.key_iterator(result):
            path = str(result[key])
            study = {name: result.get(name) or None for name in ("series_uid", "files")}
            array, meta = read_volume(path, axes=self.axes, **study, **self.dicom)
            affine = torch.as_tensor(meta.pop("affine"))
            meta["filename_or_obj"] = path
            result[key] = MetaTensor(torch.from_numpy(array).unsqueeze(0), affine=affine, meta=meta)
        return result
