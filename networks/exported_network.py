# SPDX-License-Identifier: Apache-2.0
"""A network from an exported file, which takes a Python network's place in a workflow."""

from __future__ import annotations

import hashlib
import inspect
import logging
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self

import torch
from monai.data import MetaTensor
from torch import Tensor, nn

from ..utils import InputError
from .export_form import SINGLE_OUTPUT, size_divisor, takes_box, whole_box
from .outputs import MultiTaskOutput
from .weights import check_fit, read_state_dict

_logger = logging.getLogger("tomobundles")
_KEPT = ("in_channels", "divisor", "total_stride", "stride", "num_anchors")
_CONTEXT = "context."


class ExportedNetwork(nn.Module):
    """Base of networks that run a file; it has no weights of its own but those of a context.

    What an inferer asks of a network beyond ``forward`` is answered as the Python network would:

    * ``divisor``, ``total_stride`` and the like are those of ``like``;
    * ``context`` of a :class:`SliceClassifier` is not in the file: it works on a whole scan at once. It is
      taken from ``like``; a learnt one gets its weights from ``model.pt`` beside the file;
    * ``fine`` and ``coarse`` of a :class:`NoduleDetector`: the file runs in one piece, so ``fine`` hands the
      image on and ``coarse`` does all. An inferer's limit of memory then has no effect;
    * heat maps ("cam") are an output of the file; attention maps are not.

    Args:
        path: the file.
        like: the network that was exported, without weights, as the workflow's "network_def" has it.
        device: where a context runs.

    Raises:
        InputError: if there is no such file, or no weights of a learnt context.
    """

    def __init__(
        self, path: str | PathLike[str], *, like: nn.Module, device: torch.device | str = "cpu"
    ) -> None:
        super().__init__()
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(
                "no such exported network",
                path=path,
                remedy="write it with: tomobundles export TASK --model_dir DIR",
            )
        self.digest = file_digest(self.path)
        for name in _KEPT:
            if hasattr(like, name):
                setattr(self, name, getattr(like, name))
        self.multiple = size_divisor(like)
        self.takes_box = takes_box(like)
        if hasattr(like, "fine"):
            self.fine_stride, self.fine_margin = 1, 0
        if "attention" in inspect.signature(like.forward).parameters:
            _logger.info("%s has no attention maps: pictures of them are left out", self.path.name)
        self.context = _context(like, self.path)
        self.whole = nn.Identity()  # a layer, since the inferer measures what layers take
        self.to(device)

    def forward(self, image: Tensor, box: Tensor | None = None, *, cam: bool = False) -> Any:
        """Run the file.

        Args:
            image: as the Python network takes it; computed in float32.
            box: as :class:`NoduleDetector` takes it.
            cam: give heat maps too.

        Returns:
            What the Python network gives, on the image's device.

        Raises:
            InputError: for sizes that the network cannot take, or heat maps of a file without them.
        """
        if any(size % self.multiple for size in image.shape[2:]):
            shown = " x ".join(map(str, image.shape[2:]))
            raise InputError(
                f"input of {shown}: sizes must be multiples of {self.multiple}",
                remedy="Choose such a patch size, or pad as the inferer does.",
            )
        plain = image.as_tensor() if isinstance(image, MetaTensor) else image
        inputs = [plain.detach().float()]
        if self.takes_box:
            inputs.append((whole_box(len(image)) if box is None else box).to(plain.device, torch.float32))
        found = self.run(inputs)
        if not isinstance(found, Mapping):
            return found
        if cam and "cam" not in found:
            raise InputError("the file has no heat maps", path=self.path, remedy="Export the network again.")
        return MultiTaskOutput((key, value) for key, value in found.items() if cam or key != "cam")

    def run(self, inputs: Sequence[Tensor]) -> Tensor | Mapping[str, Tensor]:
        """Run the file on float32 tensors; a single output is a tensor."""
        raise NotImplementedError

    def fine(self, image: Tensor) -> tuple[Tensor, ...]:
        """The image itself: see the class."""
        return (self.whole(image),)

    def coarse(self, features: Sequence[Tensor], box: Tensor | None = None) -> Tensor:
        """All of a detector, on what ``fine`` gave."""
        return self(features[0], box)

    def extra_repr(self) -> str:
        """Name and digest of the file, from which an interrupted inference knows its network again."""
        return f"{self.path.name}, sha256={self.digest}"

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Itself: a file's network has nothing that a copy could change, and sessions cannot be copied."""
        return self


def file_digest(path: str | PathLike[str]) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def as_answer(outputs: Mapping[str, Tensor]) -> Tensor | Mapping[str, Tensor]:
    """A dictionary of named outputs, or the tensor where a file gives one only."""
    return outputs[SINGLE_OUTPUT] if list(outputs) == [SINGLE_OUTPUT] else outputs


def _context(like: nn.Module, path: Path) -> nn.Module | None:
    context = getattr(like, "context", None)
    if not isinstance(context, nn.Module):
        return None
    if own := context.state_dict():
        weights = path.parent / "model.pt"
        state = read_state_dict(weights)
        kept = {n.removeprefix(_CONTEXT): v for n, v in state.items() if n.startswith(_CONTEXT)}
        check_fit(own, kept, path=weights)
        context.load_state_dict(kept)
    return context.eval()
