# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tomobundles.networks import AttentionUNet, initial_weights, load_weights
from tomobundles.networks.attention_unet import AttentionGate
from tomobundles.utils import InputError

State = dict[str, Tensor]


def make(seed: int = 0, **options: int) -> AttentionUNet:
    """A small network in evaluation mode whose batch norms do something."""
    torch.manual_seed(seed)
    network = AttentionUNet(**({"width": 4, "depth": 3} | options)).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return network


def image(batch: int = 2, slices: int = 3, height: int = 16, width: int = 24) -> Tensor:
    return torch.randn(batch, slices, height, width, generator=torch.Generator().manual_seed(1))


def conv(state: State, name: str, x: Tensor, *, norm: str) -> Tensor:
    """Convolution and batch norm from a state dict, by the definitions."""
    weight = state[f"{name}.weight"]
    x = F.conv2d(x, weight, state[f"{name}.bias"], padding=weight.shape[-1] // 2)
    mean, var, gain, shift = (
        state[f"{norm}.{k}"].view(1, -1, 1, 1) for k in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * gain + shift


def block(state: State, name: str, x: Tensor) -> Tensor:
    x = conv(state, f"{name}.conv.0", x, norm=f"{name}.conv.1").relu()
    return conv(state, f"{name}.conv.3", x, norm=f"{name}.conv.4").relu()


def level_up(state: State, level: int, deep: Tensor, skip: Tensor) -> tuple[Tensor, Tensor]:
    """One decoder level of the slides: up, gate, concatenate the skip first, convolve."""
    deep = deep.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    d = conv(state, f"Up{level}.up.1", deep, norm=f"Up{level}.up.2").relu()
    att = f"Att{level}"
    g1 = conv(state, f"{att}.W_g.0", d, norm=f"{att}.W_g.1")
    x1 = conv(state, f"{att}.W_x.0", skip, norm=f"{att}.W_x.1")
    psi = conv(state, f"{att}.psi.0", (g1 + x1).relu(), norm=f"{att}.psi.1").sigmoid()
    return block(state, f"Up_conv{level}", torch.cat([skip * psi, d], dim=1)), psi


def reference(state: State, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The slides' forward pass at depth 3."""
    e1 = block(state, "Conv1", x)
    e2 = block(state, "Conv2", F.max_pool2d(e1, 2))
    e3 = block(state, "Conv3", F.max_pool2d(e2, 2))
    d3, psi3 = level_up(state, 3, e3, e2)
    d2, psi2 = level_up(state, 2, d3, e1)
    return F.conv2d(d2, state["Conv_1x1.weight"], state["Conv_1x1.bias"]), [psi3, psi2]


@torch.no_grad()
def test_function_is_that_of_the_slides() -> None:
    network = make()
    logits, maps = reference(network.state_dict(), image())
    output = network(image(), attention=True)
    torch.testing.assert_close(output["logits"], logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(output["attention"], maps, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(network(image()), output["logits"], rtol=0, atol=0)


@pytest.mark.parametrize(("slices", "parameters"), [(1, 34_877_421), (3, 34_878_573), (5, 34_879_725)])
def test_parameters(slices: int, parameters: int) -> None:
    with torch.device("meta"):
        network = AttentionUNet(in_channels=slices)
    assert sum(p.numel() for p in network.parameters()) == parameters
    # For c channels: W_g, W_x: c * c/2 + c/2 and 2 * c/2 of batch norm; psi: c/2 + 1 and 2.
    assert sum(2 * (c * c // 2 + 3 * c // 2) + c // 2 + 3 for c in (64, 128, 256, 512)) == 351_532
    gates = [module for module in network.modules() if isinstance(module, AttentionGate)]
    assert sum(p.numel() for gate in gates for p in gate.parameters()) == 351_532


def test_parameters_by_hand() -> None:
    # width 2, depth 2, 1 to 1: c(a, b) = 9ab + 3b is a convolution with bias and batch norm.
    # Conv1 c(1,2)+c(2,2) = 24+42, Conv2 c(2,4)+c(4,4) = 84+156, Up2 c(4,2) = 78,
    # Up_conv2 c(4,2)+c(2,2) = 120, Att2: 2 * (2*1 + 1 + 2) + 1 + 1 + 2 = 14, Conv_1x1: 2 + 1
    network = AttentionUNet(in_channels=1, width=2, depth=2)
    assert sum(p.numel() for p in network.parameters()) == 66 + 240 + 78 + 120 + 14 + 3


def att_u_net_names() -> set[str]:
    """Names of the common AttU_Net checkpoints, written out."""

    def layers(prefix: str, conv: int) -> set[str]:
        norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        return {f"{prefix}.{conv}.{k}" for k in ("weight", "bias")} | {
            f"{prefix}.{conv + 1}.{k}" for k in norm
        }

    names = {"Conv_1x1.weight", "Conv_1x1.bias"}
    for level in range(1, 6):
        names |= layers(f"Conv{level}.conv", 0) | layers(f"Conv{level}.conv", 3)
    for level in range(2, 6):
        names |= layers(f"Up{level}.up", 1)
        names |= layers(f"Up_conv{level}.conv", 0) | layers(f"Up_conv{level}.conv", 3)
        for part in ("W_g", "W_x", "psi"):
            names |= layers(f"Att{level}.{part}", 0)
    return names


def test_names_are_those_of_att_u_net() -> None:
    with torch.device("meta"):
        assert set(AttentionUNet().state_dict()) == att_u_net_names()


@pytest.mark.parametrize("slices", [1, 3, 5, 7])
@pytest.mark.parametrize("out", [1, 3])
def test_any_number_of_slices(slices: int, out: int) -> None:
    network = make(in_channels=slices, out_channels=out)
    assert network(image(slices=slices)).shape == (2, out, 16, 24)


@pytest.mark.parametrize(("depth", "divisor"), [(2, 2), (4, 8), (5, 16)])
def test_depth_sets_the_divisor(depth: int, divisor: int) -> None:
    network = make(depth=depth, width=2)
    assert network.divisor == divisor
    assert network(image(1, 3, divisor, 2 * divisor)).shape == (1, 1, divisor, 2 * divisor)
    with pytest.raises(InputError, match=f"multiples of {divisor}"):
        network(image(1, 3, divisor, 2 * divisor + 1))


@torch.no_grad()
def test_attention_maps() -> None:
    maps = make(depth=4)(image(), attention=True)["attention"]
    assert [tuple(map_.shape) for map_ in maps] == [(2, 1, 4, 6), (2, 1, 8, 12), (2, 1, 16, 24)]
    assert all(((map_ > 0) & (map_ < 1)).all() for map_ in maps)


@torch.no_grad()
def test_a_closed_gate_shuts_the_skip_out() -> None:
    network = make(depth=2)
    network.Att2.psi[1].bias.fill_(-200)
    before = network(image())
    closed = network(image(), attention=True)["attention"][0]
    assert closed.max() < 1e-30
    network.Up_conv2.conv[0].weight[:, :4] = 7.0  # the skip's channels
    torch.testing.assert_close(network(image()), before, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["in_channels", "out_channels", "width", "depth"])
def test_bad_numbers(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is 0"):
        AttentionUNet(**{name: 0})


def test_one_level_is_no_u() -> None:
    with pytest.raises(InputError, match="depth is 1\nGive 2 levels"):
        AttentionUNet(depth=1)


def test_another_number_of_slices() -> None:
    with pytest.raises(InputError, match="for a network of 3 slices"):
        make()(image(slices=5))


class TestWeights:
    @staticmethod
    def slides_names(state: State) -> State:
        """The names of the slides' code."""
        pairs = ((".W_g.", ".W_gate."), ("Up_conv", "UpConv"), ("Conv_1x1.", "Conv."))
        renamed = {}
        for name, value in state.items():
            for own, other in pairs:
                name = name.replace(own, other)
            renamed[name] = value
        return renamed

    @pytest.mark.parametrize("load", [load_weights, lambda net, path: initial_weights(net, path=path)])
    @pytest.mark.parametrize("prefix", ["", "module.", "model."])
    @pytest.mark.parametrize("names", ["att_u_net", "slides"])
    def test_loads(self, tmp_path: Path, names: str, prefix: str, load) -> None:
        state = make(1).state_dict()
        if names == "slides":
            state = self.slides_names(state)
            assert {"Conv.weight", "UpConv2.conv.0.weight", "Att2.W_gate.0.weight"} <= set(state)
        torch.save({prefix + name: value for name, value in state.items()}, tmp_path / "model.pth")
        network = load(make(2), tmp_path / "model.pth")
        torch.testing.assert_close(network(image()), make(1)(image()), rtol=0, atol=0)

    def test_another_number_of_slices(self, tmp_path: Path) -> None:
        torch.save(self.slides_names(make().state_dict()), tmp_path / "model.pth")
        match = r"Conv1.conv.0.weight is \(4, 3, 3, 3\) in the file, \(4, 5, 3, 3\) in the network"
        with pytest.raises(InputError, match=match) as error:
            load_weights(make(in_channels=5), tmp_path / "model.pth")
        assert len(str(error.value).splitlines()) == 3

    def test_loading_is_strict(self, tmp_path: Path) -> None:
        state = make().state_dict()
        torch.save(state | {"Att9.W_gate.0.weight": torch.zeros(1)}, tmp_path / "more.pth")
        with pytest.raises(InputError, match=r"1 unexpected \(first Att9.W_g.0.weight\)"):
            load_weights(make(), tmp_path / "more.pth")
        del state["Conv_1x1.bias"]
        torch.save(state, tmp_path / "less.pth")
        with pytest.raises(InputError, match=r"1 missing \(first Conv_1x1.bias\)"):
            load_weights(make(), tmp_path / "less.pth")


def test_initialisation_is_deterministic() -> None:
    same = zip(make(3).state_dict().values(), make(3).state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)


def test_every_parameter_learns() -> None:
    network = make().train()
    network(image()).square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())
    silent = {name for name, p in network.named_parameters() if not p.grad.any()}
    assert not any(name.endswith("weight") for name in silent)  # a bias before batch norm has no effect


@torch.no_grad()
def test_layouts_precision_and_compilers() -> None:
    network = make()
    expected = network(image())
    last = make().to(memory_format=torch.channels_last)
    torch.testing.assert_close(last(image()), expected, rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(network(image()).float(), expected, rtol=0.1, atol=0.1)
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(image()), expected)
    torch.testing.assert_close(compiled(image(), attention=True)["logits"], expected)
    shapes = {"image": {0: torch.export.Dim("batch", min=1, max=16)}}
    exported = torch.export.export(network, (image(),), dynamic_shapes=shapes).module()
    torch.testing.assert_close(exported(image(3)), network(image(3)))
