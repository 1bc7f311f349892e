# SPDX-License-Identifier: Apache-2.0
"""A lung box in, nodule candidates out: one fully convolutional pass, within the memory there is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import torch
from monai.inferers import Inferer
from torch import Tensor, nn

from ..utils import InputError
from ..utils.spheres import check_anchors
from .bare_network import bare_network
from .nodule_decode import decode_candidates
from .nodule_nms import nms_cubes
from .nodule_padding import as_input, check_lung_box, pad_to_multiple, padded_box
from .nodule_slabs import Footprint, SplitNetwork, fine_in_slabs, measure_footprint, slab_thickness
from .nodule_votes import vote_spheres
from .prepared_network import Prepare, PreparedNetwork


class NoduleInferer(Inferer):
    """Run a detector over the whole lung box and keep its best spheres.

    The network is copied for inference (``prepare``) and stays as it is itself; the copy is made anew when
    its weights have changed. The box is filled up with water at its far ends to sizes that the network takes.
    Where ``memory_mb`` does not allow one pass, the network's fine part runs slab by slab with the margin
    that it sees (``nodule_slabs``): the candidates are the same. The coarse part, a few bytes a voxel, is
    never cut. Coordinates and probabilities are computed in float32 whatever the network computes in.

    Args:
        anchors: sizes in voxels, as the network was trained.
        stride: voxels a cell of the network's output.
        min_probability: candidates below are left out.
        nms_iou: of two cubes that overlap more than this (intersection over union), the better one is kept.
        vote_iou: cells whose cubes overlap a candidate's by this or more have a part in its place and size
            (``vote_spheres``); None leaves it what its own cell says.
        max_candidates: the best so many are given.
        top_k: the best so many cells take part in the suppression.
        memory_mb: 10^6 bytes for maps, beyond the image and the weights.
        bf16: compute in bfloat16; "auto": where the device has it in hardware (AVX512-BF16 or AMX, CUDA).
            Tolerance against float32: each cell's centre and diameter within half a voxel, its probability
            within 0.03 (a test; of a small variant trained for minutes, 180 candidates moved by 0.06 voxels
            and 0.004 at most). Of two that overlap and are equally good the other may be kept, and candidates
            close to ``min_probability`` may come and go.
        prepare: see ``PreparedNetwork``; ``networks.inference_network`` folds batch norm too.
        device: where the network runs; None for where its weights are.
        progress: show a bar over slabs.

    Raises:
        InputError: for anchors that are not positive, or a limit that cannot be.
    """

    def __init__(
        self,
        anchors: Sequence[float],
        *,
        stride: int = 4,
        min_probability: float = 0.05,
        nms_iou: float = 0.1,
        vote_iou: float | None = None,
        max_candidates: int = 100,
        top_k: int = 1000,
        memory_mb: float = 4096,
        bf16: bool | str = "auto",
        prepare: Prepare | None = None,
        device: torch.device | str | None = None,
        progress: bool = False,
    ) -> None:
        super().__init__()
        if bf16 not in (True, False, "auto"):
            raise InputError(f"bf16 is {bf16!r}", remedy='Give true, false or "auto".')
        shares = (min_probability, nms_iou, vote_iou or 0)
        if not (all(0 <= share <= 1 for share in shares) and max_candidates > 0):
            raise InputError(
                f"min_probability {min_probability}, nms_iou {nms_iou}, vote_iou {vote_iou}, "
                f"max_candidates {max_candidates}",
                remedy="Give numbers from 0 to 1, and at least one candidate.",
            )
        self.anchors = check_anchors(anchors)
        self.stride = stride
        self.min_probability = min_probability
        self.nms_iou = nms_iou
        self.vote_iou = vote_iou
        self.max_candidates = max_candidates
        self.top_k = top_k
        self.memory_mb = memory_mb
        self.bf16 = bf16
        self.device = device
        self.progress = progress
        self._prepared = PreparedNetwork(prepare)
        self._footprint: tuple[nn.Module, Footprint] | None = None

    def __call__(self, inputs: Tensor, network: nn.Module) -> dict[str, Tensor]:
        """Find the candidates of a scan.

        Args:
            inputs: (1, 1, H, W, D) lung box, uint8 gray or floats from -1 to 1, of any size.
            network: a ``SplitNetwork``, in whatever mode and wrapper.

        Returns:
            On the CPU, best first, N at most ``max_candidates``: "points" float32 (N, 4) i, j, k, diameter in
            voxels of the lung box, "probability" float32 (N,), and the same as "detector".

        Raises:
            InputError: the image is none of these, the network is not split or gives another map, or its
                output is not finite.
        """
        shape = inputs.shape[2:]
        output = self.output_map(inputs, network)
        points, probability = decode_candidates(
            output,
            anchors=self.anchors,
            stride=self.stride,
            shape=shape,
            min_probability=self.min_probability,
            top_k=self.top_k,
        )
        kept = nms_cubes(points, probability, self.nms_iou, most=self.max_candidates)
        if self.vote_iou is None:
            points = points[kept]
        else:
            points = vote_spheres(points, probability, kept, iou=self.vote_iou)
        probability = probability[kept]
        return {"points": points, "probability": probability, "detector": probability.clone()}

    @torch.no_grad()
    def output_map(self, inputs: Tensor, network: nn.Module) -> Tensor:
        """The network's map (1, 5 * A, d0, d1, d2) of the padded lung box, as it was computed."""
        image = check_lung_box(inputs)
        bare = _check_split(bare_network(network))
        device = torch.device(self.device) if self.device is not None else _device_of(bare)
        dtype = torch.bfloat16 if self._use_bf16(device) else torch.float32
        ready = self._prepared(bare, dtype=dtype, device=device)
        padded = pad_to_multiple(image, multiple=ready.total_stride)
        features = self._fine(padded, ready, dtype=dtype, device=device)
        box = padded_box(tuple(image.shape[2:]), tuple(padded.shape[2:])).to(device)
        output = ready.coarse(features, box)
        if any(n * self.stride != size for n, size in zip(output.shape[2:], padded.shape[2:], strict=True)):
            raise InputError(
                f"the network gives {tuple(output.shape[2:])} cells for {tuple(padded.shape[2:])} voxels",
                remedy=f"Give the inferer the network's stride; it is {self.stride} here.",
            )
        return output

    def _fine(
        self, image: Tensor, network: SplitNetwork, *, dtype: torch.dtype, device: torch.device
    ) -> tuple[Tensor, ...]:
        shape = image.shape[2:]
        axis = max(range(3), key=lambda index: shape[index])
        thickness = slab_thickness(
            shape,
            axis=axis,
            network=network,
            footprint=self._measured(network, dtype=dtype, device=device),
            memory_mb=self.memory_mb,
        )

        def convert(part: Tensor) -> Tensor:
            return as_input(part, dtype=dtype, device=device).contiguous(memory_format=torch.channels_last_3d)

        if thickness is None:
            return network.fine(convert(image))
        return fine_in_slabs(
            image, network, axis=axis, thickness=thickness, convert=convert, follow=self._follow
        )

    def _measured(self, network: nn.Module, *, dtype: torch.dtype, device: torch.device) -> Footprint:
        if self._footprint is None or self._footprint[0] is not network:
            self._footprint = (network, measure_footprint(network, dtype=dtype, device=device))
        return self._footprint[1]

    def _use_bf16(self, device: torch.device) -> bool:
        return has_bf16(device) if self.bf16 == "auto" else bool(self.bf16)

    def _follow(self, slabs: Iterable[range]) -> Iterable[range]:
        if not self.progress:
            return slabs
        from tqdm.auto import tqdm  # optional, as in MONAI

        return tqdm(slabs, desc="slabs", leave=False)


def has_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False
    able = torch.cpu.get_capabilities()
    return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def _device_of(network: nn.Module) -> torch.device:
    return next(
        (value.device for value in chain(network.parameters(), network.buffers())), torch.device("cpu")
    )


def _check_split(network: Any) -> nn.Module:
    needed = ("fine", "coarse", "total_stride", "fine_stride", "fine_margin")
    if not isinstance(network, nn.Module) or not all(hasattr(network, name) for name in needed):
        raise InputError(
            f"{type(network).__name__} cannot be run in parts", remedy=f"It needs {', '.join(needed)}."
        )
    return network
