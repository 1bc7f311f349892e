# SPDX-License-Identifier: Apache-2.0
"""Simulated scans with known truth, for the embedded samples, tests and benchmarks."""

from .oct import retina_volume
from .oct_sample import write_oct_sample

__all__ = ["retina_volume", "write_oct_sample"]
