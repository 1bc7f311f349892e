# SPDX-License-Identifier: Apache-2.0
"""The lungs in a chest CT, found at about 2 mm."""

from .find import LADDER, LungMask, find_lungs
from .mask import LungMaskd

__all__ = ["LADDER", "LungMask", "LungMaskd", "find_lungs"]
