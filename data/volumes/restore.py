# SPDX-License-Identifier: Apache-2.0
"""Results back on the grid that the volume came on."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform

from .resampled import ResampledVolume


class RestoreGridd(MapTransform):
    """Bring probabilities that were computed at another voxel size back to the volume's own grid, lazily.

    Probabilities are resampled, masks never; see ``ResampledVolume``. What is on the grid already is left as
    it is. A label that was resampled for training gives way to the one it came from.

    Args:
        keys: keys of probability volumes.
        native_key: key of the volume whose grid is wanted, as ``OpenVolumed`` adds it.
        label_key: key of the label, where there is one.
        allow_missing_keys: leave out keys that a sample does not have.
    """

    def __init__(
        self,
        keys: KeysCollection = "pred",
        *,
        native_key: str = "native",
        label_key: str = "label",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.native_key = native_key
        self.label_key = label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each key's volume where it lies on another grid."""
        result = dict(data)
        native = result[self.native_key]
        for key in self.key_iterator(result):
            volume = result[key]
            if volume.shape != native.shape or volume.spacing_um != native.spacing_um:
                result[key] = ResampledVolume(volume, like=native)
        native_label = result.get(f"{self.native_key}_{self.label_key}")
        if native_label is not None:
            result[self.label_key] = native_label
        return result
