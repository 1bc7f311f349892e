# SPDX-License-Identifier: Apache-2.0
"""The three formats: written whole, checked, read back."""

import json
import sys

import pytest
import torch

from tests.networks.exported import tiny
from tomobundles.networks import LearnedKernelContext, OnnxNetwork, SliceClassifier
from tomobundles.networks.export_form import ExportForm
from tomobundles.scripts.sharing import export_formats
from tomobundles.scripts.sharing.export_check import difference
from tomobundles.scripts.sharing.export_formats import FORMATS, Export, write_export
from tomobundles.utils import InputError


@pytest.fixture(scope="module")
def export():
    """One network, and one program for all formats."""
    digest, extra = "0" * 64, {"inference.json": b'{"a": 1}'}
    network = tiny("grid").to(memory_format=torch.channels_last)  # as the bundles have it
    return Export(network, metadata={"version": "1.2.3"}, configs=extra, weights_digest=digest)


def test_torch_export_round_trip(export, tmp_path):
    path, worst = write_export(export, "torch_export", tmp_path)
    assert path == tmp_path / "model.pt2"
    assert worst <= 1e-4
    loaded = torch.export.load(path)
    assert len(loaded.range_constraints) >= 3  # batch, height, width
    for batch, sizes in ((1, (2, 3)), (4, (5, 2))):
        inputs = export.form.example(batch, sizes=sizes, seed=5)
        with torch.no_grad():
            assert difference(export.form(*inputs), loaded.module()(*inputs)) <= 1e-5
    with pytest.raises(AssertionError, match="33"):
        loaded.module()(torch.rand(1, 3, 16, 16))


def test_onnx(export, tmp_path):
    pytest.importorskip("onnxscript", reason="pip install onnxscript")
    pytest.importorskip("onnxruntime", reason="pip install onnxruntime")
    path, worst = write_export(export, "onnx", tmp_path)
    assert path == tmp_path / "model.onnx"
    assert worst <= 1e-4
    network = OnnxNetwork(path, like=export.network)
    [given] = network.session.get_inputs()
    assert (given.name, given.shape) == ("image", ["batch", 3, "height", "width"])
    assert network.output_names == ["segmentation", "presence"]
    image = torch.rand(1, 3, 1, 21)  # smaller than the program takes
    with torch.no_grad():
        assert difference(export.network(image), network(image)) <= 1e-5


def test_onnx_of_a_learnt_context_without_weights_beside_it(tmp_path):
    pytest.importorskip("onnxscript", reason="pip install onnxscript")
    pytest.importorskip("onnxruntime", reason="pip install onnxruntime")
    network = SliceClassifier(backbone="resnet18", context=LearnedKernelContext(5)).eval()
    _, worst = write_export(Export(network), "onnx", tmp_path)
    assert worst <= 1e-4


def test_onnx_does_not_lie_beside_other_weights(export, tmp_path):
    pytest.importorskip("onnxscript", reason="pip install onnxscript")
    (tmp_path / "model.pt").write_bytes(b"of another training")
    with pytest.raises(InputError, match=r"model\.pt\nthese are other weights"):
        write_export(export, "onnx", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]


def test_torchscript_holds_metadata_and_configs(export, tmp_path):
    path, _ = write_export(export, "torchscript", tmp_path)
    held = {"metadata.json": "", "inference.json": ""}
    torch.jit.load(path, _extra_files=held)
    assert json.loads(held["metadata.json"])["version"] == "1.2.3"
    assert json.loads(held["inference.json"]) == {"a": 1}


def test_what_differs_is_not_written(export, tmp_path, monkeypatch):
    name, write, _ = FORMATS["torchscript"]

    def wrong(_, __):
        return lambda image: {key: value + 1 for key, value in export.form(image).items()}

    monkeypatch.setitem(export_formats.FORMATS, "torchscript", (name, write, wrong))
    with pytest.raises(InputError, match="differs by"):
        write_export(export, "torchscript", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_single_tensor_is_called_pred():
    assert Export(tiny("attention")).output_names == ["pred"]


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_packages_for_onnx(export, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=f"^{package} is not installed"):
        write_export(export, "onnx", tmp_path)


def test_the_form_is_the_networks(export):
    assert type(export.form) is ExportForm
    assert export.form.network is export.network
