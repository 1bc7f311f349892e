# SPDX-License-Identifier: Apache-2.0
"""How often each scan is visited in an epoch of crops, and how scans are named and handed over."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...utils import InputError
from ..writers_names import distinct_names
from .names import seriesuid_of

Item = dict[str, Any]

SIZE_BINS = ((0.0, 1.0), (10.0, 2.0))  # from this diameter in mm on: this weight


def nodule_items(
    items: Sequence[Mapping[str, Any]],
    *,
    crops: int,
    crops_per_visit: int = 1,
    batch_size: int = 1,
    size_bins: Sequence[Sequence[float]] = SIZE_BINS,
    random_share: float = 0.2,
) -> list[Mapping[str, Any]]:
    """Repeat scans so that an epoch draws ``crops`` crops, from each scan by the weight of its nodules.

    A caching dataset with ``hash_as_key`` keeps repeated items once.

    Args:
        items: training samples with "label", see ``check_nodules``.
        crops: crops of an epoch.
        crops_per_visit: crops that one visit of a scan draws.
        batch_size: crops of a batch; an epoch has at least one.
        size_bins: rows (lowest diameter in mm, weight): a nodule has the weight of the last row that it
            reaches, 0 below all of them.
        random_share: share of the visits that go to scans without a nodule, evenly; 0 leaves them out.

    Returns:
        each scan as often as it is visited, at least once.

    Raises:
        InputError: numbers that cannot be, an epoch of less than a batch, no item, or no nodule at all.
    """
    _check_numbers(crops, crops_per_visit, batch_size, random_share)
    bins = checked_bins(size_bins)
    weights = [sum(bin_weight(row[3], bins) for row in _nodules(item)) for item in items]
    if not sum(weights):
        raise InputError(
            f"no nodule at all in training data ({len(items)} scans)",
            remedy="check the labels of the training section (and that size_bins gives them a weight)",
        )
    empty = [0.0 if _nodules(item) else 1.0 for item in items]
    share = random_share if any(empty) else 0.0
    visits = math.ceil(crops / crops_per_visit)
    with_nodules = _counts(weights, visits * (1 - share))
    without = _counts(empty, visits * share) if share else [0] * len(items)
    counts = [one + other for one, other in zip(with_nodules, without, strict=True)]
    return [item for item, count in zip(items, counts, strict=True) for _ in range(count)]


def checked_bins(size_bins: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Size bins in ascending order.

    Raises:
        InputError: none, rows that are not two finite numbers, a negative weight, or a bound twice.
    """
    try:
        bins = sorted((float(low), float(weight)) for low, weight in size_bins)
    except (TypeError, ValueError):
        bins = []
    finite = all(math.isfinite(low) and math.isfinite(weight) and weight >= 0 for low, weight in bins)
    if not bins or not finite or len({low for low, _ in bins}) < len(bins):
        raise InputError(
            f"size_bins {size_bins}",
            remedy="give rows of lowest diameter in mm and weight: [[0, 1], [10, 2]]",
        )
    return bins


def bin_weight(diameter: float, bins: Sequence[tuple[float, float]]) -> float:
    """Weight of the last bin whose lower bound is at most ``diameter``; 0 below all."""
    return next((weight for low, weight in reversed(bins) if low <= diameter), 0.0)


def case_items(items: Sequence[Mapping[str, Any]]) -> list[Item]:
    """Give each item the "name" of its results, all of them different, and its "seriesuid".

    They are to be scored, so each must be labelled: without, all candidates of a scan would count as false
    positives. A name that is there stays; a DICOM series goes by its UID, others by their file.

    Raises:
        InputError: an item without "label", or two of one name.
    """
    for item in items:
        if item.get("label") is None:
            raise InputError(
                "this scan has no label, so it cannot be scored",
                path=item["image"],
                remedy='give it one (no nodules: {"nodules": []}), or leave it to inference',
            )
    known = [str(item.get("name") or item.get("series_uid") or "") for item in items]
    paths = [str(item["image"]) for item, name in zip(items, known, strict=True) if not name]
    names = distinct_names(list(dict.fromkeys(paths)))
    result = []
    for item, name in zip(items, known, strict=True):
        result.append({**item, "name": name or names[str(item["image"])], "seriesuid": seriesuid_of(item)})
    taken = [item["name"] for item in result]
    if doubles := sorted({name for name in taken if taken.count(name) > 1}):
        raise InputError(f"two scans are named {doubles[0]}", remedy='give items a "name" each')
    return result


def prepare_scan(
    batchdata: Mapping[str, Any],
    device: str | torch.device | None = None,
    non_blocking: bool = False,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """``prepare_batch`` of an evaluator on one scan: its image with a batch axis, and no label.

    Args:
        batchdata: a sample with "image" (1, H, W, D).
        device: where the image goes; None leaves it.
        non_blocking: see ``torch.Tensor.to``.
        kwargs: not used.

    Returns:
        (1, 1, H, W, D) in the image's type, a MetaTensor if it was one, and None.
    """
    image = batchdata["image"].unsqueeze(0)
    return (image if device is None else image.to(device, non_blocking=non_blocking)), None


def _nodules(item: Mapping[str, Any]) -> Sequence[Sequence[float]]:
    label = item.get("label")
    return label.get("nodules", ()) if isinstance(label, Mapping) else ()


def _check_numbers(crops: int, crops_per_visit: int, batch_size: int, random_share: float) -> None:
    if crops < 1 or crops_per_visit < 1:
        raise InputError(f"{crops} crops an epoch, {crops_per_visit} a visit", remedy="give positive numbers")
    if crops < batch_size:
        raise InputError(
            f"{crops} crops an epoch do not fill a batch of {batch_size}",
            remedy="raise crops_per_epoch, or lower batch_size",
        )
    if not 0 <= random_share < 1:
        raise InputError(f"random_share {random_share}", remedy="give a share, at least 0 and below 1")


def _counts(weights: Sequence[float], total: float) -> list[int]:
    """Whole numbers in proportion to weights, of sum ``total``, but at least 1 where there is a weight."""
    shares = [total * weight / sum(weights) for weight in weights]
    counts = [max(1, math.floor(share)) if share else 0 for share in shares]
    wanting = sorted(range(len(weights)), key=lambda index: counts[index] - shares[index])
    for index in wanting[: max(0, round(total) - sum(counts))]:
        counts[index] += 1
    return counts
