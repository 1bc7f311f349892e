# SPDX-License-Identifier: Apache-2.0
import numpy as np


class Boxes:
    """An array that is read in boxes and remembers the largest one."""

    def __init__(self, array, *, spacing_um=None):
        self.array, self.shape, self.spacing_um = np.asarray(array), np.shape(array), spacing_um
        self.largest = self.reads = 0

    def read(self, box):
        part = self.array[box].copy()
        self.largest, self.reads = max(self.largest, part.size), self.reads + 1
        return part


def ball(radius, *, shape=(40, 40, 40), centre=(20, 20, 20)):
    places = np.ogrid[tuple(slice(0, size) for size in shape)]
    return sum((one - middle) ** 2 for one, middle in zip(places, centre, strict=True)) <= radius**2


def tube(radius, *, length=40, side=40):
    """A straight tube along z through the middle of the other two axes."""
    rows, columns = np.ogrid[:side, :side]
    return np.broadcast_to(
        (rows - side // 2) ** 2 + (columns - side // 2) ** 2 <= radius**2, (length, side, side)
    )
