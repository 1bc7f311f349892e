# SPDX-License-Identifier: Apache-2.0
"""A bundle's folder as a stranger gets it: configs, documents, licence, model, code and their manifest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...utils import InputError
from .config_values import own_targets
from .configs import pack_configs
from .copying import copy_file
from .documents import pack_documents
from .imports import PACKAGE, reached_modules
from .manifest import digest_of, file_sums, write_manifest
from .models import pack_model

CODE_DIGEST = "CODE_SHA256"


def assemble(bundle: Path, root: Path, *, collection: Sequence[Path], model_dir: Path | None = None) -> None:
    """Write a bundle with everything that it needs but the distributions its metadata names.

    Args:
        bundle: its folder in the repository.
        root: the folder to write; empty or not there.
        collection: all bundles whose zips shall be able to share one process: each gets the code of all.
        model_dir: where the trained model lies; None looks where the bundle's inference does.

    Raises:
        InputError: if a part is missing or cannot be shared; see the functions of each part.
    """
    pack_model(bundle, root / "models", model_dir=model_dir)
    pack_configs(bundle, root / "configs")
    copy_file(bundle / "LICENSE", root / "LICENSE")
    pack_documents(bundle, root)
    pack_code(collection, root)
    write_manifest(root)


def pack_code(collection: Sequence[Path], root: Path) -> None:
    """Copy the modules that the configs of a collection reach, and their common digest.

    In the repository the rooms of the package lie beside its folder; here they lie inside it.

    Args:
        collection: folders of bundles.
        root: the folder that gets the package's.

    Raises:
        InputError: if a config reaches the commands of the collection, which no zip has.
    """
    modules = reached_modules(own_targets(collection))
    for module, file in modules.items():
        if module.startswith(f"{PACKAGE}.scripts"):
            raise InputError("is a command, but code that a config needs imports it", path=file)
        path = root.joinpath(*module.split("."))
        copy_file(file, path / file.name if file.name == "__init__.py" else path.with_name(file.name))
    package = root / PACKAGE
    (package / CODE_DIGEST).write_text(digest_of(file_sums(package)) + "\n", encoding="ascii")
