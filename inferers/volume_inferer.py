# SPDX-License-Identifier: Apache-2.0
"""2.5D inference out of core: a volume of any size in, its probabilities on disk out."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.inferers import Inferer
from monai.networks.utils import eval_mode
from torch import nn

from ..utils import InputError
from .bare_network import bare_network
from .fingerprint import fingerprint
from .finish import CentreProbability
from .in_plane import Chain, InPlaneWindows, PadToMultiple, Step
from .interfaces import BoxReader, Store
from .ledger import Ledger
from .slabs import AXES, Slab, cut, read_ahead, slab_thickness, write_behind
from .slice_stack import SliceStackInferer

_logger = logging.getLogger("tomobundles")


class VolumeInferer(Inferer):
    """Walk a volume slab by slab along one axis or three, and give the mean probability.

    Every pass reads slabs of slices across its axis, with the neighbours that stacks at their ends need, and
    infers them by ``SliceStackInferer``; the next slab is read, and the last one written, while the network
    works. A finished slab is on disk before it is noted in a ledger, so an interrupted call does not compute
    it again. Peak memory is that of some slabs and of the network's windows, however large the volume.

    Args:
        store: gives the store of a volume, such as ``data.volumes.ProbabilityFolder``.
        num_slices: slices of a stack, odd.
        batch_size: stacks of one pass through the network.
        axes: the passes, some of "z", "y", "x". Other axes than z need a volume of random access.
        windows: in-plane windows; None takes whole slices up to 2**21 pixels.
        views: test-time augmentation, such as ``PlaneViews``; of probabilities.
        activate: network output -> probabilities (K, 1, H, W) of the centre slices.
        device: where the network is; results are on the CPU's side. None for the CPU.
        channels_last: lay stacks out with channels last; convert the network likewise.
        bf16: compute in bfloat16 by autocast.
        memory_mb: for slabs, in 10^6 bytes. At least one slice with its neighbours is read at once.
        progress: show a bar over slices with the time left.
    """

    def __init__(
        self,
        *,
        store: Callable[[BoxReader], Store],
        num_slices: int = 3,
        batch_size: int = 1,
        axes: Sequence[str] = ("z",),
        windows: InPlaneWindows | None = None,
        views: Step | None = None,
        activate: Callable[[Any], torch.Tensor] | None = None,
        device: torch.device | str | None = None,
        channels_last: bool = False,
        bf16: bool = False,
        memory_mb: float = 512,
        progress: bool = True,
    ) -> None:
        super().__init__()
        if not axes or len(set(axes)) < len(axes) or not set(axes) <= set(AXES):
            raise InputError(f"axes are {list(axes)}", remedy='give one or more of "z", "y", "x", each once')
        self.store = store
        self.num_slices = num_slices
        self.axes = tuple(axes)
        self.windows = windows or InPlaneWindows()
        self.views = views
        self.activate = activate or CentreProbability()
        self.bf16 = bf16
        self.memory_mb = memory_mb
        self.progress = progress
        self.walk_options = {
            "num_slices": num_slices,
            "batch_size": batch_size,
            "device": device,
            "channels_last": channels_last,
            "bf16": bf16,
            "activate": self.activate,
        }
        self._walker("z", 1)  # so that bad options are found before the work starts

    def __call__(self, inputs: BoxReader, network: Callable[[torch.Tensor], Any]) -> Any:
        """Infer one volume.

        Args:
            inputs: normalised grays, (Z, Y, X) of float32 where read.
            network: stacks (K, num_slices, H, W) -> logits, or what ``activate`` takes. Where it has a
                ``divisor``, slices and windows are padded to multiples of that. It is set to evaluation mode
                meanwhile.

        Returns:
            ``data.volumes.Volume`` of float32, 0-1, with the input's voxel size and meta; it reads from the
            store, whose ``remove`` deletes it.

        Raises:
            InputError: a volume thinner than the stack, or one that cannot be read along an axis; a network
                that gives no probabilities; a full disk.
        """
        self._check(inputs)
        store = self.store(inputs)
        evaluating = eval_mode(network) if isinstance(network, nn.Module) else nullcontext()
        with evaluating, ThreadPoolExecutor(2) as pool:
            ledger = self._open(store, inputs, network)
            with self._bar(inputs.shape, ledger, store.folder) as bar:
                for axis in self.axes:
                    pieces = self._pieces(axis, inputs.shape, ledger)
                    slabs = read_ahead(inputs, pieces, axis=axis, half=self.num_slices // 2, pool=pool)
                    answers = self._answers(axis, slabs, network, bar.update)
                    write_behind(answers, partial(_keep, store, ledger, axis), pool=pool)
        return store.volume(spacing_um=inputs.spacing_um, meta=inputs.meta)

    def _check(self, volume: BoxReader) -> None:
        for axis in self.axes:
            size = volume.shape[AXES[axis]]
            if size < self.num_slices:
                raise InputError(
                    f"the volume has {size} slices along {axis}, fewer than the {self.num_slices} of a stack",
                    path=volume.path or None,
                    remedy="give a thicker volume, or a network of fewer slices",
                )
            if axis != "z" and not volume.random_access:
                raise InputError(
                    f"slices along {axis} cannot be read from this form at a reasonable speed",
                    path=volume.path or None,
                    remedy='copy it by data.volumes.stage first, or infer along ["z"] alone',
                )

    def _open(self, store: Store, volume: BoxReader, network: Any) -> Ledger:
        """Go on with an earlier run's work if it was the same, else make space for all."""
        # batch size, memory and device change nothing but rounding: an interrupted run may change them
        settings = {"num_slices": self.num_slices, "activate": self.activate, "bf16": self.bf16}
        key = fingerprint(volume, network, axes=self.axes, windows=self.windows, views=self.views, **settings)
        ledger = Ledger(store.ledger_path, fingerprint=key)
        if not (ledger.resumed and store.reopen(shape=volume.shape, passes=self.axes)):
            ledger.forget()  # first, lest it vouch for new files
            store.create(shape=volume.shape, passes=self.axes)
        ledger.start()
        return ledger

    def _bar(self, shape: Sequence[int], ledger: Ledger, folder: Path) -> Any:
        """Say what is to come in one line, and give a bar over slices."""
        from tqdm.auto import tqdm  # optional, as in MONAI

        sizes = {axis: shape[AXES[axis]] for axis in self.axes}
        total = sum(sizes.values())
        done = total - sum(len(gap) for axis, size in sizes.items() for gap in ledger.missing(axis, size))
        passes = " + ".join(f"{size} along {axis}" for axis, size in sizes.items())
        before = f", {done} of them done before" if done else ""
        gigabytes = 2e-9 * math.prod(shape) * len(sizes)
        _logger.info("slices to infer: %s%s; %.3g GB of disk in %s", passes, before, gigabytes, folder)
        return tqdm(total=total, initial=done, desc="inference", unit="slice", disable=not self.progress)

    def _answers(
        self,
        axis: str,
        slabs: Iterable[Slab],
        network: Callable[[torch.Tensor], Any],
        advance: Callable[[int], Any],
    ) -> Iterator[tuple[range, np.ndarray]]:
        walker = self._walker(axis, int(getattr(bare_network(network), "divisor", 1)))
        for slab in slabs:
            stacks = torch.from_numpy(slab.grays)[None]
            found = walker.infer(stacks, network, centres=slab.inside, advance=advance)
            yield slab.centres, _planes(found, slab, axis)

    def _walker(self, axis: str, divisor: int) -> SliceStackInferer:
        steps = Chain(self.windows, self.views, PadToMultiple(divisor))
        return SliceStackInferer(slice_dim=AXES[axis] - 3, windows=steps, **self.walk_options)

    def _pieces(self, axis: str, shape: Sequence[int], ledger: Ledger) -> Iterator[range]:
        thickness = slab_thickness(
            shape,
            axis=axis,
            half=self.num_slices // 2,
            batch_size=self.walk_options["batch_size"],
            memory_mb=self.memory_mb,
        )
        return cut(ledger.missing(axis, shape[AXES[axis]]), thickness=thickness)


def _keep(store: Store, ledger: Ledger, axis: str, centres: range, planes: np.ndarray) -> None:
    store.write(axis, centres.start, planes)
    ledger.add(axis, centres.start, centres.stop)


def _planes(outputs: Mapping[str, torch.Tensor], slab: Slab, axis: str) -> np.ndarray:
    """The answer for a slab as (n, rows, columns) of the planes across ``axis``.

    Raises:
        InputError: it is not one map a slice, of the slice's size.
    """
    size = [extent for dim, extent in enumerate(slab.grays.shape) if dim != AXES[axis]]
    wanted = [len(slab.centres), 1, *size]
    found = {key: value.movedim(AXES[axis] - 3, 0) for key, value in outputs.items() if value.ndim == 4}
    if set(outputs) != {""} or list(found.get("", slab.grays).shape) != wanted:
        shapes = {key: tuple(value.shape) for key, value in (found or outputs).items()}
        raise InputError(
            f"the network gives {shapes}, not one map of {tuple(wanted)}",
            remedy="give a segmentation network, or an activate that takes the map out of its answer",
        )
    return found[""].squeeze(1).float().numpy()
