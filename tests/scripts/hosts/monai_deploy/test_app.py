# SPDX-License-Identifier: Apache-2.0
"""The MONAI Deploy application: the zip is loaded, one DICOM series in, a Structured Report out.

Where MONAI Deploy's App SDK is importable the application runs under it. Elsewhere small classes stand in for
its own and make the calls that it makes: ``compose`` adds operators, ``run`` calls ``compute``.
"""

import gc
import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pydicom
import pytest

from tests.helpers import ROOT, write_small_bundle
from tomobundles.data.phantoms import write_dicom_series

APP = ROOT / "scripts" / "hosts" / "monai_deploy" / "app.py"


class _Operator:
    def __init__(self, fragment, *args, name="", **kwargs):
        self.name = name
        self.setup(None)


class _Application:
    def __init__(self, argv):
        self.argv, self.operators = argv[1:], []  # the first is Python

    @staticmethod
    def init_app_context(argv):
        options = dict(zip(argv[1::2], argv[2::2], strict=True))
        return SimpleNamespace(
            input_path=options["-i"],
            output_path=options["-o"],
            model_path=options["-m"],
            workdir=options["--workdir"],
        )

    def add_operator(self, operator):
        self.operators.append(operator)

    def run(self):
        self.compose()
        for operator in self.operators:
            operator.compute(None, None, None)


try:
    import monai.deploy.core  # noqa: F401

    HAS_DEPLOY = True
except ImportError:
    HAS_DEPLOY = False


def _stand_ins(monkeypatch):
    names = {"Application": _Application, "Operator": _Operator}
    names |= dict.fromkeys(("AppContext", "Fragment", "OperatorSpec"), object)
    content = {
        "monai.deploy": {},
        "monai.deploy.core": names,
        "monai.deploy.conditions": {"CountCondition": lambda fragment, count: count},
    }
    for name, values in content.items():
        module = ModuleType(name)
        module.__dict__.update(values)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def app(monkeypatch):
    if not HAS_DEPLOY:
        _stand_ins(monkeypatch)
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("monai_deploy_app", APP)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def series(tmp_path):
    hu = np.random.default_rng(2).integers(-200, 200, (32, 32, 5)).astype(np.int16)
    write_dicom_series(tmp_path / "series", hu, spacing_mm=(5.0, 5.0, 5.0))
    return tmp_path / "series"


def test_a_zip_and_a_series_give_a_structured_report(app, tmp_path, trained_ich, series):
    folder = write_small_bundle(tmp_path / "packed", "ich", trained_ich / "models").parent
    shutil.make_archive(str(tmp_path / "model" / "ich_v0"), "zip", folder)
    options = ["-i", series, "-o", tmp_path / "out", "-m", tmp_path / "model", "--workdir", tmp_path / "work"]
    app.BundleApp([sys.executable, str(APP), *map(str, options)]).run()
    reports = [path for path in (tmp_path / "out").rglob("*.dcm") if pydicom.dcmread(path).Modality == "SR"]
    assert len(reports) == 1
    first = pydicom.dcmread(next(series.glob("*")))
    assert pydicom.dcmread(reports[0]).StudyInstanceUID == first.StudyInstanceUID


@pytest.mark.skipif(HAS_DEPLOY, reason="it looks into the stand-ins")
def test_another_zip_in_the_same_working_directory_is_another_bundle(app, tmp_path, trained, trained_ich):
    chosen = []
    for name, model in (("ich", trained_ich), ("oct_edema", trained)):
        folder = write_small_bundle(tmp_path / name, name, model / "models").parent
        archive = shutil.make_archive(str(tmp_path / f"{name}_v0"), "zip", folder)
        options = ["-i", tmp_path, "-o", tmp_path / "out", "-m", archive, "--workdir", tmp_path / "work"]
        made = app.BundleApp([sys.executable, str(APP), *map(str, options)])
        made.compose()
        chosen.append(made.operators[0].bundle.name)
    assert chosen == ["ich", "oct_edema"]
    del made
    gc.collect()
    assert not any((tmp_path / "work").iterdir())


def test_where_the_bundle_is(app, tmp_path, trained):
    bundle = write_small_bundle(tmp_path / "models", "oct_edema", trained / "models")
    assert app.find_bundle(bundle, tmp_path) == bundle
    assert app.find_bundle(tmp_path / "models", tmp_path) == bundle
    shutil.copytree(bundle, tmp_path / "models" / "other")
    with pytest.raises(ValueError, match="2 bundles here"):
        app.find_bundle(tmp_path / "models", tmp_path)
    (tmp_path / "nothing" / "configs").mkdir(parents=True)
    with pytest.raises(ValueError, match="no bundle"):
        app.find_bundle(tmp_path / "nothing", tmp_path)
    archive = shutil.make_archive(str(tmp_path / "empty"), "zip", tmp_path / "nothing")
    (tmp_path / "unpacked").mkdir()
    with pytest.raises(ValueError, match=r"empty\.zip: no bundle"):
        app.find_bundle(Path(archive), tmp_path / "unpacked")


def test_a_zip_that_leads_out_of_its_folder_is_refused(app, tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../escaped.txt", "no")
    with pytest.raises(ValueError, match=r"(?i)unsafe|outside|traversal|Illegal"):
        app.find_bundle(tmp_path / "bad.zip", tmp_path / "unpacked" / "here")
    assert not (tmp_path / "unpacked" / "escaped.txt").exists()
