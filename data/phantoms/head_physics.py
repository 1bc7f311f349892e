# SPDX-License-Identifier: Apache-2.0
"""What a CT scanner does to a head: beam hardening, blur and noise.

Beam hardening is computed, not painted: low-resolution projections of the bone give the error that a
water correction leaves, and filtering and back-projecting it gives dark bands between the petrous bones
(Hounsfield's bar), streaks and the bright rim under the vault. Brooks & Di Chiro, Phys Med Biol 1976, 21:390.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import gaussian_filter, zoom
from scipy.sparse import csr_matrix

_SIDE, _ANGLES = 64, 60


@dataclass
class Scanner:
    """One scanner and its settings.

    Attributes:
        noise_hu: noise in HU of a 5 mm slice in the middle of the brain.
        hardening: strength of the beam hardening that is left, 1 is usual.
        blur_mm: standard deviation of the point spread in mm.
        grain_mm: correlation of the noise in mm.
        offset_hu: error of calibration in HU.
    """

    noise_hu: float
    hardening: float
    blur_mm: float
    grain_mm: float
    offset_hu: float

    def expose(
        self, volume: np.ndarray, *, fov_mm: float, slice_mm: float, rng: np.random.Generator
    ) -> np.ndarray:
        """Take the picture.

        Args:
            volume: true HU (slices, size, size), float32; changed in place.
            fov_mm: width of the field of view.
            slice_mm: slice thickness.
            rng: source of the noise.

        Returns:
            int16 HU, -1024 to 3071.
        """
        pixel = fov_mm / volume.shape[-1]
        artefact, dimming = self._hardening(volume, fov_mm)
        noise_hu = self.noise_hu * np.sqrt(5.0 / slice_mm)
        for k in range(len(volume)):
            head = gaussian_filter(volume[k], self.blur_mm / pixel)
            noise = gaussian_filter(rng.standard_normal(head.shape, np.float32), self.grain_mm / pixel)
            noise *= np.float32(noise_hu) / max(float(noise.std()), 1e-6)
            head += _resize(artefact[k], head.shape) + _resize(dimming[k], head.shape) * noise
            volume[k] = head + np.float32(self.offset_hu)
        return np.clip(np.rint(volume), -1024, 3071).astype(np.int16)

    def _hardening(self, volume: np.ndarray, fov_mm: float) -> tuple[np.ndarray, np.ndarray]:
        """HU error and noise factor, each (slices, 64, 64)."""
        small = np.stack([_resize(image, (_SIDE, _SIDE)).ravel() for image in volume], -1)
        ray = projector()
        step = fov_mm / _SIDE / 10  # cm
        bone = (ray @ np.clip(small - 150, 0, 1800)) * np.float32(step / 1000)  # cm of bone of 1000 HU
        water = (ray @ np.clip(small / 1000 + 1, 0, 1.05)) * np.float32(step)
        error = -self.hardening * (6.5 * bone**2 + 0.7 * bone * water)
        artefact = back_project(error) / step
        path = (ray.T @ (water + 1.4 * bone)) / (ray.T @ np.ones((ray.shape[0], 1), np.float32)).clip(1e-3)
        shape = (_SIDE, _SIDE, -1)
        dim = np.exp(0.055 * (path - 18.5)).clip(0.35, 2.2)
        return (np.moveaxis(a.reshape(shape), -1, 0).astype(np.float32) for a in (artefact, dim))


def back_project(error: np.ndarray) -> np.ndarray:
    """Filtered back-projection of projections (angles x bins, slices) to (pixels, slices)."""
    bins = error.shape[0] // _ANGLES
    sino = error.reshape(_ANGLES, bins, -1)
    ramp = np.abs(np.fft.rfftfreq(2 * bins)).astype(np.float32)
    ramp *= np.sinc(np.fft.rfftfreq(2 * bins)).astype(np.float32)
    spectrum = np.fft.rfft(sino, 2 * bins, axis=1) * ramp[None, :, None]
    filtered = np.fft.irfft(spectrum, 2 * bins, axis=1)[:, :bins]
    return (projector().T @ filtered.reshape(error.shape).astype(np.float32)) * np.float32(np.pi / _ANGLES)


@lru_cache(maxsize=1)
def projector() -> csr_matrix:
    """Parallel projections of a 64 x 64 image, (60 angles x 93 bins, 4096 pixels), bins one pixel wide."""
    bins = int(np.ceil(_SIDE * 2**0.5)) + 2
    y, x = np.mgrid[:_SIDE, :_SIDE].reshape(2, -1) - (_SIDE - 1) / 2
    rows, weights = [], []
    for number, angle in enumerate(np.pi * np.arange(_ANGLES) / _ANGLES):
        position = x * np.cos(angle) + y * np.sin(angle) + (bins - 1) / 2
        low = np.floor(position).astype(int)
        rows += [number * bins + low, number * bins + low + 1]
        weights += [1 - (position - low), position - low]
    columns = np.tile(np.arange(_SIDE**2), 2 * _ANGLES)
    entries = (np.concatenate(weights).astype(np.float32), (np.concatenate(rows), columns))
    return csr_matrix(entries, shape=(_ANGLES * bins, _SIDE**2))


def draw_scanner(rng: np.random.Generator) -> Scanner:
    """Draw a scanner."""
    return Scanner(
        noise_hu=rng.uniform(2.6, 4.4),
        hardening=rng.uniform(0.6, 1.4),
        blur_mm=rng.uniform(0.6, 0.9),
        grain_mm=rng.uniform(0.5, 0.9),
        offset_hu=rng.normal(0, 1.2),
    )


def _resize(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Another matrix over the same field of view: means of blocks where they fit, else linear."""
    block = image.shape[0] // shape[0]
    if block > 1 and all(a == block * b for a, b in zip(image.shape, shape, strict=True)):
        return image.reshape(shape[0], block, shape[1], block).mean((1, 3))
    factors = [a / b for a, b in zip(shape, image.shape, strict=True)]
    return zoom(image, factors, order=1, grid_mode=True, mode="nearest")
