# SPDX-License-Identifier: Apache-2.0
"""One call for hosts (a viewer's server, a hospital's pipeline, a notebook): a bundle, a scan, a folder."""

from __future__ import annotations

import os
import sys
import warnings
from os import PathLike
from pathlib import Path
from typing import Any

from .errors import InputError
from .overrides import check_override_values
from .run import find_input_error


def run_bundle(
    bundle_dir: str | PathLike,
    scan: str | PathLike,
    output_dir: str | PathLike,
    *,
    configs: tuple[str, ...] = ("inference.json",),
    **overrides: Any,
) -> Path:
    """Run a bundle's inference workflow on one scan, or on a folder of them, in this process.

    It is MONAI's ``create_workflow`` on the bundle's own configs and works from any working directory.

    Args:
        bundle_dir: the unpacked bundle, or its folder in a checkout.
        scan: a file, a DICOM series' folder, or a folder of scans.
        output_dir: folder of the results.
        configs: names in the bundle's configs/: the workflow and overlays on it.
        overrides: ids of the config and their values, e.g. ``outputs=["mask"]``.

    Returns:
        ``output_dir``.

    Raises:
        InputError: no such bundle or scan, no model, a scan that is refused: with MONAI's wrapping removed;
            an override of an id that the config has not, or by None, which MONAI drops (write "$None").
    """
    from monai.bundle import create_workflow  # hosts import this module before they know what they run

    root = Path(bundle_dir).resolve()
    files = [root / "configs" / name for name in configs]
    for file in files:
        if not file.is_file():
            raise InputError("no such config", path=file, remedy="give the folder of an unpacked bundle")
    check_override_values(overrides, [str(file) for file in files])
    if str(root) not in sys.path and (root / "tomobundles").is_dir():
        sys.path.append(str(root))
    given = {
        "bundle_root": root,
        "dataset_dir": Path(scan).resolve(),
        "output_dir": Path(output_dir).resolve(),
    }
    paths = {name: os.fspath(path) for name, path in given.items()}
    options = {"workflow_type": "inference", "logging_file": False, **paths, **overrides}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="parsing config_file")  # the caller chose the bundle
            workflow = create_workflow(config_file=[str(file) for file in files], **options)
        workflow.run()
        workflow.finalize()
    except Exception as error:
        if (found := find_input_error(error)) is not None:
            raise found from None
        raise
    return Path(output_dir)
