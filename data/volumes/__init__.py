# SPDX-License-Identifier: Apache-2.0
"""Volumes larger than memory: read in boxes, wrapped in steps that cost nothing until a box is read."""

from .base import ArrayVolume, Box, Volume, full_box, slabs
from .intensity import measure_intensity
from .labels import LabelVolume
from .normalised import NormalisedVolume
from .open import find_form, is_openable, open_volume
from .probability_store import ProbabilityFolder, ProbabilityStore
from .raw import RawVolume
from .resampled import ResampledVolume
from .stage import stage
from .threshold import ThresholdVolume

__all__ = [
    "ArrayVolume",
    "Box",
    "LabelVolume",
    "NormalisedVolume",
    "ProbabilityFolder",
    "ProbabilityStore",
    "RawVolume",
    "ResampledVolume",
    "ThresholdVolume",
    "Volume",
    "find_form",
    "full_box",
    "is_openable",
    "measure_intensity",
    "open_volume",
    "slabs",
    "stage",
]
