# SPDX-License-Identifier: Apache-2.0
"""TorchScript files in a workflow's place of the network."""

import sys
import types

import pytest
import torch

from tests.networks.exported import tiny
from tomobundles.networks import load_exported
from tomobundles.utils import InputError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@torch.no_grad()
@pytest.mark.parametrize("name", ["model.ts", "model_trt.ts"])
def test_the_same_answers(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "torch_tensorrt", types.ModuleType("torch_tensorrt"))
    network = tiny("grid")
    torch.jit.save(torch.jit.script(network), tmp_path / name)
    loaded = load_exported(tmp_path / name, like=network)
    image = torch.rand(1, 3, 9, 10)
    for key, value in network(image).items():
        torch.testing.assert_close(loaded(image)[key], value)


def test_tensorrt_is_needed_for_its_files(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_tensorrt", None)
    (tmp_path / "model_trt.ts").write_bytes(b"")
    with pytest.raises(InputError, match="torch_tensorrt is not installed"):
        load_exported(tmp_path / "model_trt.ts", like=tiny("grid"))


def test_a_damaged_file(tmp_path):
    (tmp_path / "model.ts").write_bytes(b"not a model")
    with pytest.raises(InputError, match="not a TorchScript file"):
        load_exported(tmp_path / "model.ts", like=tiny("grid"))
