# SPDX-License-Identifier: Apache-2.0
"""Whether a bundle's folder holds what its manifest lists, and nothing that could shadow other code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...utils import InputError
from .imports import PACKAGE, module_file
from .manifest import MANIFEST, file_sum, read_manifest

REQUIRED = (
    "LICENSE",
    "configs/metadata.json",
    "configs/train.json",
    "configs/inference.json",
    "models/model.pt",
)
# what a run leaves in the folder: results, the embedded sample, the schema that the zoo's checks look for
WRITTEN_BY_RUNS = {"output", "sample", "eval"}
_CACHE = "__pycache__"
# python -m puts the folder first on sys.path: a torch.py beside configs/ would be imported for torch
_SUFFIXES = {
    "configs": {".json", ".conf"},
    "models": {".pt", ".json", ".ts", ".pt2", ".onnx", ".data"},
    "tomobundles": {".py"},
}
_CODE_DIGEST = "tomobundles/CODE_SHA256"
_TOP_FILES = {"LICENSE", MANIFEST}


def manifest_problems(root: Path) -> list[str]:
    """Compare a folder's files with its manifest.

    Returns:
        "file: what is wrong" of every fault; empty if there is none.
    """
    try:
        listed = read_manifest(root)
    except InputError as error:
        return [f"{MANIFEST}: {error.problem} ({error.remedy})"]
    there = dict(_files(root))
    found = [f"{name}: a symbolic link" for name, path in there.items() if path.is_symlink()]
    found += [f"{name}: listed, but not there" for name in listed if name not in there]
    for name, path in there.items():
        if path.is_symlink() or name == MANIFEST:
            continue
        if name not in listed:
            found.append(f"{name}: not listed")
        elif file_sum(path) != listed[name]:
            found.append(f"{name}: its checksum differs")
    return found


def layout_problems(root: Path) -> list[str]:
    """Find what a bundle lacks, and files in places where Python or MONAI would run them.

    Returns:
        "file: what is wrong" of every fault; empty if there is none.
    """
    found = [f"{name}: missing" for name in REQUIRED if not (root / name).is_file()]
    for name, _ in _files(root):
        top, _, rest = name.partition("/")
        suffix = Path(name).suffix
        if name == _CODE_DIGEST or name in _TOP_FILES or (top == "docs" and rest and suffix != ".py"):
            continue
        if suffix not in _SUFFIXES.get(top, ()) or not rest:
            found.append(f"{name}: has no place in a bundle")
    return found


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    """Files by their path in the folder, without what runs leave; links are named, not followed."""
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if _CACHE in parts or (parts[0] in WRITTEN_BY_RUNS and (root / parts[0]).is_dir()):
            continue
        if path.is_symlink() or not path.is_dir():
            yield "/".join(parts), path


def code_line(root: Path) -> str:
    """Say whether a bundle's code is that of the running package, file by file.

    Args:
        root: the bundle's folder.
    """
    own = sorted((root / PACKAGE).rglob("*.py"))
    differing = [path for path in own if not _is_same(path, root)]
    if not differing:
        return "the same as the installed"
    return f"differs in {len(differing)} of {len(own)} files from the installed"


def _is_same(path: Path, root: Path) -> bool:
    parts = path.relative_to(root).with_suffix("").parts
    installed = module_file(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return installed is not None and file_sum(installed) == file_sum(path)
