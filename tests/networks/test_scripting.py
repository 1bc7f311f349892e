# SPDX-License-Identifier: Apache-2.0
"""Networks as TorchScript: the same numbers at other sizes, and a refusal of sizes that do not fit."""

import re

import pytest
import torch

from tests.networks.exported import TINY, tiny
from tomobundles.networks import GridUNet, NoduleDetector
from tomobundles.networks.export_form import ExportForm

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
TRIALS = [(1, (2, 4, 3)), (3, (4, 2, 2)), (1, (1, 1, 1))]


def assert_close(found, expected):
    if isinstance(expected, torch.Tensor):
        found, expected = {"": found}, {"": expected}
    assert list(found) == list(expected)
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", TINY)
@torch.no_grad()
def test_scripted_saved_loaded(kind, tmp_path):
    network = tiny(kind)
    torch.jit.save(torch.jit.script(network), tmp_path / "model.ts")
    loaded = torch.jit.load(tmp_path / "model.ts")
    form = ExportForm(network)
    for batch, sizes in TRIALS:
        inputs = form.example(batch, sizes=sizes, seed=1)
        assert_close(loaded(*inputs), form(*inputs))
    if isinstance(network, GridUNet):  # pads what does not fit
        image = torch.rand(2, 3, 33, 47)
        assert_close(loaded(image), form(image))


@pytest.mark.parametrize("kind", TINY)
def test_a_file_made_on_the_cpu_has_no_device_but_that_of_what_it_moves(kind):
    graph = str(torch.jit.script(tiny(kind)).inlined_graph).splitlines()
    devices = [line.split(" :")[0].strip() for line in graph if ": Device = prim::Constant" in line]
    used = [line for line in graph if any(re.search(rf"{name}[,)]", line) for name in devices)]
    assert all("aten::arange(" in line for line in used)


@torch.no_grad()
def test_a_detector_may_go_without_its_box():
    network = tiny("detector")
    [image, box] = ExportForm(network).example()
    scripted = torch.jit.script(network)
    assert_close(scripted(image), network(image))
    assert_close(scripted(image, 0.3 * box), network(image, 0.3 * box))
    assert not torch.allclose(scripted(image), scripted(image, 0.3 * box))


@pytest.mark.parametrize("kind", ["attention", "detector"])
def test_sizes_that_do_not_fit_are_refused(kind):
    network = tiny(kind)
    scripted = torch.jit.script(network)
    [image, *_] = ExportForm(network).example()
    with pytest.raises(torch.jit.Error, match="multiples"):
        scripted(image[..., :-1])
    with pytest.raises(torch.jit.Error, match="channels"):
        scripted(torch.cat([image, image], dim=1))


def test_the_network_itself_stays_as_it_is():
    network = tiny("detector").train()
    torch.jit.script(network)
    assert network.training
    assert type(network) is NoduleDetector
