# SPDX-License-Identifier: Apache-2.0
"""What a file's network answers in the Python network's place."""

import copy
import hashlib
import logging

import pytest
import torch
from monai.data import MetaTensor

from tests.networks.exported import tiny
from tomobundles.networks import (
    AttentionUNet,
    ExportedNetwork,
    GRUContext,
    LearnedKernelContext,
    MultiTaskOutput,
    SliceClassifier,
    fold_batch_norm,
    inference_network,
)
from tomobundles.networks.exported_network import as_answer
from tomobundles.utils import InputError


class Echo(ExportedNetwork):
    """Gives back what it was given."""

    def run(self, inputs):
        return {"logits": inputs[0] + 1, "cam": inputs[0]}


class Whole(ExportedNetwork):
    """Runs a Python network."""

    inner = None

    def run(self, inputs):
        return self.inner[0](*inputs)


@pytest.fixture
def file(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"tomography")
    return tmp_path / "model.onnx"


def test_answers_and_heat_maps(file):
    network = Echo(file, like=tiny("slices"))
    image = MetaTensor(torch.zeros(2, 1, 8, 8, dtype=torch.bfloat16))
    plain, mapped = network(image), network(image, cam=True)
    assert type(plain) is MultiTaskOutput
    assert list(plain) == ["logits"]
    assert list(mapped) == ["logits", "cam"]
    assert plain.dtype == torch.float32
    assert type(plain["logits"]) is torch.Tensor
    assert network.context.gain == pytest.approx(1.3)


def test_heat_maps_must_be_in_the_file(file):
    class NoMaps(Echo):
        def run(self, inputs):
            return {"logits": inputs[0]}

    with pytest.raises(InputError, match="no heat maps"):
        NoMaps(file, like=tiny("slices"))(torch.zeros(1, 1, 8, 8), cam=True)


@torch.no_grad()
def test_a_detector_runs_in_two_steps_as_in_one(file):
    detector = tiny("detector")
    network = Whole(file, like=detector)
    network.inner = [detector]
    image, box = torch.rand(1, 1, 32, 32, 16), torch.tensor([[-0.4, -0.3, -0.2, 0.2, 0.3, 0.4]])
    assert (network.total_stride, network.stride, network.fine_margin) == (16, 4, 0)
    torch.testing.assert_close(network.coarse(network.fine(image), box), detector(image, box))
    torch.testing.assert_close(network(image), detector(image))
    with pytest.raises(InputError, match="32 x 32 x 15: sizes must be multiples of 16"):
        network(image[..., 1:])


def test_copies_for_inference_are_itself(file):
    network = Echo(file, like=tiny("detector"))
    assert copy.deepcopy(network) is network
    assert inference_network(network, dtype=torch.bfloat16) is network
    assert fold_batch_norm(network) is network


def test_it_is_known_by_its_digest(file):
    assert hashlib.sha256(b"tomography").hexdigest() in repr(Echo(file, like=tiny("grid")))


@pytest.mark.parametrize("context", [GRUContext(5, hidden=2), LearnedKernelContext(5)])
def test_a_learnt_context_comes_from_the_weights_beside_it(file, context):
    trained = SliceClassifier(backbone="resnet18", context=context)
    with torch.no_grad():
        for parameter in trained.context.parameters():
            parameter.add_(0.5)
    fresh = SliceClassifier(backbone="resnet18", context=copy.deepcopy(context))
    for parameter in fresh.context.parameters():
        torch.nn.init.zeros_(parameter)
    with pytest.raises(InputError, match="no such file of weights"):
        Echo(file, like=fresh)
    torch.save(trained.state_dict(), file.parent / "model.pt")
    network = Echo(file, like=fresh)
    for name, value in network.context.state_dict().items():
        assert torch.equal(value, trained.context.state_dict()[name])


def test_attention_maps_are_said_to_be_missing(file, caplog):
    with caplog.at_level(logging.INFO, logger="tomobundles"):
        Echo(file, like=AttentionUNet(width=2))
    assert "has no attention maps" in caplog.text


def test_a_single_output_is_a_tensor():
    one = torch.zeros(1)
    assert as_answer({"pred": one}) is one
    assert as_answer({"logits": one}) == {"logits": one}


def test_the_file_must_be_there(tmp_path):
    with pytest.raises(InputError, match="no such exported network"):
        Echo(tmp_path / "model.onnx", like=tiny("grid"))


def test_the_base_runs_nothing(file):
    with pytest.raises(NotImplementedError):
        ExportedNetwork(file, like=tiny("grid"))(torch.zeros(1, 3, 8, 8))
