# SPDX-License-Identifier: Apache-2.0
"""A network from an ONNX file, run by onnxruntime."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ..utils import InputError
from .exported_network import ExportedNetwork, as_answer, file_digest

WEIGHTS_KEY = "model_pt_sha256"  # in the file's metadata


class OnnxNetwork(ExportedNetwork):
    """What ``tomobundles export`` wrote, in a workflow's place of the network.

    It computes in float32, on as many threads as torch does. Inputs and outputs pass through the CPU's memory
    also where CUDA computes.

    Args:
        path: the file, ``model.onnx``.
        like: see :class:`ExportedNetwork`.
        device: a CUDA device uses onnxruntime's CUDA provider where it is installed, else the CPU computes.

    Raises:
        InputError: if there is no such file, if it is no ONNX file, if it was exported of other weights than
            ``model.pt`` beside it, or if onnxruntime is not installed.
    """

    def __init__(
        self, path: str | PathLike[str], *, like: nn.Module, device: torch.device | str = "cpu"
    ) -> None:
        super().__init__(path, like=like, device=device)
        runtime = _onnxruntime()
        self.session = _open(runtime, self.path, device=torch.device(device))
        self.input_names = [value.name for value in self.session.get_inputs()]
        self.output_names = [value.name for value in self.session.get_outputs()]
        _check_weights(self.path, self.session.get_modelmeta().custom_metadata_map)

    def run(self, inputs: Sequence[Tensor]) -> Tensor | Mapping[str, Tensor]:
        """Run the file on float32 tensors; a single output is a tensor."""
        arrays = [value.cpu().contiguous().numpy() for value in inputs]
        found = self.session.run(self.output_names, dict(zip(self.input_names, arrays, strict=True)))
        tensors = [torch.from_numpy(value).to(inputs[0].device) for value in found]
        return as_answer(dict(zip(self.output_names, tensors, strict=True)))


def _onnxruntime() -> ModuleType:
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise InputError(
            "onnxruntime is not installed, which runs ONNX files", remedy="pip install onnxruntime"
        ) from error


def _open(runtime: ModuleType, path: Path, *, device: torch.device) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    providers = ["CPUExecutionProvider"]
    if device.type == "cuda" and "CUDAExecutionProvider" in runtime.get_available_providers():
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": device.index or 0}))
    try:
        return runtime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # its errors share no base class
        raise InputError(
            "is not an ONNX file that onnxruntime can run",
            path=path,
            remedy="write it again with: tomobundles export TASK --model_dir DIR",
        ) from error


def _check_weights(path: Path, metadata: Mapping[str, str]) -> None:
    weights = path.parent / "model.pt"
    known = metadata.get(WEIGHTS_KEY)
    if known and weights.is_file() and known != file_digest(weights):
        raise InputError(
            "was exported of other weights than model.pt beside it",
            path=path,
            remedy="write it again with: tomobundles export TASK --model_dir DIR",
        )
