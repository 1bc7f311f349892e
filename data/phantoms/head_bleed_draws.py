# SPDX-License-Identifier: Apache-2.0
"""How often bleeds of each class lie where, how large and how dense they are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .head_bleeds import CLASSES, Bleeds, Clot, Layer, Lens
from .oct_fields import Waves


def draw_bleeds(rng: np.random.Generator, sizes: Mapping[str, float]) -> Bleeds:
    """Draw bleeds of the classes in ``sizes``; the values are factors on their usual size."""
    ragged = Waves(rng, (14.0, 40.0), count=20, flat=False)
    bleeds = Bleeds(ragged, Waves(rng, (5.0, 18.0), count=20, flat=False))
    draw = {"IPH": _draw_iph, "IVH": _draw_ivh, "SAH": _draw_sah, "SDH": _draw_sdh, "EDH": _draw_edh}
    for name, stream in zip(
        CLASSES, rng.spawn(len(CLASSES)), strict=True
    ):  # one class leaves the others alone
        if name in sizes:
            draw[name](stream, bleeds, float(sizes[name]))
    return bleeds


def _draw_iph(rng: np.random.Generator, bleeds: Bleeds, size: float) -> None:
    hu = rng.uniform(54, 76) if rng.random() < 0.85 else rng.uniform(42, 50)
    for number in range(1 + (rng.random() < 0.2)):
        centre = _iph_place(rng)
        small = 1.0 if number == 0 else 0.6
        r = small * size * float(np.clip(rng.lognormal(np.log(13.5), 0.35), 5.5, 26))
        if abs(centre[0]) < 8 or centre[2] < 0:
            r = min(r, 11.0 * size)  # little room in pons and cerebellum
        radii = tuple(float(v) for v in r * rng.uniform(0.75, 1.25, 3) * (0.85, 1.15, 1.0))
        bleeds.clots.append(Clot(centre, radii, rng.uniform(3, 9), hu))


def _iph_place(rng: np.random.Generator) -> tuple[float, float, float]:
    side = float(rng.choice([-1, 1]))
    kind = rng.choice(["ganglia", "thalamus", "lobe", "cerebellum", "pons"], p=[0.38, 0.15, 0.34, 0.09, 0.04])
    if kind == "lobe":
        angle, up = rng.uniform(0.35, 2.8), rng.uniform(18, 64)
        inward = rng.uniform(0.5, 0.72) * np.sqrt(max(0.1, 1 - ((up - 14) / 78) ** 2))
        return float(side * 66 * inward * np.sin(angle)), float(2 - 82 * inward * np.cos(angle)), float(up)
    x, y, z = {
        "ganglia": (26, -2, 22),
        "thalamus": (12, 10, 23),
        "cerebellum": (21, 52, -14),
        "pons": (0, 10, -10),
    }[kind]
    x, y, z = np.add((x, y, z), rng.normal(0, 2.5, 3))
    return float(side * x), float(y), float(z)


def _draw_ivh(rng: np.random.Generator, bleeds: Bleeds, size: float) -> None:
    kind = rng.choice(["horns", "half", "cast"], p=[0.35, 0.4, 0.25])
    base = {"horns": rng.uniform(36, 44), "half": rng.uniform(20, 34), "cast": -90.0}[kind] - 12 * (size - 1)
    other = rng.uniform(28, 46) if kind == "cast" else base + rng.normal(0, 5)
    levels = (base, float(other))
    bleeds.levels = levels if rng.random() < 0.5 else levels[::-1]
    bleeds.hu["IVH"] = rng.uniform(48, 70)


def _draw_sah(rng: np.random.Generator, bleeds: Bleeds, size: float) -> None:
    bleeds.hu["SAH"] = rng.uniform(46, 66)
    bleeds.swell = rng.uniform(0.5, 1.1)
    kind = rng.choice(["basal", "sulcal", "sylvian"], p=[0.4, 0.45, 0.15])
    if kind == "basal":
        radii = size * rng.uniform(0.8, 1.25) * np.array([44, 34, 24])
        bleeds.cisterns.append(((rng.normal(0, 10), -6.0, 9.0), tuple(radii)))
        return
    side = float(rng.choice([-1, 1]))
    if kind == "sylvian":
        radii = size * rng.uniform(0.8, 1.2) * np.array([20, 30, 22])
        bleeds.cisterns.append(((side * 46.0, 0.0, 18.0), tuple(radii)))
        return
    for _ in range(1 + (rng.random() < 0.35)):
        angle, up = rng.uniform(0.15, 2.9), rng.uniform(22, 70)
        wide = np.sqrt(max(0.05, 1 - ((up - 14) / 78) ** 2))
        centre = (float(side * 62 * wide * np.sin(angle)), float(2 - 78 * wide * np.cos(angle)), float(up))
        bleeds.cisterns.append((centre, tuple(size * rng.uniform(0.8, 1.25) * np.array([26, 28, 22]))))
        side = -side


def _draw_sdh(rng: np.random.Generator, bleeds: Bleeds, size: float) -> None:
    place = str(rng.choice(["convexity", "falx", "tentorium"], p=[0.74, 0.17, 0.09]))
    side = int(rng.choice([-1, 1]))
    age = rng.choice(["fresh", "iso", "mixed"], p=[0.66, 0.18, 0.16]) if place == "convexity" else "fresh"
    hu = rng.uniform(38, 47) if age == "iso" else rng.uniform(54, 74)
    thick = size * (rng.uniform(4.5, 12) if place == "convexity" else rng.uniform(2.6, 5.5))
    bleeds.layers.append(
        Layer(
            place=place,
            side=side,
            thick=thick,
            azimuth=rng.uniform(1.1, 1.9) if place == "convexity" else float(rng.choice([0.5, 2.6])),
            span=rng.uniform(0.75, 1.25),
            height=rng.uniform(28, 52) if place == "convexity" else rng.uniform(45, 62),
            reach=size * rng.uniform(23, 39),
            hu=hu,
            level=rng.uniform(-10, 25) if age == "mixed" else None,
        )
    )


def _draw_edh(rng: np.random.Generator, bleeds: Bleeds, size: float) -> None:
    side = float(rng.choice([-1, 1]))
    angle, up = rng.uniform(0.5, 2.3), rng.uniform(12, 48)
    wide = np.sqrt(1 - ((up - 14) / 76) ** 2)
    centre = (float(side * 67 * wide * np.sin(angle)), float(2 - 83 * wide * np.cos(angle)), float(up))
    bleeds.lenses.append(
        Lens(centre, size * rng.uniform(9, 22), size * rng.uniform(21, 33), rng.uniform(56, 76))
    )
