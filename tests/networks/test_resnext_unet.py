# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tomobundles.networks import ResNeXtUNet, load_weights
from tomobundles.utils import InputError

DECODER = (24, 12, 8, 6, 4)


def make(seed: int = 0, **options: object) -> ResNeXtUNet:
    """A small network in evaluation mode whose batch norms do something."""
    torch.manual_seed(seed)
    network = ResNeXtUNet(**({"width": 4, "decoder_channels": DECODER} | options)).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return network


def image(batch: int = 2, slices: int = 5, height: int = 64, width: int = 32) -> Tensor:
    return torch.randn(batch, slices, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("backbone", "parameters"), [("resnext50_32x4d", 31_992_977), ("resnext101_32x4d", 51_141_777)]
)
def test_parameters(backbone: str, parameters: int) -> None:
    with torch.device("meta"):
        network = ResNeXtUNet(backbone=backbone, in_channels=3)
    assert sum(p.numel() for p in network.parameters()) == parameters
    # Levels: (upsampled + skip) to out, out to out, 3x3 without bias, two batch norms; then 3x3, 16 to 1.
    levels = [(2048 + 1024, 256), (256 + 512, 128), (128 + 256, 64), (64 + 64, 32), (32, 16)]
    decoder = sum(9 * (i * o + o * o) + 4 * o for i, o in levels) + 9 * 16 + 1
    assert sum(p.numel() for p in network.encoder.parameters()) == parameters - decoder


@pytest.mark.parametrize("backbone", ["resnext50_32x4d", "resnext101_32x4d"])
@pytest.mark.parametrize(("slices", "out"), [(1, 1), (5, 3), (7, 1)])
def test_shapes(backbone: str, slices: int, out: int) -> None:
    network = make(backbone=backbone, in_channels=slices, out_channels=out)
    assert network.divisor == 32
    assert network(image(slices=slices)).shape == (2, out, 64, 32)


def test_decoder_follows_the_width() -> None:
    network = ResNeXtUNet(width=16)
    blocks = network.decoder.blocks
    assert [block.convs.conv_1.conv.out_channels for block in blocks] == [64, 32, 16, 8, 4]
    tiny = ResNeXtUNet(width=2)
    assert tiny.segmentation_head[0].in_channels == 1


def smp_names(network: ResNeXtUNet) -> dict[str, Tensor]:
    """The state dict as segmentation_models.pytorch would write it: other names, upsampled before skip."""
    state = {}
    up = (network.encoder.channels[-1], *DECODER[:-1])
    for name, value in network.state_dict().items():
        if name.startswith("decoder.") and "conv_0.conv.weight" in name:
            skip = value.shape[1] - up[int(name.split(".")[2])]
            value = torch.cat([value[:, skip:], value[:, :skip]], dim=1)
        for index in (0, 1):
            name = name.replace(f"convs.conv_{index}.conv.", f"conv{index + 1}.0.")
            name = name.replace(f"convs.conv_{index}.adn.N.", f"conv{index + 1}.1.")
        state[name] = value
    return state


def layer(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    x = F.conv2d(x, state[f"{name}.0.weight"], padding=1)
    norm = [state[f"{name}.1.{key}"] for key in ("running_mean", "running_var", "weight", "bias")]
    return F.batch_norm(x, *norm).relu()


@torch.no_grad()
def test_decoder_is_that_of_segmentation_models() -> None:
    network = make()
    state = smp_names(network)
    *skips, x = network.encoder(image())
    for index in range(5):
        x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        x = torch.cat([x, skips.pop()], dim=1) if skips else x
        x = layer(state, f"decoder.blocks.{index}.conv2", layer(state, f"decoder.blocks.{index}.conv1", x))
    head = (state["segmentation_head.0.weight"], state["segmentation_head.0.bias"])
    torch.testing.assert_close(network(image()), F.conv2d(x, *head, padding=1), rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("prefix", ["", "model."])
def test_loads_segmentation_models_checkpoints(tmp_path: Path, prefix: str) -> None:
    source = make(1)
    state = smp_names(source)
    assert {"decoder.blocks.0.conv1.0.weight", "decoder.blocks.4.conv2.1.running_mean"} <= set(state)
    torch.save({prefix + name: value for name, value in state.items()}, tmp_path / "smp.pth")
    network = load_weights(make(2), tmp_path / "smp.pth")
    torch.testing.assert_close(network(image()), source(image()), rtol=0, atol=0)


@torch.no_grad()
def test_loads_its_own(tmp_path: Path) -> None:
    torch.save(make(1).state_dict(), tmp_path / "model.pt")
    network = load_weights(make(2), tmp_path / "model.pt")
    torch.testing.assert_close(network(image()), make(1)(image()), rtol=0, atol=0)


def test_other_weights(tmp_path: Path) -> None:
    torch.save(make(in_channels=3).state_dict(), tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"encoder.conv1.weight is \(4, 3, 7, 7\) in the file"):
        load_weights(make(), tmp_path / "model.pt")


def test_initialisation_is_deterministic() -> None:
    same = zip(make(3).state_dict().values(), make(3).state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)


def test_every_parameter_learns() -> None:
    network = make(width=8).train()
    network(image()).square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())
    silent = [name for name, p in network.named_parameters() if not p.grad.any()]
    assert len(silent) < 10  # a ReLU that never opens, here and there, at this width


@torch.no_grad()
def test_layouts_precision_and_compilers() -> None:
    network = make()
    expected = network(image())
    last = make().to(memory_format=torch.channels_last)
    torch.testing.assert_close(last(image()), expected, rtol=1e-3, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(network(image()).float(), expected, rtol=0.2, atol=0.2)
    shapes = {"image": {0: torch.export.Dim("batch", min=1, max=16)}}
    exported = torch.export.export(network, (image(),), dynamic_shapes=shapes).module()
    torch.testing.assert_close(exported(image(3)), network(image(3)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [(8, 8), (8, 8, 8, 8, 8, 8)])
def test_other_decoder_levels(channels: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"decoder_channels is .*\nGive 5 numbers"):
        make(decoder_channels=channels)


def test_bad_numbers() -> None:
    with pytest.raises(InputError, match="decoder_channels 2 is 0"):
        make(decoder_channels=(8, 0, 8, 8, 8))
    for name in ("in_channels", "out_channels", "width"):
        with pytest.raises(InputError, match=f"{name} is 0"):
            make(**{name: 0})


def test_bad_input() -> None:
    with pytest.raises(InputError, match="multiples of 32"):
        make()(image(height=48))
    with pytest.raises(InputError, match="for a network of 5 slices"):
        make()(image(slices=3))
