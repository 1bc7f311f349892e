# SPDX-License-Identifier: Apache-2.0
"""The trained model of a bundle and what was measured for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from monai.bundle import ConfigParser

from ...utils import InputError, find_input_error
from .configs import ROOT_ID
from .copying import copy_file

WEIGHTS = "model.pt"


def default_model_dir(bundle: Path) -> Path:
    """The folder that the bundle's own inference would take its model from.

    Raises:
        InputError: if there is no trained model; it says how to train one.
    """
    parser = ConfigParser()
    parser.read_config(str(bundle / "configs" / "inference.json"))
    parser[ROOT_ID] = str(bundle)
    try:
        return Path(parser.get_parsed_content("ckpt_dir"))
    except Exception as error:  # MONAI wraps what a component raises
        fault = find_input_error(error)
        if fault is None:
            raise
        raise _no_model(bundle, fault.path) from error


def pack_model(bundle: Path, target: Path, *, model_dir: Path | None = None) -> None:
    """Copy the weights and the JSON files beside them (statistics of the training set, calibration).

    Args:
        bundle: the bundle's folder.
        target: the folder to write to.
        model_dir: where model.pt lies; None looks where the bundle's inference does.

    Raises:
        InputError: if there is no model, if it is more than a state dict of tensors, or for symbolic links.
    """
    folder = default_model_dir(bundle) if model_dir is None else model_dir
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise _no_model(bundle, str(weights))
    for path in [weights, *sorted(folder.glob("*.json"))]:
        copy_file(path, target / path.name)
    check_weights(weights)


def check_weights(path: Path) -> None:
    """Refuse a file that is not a plain state dict.

    MONAI's own loader takes a name-to-tensor dictionary only, and nothing else needs to be unpickled.

    Raises:
        InputError: if it cannot be read with ``weights_only``, or if it holds anything but tensors by name.
    """
    remedy = "Write it with torch.save(network.state_dict(), path)."
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can make the reader raise anything
        problem = "is no file of weights: damaged, or with objects that could run code"
        raise InputError(problem, path=path, remedy=remedy) from error
    if not isinstance(state, Mapping) or not state:
        raise InputError(f"holds no weights but one {type(state).__name__}", path=path, remedy=remedy)
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            problem = f"holds more than tensors: {name!r} is a {type(value).__name__}"
            raise InputError(problem, path=path, remedy=remedy)


def _no_model(bundle: Path, path: str | None) -> InputError:
    command = f"python -m monai.bundle run --config_file {bundle.as_posix()}/configs/train.json"
    return InputError(
        "no trained model found", path=path, remedy=f"Train one ({command}) or name its folder: --model_dir"
    )
