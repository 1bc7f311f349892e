# SPDX-License-Identifier: Apache-2.0
"""Write a network as ONNX, as a program of torch.export, or as TorchScript, and check what was written."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from monai.data import save_net_with_metadata
from torch import nn

from ...networks import OnnxNetwork
from ...networks.export_form import SINGLE_OUTPUT, ExportForm
from ...networks.exported_network import file_digest
from ...networks.onnx_network import WEIGHTS_KEY
from ...utils import InputError, atomic_path
from .export_check import Answer, check_export


@dataclass
class Export:
    """One network on its way into files.

    Args:
        network: with its weights, on the CPU; its layout becomes the plain one.
        metadata: of the bundle; goes into the TorchScript file, as MONAI's ``ckpt_export`` does it.
        configs: more contents for that file, by name.
        weights_digest: SHA-256 of the file of weights; goes into the ONNX file.
    """

    network: nn.Module
    metadata: Mapping[str, Any] = field(default_factory=dict)
    configs: Mapping[str, bytes] = field(default_factory=dict)
    weights_digest: str = ""

    @cached_property
    def form(self) -> ExportForm:
        """What is exported of the network."""
        # With channels last, torch.export makes conditions on the strides, and so on the sizes.
        return ExportForm(self.network.to(memory_format=torch.contiguous_format))

    @cached_property
    def program(self) -> torch.export.ExportedProgram:
        """The network by torch.export, with free batch and sizes."""
        with torch.no_grad(), _quiet():
            shapes = tuple(self.form.dynamic_shapes().values())
            return torch.export.export(self.form, self.form.example(), dynamic_shapes=shapes, strict=False)

    @cached_property
    def output_names(self) -> list[str]:
        """Keys of the network's answer; "pred" where it gives one tensor."""
        with torch.no_grad():
            answer = self.form(*self.form.example(1))
        return list(answer) if isinstance(answer, Mapping) else [SINGLE_OUTPUT]


def write_export(export: Export, kind: str, folder: str | PathLike[str]) -> tuple[Path, float]:
    """Write one format, check it before the file gets its name.

    Args:
        export: the network.
        kind: of :data:`FORMATS`.
        folder: where the file goes.

    Returns:
        The file, and the greatest difference from the Python network.

    Raises:
        InputError: if packages are missing, or the file does not answer as the network does.
    """
    name, write, read = FORMATS[kind]
    path = Path(folder) / name
    with atomic_path(path) as temporary:
        write(export, temporary)
        worst = check_export(export.form, read(export, temporary), name=kind)
    return path, worst


def _write_onnx(export: Export, path: Path) -> None:
    for package in ("onnx", "onnxscript"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise InputError(
                f"{package} is not installed, which writes ONNX files",
                remedy="pip install onnx onnxscript onnxruntime",
            ) from error
    beside = path.parent / "model.pt"
    if export.weights_digest and beside.is_file() and file_digest(beside) != export.weights_digest:
        raise InputError(
            "these are other weights than those to be exported",
            path=beside,
            remedy="Give another --output_dir.",
        )
    with torch.no_grad(), _quiet():
        made = torch.onnx.export(
            export.program,
            export.form.example(),
            input_names=list(export.form.input_names),
            output_names=export.output_names,
            dynamic_shapes=tuple(export.form.dynamic_shapes().values()),
            dynamo=True,
            verbose=False,
        )
    made.model.metadata_props[WEIGHTS_KEY] = export.weights_digest
    made.save(str(path))


def _read_onnx(export: Export, path: Path) -> Callable[..., Answer]:
    # not like the network itself: a learnt context would be looked for in the folder of the file
    network = OnnxNetwork(path, like=export.form)
    return lambda *inputs: network.run(inputs)


def _write_program(export: Export, path: Path) -> None:
    with _quiet():
        torch.export.save(export.program, str(path))


def _read_program(export: Export, path: Path) -> Callable[..., Answer]:
    with _quiet():
        return torch.export.load(str(path)).module()


def _write_torchscript(export: Export, path: Path) -> None:
    with torch.no_grad(), _quiet():
        script = torch.jit.script(export.network.eval())
        save_net_with_metadata(
            script, str(path), meta_values=export.metadata, more_extra_files=export.configs
        )


def _read_torchscript(export: Export, path: Path) -> Callable[..., Answer]:
    with _quiet():
        return torch.jit.load(str(path))


Writer = Callable[[Export, Path], None]
Reader = Callable[[Export, Path], Callable[..., Answer]]
FORMATS: dict[str, tuple[str, Writer, Reader]] = {
    "onnx": ("model.onnx", _write_onnx, _read_onnx),
    "torch_export": ("model.pt2", _write_program, _read_program),
    "torchscript": ("model.ts", _write_torchscript, _read_torchscript),
}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' remarks on their own code, on packages not used here, on names of axes."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for category in (DeprecationWarning, FutureWarning, UserWarning):
                warnings.simplefilter("ignore", category)
            yield
    finally:
        logger.setLevel(level)
