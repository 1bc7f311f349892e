# SPDX-License-Identifier: Apache-2.0
"""Check a packed bundle: archive, manifest, metadata, what its configs name and call, its network."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from ..utils import InputError
from .sharing.checks import Result, verify_bundle
from .sharing.unpack import unpack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("bundle", type=Path, help="a zip of tomobundles package, or the folder of one")
    parser.add_argument("--schema", type=Path, help="MONAI's metadata schema (default: our statement of it)")
    parser.add_argument(
        "--static",
        action="store_true",
        help="read only: run nothing of the bundle's code",
    )
    parser.add_argument(
        "--trust_code",
        action="store_true",
        help="run the bundle's code though it is not that of this release",
    )


def run(arguments: argparse.Namespace) -> None:
    """Print one line a check.

    Raises:
        InputError: if any failed.
    """
    with tempfile.TemporaryDirectory(prefix="tomobundles-") as scratch:
        root, results = arguments.bundle, []
        packed = not root.is_dir()
        if packed:
            root, results = unpack(root, Path(scratch)), [Result("archive")]
        options = {"static": arguments.static, "trust_code": arguments.trust_code, "fresh": packed}
        results += verify_bundle(root, schema=arguments.schema, **options)
        for result in results:
            print(result)
    failed = [result.name for result in results if not result.passed]
    if failed:
        raise InputError(f"failed: {', '.join(failed)}", path=arguments.bundle)


if __name__ == "__main__":
    from .cli import run_verb

    run_verb("verify")
