# SPDX-License-Identifier: Apache-2.0
"""What is exported of a network: names, shapes, which sizes are free."""

import pytest
import torch
from torch import nn

from tests.networks.exported import TINY, tiny
from tomobundles.networks import AttentionUNet, FusionNetwork, GridUNet
from tomobundles.networks.export_form import ExportForm, size_divisor, takes_box, whole_box
from tomobundles.utils import InputError

EXPECTED = {  # inputs, shape of an example of batch 2, outputs
    "grid": (["image"], (2, 3, 60, 40), ["segmentation", "presence"]),
    "slices": (["image"], (2, 1, 60, 40), ["logits", "slice_logits", "features", "cam"]),
    "attention": (["image"], (2, 3, 48, 32), None),
    "detector": (["image", "box"], (2, 1, 48, 32, 32), None),
}


@pytest.mark.parametrize("kind", TINY)
@torch.no_grad()
def test_inputs_and_outputs(kind):
    names, shape, outputs = EXPECTED[kind]
    form = ExportForm(tiny(kind))
    example = form.example()
    assert list(form.input_names) == names
    assert example[0].shape == shape
    assert len(example) == len(names)
    assert 0 <= example[0].min() < example[0].max() <= 1
    assert torch.equal(example[0], form.example()[0])
    assert not torch.equal(example[0], form.example(seed=1)[0])
    found = form(*example)
    assert (list(found) if isinstance(found, dict) else None) == outputs
    assert not isinstance(found, dict) or type(found) is dict  # readable without this package
    assert not form.network.training


def test_free_sizes():
    any_size = ExportForm(tiny("grid")).dynamic_shapes()["image"]
    assert sorted(any_size) == [0, 2, 3]
    assert (any_size[0].min, any_size[2].min) == (1, 33)
    steps = ExportForm(tiny("detector")).dynamic_shapes()
    assert sorted(steps["image"]) == [0, 2, 3, 4]
    assert steps["image"][4].fn(3) == 48
    assert sorted(steps["box"]) == [0]


def test_divisors_and_boxes():
    assert size_divisor(AttentionUNet(width=2, depth=3)) == 4
    assert size_divisor(tiny("detector")) == 16
    assert size_divisor(nn.Identity()) == 1
    assert takes_box(tiny("detector"))
    assert not takes_box(tiny("grid"))
    assert whole_box(2).tolist() == [[-0.5, -0.5, -0.5, 0.5, 0.5, 0.5]] * 2


def test_a_fusion_is_as_its_members():
    assert ExportForm(FusionNetwork([GridUNet(in_channels=5, channels=(2, 4))])).in_channels == 5


def test_a_network_must_say_its_channels():
    with pytest.raises(InputError, match="Identity cannot be exported: it does not say its in_channels"):
        ExportForm(nn.Identity())
