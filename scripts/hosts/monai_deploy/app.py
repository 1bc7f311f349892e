# SPDX-License-Identifier: Apache-2.0
"""A MONAI Deploy application: one DICOM series in, DICOM results and tables out.

``python scripts/hosts/monai_deploy/app.py -i SERIES -o RESULTS -m MODEL``, where MODEL is a packed bundle
(``<name>_v<version>.zip``), an unpacked one, or a folder that holds one of them. Head CT and chest CT give a
DICOM Structured Report, head CT a Secondary Capture too; see ``outputs`` in the bundle's inference.json.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

from monai.apps import extractall
from monai.deploy.conditions import CountCondition
from monai.deploy.core import AppContext, Application, Fragment, Operator, OperatorSpec


class BundleOperator(Operator):
    """Run a bundle's whole inference workflow on one series.

    Args:
        fragment: the application.
        bundle: folder of the unpacked bundle.
        series: folder of the DICOM series.
        output_dir: folder of the results.
        overrides: ids of inference.json and their values.
    """

    def __init__(
        self,
        fragment: Fragment,
        *args: Any,
        bundle: Path,
        series: Path,
        output_dir: Path,
        overrides: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.bundle, self.series, self.output_dir = bundle, series, output_dir
        self.overrides = dict(overrides or {})
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """No ports: input and output are the application's folders."""

    def compute(self, op_input: Any, op_output: Any, context: Any) -> None:
        """Run the bundle once.

        Raises:
            ValueError: a series that the bundle refuses; the message says why.
        """
        utils = importlib.import_module("tomobundles.utils")  # lies in the bundle's own folder
        utils.run_bundle(self.bundle, self.series, self.output_dir, **self.overrides)


class BundleApp(Application):
    """The operator alone, with the paths of the command line or of the package's environment."""

    def compose(self) -> None:
        """Unpack the bundle where it is a zip, and run it once."""
        context: AppContext = Application.init_app_context(self.argv)
        work = Path(context.workdir)
        work.mkdir(parents=True, exist_ok=True)
        # a fresh one, since extractall takes an old one for this zip; removed with the application
        self.unpacked = tempfile.TemporaryDirectory(prefix="bundle-", dir=work)
        bundle = find_bundle(Path(context.model_path), Path(self.unpacked.name).resolve())
        if str(bundle) not in sys.path:
            sys.path.append(str(bundle))
        operator = BundleOperator(
            self,
            CountCondition(self, 1),
            name="bundle",
            bundle=bundle,
            series=Path(context.input_path),
            output_dir=Path(context.output_path),
        )
        self.add_operator(operator)


def find_bundle(model: Path, unpacked: Path) -> Path:
    """The folder of the bundle: ``model`` itself, the one that it holds, or the one in its zip.

    Args:
        model: a bundle's folder or zip, or a folder that holds one.
        unpacked: an empty folder where a zip goes. MONAI's ``extractall`` refuses names that lead out of it.

    Raises:
        ValueError: no bundle there, or several.
    """
    if model.is_dir() and not (model / "configs").is_dir():
        inner = [path for path in sorted(model.iterdir()) if path.suffix == ".zip" or _is_bundle(path)]
        if len(inner) != 1:
            raise ValueError(
                f"{model}: {len(inner)} bundles here\ngive one bundle's folder or zip as the model"
            )
        model = inner[0]
    if model.suffix == ".zip":
        extractall(filepath=model, output_dir=unpacked, has_base=False)
        model = next((path for path in sorted(unpacked.iterdir()) if _is_bundle(path)), model)
    if not _is_bundle(model):
        raise ValueError(f"{model}: no bundle (it has no configs/inference.json)")
    return model


def _is_bundle(path: Path) -> bool:
    return (path / "configs" / "inference.json").is_file()


if __name__ == "__main__":
    BundleApp().run()
