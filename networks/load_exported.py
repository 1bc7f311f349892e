# SPDX-License-Identifier: Apache-2.0
"""A network from a TorchScript file, as ``ckpt_export`` and ``trt_export`` write it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor, nn

from ..utils import InputError
from .exported_network import ExportedNetwork

_TENSORRT_MARK = "_trt"


class TorchScriptNetwork(ExportedNetwork):
    """A TorchScript file in a workflow's place of the network.

    Args:
        path: the file.
        like: see :class:`ExportedNetwork`.
        device: where it runs.

    Raises:
        InputError: if there is no such file, or torch cannot read it.
    """

    def __init__(
        self, path: str | PathLike[str], *, like: nn.Module, device: torch.device | str = "cpu"
    ) -> None:
        super().__init__(path, like=like, device=device)
        try:
            self.script = torch.jit.load(str(self.path), map_location=device).eval()
        except RuntimeError as error:
            raise InputError(
                "is not a TorchScript file that this torch can read",
                path=path,
                remedy="write it again with: tomobundles export TASK --format torchscript",
            ) from error

    def run(self, inputs: Sequence[Tensor]) -> Tensor | Mapping[str, Tensor]:
        """Run the file on float32 tensors; a single output is a tensor."""
        return self.script(*inputs)


def load_exported(
    path: str | PathLike[str], *, like: nn.Module, device: torch.device | str = "cpu"
) -> TorchScriptNetwork:
    """Load a TorchScript file; one whose name ends in ``_trt`` holds engines of TensorRT.

    Args:
        path: ``model.ts`` or ``model_trt.ts``.
        like: the network that was exported, without weights.
        device: where it runs; TensorRT needs CUDA.

    Raises:
        InputError: if torch_tensorrt is needed and not installed, or as :class:`TorchScriptNetwork`.
    """
    if Path(path).stem.endswith(_TENSORRT_MARK):
        try:
            importlib.import_module("torch_tensorrt")  # torch then knows the engines' operators
        except ImportError as error:
            raise InputError(
                "torch_tensorrt is not installed, which runs this file",
                path=path,
                remedy="pip install torch_tensorrt, on a computer with an NVIDIA GPU",
            ) from error
    return TorchScriptNetwork(path, like=like, device=device)
