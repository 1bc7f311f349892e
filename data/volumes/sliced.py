# SPDX-License-Identifier: Apache-2.0
"""Volumes that have to be decoded slice by slice; slices decoded lately are kept."""

from __future__ import annotations

import os
import threading
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from .base import Box, Volume

_KEPT_SLICES = 16  # more than the overlap of the slabs that the inferers read
_KEPT_BYTES = 256 << 20
_WORKERS = min(4, os.cpu_count() or 1)


class SliceVolume(Volume):
    """A volume of which one slice at a time can be decoded.

    The last slices are kept, 16 of them or 256 MB, so that slabs that overlap decode nothing twice. What
    is open or kept belongs to one process: a copy of the volume in another process starts its own. Threads
    of one process take turns.

    Attributes:
        parallel: several slices may be decoded at the same time.
    """

    random_access = False
    parallel = False

    @abstractmethod
    def _decode(self, index: int) -> np.ndarray:
        """Decode a slice (Y, X) of ``dtype``; the array is not changed by anybody afterwards."""

    def _read(self, box: Box) -> np.ndarray:
        z, y, x = box
        result = np.empty(tuple(part.stop - part.start for part in box), dtype=self.dtype)
        state = self._process_state()
        with state.lock:
            for start in range(z.start, z.stop, _WORKERS):
                group = range(start, min(start + _WORKERS, z.stop))
                for index, pixels in zip(group, self._decoded(group, state), strict=True):
                    result[index - z.start] = pixels[y, x]
        return result

    def _decoded(self, group: Sequence[int], state: SliceState) -> list[np.ndarray]:
        missing = [index for index in group if index not in state.kept]
        if self.parallel and len(missing) > 1:
            with ThreadPoolExecutor(len(missing)) as pool:
                new = dict(zip(missing, pool.map(self._decode, missing), strict=True))
        else:
            new = {index: self._decode(index) for index in missing}
        slices = [new[index] if index in new else state.kept[index] for index in group]
        for index, pixels in zip(group, slices, strict=True):
            state.keep(index, pixels)
        return slices

    def _process_state(self) -> SliceState:
        state = self.__dict__.get("_state")
        if state is None or state.pid != os.getpid():
            state = self._state = self._new_state()
        return state

    def _new_state(self) -> SliceState:
        return SliceState()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_state"}


class SliceState:
    """What one process has open and decoded of a volume."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.RLock()
        self.kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self.opened: Any = None

    def keep(self, index: int, pixels: np.ndarray) -> None:
        """Keep a decoded slice; the one unused for longest makes room."""
        self.kept[index] = pixels
        self.kept.move_to_end(index)
        room = max(1, min(_KEPT_SLICES, _KEPT_BYTES // max(pixels.nbytes, 1)))
        while len(self.kept) > room:
            self.kept.popitem(last=False)
