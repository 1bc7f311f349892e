# SPDX-License-Identifier: Apache-2.0
"""An app of MONAI Label: the bundles of a folder as models of a viewer (3D Slicer, OHIF).

``monailabel start_server --app scripts/hosts/monailabel --studies SCANS --conf bundles FOLDER`` offers every
unpacked bundle in FOLDER. Each runs its own workflow, so that a scan is read, checked and refused as on the
command line; MONAI Label's generic bundle app takes the workflow apart and knows one map an output only.
"""

from __future__ import annotations

import csv
import importlib
import json
import logging
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType

_logger = logging.getLogger(__name__)

# what a bundle writes for a viewer, by the format that its metadata name
_OUTPUTS = {
    "segmentation": {"outputs": ["mask", "csv"]},
    "vessels": {"outputs": ["mask", "table"]},
    "detection": {"outputs": ["mask", "ranked"]},
    "classification": {"outputs": ["csv"]},
}
_MASKS = ("*_labelMark.nii.gz", "*_mask.nii.gz", "*.nii.gz", "*.nii")


class BundleTask(InferTask):
    """One bundle as MONAI Label's inference task: the path of a scan in, a mask and tables out.

    Args:
        bundle: folder of the unpacked bundle.
    """

    def __init__(self, bundle: Path) -> None:
        self.bundle = bundle
        metadata = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
        config = json.loads((bundle / "configs" / "inference.json").read_text(encoding="utf-8"))
        kind = metadata["network_data_format"]["outputs"]["pred"]["format"]
        self.options = dict(_OUTPUTS["vessels" if "rle_order" in config else kind])
        names = config.get("class_names", ["nodule" if kind == "detection" else "vessel"])
        if "label_values" in config:  # a viewer wants class numbers, not the grays of the training labels
            self.options["label_values"] = {str(index): index for index in range(1, len(names) + 1)}
        super().__init__(
            type=InferType.CLASSIFICATION if kind == "classification" else InferType.SEGMENTATION,
            labels={name: index for index, name in enumerate(names, start=1)},
            dimension=3,
            description=f"{metadata['description']} {metadata['intended_use']}.",
            config={"version": metadata["version"]},
        )

    def is_valid(self) -> bool:
        """Say whether there is a model."""
        return (self.bundle / "models" / "model.pt").is_file()

    def __call__(self, request: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """Run the bundle on ``request["image"]``, a file or a folder, on the device of its config.

        Returns:
            the mask's file, None for a classification; and the rows of the tables, by table.

        Raises:
            ValueError: a scan that the bundle refuses; the message says why.
        """
        folder = Path(tempfile.mkdtemp(prefix="monailabel-"))
        try:
            _run_bundle()(self.bundle, request["image"], folder, **self.options)
            return _mask(folder), {"tables": _tables(folder), "label_names": self.labels}
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _run_bundle() -> Any:
    return importlib.import_module("tomobundles.utils").run_bundle  # lies in the bundle's own folder


def _mask(folder: Path) -> str | None:
    """Keep the mask where MONAI Label may move or delete it."""
    for pattern in _MASKS:
        for found in sorted(folder.rglob(pattern)):
            suffix = "".join(found.suffixes[-2:] if found.suffixes[-1] == ".gz" else found.suffixes[-1:])
            with tempfile.NamedTemporaryFile(suffix=suffix, delete=False) as kept:
                shutil.copyfile(found, kept.name)
            return kept.name
    return None


def _tables(folder: Path) -> dict[str, list[dict[str, str]]]:
    """The tables of all scans of a run, here of one."""
    tables = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            tables[path.stem] = list(csv.DictReader(file))
    return tables


class TomobundlesApp(MONAILabelApp):
    """The bundles of ``conf["bundles"]``, a folder of them; ``conf["models"]`` names some."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        super().__init__(
            app_dir,
            studies,
            conf,
            name="tomobundles",
            description="Retinal edema, lung nodules, kidney vessels, intracranial haemorrhage; for research",
        )

    def init_infers(self) -> dict[str, InferTask]:
        """One task a bundle that has a model.

        Raises:
            ValueError: no folder is given, or it has no bundle with a model.
        """
        folder = self.conf.get("bundles", "").strip()
        wanted = [name.strip() for name in self.conf.get("models", "").split(",") if name.strip()]
        configs = Path(folder).glob("*/configs/inference.json") if folder else ()
        found = sorted(path.parents[1] for path in configs)
        tasks: dict[str, InferTask] = {}
        for bundle in (path.resolve() for path in found if not wanted or path.name in wanted):
            if str(bundle) not in sys.path:
                sys.path.append(str(bundle))
            task = BundleTask(bundle)
            if task.is_valid():
                tasks[bundle.name] = task
            else:
                _logger.warning("%s has no models/model.pt: left out", bundle)
        if missing := [name for name in wanted if name not in tasks] or not tasks:
            named = ", ".join(missing) if isinstance(missing, list) else "any"
            raise ValueError(f"no bundle with a model in --conf bundles {folder!r}: {named}")
        return tasks
