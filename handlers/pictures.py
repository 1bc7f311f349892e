# SPDX-License-Identifier: Apache-2.0
"""What a training's log shows of a scan: reference and prediction in a few slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from ..data.study_pictures import ANY_COLOR, percent
from ..visualize import KeySlice, choose_slices, colors_for, compose_key_slices
from ..visualize.agreement import AGREEMENT_COLORS, AGREEMENT_NAMES, agreement
from ..visualize.panels import PanelSize, draw_panel
from ..visualize.prediction_panels import compose_panels
from ..visualize.vessel_slices import count_voxels, read_plane
from ..visualize.windows import robust_window, to_gray

Scan = Mapping[str, Any]


class SegmentationPicture:
    """One slice of a volume bare, with the reference and with the prediction, in the classes' colours.

    ``output`` holds "image" (1, H, W, D), "label" (1, H, W, D) class indices or None, and "pred" with the
    class map "label" (1, H, W, D), or "presence" (K, D) alone. Shown is the slice in which the classes cover
    most, each measured by its own largest area, so that a rare class counts as much as a large one; the
    middle slice without a label.

    Args:
        class_names: names of classes 1..K.
        panel_pixels: about the length of a panel's longer side.
    """

    def __init__(self, class_names: Sequence[str], *, panel_pixels: int = 240) -> None:
        self.class_names = list(class_names)
        self.panel_pixels = panel_pixels

    def choose(self, output: Scan, item: Scan) -> tuple[list[int], bool]:
        """The slice, and whether a class is in the volume."""
        label = output.get("label")
        depth = output["image"].shape[-1]
        if not isinstance(label, Tensor):
            return [depth // 2], False
        counts = _count(_array(label)[0], len(self.class_names))
        if not counts.any():
            return [depth // 2], False
        areas = counts / np.maximum(counts.max(axis=1, keepdims=True), 1)
        return [int(areas.sum(axis=0).argmax())], True

    def draw(self, output: Scan, item: Scan, slices: Sequence[int]) -> np.ndarray:
        """Draw the slice; (H, W, 3) uint8."""
        index, depth = slices[0], output["image"].shape[-1]
        plane, label = _array(output["image"][0, ..., index]), output.get("label")
        size = PanelSize.fit(*plane.shape, longest=self.panel_pixels)
        gray = to_gray(plane, robust_window(plane))
        shown = {f"Slice {index + 1} of {depth}": None}
        if isinstance(label, Tensor):
            shown["Reference"] = _classes(label[0, ..., index])
        shown |= self._predicted(output["pred"], index)
        panels = [draw_panel(gray, mask, size) for mask in shown.values()]
        return compose_panels(panels, list(shown), class_names=self.class_names)

    def _predicted(self, prediction: Scan, index: int) -> dict[str, np.ndarray | None]:
        """Title and mask of the prediction; of a network without a class map its presence scores."""
        if "label" in prediction:
            return {"Prediction": _classes(prediction["label"][0, ..., index])}
        scores = zip(self.class_names, _array(prediction["presence"])[:, index], strict=True)
        return {"Presence: " + ", ".join(f"{name} {score:.2f}" for name, score in scores): None}


class VesselPicture:
    """One slice along z of a volume on disk: bare, and vessels found, missed and made up in three colours.

    ``output`` holds the volume of probabilities "pred" and that of the reference "label" or None, ``item``
    the volume "native" on the same grid. The reference is read once, slab by slab, to find the slice with
    most vessels; then only one slice of each volume. Without a reference the middle slice is shown.

    Args:
        threshold: least probability of a vessel.
        panel_pixels: about the length of a panel's longer side.
    """

    def __init__(self, *, threshold: float = 0.5, panel_pixels: int = 320) -> None:
        self.threshold = threshold
        self.panel_pixels = panel_pixels

    def choose(self, output: Scan, item: Scan) -> tuple[list[int], bool]:
        """The slice, and whether the reference has a vessel."""
        label = output.get("label")
        counts = np.zeros(output["pred"].shape[0], int) if label is None else count_voxels(label)
        return [int(counts.argmax()) if counts.any() else len(counts) // 2], bool(counts.any())

    def draw(self, output: Scan, item: Scan, slices: Sequence[int]) -> np.ndarray:
        """Draw the slice; (H, W, 3) uint8."""
        index, label = slices[0], output.get("label")
        plane = read_plane(item["native"], index)
        found = read_plane(output["pred"], index) >= self.threshold
        compared = agreement(found, None if label is None else read_plane(label, index))
        size = PanelSize.fit(*plane.shape, longest=self.panel_pixels)
        gray = to_gray(plane, robust_window(plane))
        panels = [draw_panel(gray, None, size)]
        panels.append(draw_panel(gray, compared, size, class_colors=AGREEMENT_COLORS))
        titles = [f"z = {index} of 0 to {output['pred'].shape[0] - 1}", "Vessels"]
        names = ("vessel",) if label is None else AGREEMENT_NAMES
        return compose_panels(panels, titles, class_names=names, class_colors=AGREEMENT_COLORS)


class SliceScoresPicture:
    """A few slices of a head CT, each with the probability of every class.

    ``output`` holds "image" (1, H, W, D) in HU or 8-bit grays, "label" (K + 1, D) with NaN where unknown or
    None, and "pred" with "calibrated" (K + 1, D), see ``SlicePosteriorsd``. Slices are those with the rarest
    classes of the reference, spread over the scan; evenly spaced where it has none.

    Args:
        class_names: names of the K classes.
        num_slices: how many slices.
        panel_pixels: about the length of a slice's longer side.
    """

    def __init__(self, class_names: Sequence[str], *, num_slices: int = 3, panel_pixels: int = 150) -> None:
        self.class_names = [*class_names, "any"]
        self.num_slices = num_slices
        self.panel_pixels = panel_pixels

    def choose(self, output: Scan, item: Scan) -> tuple[list[int], bool]:
        """The slices, and whether one of the reference's holds a finding."""
        present = self._reference(output) > 0.5  # false for NaN
        return choose_slices(present.astype(np.int64), self.num_slices), bool(present.any())

    def draw(self, output: Scan, item: Scan, slices: Sequence[int]) -> np.ndarray:
        """Draw the slices; (H, W, 3) uint8."""
        image, reference = output["image"], self._reference(output)
        scores, depth = _array(output["pred"]["calibrated"]), image.shape[-1]
        known = getattr(image, "meta", {}).get("spacing_known")
        cards = []
        for index in slices:
            marks = [" *" if one > 0.5 else "" for one in reference[:, index]]
            numbers = zip(self.class_names, scores[:, index], marks, strict=True)
            lines = [(k, f"{name} {percent(one)}{mark}") for k, (name, one, mark) in enumerate(numbers)]
            cards.append(KeySlice(index, f"Slice {index + 1} of {depth}", lines))
        sheet = compose_key_slices(
            _array(image)[0],
            cards,
            colors=(*colors_for(len(self.class_names) - 1), ANY_COLOR),
            affine=np.asarray(image.affine, np.float64) if known else None,
            notes=("* in the reference",) if np.isfinite(reference).any() else ("no reference",),
            with_heat=False,
            panel_pixels=self.panel_pixels,
        )
        return np.asarray(sheet)

    def _reference(self, output: Scan) -> np.ndarray:
        """(K + 1, D), NaN where unknown."""
        label = output.get("label")
        shape = (len(self.class_names), output["image"].shape[-1])
        return _array(label) if isinstance(label, Tensor) else np.full(shape, np.nan)


def _count(label: np.ndarray, num_classes: int) -> np.ndarray:
    """Pixels (K, D) of each class in each slice of (H, W, D); row by row, as the slices lie side by side."""
    counts = np.zeros((num_classes, label.shape[-1]), np.int64)
    for row in label:
        for index in range(num_classes):
            counts[index] += (row == index + 1).sum(axis=0, dtype=np.int32)
    return counts


def _array(values: Tensor) -> np.ndarray:
    plain = values.as_tensor() if hasattr(values, "as_tensor") else values
    return plain.detach().cpu().numpy()


def _classes(mask: Tensor) -> np.ndarray:
    """Class indices as 8-bit integers."""
    return _array(mask).astype(np.uint8)
