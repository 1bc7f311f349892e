# SPDX-License-Identifier: Apache-2.0
"""Packed bundles made by hand, as small as they can be."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shlex
import zipfile
from pathlib import Path

from PIL import Image

from tests.helpers import ROOT

METADATA = {
    "version": "0.1.0",
    "monai_version": "1.6.1",
    "pytorch_version": "2.13.0",
    "numpy_version": "2.4.6",
    "required_packages_version": {"fire": "0.7.1"},
    "name": "Edema <in> OCT & more",
    "task": 'Segmentation of "edema"',
    "description": "<script>alert(1)</script>",
    "intended_use": "Research; not for diagnosis",
    "copyright": "Copyright (c) nobody",
}


def shown(start: str) -> list[str]:
    """Words of the one command of docs/sharing.md that starts so."""
    text = (ROOT / "docs" / "sharing.md").read_text(encoding="utf-8")
    blocks = "".join(re.findall(r"^```bash\n(.*?)^```", text, re.S | re.M))
    (line,) = (line for line in blocks.splitlines() if line.startswith(start))
    return shlex.split(line)


def png(shade: int = 0) -> bytes:
    """A picture of one pixel."""
    buffer = io.BytesIO()
    Image.new("L", (1, 1), shade).save(buffer, "PNG")
    return buffer.getvalue()


def bundle_files(**metadata: object) -> dict[str, bytes]:
    """Files of a bundle without code: names relative to its folder."""
    stated = {key: value for key, value in (METADATA | metadata).items() if value is not None}
    return {
        "configs/metadata.json": json.dumps(stated).encode(),
        "configs/inference.json": b'{"bundle_root": ".", "number": 3, "run": ["$print(2 * @number)"]}',
        "docs/README.md": b"# A model card\n",
        "LICENSE": b"Apache License\nVersion 2.0, January 2004\n",
        "models/model.pt": bytes(range(256)) * 8,
    }


def write_zip(
    folder: Path,
    *,
    name: str = "oct_edema",
    version: str = "0.1.0",
    files: dict[str, bytes] | None = None,
    file_name: str | None = None,
    manifest: bool = True,
) -> Path:
    """Write <name>_v<version>.zip with one folder <name>/ and a manifest."""
    files = dict(bundle_files(version=version) if files is None else files)
    if manifest:
        lines = [f"{hashlib.sha256(data).hexdigest()}  {file}\n" for file, data in sorted(files.items())]
        files["SHA256SUMS"] = "".join(lines).encode()
    path = folder / (file_name or f"{name}_v{version}.zip")
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(f"{name}/{file}", (1980, 1, 1, 0, 0, 0)), data)
    return path
