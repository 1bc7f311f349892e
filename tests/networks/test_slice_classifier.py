# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
import torch
from monai.data import MetaTensor
from monai.visualize import GradCAM
from torch import Tensor, nn

from tomobundles.networks import GRUContext, KernelContext, SliceClassifier, load_weights
from tomobundles.utils import InputError

BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}


def imagenet_shapes(backbone: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of an ImageNet state dict, written out from the architecture's table."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7)}

    def norm(name: str, width: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (width,)
        shapes[f"{name}.num_batches_tracked"] = ()

    norm("bn1", 64)
    width = 64
    for stage, (out, blocks) in enumerate(zip((64, 128, 256, 512), BLOCKS[backbone], strict=True), start=1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            shapes[f"{name}.conv1.weight"] = (out, width, 3, 3)
            norm(f"{name}.bn1", out)
            shapes[f"{name}.conv2.weight"] = (out, out, 3, 3)
            norm(f"{name}.bn2", out)
            if width != out:
                shapes[f"{name}.downsample.0.weight"] = (out, width, 1, 1)
                norm(f"{name}.downsample.1", out)
            width = out
    return shapes | {"fc.weight": (1000, 512), "fc.bias": (1000,)}


def imagenet_weights(backbone: str) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(shape, generator=generator) * 0.01 if shape else torch.zeros((), dtype=torch.long)
        for name, shape in imagenet_shapes(backbone).items()
    }


def small(**options: object) -> SliceClassifier:
    torch.manual_seed(0)
    network = SliceClassifier(**({"backbone": "resnet18", "hidden": 16} | options))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            module.momentum = None  # the next pass sets the statistics
    with torch.no_grad():
        network.train()(image(4, 2 * network.channels_per_slice))
    return network.eval()


def image(batch: int = 2, channels: int = 1, height: int = 64, width: int = 96) -> Tensor:
    return torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(1))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameters() -> None:
    network = SliceClassifier(context=KernelContext())
    # 1000 * 256 + 256, batch norm 2 * 256, 256 * 5 + 5; the ImageNet ResNet-34 has 21,797,672
    assert count(network.head) == 256_256 + 512 + 1_285 == 258_053
    assert count(network) == 21_797_672 + 258_053 == 22_055_725


@pytest.mark.parametrize(("backbone", "keys"), [("resnet34", 218), ("resnet18", 122)])
def test_names_are_those_of_an_imagenet_file(backbone: str, keys: int) -> None:
    state = SliceClassifier(backbone=backbone).resnet.state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == imagenet_shapes(backbone)
    assert len(state) == keys


@pytest.mark.parametrize("counters", [True, False])
def test_imagenet_weights_are_loaded_whole(counters: bool, tmp_path: Path) -> None:
    weights = imagenet_weights("resnet34")
    if not counters:  # old files have none
        weights = {n: value for n, value in weights.items() if not n.endswith("num_batches_tracked")}
    torch.save(weights, tmp_path / "resnet34.pth")
    loaded = SliceClassifier(imagenet_weights=tmp_path / "resnet34.pth").resnet.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in weights.items())


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    weights = imagenet_weights("resnet18")
    torch.save(weights, tmp_path / "resnet18.pth")
    with pytest.raises(InputError, match="missing"):
        SliceClassifier(imagenet_weights=tmp_path / "resnet18.pth")
    with pytest.raises(InputError, match=r"conv1\.weight is \(64, 3, 7, 7\) in the file, \(64, 9, 7, 7\)"):
        SliceClassifier(backbone="resnet18", channels_per_slice=9, imagenet_weights=tmp_path / "resnet18.pth")
    weights.pop("fc.bias")  # the classifier is part of the network
    torch.save(weights, tmp_path / "headless.pth")
    with pytest.raises(InputError, match=r"1 missing \(first fc\.bias\)"):
        SliceClassifier(backbone="resnet18", imagenet_weights=tmp_path / "headless.pth")
    with pytest.raises(InputError, match="no such file of weights"):
        SliceClassifier(imagenet_weights=tmp_path / "none.pth")


@torch.no_grad()
def test_backbone_is_monais_whole_forward() -> None:
    network = small(channels_per_slice=3)
    expected = network.head(network.resnet(image(2, 3)))
    torch.testing.assert_close(network(image(2, 3))["logits"][..., 0], expected)


@torch.no_grad()
@pytest.mark.parametrize("channels", [1, 3, 9])
def test_shapes(channels: int) -> None:
    network = small(channels_per_slice=channels, num_classes=4, context=KernelContext())
    for slices in (1, 2, 5):
        output = network(image(2, slices * channels))
        assert output["logits"].shape == output["slice_logits"].shape == (2, 4, slices)
        assert output["features"].shape == (2, 512, slices)
        assert output.keys() == {"logits", "slice_logits", "features"}
    assert network(image(1, channels, 33, 47))["logits"].isfinite().all()


@torch.no_grad()
def test_one_channel_is_shown_three_times() -> None:
    one, three = small(), small(channels_per_slice=3)
    three.load_state_dict(one.state_dict())
    grays = image(2, 1)
    assert torch.equal(one(grays)["logits"], three(grays.repeat(1, 3, 1, 1))["logits"])


@torch.no_grad()
def test_slices_of_a_stack_do_not_mix_but_by_context() -> None:
    network = small(channels_per_slice=3, context=KernelContext())
    stack = image(2, 15)
    output = network(stack)
    alone = torch.stack(
        [network(stack[:, first : first + 3])["logits"][..., 0] for first in range(0, 15, 3)], -1
    )
    torch.testing.assert_close(output["slice_logits"], alone, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output["logits"], KernelContext()(output["slice_logits"], output["features"]))
    # the centre is the weighted sum of the five
    weighted = (output["slice_logits"] * torch.tensor([0.1, 0.3, 0.5, 0.3, 0.1])).sum(-1)
    torch.testing.assert_close(output["logits"][..., 2], weighted)


@torch.no_grad()
def test_context_of_one_slice_and_no_context() -> None:
    network = small(context=KernelContext())
    output = network(image())
    assert torch.equal(output["logits"], output["slice_logits"])
    network.context = None
    output = network(image(2, 5))
    assert torch.equal(output["logits"], output["slice_logits"])


@torch.no_grad()
def test_positions_reach_the_context() -> None:
    network = small(context=KernelContext(tap_mm=1))
    output = network(image(2, 5), positions_mm=torch.arange(5) * 10.0)
    torch.testing.assert_close(output["logits"], output["slice_logits"] * 1.3)


def test_every_parameter_learns() -> None:
    network = small(context=GRUContext(5)).train()
    nn.init.normal_(network.context.out.weight)
    network(image(2, 2))["logits"].square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    # batch norm cancels the bias before it
    assert sum(bool(p.grad.any()) for p in network.parameters()) > 0.9 * len(list(network.parameters()))


def test_frozen_but_for_the_context() -> None:
    network = small(context=GRUContext(5), freeze=True).train()
    assert network.training
    assert network.context.training
    before = {name: value.clone() for name, value in network.state_dict().items()}
    output = network(image(1, 1))  # batch norm does not need two
    assert not output["logits"].requires_grad
    network(image(2, 3))["logits"].sum().backward()
    learnt = {name for name, parameter in network.named_parameters() if parameter.grad is not None}
    assert learnt == {name for name, _ in network.named_parameters() if name.startswith("context.")}
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert torch.equal(network.eval()(image(1, 1))["logits"], output["logits"])


class Logits(nn.Module):
    """What MONAI's GradCAM wants: a tensor of logits."""

    def __init__(self, network: SliceClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, stacks: Tensor) -> Tensor:
        return self.network(stacks)["logits"][..., 0]


def test_heat_maps_are_monais_grad_cam() -> None:
    network = small()
    with torch.no_grad():
        output = network(image(), cam=True)
    assert output["cam"].shape == (2, 5, 2, 3)
    assert output["cam"].dtype == torch.float32
    assert output["cam"].max() > 0
    reference = GradCAM(nn_module=Logits(network), target_layers="network.resnet.layer4")
    for klass in range(5):
        expected = reference.compute_map(image(), class_idx=klass)
        torch.testing.assert_close(output["cam"][:, [klass]], expected, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_heat_maps_in_any_mode_and_without_a_trace(mode) -> None:
    network = small()
    with torch.no_grad():
        expected = network(image(), cam=True)["cam"]
    with mode():
        found = network(image(), cam=True)["cam"]
    torch.testing.assert_close(found, expected)
    assert not found.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())


def test_heat_maps_cost_no_second_pass() -> None:
    network, passes = small(), []
    network.resnet.conv1.register_forward_hook(lambda *_: passes.append(1))
    with torch.no_grad():
        plain = network(image())["logits"]
        assert torch.equal(network(image(), cam=True)["logits"], plain)
    assert len(passes) == 2


def test_heat_maps_of_frozen_networks_and_under_autocast() -> None:
    network = small()
    expected = network(image(), cam=True)["cam"]
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    assert torch.equal(network(image(), cam=True)["cam"], expected)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = network(image(), cam=True)["cam"]
    assert found.dtype == torch.float32
    both = torch.stack([found.flatten(), expected.flatten()])
    assert torch.corrcoef(both)[0, 1] > 0.9  # random weights amplify the 0.4 % of a rounding


@torch.no_grad()
def test_layouts_types_and_files(tmp_path: Path) -> None:
    network = small(context=KernelContext())
    expected = network(image(2, 3))
    torch.save(network.state_dict(), tmp_path / "model.pt")
    for loaded in (
        load_weights(SliceClassifier(backbone="resnet18", hidden=16), tmp_path / "model.pt").eval(),
        load_weights(small(context=KernelContext(tap_mm=5)), tmp_path / "model.pt"),
    ):
        assert torch.equal(loaded(image(2, 3))["slice_logits"], expected["slice_logits"])
    last = network.to(memory_format=torch.channels_last)
    found = last(MetaTensor(image(2, 3).contiguous(memory_format=torch.channels_last)))
    torch.testing.assert_close(found["logits"].as_tensor(), expected["logits"], atol=1e-4, rtol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = network(image(2, 3))["logits"]
    torch.testing.assert_close(rounded, expected["logits"], atol=0.2, rtol=0.2)


@torch.no_grad()
def test_export() -> None:
    network = small(context=KernelContext())
    shapes = {"image": {0: torch.export.Dim("batch", min=1, max=16)}}
    exported = torch.export.export(network, (image(2, 5),), dynamic_shapes=shapes).module()
    torch.testing.assert_close(exported(image(3, 5))["logits"], network(image(3, 5))["logits"])


def test_bad_options() -> None:
    with pytest.raises(InputError, match=r"backbone is 'vgg'"):
        SliceClassifier(backbone="vgg")
    with pytest.raises(InputError, match="channels_per_slice is 0"):
        SliceClassifier(channels_per_slice=0)


def test_bad_input() -> None:
    network = small(channels_per_slice=3)
    for channels in (2, 4, 0):
        with pytest.raises(InputError, match=f"input has {channels} channels, slices have 3"):
            network(image(2, channels))
    with pytest.raises(InputError, match="one slice, in evaluation mode"):
        network(image(2, 6), cam=True)
    with pytest.raises(InputError, match="one slice, in evaluation mode"):
        network.train()(image(2, 3), cam=True)
    with pytest.raises(InputError, match="one slice is too few for batch norm in training"):
        network(image(1, 3))
    assert network(image(1, 6))["logits"].shape == (1, 5, 2)
