# SPDX-License-Identifier: Apache-2.0
"""The window through which the lung networks see a CT: HU to 8-bit gray to a network's input.

The window [-1200, 600] HU, water as the fill outside the lungs and (gray - 128) / 128 as the input are those
of the DSB2017 winners (Liao et al. 2019, https://arxiv.org/abs/1711.08324). Gray values are kept as uint8: a
cached scan takes a quarter of the memory, and 7 HU a step is below the noise of a chest CT.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

WINDOW_HU = (-1200.0, 600.0)
WATER = 170  # gray of 0 HU
BONE = 210  # gray of 282 HU: brighter voxels near the lung are rib


def hu_to_gray(hu: np.ndarray) -> np.ndarray:
    """HU of any real type to uint8 0-255, rounded, clipped to the window."""
    low, high = WINDOW_HU
    scaled = (np.asarray(hu, np.float32) - np.float32(low)) * np.float32(255 / (high - low))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def gray_to_input(gray: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Gray 0-255 to a network's input, -1 to 1."""
    return (gray.to(dtype) - 128) / 128
