# SPDX-License-Identifier: Apache-2.0
"""A volume as transforms see one."""

import numpy as np


class Boxes:
    """An array that is read in boxes, and remembers which."""

    def __init__(self, array):
        self.array = np.asarray(array)
        self.shape = self.array.shape
        self.boxes = []

    def read(self, box):
        assert all(0 <= part.start < part.stop <= size for part, size in zip(box, self.shape, strict=True)), (
            box
        )
        self.boxes.append(box)
        return self.array[box].copy()
