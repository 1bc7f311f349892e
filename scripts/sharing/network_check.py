# SPDX-License-Identifier: Apache-2.0
"""Checks that run a bundle's own code: started as a script of its own, in the bundle's folder.

It imports nothing of the package that starts it, since the bundle's copy is the one to be checked, and prints
one JSON list of [check, problem or null].
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SIZES = {"n": 4, "p": 4, "any": 64}  # of the shapes in the metadata: 16*n, 2**p, *
CONFIGS, META = Path("configs"), "configs/metadata.json"
BASES = (("train.json",), ("inference.json",), ("train.json", "evaluate.json"))


def main() -> None:
    """Run every check and print the results; what a check prints itself goes to stderr."""
    import monai.bundle  # noqa: F401  with its bytecode, and before the folder can bring anything of that name

    sys.path.insert(0, os.getcwd())
    out, sys.stdout = sys.stdout, sys.stderr
    with tempfile.TemporaryDirectory() as nothing:
        sys.pycache_prefix = nothing  # the folder's bytecode need not come from the code that was read
        results = [[name, _outcome(check)] for name, check in CHECKS.items()]
    json.dump(results, out)


def _outcome(check: Callable[[], None]) -> str | None:
    try:
        check()
    except Exception as error:  # whatever the bundle's code raises is the finding
        traceback.print_exc()
        while error.__cause__ is not None:
            error = error.__cause__
        text = " ".join(str(error).split())
        return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__
    return None


def check_properties(file: str, kind: str) -> None:
    """All properties that MONAI asks of a workflow are there and refer to what exists; no data is read."""
    from monai.bundle import ConfigWorkflow

    class Unbuilt(ConfigWorkflow):
        """Looks properties up without building what they name: that would need a data set."""

        def _get_property(self, name: str, property: dict) -> Any:  # noqa: A002  MONAI passes it by name
            found = self._get_prop_id(name, property)
            return None if found is None else _resolve(self.parser, found)

    made = Unbuilt(str(CONFIGS / file), meta_file=META, logging_file=False, workflow_type=kind)
    made.parser.parse(True)
    missing = made.check_properties()
    if missing:
        raise ValueError(f"{file} lacks or misnames {', '.join(missing)}")
    _resolve(made.parser, "run")


def check_overlays() -> None:
    """Every other config lies on a base, with all its references there."""
    names = {path.name for path in CONFIGS.glob("*.json")} - {"metadata.json", "train.json", "inference.json"}
    for name in sorted(names):
        bases = [*BASES, *(("train.json", other) for other in sorted(names - {name, "evaluate.json"}))]
        first = None
        for base in bases:
            try:
                _check_overlay([*base, name])
                break
            except Exception as error:  # MONAI raises KeyError, ValueError, TypeError for one mistake
                first = first or error
        else:
            raise ValueError(f"{name} on train.json: {first}")


def _check_overlay(files: list[str]) -> None:
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config([str(CONFIGS / file) for file in files if (CONFIGS / file).is_file()])
    parser.read_meta(META)
    parser.parse(True)
    _resolve(parser, "run")


def _resolve(parser: Any, key: str) -> Any:
    """Follow an id's references to the end; a fresh parser each time, since what is resolved is kept."""
    from monai.bundle import ConfigParser

    copy = ConfigParser(parser.config)
    if key not in copy:
        raise AttributeError(f"there is no id '{key}'")
    return copy.get_parsed_content(key, instantiate=False, eval_expr=False)


def _parser() -> Any:
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config(str(CONFIGS / "inference.json"))
    parser.read_meta(META)
    return parser


def check_weights() -> None:
    """models/model.pt is a state dict of tensors, and the network takes it strictly."""
    import torch

    state = torch.load("models/model.pt", map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError("models/model.pt is no state dict of tensors")
    _parser().get_parsed_content("network_def").load_state_dict(state, strict=True)


def check_network() -> None:
    """Channels and types by MONAI's own check, the sizes by ours: MONAI's does not look at them."""
    import torch
    from monai.bundle import verify_net_in_out

    verify_net_in_out("network_def", META, str(CONFIGS / "inference.json"), device="cpu", **SIZES)
    parser = _parser()
    network = parser.get_parsed_content("network_def").eval()
    formats = parser["_meta_::network_data_format"]
    image, pred = formats["inputs"]["image"], formats["outputs"]["pred"]
    with torch.no_grad():
        output = network(torch.rand(1, image["num_channels"], *_sizes(image["spatial_shape"])))
    found = tuple(output.shape[2:])
    if len(found) != len(pred["spatial_shape"]) or not all(_fit(found, pred["spatial_shape"])):
        raise ValueError(f"output of size {list(found)}, metadata states {pred['spatial_shape']}")


def _fit(found: tuple[int, ...], stated: list[int | str]) -> Iterator[bool]:
    for size, one, expected in zip(found, stated, _sizes(stated), strict=True):
        yield one == "*" or size == expected


def _sizes(shape: list[int | str]) -> tuple[int, ...]:
    from monai.bundle.scripts import _get_fake_spatial_shape  # the one that verify_net_in_out uses

    return _get_fake_spatial_shape(shape, **SIZES)


CHECKS: dict[str, Callable[[], None]] = {
    "properties of train.json": lambda: check_properties("train.json", "train"),
    "properties of inference.json": lambda: check_properties("inference.json", "infer"),
    "overlays": check_overlays,
    "weights": check_weights,
    "network input and output": check_network,
}


if __name__ == "__main__":
    main()
