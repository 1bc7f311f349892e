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


def manifest_problems(root: Path, *, fresh: bool = False) -> list[str]:
    """Compare a folder's files with its manifest.

    Args:
        root: the folder.
        fresh: it comes out of a zip; what else runs leave has no excuse.

    Returns:
        "file: what is wrong" of every fault; empty if there is none.
    """
    try:
        listed = read_manifest(root)
    except InputError as error:
        return [f"{MANIFEST}: {error.problem} ({error.remedy})"]
    there = dict(_files(root, fresh=fresh))
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


def layout_problems(root: Path, *, fresh: bool = False) -> list[str]:
    """Find what a bundle lacks, and files in places where Python or MONAI would run or prefer them.

    Args:
        root: the folder.
        fresh: it comes out of a zip; what else runs leave has no excuse.

    Returns:
        "file: what is wrong" of every fault; empty if there is none.
    """
    found = [f"{name}: missing" for name in REQUIRED if not (root / name).is_file()]
    for name, _ in _files(root, fresh=fresh):
        top, _, rest = name.partition("/")
        suffix = Path(name).suffix
        if name == _CODE_DIGEST or name in _TOP_FILES or (top == "docs" and rest and suffix != ".py"):
            continue
        if suffix not in _SUFFIXES.get(top, ()) or not rest:
            found.append(f"{name}: has no place in a bundle")
    return found


def left_by_runs(root: Path) -> int:
    """Count the files that only a fresh folder is checked for: results and bytecode, which Python prefers."""
    return sum(1 for _ in _files(root, fresh=True)) - sum(1 for _ in _files(root, fresh=False))


def _files(root: Path, *, fresh: bool) -> Iterator[tuple[str, Path]]:
    """Files by their path in the folder, without what runs leave; links are named, not followed."""
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        left = _CACHE in parts or (parts[0] in WRITTEN_BY_RUNS and (root / parts[0]).is_dir())
        if (fresh or not left) and (path.is_symlink() or not path.is_dir()):
            yield "/".join(parts), path


def differing_code(root: Path) -> list[Path]:
    """Files of a bundle's code that are not, byte for byte, those of the running package.

    Args:
        root: the bundle's folder.
    """
    return [path for path in _code(root) if not _is_same(path, root)]


def code_line(root: Path) -> str:
    """Say whether a bundle's code is that of the running package, file by file.

    Args:
        root: the bundle's folder.
    """
    own, differing = _code(root), differing_code(root)
    if not own:
        return "none here, it would take that of the installed"
    if not differing:
        return "the same as the installed"
    return f"differs in {len(differing)} of {len(own)} files from the installed"


def _code(root: Path) -> list[Path]:
    return sorted((root / PACKAGE).rglob("*.py"))


def _is_same(path: Path, root: Path) -> bool:
    parts = path.relative_to(root).with_suffix("").parts
    installed = module_file(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return installed is not None and file_sum(installed) == file_sum(path)
