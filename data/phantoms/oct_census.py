# SPDX-License-Identifier: Apache-2.0
"""Count what the retina phantoms show, to compare with the contest's table: ``python -m`` this module."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .oct import KINDS, eye_volume
from .oct_sample import plan


@dataclass(frozen=True)
class Census:
    """Figures over a set of volumes; the triples are REA, SRF, PED.

    Attributes:
        volumes: number of volumes with the class.
        slices: share of the slices with it, in percent.
        pixels: share of the pixels, in percent.
        mean: mean grey level of all pixels, 0-255.
        std: its standard deviation.
    """

    volumes: tuple[int, ...]
    slices: tuple[float, ...]
    pixels: tuple[float, ...]
    mean: float
    std: float


def census(*, count: int = 70, shape: tuple[int, int, int] = (192, 96, 16), seed: int = 0) -> Census:
    """Count classes and grey levels over ``count`` training volumes of ``write_oct_sample``'s kind.

    Args:
        count: number of volumes.
        shape: (rows, columns, slices) of each.
        seed: seed of the sample.
    """
    volumes, slices, pixels = (np.zeros(3) for _ in range(3))
    moments = np.zeros(2)
    for scan in plan(seed, shape, (count, 1, 1))[0]:
        image, label = eye_volume(
            shape=shape, patient=scan.patient, eye=scan.eye, nasal=scan.nasal, lesions=scan.lesions
        )
        hit = np.stack([label == c for c in (1, 2, 3)])
        volumes += hit.any((1, 2, 3))
        slices += 100 / count * hit.any((1, 2)).mean(1)
        pixels += 100 / count * hit.mean((1, 2, 3))
        moments += np.array([image.mean(), np.square(image, dtype=np.float32).mean()]) / count
    return Census(
        tuple(volumes.astype(int).tolist()),
        tuple(slices.tolist()),
        tuple(pixels.tolist()),
        float(moments[0]),
        float(np.sqrt(moments[1] - moments[0] ** 2)),
    )


def report(result: Census) -> str:
    """The figures as a small table."""
    lines = ["class  volumes  slices %  pixels %"]
    for row in zip(KINDS, result.volumes, result.slices, result.pixels, strict=True):
        lines.append("{}    {:7d}  {:8.1f}  {:8.3f}".format(*row))
    return "\n".join([*lines, f"grey levels: mean {result.mean:.1f}, sd {result.std:.1f}"])


if __name__ == "__main__":
    print(report(census()))
