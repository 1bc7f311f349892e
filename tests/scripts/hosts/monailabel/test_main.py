# SPDX-License-Identifier: Apache-2.0
"""The app of MONAI Label: every bundle is a model of a viewer.

Where MONAI Label is installed its own classes load the app and run it. Elsewhere two small classes stand in
for them, which make the calls that MONAI Label 0.8.5 makes.
"""

import importlib.util
import json
import sys
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest

from tests.helpers import ROOT, write_small_bundle
from tomobundles.data.phantoms import write_dicom_series

APP = ROOT / "scripts" / "hosts" / "monailabel"


class _InferTask:
    """What the app's task calls of ``monailabel.interfaces.tasks.infer_v2.InferTask``."""

    def __init__(self, type, labels, dimension, description, config=None):  # noqa: A002
        self.type, self.labels, self.dimension = type, labels, dimension
        self.description, self._config = description, dict(config or {})

    def info(self):
        return {"type": self.type, "labels": self.labels, "config": self._config}


class _App:
    """What MONAI Label's base class of apps does on the way to an inference."""

    def __init__(self, app_dir, studies, conf, name="", description="", version="2.0", labels=None):
        self.app_dir, self.studies, self.conf, self.name = app_dir, studies, conf, name
        self._infers = self.init_infers()

    def infer(self, request):
        file, result = self._infers[request["model"]](dict(request))
        return {"file": file, "params": result}


def _stand_ins(monkeypatch):
    kinds = type("InferType", (), {"SEGMENTATION": "segmentation", "CLASSIFICATION": "classification"})
    content = {
        "monailabel.interfaces.app": {"MONAILabelApp": _App},
        "monailabel.interfaces.tasks.infer_v2": {"InferTask": _InferTask, "InferType": kinds},
    }
    for name in ("monailabel", "monailabel.interfaces", "monailabel.interfaces.tasks", *content):
        module = ModuleType(name)
        module.__dict__.update(content.get(name, {}))
        monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def start(monkeypatch, tmp_path):
    """The app on a folder of bundles."""
    if importlib.util.find_spec("monailabel") is None:
        _stand_ins(monkeypatch)
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("monailabel_app", APP / "main.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    studies = tmp_path / "studies"
    studies.mkdir()

    def make(**conf):
        options = {"auto_update_scoring": "false", **conf}
        return module.TomobundlesApp(str(APP), str(studies), options)

    return make


def _scan(path, shape, *, spacing, low=0, high=255, dtype=np.uint8):
    values = np.random.default_rng(5).integers(low, high, shape).astype(dtype)
    nib.save(nib.Nifti1Image(values, np.diag([*spacing, 1.0])), path)
    return str(path)


def test_every_bundle_is_a_model_and_gives_a_mask_or_tables(
    start, tmp_path, trained, trained_ich, trained_kidney, trained_lung, chests_dir
):
    models = {
        "oct_edema": trained,
        "ich": trained_ich,
        "kidney_vasculature": trained_kidney,
        "lung_nodule": trained_lung,
    }
    for name, folder in models.items():
        write_small_bundle(tmp_path / "bundles", name, folder / "models")
    app = start(bundles=str(tmp_path / "bundles"))
    assert sorted(app._infers) == sorted(models)

    eye = _scan(tmp_path / "eye.nii.gz", (32, 24, 4), spacing=(0.01, 0.004, 0.05))
    done = app.infer({"model": "oct_edema", "image": eye, "device": "cpu"})
    mask = nib.load(done["file"] if "file" in done else done["label"])
    assert mask.shape == (32, 24, 4)
    assert set(np.unique(mask.get_fdata())) <= {0, 1, 2, 3}
    assert done["params"]["tables"]["findings"][0]["volume"] == "eye"
    assert done["params"]["label_names"] == {"REA": 1, "SRF": 2, "PED": 3}

    kidney = _scan(tmp_path / "kidney.nii.gz", (24, 32, 8), spacing=(0.05, 0.05, 0.05))
    done = app.infer({"model": "kidney_vasculature", "image": kidney, "device": "cpu"})
    assert nib.load(done.get("file") or done["label"]).shape == (24, 32, 8)
    assert done["params"]["tables"]["vessels"][0]["name"] == "kidney"

    chest = sorted(chests_dir.rglob("*.mhd"))[0]
    done = app.infer({"model": "lung_nodule", "image": str(chest), "device": "cpu"})
    assert nib.load(done.get("file") or done["label"]).ndim == 3
    assert "cases" in done["params"]["tables"]

    head = tmp_path / "head"
    hu = np.random.default_rng(2).integers(-200, 200, (32, 32, 5)).astype(np.int16)
    write_dicom_series(head, hu, spacing_mm=(5.0, 5.0, 5.0))
    done = app.infer({"model": "ich", "image": str(head), "device": "cpu"})
    assert (done.get("file") or done.get("label")) is None
    assert len(done["params"]["tables"]["patients"]) == 1


def test_a_model_can_be_chosen_and_must_have_weights(start, tmp_path, trained):
    bundle = write_small_bundle(tmp_path / "bundles", "oct_edema", trained / "models")
    write_small_bundle(tmp_path / "bundles", "ich", trained / "models")
    assert list(start(bundles=str(tmp_path / "bundles"), models="oct_edema")._infers) == ["oct_edema"]
    (bundle / "models" / "model.pt").unlink()
    assert list(start(bundles=str(tmp_path / "bundles"))._infers) == ["ich"]
    with pytest.raises(ValueError, match=r"no bundle with a model.*oct_edema"):
        start(bundles=str(tmp_path / "bundles"), models="oct_edema")
    with pytest.raises(ValueError, match=r"no bundle with a model.*any"):
        start(bundles=str(tmp_path))
    with pytest.raises(ValueError, match=r"no bundle with a model.*''"):
        start()


def test_a_scan_that_is_refused_says_why(start, tmp_path, trained):
    write_small_bundle(tmp_path / "bundles", "oct_edema", trained / "models")
    app = start(bundles=str(tmp_path / "bundles"))
    (tmp_path / "eye.nii.gz").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"eye\.nii\.gz"):
        app.infer({"model": "oct_edema", "image": str(tmp_path / "eye.nii.gz"), "device": "cpu"})


def test_the_metadata_tell_the_viewer_what_it_is(start, tmp_path, trained):
    bundle = write_small_bundle(tmp_path / "bundles", "oct_edema", trained / "models")
    info = start(bundles=str(tmp_path / "bundles"))._infers["oct_edema"].info()
    version = json.loads((bundle / "configs" / "metadata.json").read_text())["version"]
    assert info["config"]["version"] == version
    assert info["labels"] == {"REA": 1, "SRF": 2, "PED": 3}
