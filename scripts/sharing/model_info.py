# SPDX-License-Identifier: Apache-2.0
"""The zips of a zoo folder, and the ``model_info.json`` that MONAI's own functions read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...utils import InputError, atomic_path
from .peek import Contents, look_inside

MODEL_INFO = "model_info.json"
# names become links, file names and shell words: nothing in them needs quoting
_FILE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9_-]*)_v(?P<version>\d+(\.\d+)*)\.zip")
_NAMES = "versions are numbers and dots (0.1.0); names have letters, digits, _ and -, and no blanks"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Archive:
    """One packed bundle.

    Attributes:
        path: the zip.
        name: the folder in it, which is the bundle's name.
        version: of the bundle, numbers and dots.
        size: bytes of the zip.
        sha1: of the zip, hexadecimal; what the model zoo calls its checksum.
        sha256: of the zip, hexadecimal.
        metadata: the bundle's ``configs/metadata.json``.
        picture: ending and bytes of a picture of it, None where it has none.
    """

    path: Path
    name: str
    version: str
    size: int
    sha1: str
    sha256: str
    metadata: dict[str, Any]
    picture: tuple[str, bytes] | None

    @property
    def key(self) -> str:
        """Name and version as the model zoo writes them, and as the zip is called."""
        return f"{self.name}_v{self.version}"

    @property
    def order(self) -> tuple[int, ...]:
        """The version for sorting: 0.10.0 comes after 0.9.0."""
        return tuple(map(int, self.version.split(".")))


def read_archive(path: Path) -> Archive:
    """Check a zip (names, checksums, metadata) and say what it holds.

    Raises:
        InputError: the zip is damaged or not safe to unpack, holds no bundle, or is not called by the
            name and version inside.
    """
    return _archive(path, look_inside(path))


def _archive(path: Path, inside: Contents) -> Archive:
    name, version = inside.name, inside.metadata["version"]
    called = f"{name}_v{version}.zip"
    if path.name != called or not _FILE.fullmatch(called):
        remedy = f"call it {called}" if _FILE.fullmatch(called) else _NAMES
        raise InputError(f"holds {name} version {version}", path=path, remedy=remedy)
    sha1, sha256 = _digests(path)
    return Archive(path, name, version, path.stat().st_size, sha1, sha256, inside.metadata, inside.picture)


def _digests(path: Path) -> tuple[str, str]:
    sums = hashlib.sha1(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            for digest in sums:
                digest.update(chunk)
    return sums[0].hexdigest(), sums[1].hexdigest()


def find_archives(folder: Path) -> list[Archive]:
    """Read every zip of a folder; sorted by name, each bundle's newest version first.

    Raises:
        InputError: no such folder, no zip in it, or one that cannot be offered; the message names it.
    """
    if not folder.is_dir():
        raise InputError("no such folder", path=folder)
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".zip")
    if not paths:
        raise InputError(
            "no zip in it", path=folder, remedy=f"tomobundles package TASK --output_dir {folder} writes one"
        )
    held = {path: look_inside(path) for path in paths}
    _refuse_doubles(held)
    archives = [_archive(path, inside) for path, inside in held.items()]
    archives.sort(key=lambda archive: archive.order, reverse=True)
    return sorted(archives, key=lambda archive: archive.name)


def _refuse_doubles(held: Mapping[Path, Contents]) -> None:
    """Two zips that hold one version: said before their file names are, of which one must be wrong."""
    seen: dict[tuple[str, str], Path] = {}
    for path, inside in held.items():
        version = inside.metadata["version"]
        other = seen.setdefault((inside.name, version), path)
        if other != path:
            problem = f"{other.name} also holds {inside.name} version {version}"
            raise InputError(problem, path=path, remedy="keep one, or give one another version")


def write_model_info(archives: Sequence[Archive], path: Path, *, url: str | None, replace: bool) -> None:
    """Write the model zoo's list: ``{"<name>_v<version>": {"checksum": sha1, "source": ...}, ...}``.

    Args:
        archives: what is listed.
        path: the file to write.
        url: where the zips will be found; None makes ``source`` a name relative to the file.
        replace: accept other bytes under a version that the file lists already.

    Raises:
        InputError: the file lists other bytes for a version; whoever has these already would not notice.
    """
    listed = {} if replace else _listed_sums(path)
    for archive in archives:
        if listed.get(archive.key, archive.sha256) != archive.sha256:
            raise InputError(
                f"{archive.key} was listed with other contents (SHA-256 {listed[archive.key][:12]}...)",
                path=archive.path,
                remedy="give the changed bundle a new version, or accept it with --replace",
            )
    info = {archive.key: _entry(archive, url) for archive in archives}
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(info, indent=4) + "\n", encoding="utf-8")


def _listed_sums(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return {key: entry["sha256"] for key, entry in entries.items() if "sha256" in entry}
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError("is no list of bundles", path=path, remedy="remove it") from error


def _entry(archive: Archive, url: str | None) -> dict[str, Any]:
    return {
        "checksum": archive.sha1,
        "source": source(archive, url),
        "version": archive.version,
        "sha256": archive.sha256,
        "size": archive.size,
        "name": archive.metadata.get("name", archive.name),
        "task": archive.metadata.get("task", ""),
        "monai_version": archive.metadata.get("monai_version", ""),
    }


def is_misread(name: str) -> bool:
    """Tell whether MONAI 1.6.1 misreads a bundle's name: keys of model_info.json are cut at the first "_v".

    ``get_all_bundles_list``, ``get_bundle_versions`` and ``get_bundle_info`` do so, not ``download --url``.
    """
    return "_v" in name


def source(archive: Archive, url: str | None) -> str:
    """Where a zip is downloaded: below ``url``, or relative to the folder."""
    return archive.path.name if url is None else f"{url.rstrip('/')}/{archive.path.name}"


def check_url(url: str) -> str:
    """Return an address that zips can be looked for under.

    Raises:
        InputError: no http, https or file address, or one with a query, a fragment or spaces.
    """
    if not _is_address(url):
        remedy = "such as https://server.example/zoo or file:///share/zoo; spaces as %20"
        raise InputError(f"--url {url} is no address of a folder", remedy=remedy)
    return url.rstrip("/")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that hold no IPv6 address
        return False
    if parts.query or parts.fragment or re.search(r"[\s\"'`$\\<>]", url):
        return False
    return parts.scheme == "file" or (parts.scheme in ("http", "https") and bool(parts.netloc))
