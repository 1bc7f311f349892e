# SPDX-License-Identifier: Apache-2.0
"""Pack a trained bundle as one zip that any MONAI host runs."""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

from ..utils import InputError
from .sharing.archive import write_archive
from .sharing.assemble import assemble
from .sharing.config_values import METADATA
from .sharing.configs import bundle_version
from .sharing.manifest import file_sum

_NAME = re.compile(r"[A-Za-z0-9][\w-]*", re.ASCII)  # what a zoo lists


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("task", help="the bundle: the name of its folder")
    parser.add_argument("--output_dir", type=Path, required=True, help="folder to write the zip to")
    parser.add_argument("--name", help="name of the zip and of the folder in it (default: TASK)")
    parser.add_argument(
        "--model_dir", type=Path, help="folder of model.pt (default: where the bundle's inference looks)"
    )
    parser.add_argument(
        "--bundles_dir",
        type=Path,
        default=Path("bundles"),
        help="folder of the collection (default: bundles)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the zip; print its path, size and SHA-256."""
    path = package_bundle(
        arguments.task,
        output_dir=arguments.output_dir,
        name=arguments.name,
        model_dir=arguments.model_dir,
        bundles_dir=arguments.bundles_dir,
    )
    print(f"wrote {path}\nsize: {path.stat().st_size} bytes\nSHA-256: {file_sum(path)}")


def package_bundle(
    task: str,
    *,
    output_dir: Path,
    name: str | None = None,
    model_dir: Path | None = None,
    bundles_dir: Path = Path("bundles"),
) -> Path:
    """Write ``<name>_v<version>.zip``; the same input gives the same bytes.

    Args:
        task: name of the bundle's folder.
        output_dir: made if needed; an older zip of that name is replaced once the new one is whole.
        name: of the zip and its top folder; None takes the task's.
        model_dir: where model.pt lies; None looks where the bundle's inference does.
        bundles_dir: folder of the bundles' folders.

    Returns:
        The zip.

    Raises:
        InputError: if there is no such bundle, no trained model, no changelog of the version, if the name
            cannot be a folder's, or if something in the bundle cannot be shared.
    """
    collection = find_bundles(bundles_dir)
    if task not in collection:
        remedy = f"Choose one of: {', '.join(collection) or 'none there'} (or name --bundles_dir)."
        raise InputError(f"no bundle named {task}", path=bundles_dir, remedy=remedy)
    name = task if name is None else name
    if not _NAME.fullmatch(name):
        raise InputError(f"cannot be a bundle's name: {name!r}", remedy="Use letters, digits, _ and -.")
    path = output_dir / f"{name}_v{bundle_version(collection[task])}.zip"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, name)
        assemble(collection[task], root, collection=list(collection.values()), model_dir=model_dir)
        write_archive(root, path)
    return path


def find_bundles(bundles_dir: Path) -> dict[str, Path]:
    """Folders of bundles by name, sorted: those that have metadata."""
    return {path.parts[-3]: path.parents[1] for path in sorted(bundles_dir.glob(f"*/configs/{METADATA}"))}


if __name__ == "__main__":
    from .cli import run_verb

    run_verb("package")
