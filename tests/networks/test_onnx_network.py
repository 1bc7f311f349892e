# SPDX-License-Identifier: Apache-2.0
"""Small ONNX files made by hand, run by onnxruntime."""

import hashlib
import sys
import types

import pytest
import torch

from tests.networks.exported import tiny
from tomobundles.networks import OnnxNetwork
from tomobundles.networks.onnx_network import WEIGHTS_KEY, _open
from tomobundles.utils import InputError

onnx = pytest.importorskip("onnx", reason="pip install onnx")
pytest.importorskip("onnxruntime", reason="pip install onnxruntime")


def write_file(folder, *, outputs=("logits",), digest=None):
    """A file whose every output is the image plus one."""
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    one = helper.make_tensor("one", real, [], [1.0])
    nodes = [helper.make_node("Add", ["image", "one"], [name]) for name in outputs]
    shape = ["batch", 3, "height", "width"]
    values = [helper.make_tensor_value_info(name, real, shape) for name in ("image", *outputs)]
    graph = helper.make_graph(nodes, "plus_one", values[:1], values[1:], [one])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if digest is not None:
        helper.set_model_props(model, {WEIGHTS_KEY: digest})
    onnx.save(model, folder / "model.onnx")
    return folder / "model.onnx"


def test_a_dictionary_or_a_tensor(tmp_path):
    image = torch.rand(2, 3, 5, 6).contiguous(memory_format=torch.channels_last)
    found = OnnxNetwork(write_file(tmp_path), like=tiny("grid"))(image)
    assert torch.equal(found["logits"], image + 1)
    found = OnnxNetwork(write_file(tmp_path, outputs=("pred",)), like=tiny("grid"))(image)
    assert torch.equal(found, image + 1)


def test_threads_follow_torch(tmp_path):
    network = OnnxNetwork(write_file(tmp_path), like=tiny("grid"))
    options = network.session.get_session_options()
    assert options.intra_op_num_threads == torch.get_num_threads()
    assert network.session.get_providers() == ["CPUExecutionProvider"]


def test_cuda_where_its_provider_is(tmp_path):
    asked = []
    runtime = types.SimpleNamespace(
        SessionOptions=types.SimpleNamespace,
        get_available_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
        InferenceSession=lambda path, options, providers: asked.append(providers),
    )
    for device in ("cuda:1", "cpu"):
        _open(runtime, tmp_path, device=torch.device(device))
    cuda = ("CUDAExecutionProvider", {"device_id": 1})
    assert asked == [[cuda, "CPUExecutionProvider"], ["CPUExecutionProvider"]]


def test_weights_beside_it_must_be_its_own(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"weights")
    own = hashlib.sha256(b"weights").hexdigest()
    OnnxNetwork(write_file(tmp_path, digest=own), like=tiny("grid"))
    (tmp_path / "model.pt").write_bytes(b"trained again")
    with pytest.raises(InputError, match="exported of other weights"):
        OnnxNetwork(tmp_path / "model.onnx", like=tiny("grid"))
    (tmp_path / "model.pt").unlink()  # a file alone is enough
    OnnxNetwork(tmp_path / "model.onnx", like=tiny("grid"))


def test_a_damaged_file(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(InputError, match="not an ONNX file"):
        OnnxNetwork(tmp_path / "model.onnx", like=tiny("grid"))


def test_onnxruntime_is_needed(tmp_path, monkeypatch):
    path = write_file(tmp_path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="onnxruntime is not installed"):
        OnnxNetwork(path, like=tiny("grid"))
