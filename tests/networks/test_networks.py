# SPDX-License-Identifier: Apache-2.0
"""Checks that every network passes: shapes, sizes, gradients, layouts, precision, files, export."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from monai.data import MetaTensor
from torch import Tensor, nn

from tomobundles.networks import FusionNetwork, GridUNet, ResizedNetwork, SlicePresenceNet

CHANNELS = (4, 6, 8, 10, 12)


def grid(**options: object) -> GridUNet:
    return GridUNet(channels=CHANNELS, **options)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "unet": lambda: grid(nested=False),
    "unetplusplus": grid,
    "dilated": lambda: grid(dilations=(1, 2, 4, 8)),
    "segmentation_only": lambda: grid(presence_classes=0, deep_supervision=False),
    "residual_scse": lambda: grid(block="residual", attention="scse"),
    "dense_average": lambda: grid(block="dense", presence_pooling="avg"),
    "presence_only": lambda: SlicePresenceNet(input_size=(64, 64)),
    "resized": lambda: ResizedNetwork(grid(), size=(32, 48)),
    "fusion": lambda: FusionNetwork(
        [grid(), grid(nested=False, presence_classes=0), SlicePresenceNet(input_size=(64, 64))]
    ),
}


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS.keys())
def network(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    network = request.param()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = (
                None  # the next pass sets the statistics, and features have the size of real ones
            )
    with torch.no_grad():
        network(image(4, 48, 48))
    return network.eval()


def image(batch: int = 2, height: int = 32, width: int = 48) -> Tensor:
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(1))


def assert_close(actual: dict[str, Tensor], expected: dict[str, Tensor], *, relative: float) -> None:
    assert actual.keys() == expected.keys()
    for key, value in expected.items():
        scale = max(1.0, value.abs().max().item())
        torch.testing.assert_close(actual[key].to(value), value, rtol=0, atol=relative * scale)


class TestEveryNetwork:
    @pytest.fixture(autouse=True)
    def _no_gradients(self) -> Iterator[None]:
        with torch.no_grad():
            yield

    def test_any_size_and_batch(self, network: nn.Module) -> None:
        for batch, *size in ((1, 16, 16), (2, 16, 16), (1, 33, 47), (2, 33, 47), (1, 1, 1), (1, 64, 20)):
            output = network(image(batch, *size))
            assert output
            assert output.keys() <= {"segmentation", "presence"}
            for key, value in output.items():
                assert value.shape == ((batch, 4, *size) if key == "segmentation" else (batch, 3))
                assert value.dtype == torch.float32
                assert torch.isfinite(value).all()

    def test_every_parameter_learns(self, network: nn.Module) -> None:
        with torch.enable_grad():
            network.train()
            sum(value.square().sum() for value in network(image()).values()).backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())
        # Batch norm cancels the bias of the convolution before it, so a few gradients may be 0, but not many.
        assert sum(bool(p.grad.any()) for p in network.parameters()) > 0.5 * len(list(network.parameters()))

    def test_slices_do_not_mix(self, network: nn.Module) -> None:
        both, second = network(image()), network(image()[1:])
        assert_close(second, {key: value[1:] for key, value in both.items()}, relative=1e-4)

    def test_channels_last(self, network: nn.Module) -> None:
        expected = network(image(2, 33, 47))
        last = torch.channels_last
        actual = network.to(memory_format=last)(image(2, 33, 47).contiguous(memory_format=last))
        assert_close(actual, expected, relative=1e-5)

    def test_bfloat16_autocast(self, network: nn.Module) -> None:
        expected = network(image())
        with torch.autocast("cpu", torch.bfloat16):
            actual = network(image())
        assert_close(actual, expected, relative=0.3)  # 0.4 % a rounding, which random weights amplify

    def test_metatensor(self, network: nn.Module) -> None:
        expected = network(image(2, 33, 47))
        actual = network(MetaTensor(image(2, 33, 47)))
        assert_close({key: value.as_tensor() for key, value in actual.items()}, expected, relative=0)

    def test_save_and_load(self, network: nn.Module, request: pytest.FixtureRequest, tmp_path) -> None:
        torch.save(network.state_dict(), tmp_path / "model.pt")
        torch.manual_seed(2)
        other = NETWORKS[request.node.callspec.id]().eval()
        assert not torch.equal(next(iter(other(image()).values())), next(iter(network(image()).values())))
        other.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
        assert_close(other(image()), network(image()), relative=0)

    def test_export(self, network: nn.Module) -> None:
        shapes = {"image": {0: torch.export.Dim("batch", min=1, max=16)}}
        exported = torch.export.export(network, (image(2),), dynamic_shapes=shapes).module()
        assert_close(exported(image(3)), network(image(3)), relative=1e-5)

    def test_any_number_of_slices(self) -> None:
        for build in (GridUNet, SlicePresenceNet):
            for slices in (1, 2, 5):
                assert build(in_channels=slices).eval()(torch.zeros(1, slices, 16, 16))
