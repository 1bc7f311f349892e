# SPDX-License-Identifier: Apache-2.0
"""Where the trained model is."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from ..utils import InputError

_logger = logging.getLogger("tomobundles")


def trained_model_dir(*, candidates: Sequence[str | PathLike], name: str = "model.pt") -> str:
    """Return the first folder that holds a trained model, and say which one that is.

    Args:
        candidates: folders in order of preference: the user's own training before shipped weights.
        name: file of the weights.

    Raises:
        InputError: none of them does.
    """
    for folder in candidates:
        if (Path(folder) / name).is_file():
            _logger.info("using the model in %s", folder)
            return str(folder)
    raise InputError(
        "no trained model found",
        path=Path(candidates[0]) / name,
        remedy="train first, or name the folder of a trained model with --ckpt_dir",
    )
