# SPDX-License-Identifier: Apache-2.0
"""The first transform of a chain on volumes larger than memory: paths in, volumes out."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform

from ...utils import InputError, atomic_path
from .base import Volume, checked_spacing
from .intensity import measure_intensity
from .labels import LabelVolume
from .normalised import NormalisedVolume
from .open import open_volume
from .raw import RawVolume
from .resampled import ResampledVolume
from .stage import stage
from .threshold import ThresholdVolume
from .turned import stage_for_axes

AXES = "zyx"


class OpenVolumed(MapTransform):
    """Open the volumes of a sample lazily: image normalised, label 0/1, both on one grid.

    The image is opened (``open_volume``), copied to ``cache_dir`` where it has to be, its grays measured,
    brought to the voxel size wanted and scaled to about 0-1. The label follows it. Nothing but the label's
    check, the gray histogram and that copy reads voxels here.

    A sample may have "spacing_um" (micrometres: one number, or slices, rows, columns), which overrides what
    the files say; "slices" ([first, last], the numbers in the file names); and "intensity" (as in a run's
    record), which is then used and not measured. Volumes in memory (``Volume``) may stand for paths.

    Added to the sample: "native" (the opened image: grid and names of the results), "native_label" and so on
    (labels on that grid), "intensity" (see ``measure_intensity``; also in the meta of the image) and
    "annotated_fraction" (1.0 where it has none).

    Args:
        keys: image key, then the label key if there is one.
        target_spacing: voxel size to work at, micrometres; None for each volume's own.
        spacing_um: voxel size of samples that name none, see ``open_volume``; None for what the files say.
        axes: order of stored axes, see ``open_volume``; None for its defaults.
        cache_dir: folder for copies of volumes of which a box cannot be read alone.
        random_access: boxes of any shape will be read: copy where that is slow. Needs ``cache_dir``.
        turned: whole planes across x will be read too: keep a second copy of images, columns first
            (``stage_for_axes``). Needs ``random_access``.
        percentiles: of the grays that become 0 and 1.
        min_slices: slices of a stack: no slicing axis may have fewer.
        slicing_axes: those that will be used, of "z", "y", "x".
        check_labels: read each label once and refuse other values than 0/1 or 0/255. False leaves it to the
            boxes that are read.
        label_threshold: share of a voxel of a resampled label from which it is labelled.
        progress: show bars for the passes over a volume.
        allow_missing_keys: leave out keys that a sample does not have (label at inference).

    Raises:
        InputError: what ``open_volume`` and ``measure_intensity`` raise; a label of another shape or voxel
            size than its image or of other values; a volume thinner than the stack; no voxel size where
            ``target_spacing`` needs it.
    """

    def __init__(
        self,
        keys: KeysCollection = ("image", "label"),
        *,
        target_spacing: Sequence[float] | float | None = None,
        spacing_um: Sequence[float] | float | None = None,
        axes: str | None = None,
        cache_dir: str | PathLike | None = None,
        random_access: bool = False,
        turned: bool = False,
        percentiles: Sequence[float] = (10.0, 99.8),
        min_slices: int = 1,
        slicing_axes: Sequence[str] = ("z",),
        check_labels: bool = True,
        label_threshold: float = 0.5,
        progress: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if random_access and cache_dir is None:
            raise InputError("random access needs a place for copies", remedy="give cache_dir, a folder")
        self.target_spacing = checked_spacing(target_spacing)
        self.spacing_um = checked_spacing(spacing_um)
        self.axes = axes
        self.cache_dir = cache_dir
        self.random_access = random_access
        self.turned = turned
        self.percentiles = tuple(percentiles)
        self.min_slices = min_slices
        self.slicing_axes = _check_axes(slicing_axes)
        self.check_labels = check_labels
        self.label_threshold = label_threshold
        self.progress = progress

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace paths by volumes, and add what the class says."""
        result = dict(data)
        keys = list(self.key_iterator(result))
        if self.keys[0] not in keys:
            return result
        native = self._open(result, self.keys[0])
        if self.random_access and self.turned:
            native = stage_for_axes(native, self.cache_dir, axes=AXES, progress=self.progress)
        grid = self._resampled(native)
        _check_thickness(grid, self.slicing_axes, self.min_slices)
        intensity = dict(result.get("intensity") or self._measured(native))
        image = NormalisedVolume(grid, low=intensity["low"], high=intensity["high"])
        image.meta["intensity"] = intensity
        result |= {self.keys[0]: image, "native": native, "intensity": intensity}
        result.setdefault("annotated_fraction", 1.0)
        for key in keys[1:]:
            label = self._label(result, key, native)
            result[f"native_{key}"] = label
            result[key] = label if grid is native else self._resampled_label(label, grid)
        return result

    def _open(self, data: Mapping[Hashable, Any], key: Hashable) -> Volume:
        volume = data[key]
        if not isinstance(volume, Volume):
            spacing = data.get("spacing_um")
            volume = open_volume(
                str(volume),
                spacing_um=self.spacing_um if spacing is None else spacing,
                slices=data.get("slices"),
                axes=self.axes,
            )
        if self.random_access and not volume.random_access:
            volume = stage(volume, self.cache_dir, progress=self.progress)
        return volume

    def _resampled(self, native: Volume) -> Volume:
        if self.target_spacing is None or self.target_spacing == native.spacing_um:
            return native
        return ResampledVolume(native, spacing_um=self.target_spacing, lanczos=True)

    def _measured(self, native: Volume) -> dict[str, Any]:
        lower, upper = self.percentiles
        options = {"lower": lower, "upper": upper, "progress": self.progress}
        if not (self.cache_dir and isinstance(native, RawVolume) and _lies_in(native.file, self.cache_dir)):
            return measure_intensity(native, **options)
        # a staged copy's name is a hash of what it was made from, so that these numbers are as long-lived
        kept = native.file.with_name(f"{native.file.stem}-grays-{lower:g}-{upper:g}.json")
        if kept.is_file():
            return json.loads(kept.read_text(encoding="utf-8"))
        found = measure_intensity(native, **options)
        with atomic_path(kept) as temporary:
            temporary.write_text(json.dumps(found) + "\n", encoding="utf-8")
        return found

    def _label(self, data: Mapping[Hashable, Any], key: Hashable, native: Volume) -> Volume:
        label = LabelVolume(self._open(data, key), spacing_um=native.spacing_um)
        _check_fits(label, native)
        if self.check_labels:
            label.check()
        return label

    def _resampled_label(self, label: Volume, grid: Volume) -> Volume:
        shares = ResampledVolume(label, spacing_um=self.target_spacing, shape=grid.shape)
        return ThresholdVolume(shares, threshold=self.label_threshold)


def _check_axes(axes: Sequence[str]) -> tuple[str, ...]:
    if not axes or not set(axes) <= set(AXES):
        raise InputError(f"slicing axes are {list(axes)}", remedy="give some of 'z', 'y', 'x'")
    return tuple(axes)


def _check_thickness(volume: Volume, axes: Sequence[str], least: int) -> None:
    for axis in axes:
        size = volume.shape[AXES.index(axis)]
        if size < least:
            raise InputError(
                f"{size} slices along {axis}, the stack has {least}",
                path=volume.path or None,
                remedy="give a thicker volume, fewer slices a stack (num_slices), or leave the axis out",
            )


def _check_fits(label: Volume, image: Volume) -> None:
    if label.shape != image.shape:
        raise InputError(
            f"label is {label.shape}, its image {image.shape} (slices, rows, columns)",
            path=label.path or None,
            remedy="give a label on the image's own grid",
        )
    pairs = zip(label.spacing_um or (), image.spacing_um or (), strict=False)
    if any(abs(own - other) > 0.01 * other for own, other in pairs):
        raise InputError(
            f"label has voxels of {label.spacing_um} um, its image of {image.spacing_um} um",
            path=label.path or None,
            remedy="name the right voxel size in the datalist (spacing_um)",
        )


def _lies_in(file: Path, folder: str | PathLike) -> bool:
    return file.resolve().parent == Path(folder).resolve()
