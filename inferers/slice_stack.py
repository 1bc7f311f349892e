# SPDX-License-Identifier: Apache-2.0
"""One inferer for every 2.5D bundle: a volume in, maps and per-slice vectors of the whole volume out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from monai.inferers import Inferer

from ..transforms.slice_stacks import gather_stacks, stack_offsets
from .in_plane import Step

Outputs = dict[str, torch.Tensor]


class SliceStackInferer(Inferer):
    """Walk a volume as overlapping stacks of slices and put the network's answers back together.

    The network sees (K, num_slices, H, W), the stacks of K neighbouring centre slices, and answers for the
    centres. Each slice is a centre once. Stacks are a strided view of the volume; only the K of a batch are
    copied, when they are normalised. Answers are written into result volumes that are allocated once, so
    memory beyond input and result depends neither on the number of slices nor on the kind of network output:
    give ``finish`` to reduce logits to what is wanted before they are stored.

    MONAI's SliceInferer takes one slice without its neighbours; its SlidingWindowInferer can walk stacks but
    accepts spatial outputs only, no vectors.

    Args:
        num_slices: slices of a stack, odd.
        batch_size: K. Results differ in the last bits of float32 between batch sizes, by the kernels chosen.
        slice_dim: axis of the volume (B, 1, H, W, D) along which slices follow each other: -1, -2 or -3.
        reverse: order of a stack's slices, see ``transforms.stack_offsets``.
        normalize: (K, num_slices, H, W) stored grays -> float32 network input; None converts only.
        finish: network output -> what is stored; see ``ClassesAndPresence``. None stores the output.
        activate: network output -> what windows blend and views average, such as probabilities of logits;
            None leaves it.
        windows: how a network is applied within slices: ``InPlaneWindows`` for slices too large for one pass,
            ``PlaneViews``, ``PadToMultiple``, or a ``Chain`` of them; None takes whole slices.
        device: where stacks are computed; None for the volume's own device.
        result_device: where results are stored.
        channels_last: lay stacks out with channels last (faster on CPU and on tensor cores, same arithmetic);
            convert the network likewise.
        bf16: compute in bfloat16 by autocast; float32 elsewhere.
        progress: show a bar over slices.

    Returns of a call:
        a tensor or a dictionary, as the network or ``finish`` gives: maps (K, C, H, W) become (B, C, H, W, D)
        with the slice axis where the input has it, vectors (K, C) become (B, C, D).
    """

    def __init__(
        self,
        *,
        num_slices: int = 3,
        batch_size: int = 1,
        slice_dim: int = -1,
        reverse: bool = False,
        normalize: Callable[[torch.Tensor], torch.Tensor] | None = None,
        finish: Callable[[Any], Any] | None = None,
        activate: Callable[[Any], Any] | None = None,
        windows: Step | None = None,
        device: torch.device | str | None = None,
        result_device: torch.device | str = "cpu",
        channels_last: bool = False,
        bf16: bool = False,
        progress: bool = False,
    ) -> None:
        super().__init__()
        if slice_dim not in (-1, -2, -3):
            raise ValueError(f"slice_dim must be -1, -2 or -3, got {slice_dim}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be positive, got {batch_size}")
        self.offsets = stack_offsets(num_slices, reverse=reverse)
        self.batch_size = batch_size
        self.slice_dim = slice_dim
        self.normalize = normalize
        self.finish = finish
        self.activate = activate
        self.windows = windows
        self.device = device
        self.result_device = result_device
        self.channels_last = channels_last
        self.bf16 = bf16
        self.progress = progress

    def __call__(self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Infer volumes (B, 1, H, W, D) of any number type."""
        if inputs.ndim != 5 or inputs.shape[1] != 1:
            raise ValueError(f"expected volumes of shape (B, 1, H, W, D), got {tuple(inputs.shape)}")
        volumes = inputs.as_tensor() if hasattr(inputs, "as_tensor") else inputs

        def forward(stacks: torch.Tensor) -> Any:
            return network(stacks, *args, **kwargs)

        results = [self.infer(volume, forward) for volume in volumes]
        merged = {key: _join([result[key] for result in results]) for key in results[0]}
        return merged[""] if set(merged) == {""} else merged

    def infer(
        self,
        volume: torch.Tensor,
        network: Callable[[torch.Tensor], Any],
        *,
        centres: range | None = None,
        advance: Callable[[int], Any] | None = None,
    ) -> Outputs:
        """Infer some slices of one volume, or of a slab of one that brings their neighbours along.

        Args:
            volume: (1, H, W, D), or with the slice axis where ``slice_dim`` says.
            network: gets stacks.
            centres: slices to be answered for; None for all. The others are neighbours only.
            advance: told the number of slices done after each batch.

        Returns:
            as a call gives, without B; a tensor under the key "".
        """
        centres = range(volume.shape[self.slice_dim]) if centres is None else centres
        results: Outputs = {}
        with torch.no_grad():
            for start in self._starts(centres):
                stop = min(start + self.batch_size, centres.stop)
                outputs = _as_dict(self._predict(self._stacks(volume, start, stop), network))
                for key, value in outputs.items():
                    if key not in results:
                        results[key] = self._allocate(value, len(centres))
                    results[key][start - centres.start : stop - centres.start].copy_(value)
                if advance:
                    advance(stop - start)
        return {key: self._restore_axes(result) for key, result in results.items()}

    def _starts(self, centres: range) -> Iterator[int] | Sequence[int]:
        starts = centres[:: self.batch_size]
        if not self.progress:
            return starts
        from tqdm.auto import tqdm  # optional, as in MONAI

        return tqdm(starts, desc="slices", leave=False)

    def _stacks(self, volume: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        """Network input of centres [start, stop): a view of the volume where no edge is near."""
        depth, half = volume.shape[self.slice_dim], len(self.offsets) // 2
        forward = self.offsets[0] <= self.offsets[-1]
        if forward and start >= half and stop + half <= depth:
            slices = volume[0].movedim(self.slice_dim, 0)
            stacks = slices[start - half : stop + half].unfold(0, len(self.offsets), 1).movedim(-1, 1)
        else:
            stacks = gather_stacks(volume, range(start, stop), offsets=self.offsets, slice_dim=self.slice_dim)
        stacks = stacks.to(self.device or volume.device)
        stacks = self.normalize(stacks) if self.normalize else stacks.float()
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return stacks.contiguous(memory_format=layout)

    def _predict(self, stacks: torch.Tensor, network: Callable[[torch.Tensor], Any]) -> Any:
        def forward(inputs: torch.Tensor) -> Any:
            outputs = network(inputs)
            return self.activate(outputs) if self.activate else outputs

        # an engine with amp has switched autocast on already: do not touch it unless asked
        bf16 = torch.autocast(stacks.device.type, dtype=torch.bfloat16) if self.bf16 else nullcontext()
        with bf16:
            outputs = self.windows(stacks, forward) if self.windows else forward(stacks)
        return self.finish(outputs) if self.finish else outputs

    def _allocate(self, value: torch.Tensor, depth: int) -> torch.Tensor:
        return torch.empty((depth, *value.shape[1:]), dtype=value.dtype, device=self.result_device)

    def _restore_axes(self, result: torch.Tensor) -> torch.Tensor:
        """(D, C, ...) -> (C, ...) with the slice axis where the input has it; (D, C) -> (C, D)."""
        return result.movedim(0, self.slice_dim if result.ndim == 4 else -1)


def _as_dict(outputs: Any) -> Outputs:
    if isinstance(outputs, torch.Tensor):
        return {"": outputs}
    if isinstance(outputs, Mapping):
        return dict(outputs)
    raise TypeError(
        f"network output must be a tensor or a dictionary of tensors, got {type(outputs).__name__}"
    )


def _join(results: Sequence[torch.Tensor]) -> torch.Tensor:
    # stacking would copy a volume to add an axis of one
    return results[0].unsqueeze(0) if len(results) == 1 else torch.stack(list(results))
